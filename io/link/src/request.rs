//! HTTP/1.1 as a client: small requests, and connections that are upgraded to something else.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, UPGRADE};
use http::response::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::dialer::{Connected, Dialer, Target};
use crate::duplex::BoxedStream;
use crate::error::{DialError, RequestError, reason_of};
use crate::limits::{SMALL_BODY_MAX, SMALL_REQUEST_MAX};
use crate::task::OwnedTask;
use crate::url::Origin;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// How long the server asks to wait before the next try.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

impl Dialer {
    /// GETs a small document.
    pub async fn get(&self, url: &str) -> Result<Reply, DialError> {
        self.small(Method::GET, url, Bytes::new()).await
    }

    /// POSTs a small JSON document.
    pub async fn post_json(&self, url: &str, body: Vec<u8>) -> Result<Reply, DialError> {
        self.small(Method::POST, url, body.into()).await
    }

    /// One request, whose address has scheme and host, and its whole answer, with limits for its body and for everything
    /// together. Redirects come back as they are: who follows them decides where to.
    pub async fn exchange(
        &self,
        request: Request<Vec<u8>>,
        body_max: usize,
        time_max: Duration,
    ) -> Result<Response<Bytes>, DialError> {
        let (origin, path) = Origin::parse(&request.uri().to_string())?;
        let target = Target::of_origin(&origin);
        let (mut head, body) = request.into_parts();
        let failed = |error: RequestError| unreachable(&target, &error);
        head.uri = path.parse().map_err(|error: http::uri::InvalidUri| failed(http::Error::from(error).into()))?;
        let host = HeaderValue::from_str(&target.name()).map_err(|error| failed(http::Error::from(error).into()))?;
        head.headers.insert(HOST, host);
        let exchange = async {
            let mut connection = HttpConnection::open(self, &target).await?;
            let request = Request::from_parts(head, Full::new(Bytes::from(body)));
            let response = connection.sender.send_request(request).await.map_err(|error| failed(error.into()))?;
            let (head, body) = response.into_parts();
            let body = read_body(body, body_max).await.map_err(failed)?;
            Ok(Response::from_parts(head, body))
        };
        timeout(time_max, exchange).await.unwrap_or_else(|_| Err(failed(RequestError::TimedOut)))
    }

    async fn small(&self, method: Method, url: &str, body: Bytes) -> Result<Reply, DialError> {
        let (origin, path) = Origin::parse(url)?;
        let target = Target::of_origin(&origin);
        let exchange = async {
            let mut connection = HttpConnection::open(self, &target).await?;
            connection.small(method, &path, body).await.map_err(|error| unreachable(&target, &error))
        };
        timeout(SMALL_REQUEST_MAX, exchange)
            .await
            .unwrap_or_else(|_| Err(unreachable(&target, &RequestError::TimedOut)))
    }
}

/// One HTTP/1.1 connection.
pub(crate) struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    local: IpAddr,
    _task: OwnedTask,
}

impl HttpConnection {
    pub(crate) async fn open(dialer: &Dialer, target: &Target) -> Result<Self, DialError> {
        Self::over(dialer.connect(target).await?, target).await
    }

    /// Speaks HTTP over a connection.
    pub(crate) async fn over(connected: Connected, target: &Target) -> Result<Self, DialError> {
        let Connected { stream, local, .. } = connected;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(target, &RequestError::from(error)))?;
        let task = OwnedTask::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "an HTTP connection ended early");
            }
        });
        Ok(Self { sender, host: target.name(), local, _task: task })
    }

    /// The address of ours that it goes out from.
    pub(crate) fn local(&self) -> IpAddr {
        self.local
    }

    /// Whether it takes another request.
    pub(crate) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// One request with a small answer. The caller limits its time.
    pub(crate) async fn small(&mut self, method: Method, path: &str, body: Bytes) -> Result<Reply, RequestError> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        read_reply(response, SMALL_BODY_MAX).await
    }

    /// One request of whose answer only the head is of interest. The caller limits its time.
    pub(crate) async fn head_of_answer(&mut self, request: Request<Full<Bytes>>) -> Result<Parts, RequestError> {
        Ok(self.sender.send_request(request).await?.into_parts().0)
    }

    /// Asks to speak another protocol. A refusal comes back as the answer it is.
    pub(crate) async fn upgrade(
        mut self,
        method: Method,
        path: &str,
        protocol: &'static str,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Upgraded, RequestError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, protocol);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let mut response = self.sender.send_request(request.body(Full::default())?).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return read_reply(response, SMALL_BODY_MAX).await.map(Upgraded::Refused);
        }
        let upgraded = hyper::upgrade::on(&mut response).await?;
        Ok(Upgraded::Switched(Box::new(TokioIo::new(upgraded))))
    }
}

/// What came of asking for another protocol.
pub(crate) enum Upgraded {
    Switched(BoxedStream),
    Refused(Reply),
}

impl Reply {
    /// What a refusal says, in one line fit for a log and a terminal.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(self.body.get(..300).unwrap_or(&self.body));
        let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.is_empty() || text.starts_with('<') { format!("HTTP status {}", self.status) } else { text }
    }
}

/// Reads an answer whose body is limited.
pub(crate) async fn read_reply(response: Response<Incoming>, limit: usize) -> Result<Reply, RequestError> {
    let (head, body) = response.into_parts();
    let body = read_body(body, limit).await?;
    Ok(Reply { status: head.status.as_u16(), retry_after: retry_after(&head.headers), body })
}

async fn read_body(body: Incoming, limit: usize) -> Result<Bytes, RequestError> {
    let whole = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            RequestError::TooLong { limit }
        } else {
            RequestError::Lost(reason_of(error.as_ref()))
        }
    })?;
    Ok(whole.to_bytes())
}

/// Only the form in seconds: the one that coordination servers use.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

pub(crate) fn unreachable(target: &Target, error: &RequestError) -> DialError {
    DialError::Unreachable { target: target.name(), reason: error.to_string() }
}
