//! A node's connection to its coordination server: dialled, upgraded, HTTP/2 inside.
//!
//! Sources: tailscale `control/controlhttp/client.go`, `control/ts2021/client.go`, `control/controlclient/direct.go`.

mod frames;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use wattle_keys::{MachinePrivate, MachinePublic, NodePublic};
use wattle_noise::{Initiator, response_length};
use wattle_wire::control::OverTlsPublicKeyResponse;
use wattle_wire::json;

use crate::accept::{CONTROL_PROTOCOL, ControlStream, HANDSHAKE};
use crate::dialer::{Dialer, Target};
use crate::duplex::BoxedStream;
use crate::error::{DialError, RequestError};
use crate::limits::{
    CLIENT_WINDOW, HEADER_LIST_MAX, PING_ANSWER_MAX, PING_INTERVAL, REPLY_BODY_MAX, SMALL_REQUEST_MAX,
};
use crate::noise_stream::NoiseStream;
use crate::random::random_seed;
use crate::request::{HttpConnection, Reply, Upgraded, read_reply, unreachable};
use crate::task::OwnedTask;
use crate::url::ControlUrl;

pub use frames::MapFrames;

/// Names the node to load balancers in front of several servers (tailscale `control/controlclient/direct.go addLBHeader`).
const LOAD_BALANCER_HINT: HeaderName = HeaderName::from_static("ts-lb");

/// An open connection to a coordination server. Clones share it; it closes when the last is dropped.
#[derive(Clone, Debug)]
pub struct ControlClient {
    sender: SendRequest<Full<Bytes>>,
    server: MachinePublic,
    /// The address of ours that it goes out from; `None` over a stream that somebody else opened.
    local: Option<IpAddr>,
    task: Arc<OwnedTask>,
}

impl ControlClient {
    /// Learns the server's key, and opens a control channel to it as `machine`, claiming `version`.
    pub async fn dial(
        dialer: &Dialer,
        url: &ControlUrl,
        machine: &MachinePrivate,
        version: u16,
    ) -> Result<Self, DialError> {
        let mut first_error = None;
        for origin in url.attempts() {
            let target = Target::of_origin(&origin);
            let attempt = timeout(SMALL_REQUEST_MAX * 2, Self::dial_target(dialer, &target, machine, version));
            match attempt.await.unwrap_or_else(|_| Err(unreachable(&target, &RequestError::TimedOut))) {
                Ok(client) => return Ok(client),
                // The URL that the person wrote is the one to explain.
                Err(error) => _ = first_error.get_or_insert(error),
            }
        }
        Err(first_error.unwrap_or_else(|| DialError::Url(url.to_string())))
    }

    async fn dial_target(
        dialer: &Dialer,
        target: &Target,
        machine: &MachinePrivate,
        version: u16,
    ) -> Result<Self, DialError> {
        let mut connection = HttpConnection::open(dialer, target).await?;
        let server = fetch_key(&mut connection, target, version).await?;
        if !connection.is_open().await {
            connection = HttpConnection::open(dialer, target).await?;
        }
        let local = connection.local();
        let stream = open_channel(connection, target, machine, &server, version).await?;
        let client = Self::start(stream, server).await.map_err(|error| unreachable(target, &error))?;
        Ok(Self { local: Some(local), ..client })
    }

