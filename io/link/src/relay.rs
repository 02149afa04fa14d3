//! A node's connection to a relay: dialled, upgraded, logged in, and split into a reader and a writer.
//!
//! Sources: tailscale `derp/derphttp/derphttp_client.go connect`, `derp/derp_client.go`.

mod reader;
mod writer;

use std::net::IpAddr;
use std::time::Duration;

use http::Method;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};
use wattle_keys::{NodePrivate, NodePublic};
use wattle_netmap::DerpNode;
use wattle_wire::derp::{Frame, FrameDecoder, LoginFacts, WelcomeFacts};

use crate::dialer::{Connected, Dialer, Target};
use crate::duplex::BoxedStream;
use crate::error::{DialError, RequestError};
use crate::limits::{RELAY_CONNECT_MAX, RELAY_LOGIN_MAX, SMALL_REQUEST_MAX};
use crate::request::{HttpConnection, Upgraded, unreachable};
use crate::tls::Trust;

pub use reader::{RelayError, RelayEvent, RelayReader};
pub use writer::RelayWriter;

/// How a relay is dialled.
#[derive(Clone, Debug, Default)]
pub struct RelayOptions {
    /// Without TLS. Only tests and relays behind a proxy of one's own want it.
    pub plain_http: bool,
    /// What to say at login.
    pub login: LoginFacts,
}

/// A relay that has let us in.
#[derive(Debug)]
pub struct RelayConnection {
    /// What arrives.
    pub reader: RelayReader,
    /// What leaves.
    pub writer: RelayWriter,
    /// The relay's key.
    pub key: NodePublic,
    /// What it said at login: its rate limits.
    pub welcome: WelcomeFacts,
    /// The address of ours that it goes out from. When the host loses it the connection is dead.
    pub local: IpAddr,
}

impl RelayConnection {
    /// Connects and logs in.
    pub async fn dial(
        dialer: &Dialer,
        node: &DerpNode,
        key: &NodePrivate,
        options: &RelayOptions,
    ) -> Result<Self, DialError> {
        let target = target(node, options.plain_http);
        let dialing = async {
            let connected = dialer.connect(&target).await?;
            if let Some(relay) = connected.relay {
                let Connected { mut stream, local, .. } = connected;
                let unable = |error: std::io::Error| DialError::unreachable(target.name(), &error);
                stream.write_all(fast_start(&target).as_bytes()).await.map_err(unable)?;
                return log_in(stream, local, &target, key, &options.login, Some(relay)).await;
            }
            let connection = HttpConnection::over(connected, &target).await?;
            let local = connection.local();
            let upgrading = connection.upgrade(Method::GET, "/derp", "DERP", None);
            match upgrading.await.map_err(|error| unreachable(&target, &error))? {
                Upgraded::Switched(stream) => log_in(stream, local, &target, key, &options.login, None).await,
                Upgraded::Refused(reply) if reply.status == 404 => {
                    Err(not_relay(&target, "it knows no /derp".to_owned()))
                }
                Upgraded::Refused(reply) => Err(DialError::Refused { target: target.name(), reason: reply.text() }),
            }
        };
        timeout(RELAY_LOGIN_MAX, dialing).await.unwrap_or_else(|_| Err(unreachable(&target, &RequestError::TimedOut)))
    }
}

/// How long a relay takes to answer an HTTP request once connected: for networks that let no STUN through.
pub async fn https_latency(dialer: &Dialer, node: &DerpNode, plain_http: bool) -> Result<Duration, DialError> {
    let target = target(node, plain_http);
    let measuring = async {
        let mut connection = HttpConnection::open(dialer, &target).await?;
        let asked = Instant::now();
        let reply = connection.small(Method::GET, "/derp/latency-check", bytes::Bytes::new()).await;
        let took = asked.elapsed();
        match reply.map_err(|error| unreachable(&target, &error))? {
            reply if reply.status == 200 => Ok(took),
            reply => Err(not_relay(&target, reply.text())),
        }
    };
    timeout(SMALL_REQUEST_MAX, measuring).await.unwrap_or_else(|_| Err(unreachable(&target, &RequestError::TimedOut)))
}

/// Asks for an upgrade whose answer is left out: the relay's key is known from TLS, so that the login can follow at once and
/// a round trip is saved.
fn fast_start(target: &Target) -> String {
    let host = target.name();
    format!("GET /derp HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: DERP\r\nDerp-Fast-Start: 1\r\n\r\n")
}

async fn log_in(
    mut stream: BoxedStream,
    local: IpAddr,
    target: &Target,
    key: &NodePrivate,
    login: &LoginFacts,
    known: Option<NodePublic>,
) -> Result<RelayConnection, DialError> {
    let broken = |error: RelayError| not_relay(target, error.to_string());
    let mut decoder = FrameDecoder::for_client();
    let relay = match known {
        Some(relay) => relay,
        None => reader::expect(&mut stream, &mut decoder, |frame| match frame {
            Frame::ServerKey(frame) => Some(frame.key),
            _ => None,
        })
        .await
        .map_err(broken)?,
    };

    let mut nonce = [0; wattle_keys::NONCE_LENGTH];
    let unable = |error: std::io::Error| DialError::unreachable(target.name(), &error);
    getrandom::fill(&mut nonce).map_err(|error| unable(std::io::Error::other(error.to_string())))?;
    stream.write_all(&login.seal(key, &relay, &nonce)).await.map_err(unable)?;
    stream.flush().await.map_err(unable)?;

    let welcome = reader::expect(&mut stream, &mut decoder, |frame| match frame {
        Frame::ServerWelcome(frame) => Some(frame.open(key, &relay)),
        _ => None,
    })
    .await
    .map_err(|error| match error {
        // A relay that does not admit a key closes the connection without a word.
        RelayError::Closed => {
            DialError::Refused { target: target.name(), reason: "the relay does not let this node in".to_owned() }
        }
        other => broken(other),
    })?
    .map_err(|error| not_relay(target, error.to_string()))?;

    let (read, write) = tokio::io::split(stream);
    Ok(RelayConnection {
        reader: RelayReader::new(read, decoder),
        writer: RelayWriter::new(write),
        key: relay,
        welcome,
        local,
    })
}

fn target(node: &DerpNode, plain_http: bool) -> Target {
    let trust = if node.insecure_for_tests {
        Trust::Anything
    } else if node.cert_name.is_empty() {
        Trust::Name(node.host_name.clone())
    } else {
        Trust::from_cert_name(&node.cert_name)
    };
    Target {
        host: node.host_name.clone(),
        port: node.derp_port,
        addresses: [node.ipv4, node.ipv6].into_iter().flatten().flatten().collect(),
        trust: (!plain_http).then_some(trust),
        connect_max: RELAY_CONNECT_MAX,
    }
}

fn not_relay(target: &Target, reason: String) -> DialError {
    DialError::NotRelay { target: target.name(), reason }
}