    /// Speaks HTTP/2 in a channel.
    pub(crate) async fn start(stream: ControlStream, server: MachinePublic) -> Result<Self, RequestError> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_ANSWER_MAX)
            .keep_alive_while_idle(true)
            .max_header_list_size(HEADER_LIST_MAX)
            .initial_stream_window_size(CLIENT_WINDOW)
            .initial_connection_window_size(CLIENT_WINDOW)
            .handshake(TokioIo::new(stream))
            .await?;
        let task = OwnedTask::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the coordination server ended");
            }
        });
        Ok(Self { sender, server, local: None, task: Arc::new(task) })
    }

    /// The server's key.
    pub fn server(&self) -> MachinePublic {
        self.server
    }

    /// The address of ours that it goes out from, if that is known. When the host loses it the connection is dead.
    pub fn local(&self) -> Option<IpAddr> {
        self.local
    }

    /// Whether the server answers within this time: after a network change, when the connection may hang.
    pub async fn is_alive(&self, within: Duration) -> bool {
        // Any answer will do; this one costs every server next to nothing.
        let asking = self.request(Method::HEAD, "/", Vec::new());
        matches!(timeout(within, asking).await, Ok(Ok(_)))
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// POSTs JSON and waits for the whole answer, however long that takes: some requests wait for a person.
    pub async fn post(&self, path: &str, node: Option<&NodePublic>, body: Vec<u8>) -> Result<Reply, RequestError> {
        read_reply(self.send(Method::POST, path, node, body).await?, REPLY_BODY_MAX).await
    }

    /// The same with another method: a server may ask for a HEAD, and tailnet lock GETs with a body.
    pub async fn request(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Reply, RequestError> {
        read_reply(self.send(method, path, None, body).await?, REPLY_BODY_MAX).await
    }

    /// POSTs JSON whose answer is a stream of messages.
    pub async fn stream(
        &self,
        path: &str,
        node: Option<&NodePublic>,
        body: Vec<u8>,
    ) -> Result<StreamReply, RequestError> {
        let response = self.send(Method::POST, path, node, body).await?;
        if response.status().is_success() {
            Ok(StreamReply::Frames(MapFrames::new(response.into_body(), self.task.clone())))
        } else {
            read_reply(response, REPLY_BODY_MAX).await.map(StreamReply::Refused)
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        node: Option<&NodePublic>,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, RequestError> {
        // The host is arbitrary inside the channel: the server is known by its key.
        let mut request = Request::builder().method(method).uri(format!("https://control{path}"));
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(node) = node {
            request = request.header(LOAD_BALANCER_HINT, node.to_string());
        }
        let request = request.body(Full::new(body.into()))?;
        Ok(self.sender.clone().send_request(request).await?)
    }
}

/// What came of asking for a stream.
#[derive(Debug)]
pub enum StreamReply {
    /// It has begun.
    Frames(MapFrames),
    /// It has not.
    Refused(Reply),
}

async fn fetch_key(connection: &mut HttpConnection, target: &Target, version: u16) -> Result<MachinePublic, DialError> {
    let path = format!("/key?v={version}");
    let fetching = timeout(SMALL_REQUEST_MAX, connection.small(Method::GET, &path, Bytes::new()));
    let reply = match fetching.await.unwrap_or(Err(RequestError::TimedOut)) {
        Ok(reply) => reply,
        Err(RequestError::TooLong { .. }) => return Err(not_coordination(target, "its answer to /key is too long")),
        Err(error) => return Err(unreachable(target, &error)),
    };
    if reply.status != 200 {
        return Err(not_coordination(target, &format!("it answers /key with: {}", reply.text())));
    }
    let keys: OverTlsPublicKeyResponse =
        json::decode(&reply.body).map_err(|_| not_coordination(target, "its answer to /key holds no keys"))?;
    keys.public_key.ok_or_else(|| not_coordination(target, "it has no key for the control channel"))
}

async fn open_channel(
    connection: HttpConnection,
    target: &Target,
    machine: &MachinePrivate,
    server: &MachinePublic,
    version: u16,
) -> Result<ControlStream, DialError> {
    let handshake = |error: wattle_noise::HandshakeError| not_coordination(target, &error.to_string());
    let seed = random_seed().map_err(|error| DialError::unreachable(target.name(), &error))?;
    let (initiator, initiation) = Initiator::new(machine, server, version, seed).map_err(handshake)?;
    let header = HeaderValue::from_str(&BASE64_STANDARD.encode(initiation))
        .map_err(|_| not_coordination(target, "the handshake fits no header"))?;
    let upgrading = connection.upgrade(Method::POST, "/ts2021", CONTROL_PROTOCOL, Some((HANDSHAKE, header)));
    let mut below = match upgrading.await.map_err(|error| unreachable(target, &error))? {
        Upgraded::Switched(stream) => stream,
        Upgraded::Refused(reply) => {
            return Err(DialError::Refused { target: target.name(), reason: reply.text() });
        }
    };
    let answer = read_answer(&mut below).await.map_err(|error| DialError::unreachable(target.name(), &error))?;
    match initiator.finish(&answer) {
        Ok(channel) => Ok(NoiseStream::dialed(below, channel)),
        Err(wattle_noise::HandshakeError::Refused(reason)) => Err(DialError::Refused { target: target.name(), reason }),
        Err(error) => Err(handshake(error)),
    }
}

/// Reads the second handshake message: exactly it, for records follow.
async fn read_answer(below: &mut BoxedStream) -> std::io::Result<Vec<u8>> {
    let mut answer = vec![0; 3];
    below.read_exact(&mut answer).await?;
    if let Some(Ok(length)) = response_length(&answer) {
        let start = answer.len();
        answer.resize(length, 0);
        below.read_exact(&mut answer[start..]).await?;
    }
    Ok(answer)
}

fn not_coordination(target: &Target, reason: &str) -> DialError {
    DialError::NotCoordination { target: target.name(), reason: reason.to_owned() }
}
