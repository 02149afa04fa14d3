//! LocalAPI: what is asked for, by whom, and the way of a question to the event loop and back.
//!
//! Not the answers: those are the event loop's, which owns what they speak of.
//! Source for paths and parameters: tailscale `ipn/localapi/localapi.go`.

mod query;

use std::net::{IpAddr, SocketAddr};

use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use wattle_local_api::{PeerCredentials, Request, Response, respond};
use wattle_node::PingKind;
use wattle_wire::local::{MaskedPrefs, Options, Prefs};

use super::limits::CALL_WAIT_MAX;
use query::Query;

const ROOT: &str = "/localapi/v0/";

/// A question, and where its answer goes.
pub(super) struct Call {
    /// What is asked.
    pub(super) question: Question,
    /// Who asks.
    pub(super) caller: PeerCredentials,
    /// Where the answer goes.
    pub(super) reply: oneshot::Sender<Response>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Question {
    /// How the node is.
    Status {
        /// With its peers.
        peers: bool,
    },
    /// The preferences.
    Prefs,
    /// Change preferences.
    EditPrefs(Box<MaskedPrefs>),
    /// Whether preferences are acceptable.
    CheckPrefs(Box<Prefs>),
    /// Start, with preferences and perhaps a key.
    Start(Box<Options>),
    /// Sign in with a browser.
    LoginInteractive,
    /// Sign out.
    Logout,
    /// Follow the bus.
    Watch {
        /// What to tell first.
        mask: u64,
    },
    /// Who has an address.
    WhoIs(IpAddr),
    /// Ping an address.
    Ping(IpAddr, PingKind),
    /// The relays.
    DerpMap,
    /// The network's measurements.
    Netcheck {
        /// Measure anew.
        fresh: bool,
    },
    /// The paths to peers, and why.
    Paths,
    /// Do something for people who look for a fault.
    Debug(String),
    /// What the relay for peers carries.
    PeerRelaySessions,
    /// Counters.
    Metrics,
    /// End.
    Shutdown,
}

/// Why a request is no question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(StatusCode, String);

impl Question {
    /// Reads a request.
    pub(super) fn read(request: &Request) -> Result<Self, Refusal> {
        let unknown = || Refusal(StatusCode::NOT_FOUND, format!("{} is not served here", request.uri().path()));
        let endpoint = request.uri().path().strip_prefix(ROOT).ok_or_else(unknown)?;
        let query = Query::of(request.uri().query().unwrap_or_default());
        let method = request.method();
        let (read, write) = (method == Method::GET || method == Method::HEAD, method == Method::POST);
        Ok(match endpoint {
            "status" if read => Self::Status { peers: query.value("peers").as_deref() != Some("false") },
            "prefs" if read => Self::Prefs,
            "prefs" if method == Method::PATCH => Self::EditPrefs(body(request)?),
            "check-prefs" if write => Self::CheckPrefs(body(request)?),
            "start" if write => Self::Start(body(request)?),
            "login-interactive" if write => Self::LoginInteractive,
            "logout" if write => Self::Logout,
            "watch-ipn-bus" if read => Self::Watch { mask: query.number("mask")? },
            "whois" if read => Self::WhoIs(address(&query.required("addr")?)?),
            "ping" if write => Self::Ping(address(&query.required("ip")?)?, ping_kind(&query.required("type")?)?),
            "derpmap" if read => Self::DerpMap,
            "wattle/netcheck" if read => Self::Netcheck { fresh: query.value("fresh").as_deref() == Some("true") },
            "wattle/paths" if read => Self::Paths,
            "debug" if write => Self::Debug(query.required("action")?),
            "debug-peer-relay-sessions" if read => Self::PeerRelaySessions,
            "metrics" | "usermetrics" if read => Self::Metrics,
            "shutdown" if write => Self::Shutdown,
            "status"
            | "prefs"
            | "check-prefs"
            | "start"
            | "login-interactive"
            | "logout"
            | "watch-ipn-bus"
            | "whois"
            | "ping"
            | "derpmap"
            | "wattle/netcheck"
            | "wattle/paths"
            | "debug-peer-relay-sessions"
            | "debug"
            | "metrics"
            | "usermetrics"
            | "shutdown" => {
                return Err(Refusal(
                    StatusCode::METHOD_NOT_ALLOWED,
                    format!("{method} is not the way to ask for {endpoint}"),
                ));
            }
            _ => return Err(unknown()),
        })
    }

    /// Whether only root and the operator may ask it.
    pub(super) fn is_privileged(&self) -> bool {
        match self {
            Self::Status { .. } | Self::Prefs | Self::WhoIs(_) | Self::Ping(..) | Self::DerpMap | Self::Metrics => {
                false
            }
            Self::PeerRelaySessions
            | Self::Watch { .. }
            | Self::Netcheck { .. }
            | Self::Paths
            | Self::CheckPrefs(_) => false,
            Self::EditPrefs(_) | Self::Start(_) | Self::LoginInteractive | Self::Logout => true,
            Self::Debug(_) | Self::Shutdown => true,
        }
    }
}

/// Brings a request to the event loop and its answer back.
pub(super) async fn answer(request: Request, caller: PeerCredentials, calls: mpsc::Sender<Call>) -> Response {
    let question = match Question::read(&request) {
        Ok(question) => question,
        Err(Refusal(status, sentence)) => return respond::text(status, sentence),
    };
    let (reply, answered) = oneshot::channel();
    if calls.send(Call { question, caller, reply }).await.is_err() {
        return respond::text(StatusCode::SERVICE_UNAVAILABLE, "the daemon is about to end");
    }
    match timeout(CALL_WAIT_MAX, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => respond::text(StatusCode::SERVICE_UNAVAILABLE, "the daemon is about to end"),
        Err(_) => respond::text(StatusCode::GATEWAY_TIMEOUT, "no answer in time"),
    }
}

fn body<T: DeserializeOwned + Default>(request: &Request) -> Result<Box<T>, Refusal> {
    if request.body().is_empty() {
        return Ok(Box::default());
    }
    let read = serde_json::from_slice(request.body());
    read.map(Box::new)
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("the body is not what it should be: {error}")))
}

/// An address, with or without a port.
fn address(text: &str) -> Result<IpAddr, Refusal> {
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    text.parse()
        .ok()
        .or_else(with_port)
        .ok_or_else(|| Refusal(StatusCode::BAD_REQUEST, format!("{text:?} is no address")))
}

fn ping_kind(text: &str) -> Result<PingKind, Refusal> {
    match text {
        "disco" => Ok(PingKind::Disco),
        "TSMP" => Ok(PingKind::Tsmp),
        "ICMP" => Ok(PingKind::Icmp),
        _ => Err(Refusal(StatusCode::BAD_REQUEST, format!("{text:?} is no kind of ping: disco, TSMP and ICMP are"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn read(method: Method, path: &str, body: &'static str) -> Result<Question, Refusal> {
        Question::read(
            &http::Request::builder().method(method).uri(path).body(Bytes::from_static(body.as_bytes())).unwrap(),
        )
    }

    #[test]
    fn official_requests_are_understood() {
        assert_eq!(read(Method::GET, "/localapi/v0/status", ""), Ok(Question::Status { peers: true }));
        assert_eq!(read(Method::GET, "/localapi/v0/status?peers=false", ""), Ok(Question::Status { peers: false }));
        assert_eq!(read(Method::GET, "/localapi/v0/watch-ipn-bus?mask=6", ""), Ok(Question::Watch { mask: 6 }));
        let address = "fd7a:115c:a1e0::1".parse().unwrap();
        assert_eq!(
            read(Method::GET, "/localapi/v0/whois?addr=%5Bfd7a%3A115c%3Aa1e0%3A%3A1%5D%3A80&proto=tcp", ""),
            Ok(Question::WhoIs(address))
        );
        let ping = read(Method::POST, "/localapi/v0/ping?ip=100.64.0.1&type=TSMP&size=0", "");
        assert_eq!(ping, Ok(Question::Ping([100, 64, 0, 1].into(), PingKind::Tsmp)));
        let start =
            read(Method::POST, "/localapi/v0/start", r#"{"AuthKey":"k","UpdatePrefs":{"WantRunning":true}}"#).unwrap();
        assert!(matches!(&start, Question::Start(options) if options.auth_key == "k"));
        assert!(start.is_privileged());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_a_sentence() {
        let status = |result: Result<Question, Refusal>| result.unwrap_err().0;
        assert_eq!(status(read(Method::GET, "/localapi/v0/no-such-thing", "")), StatusCode::NOT_FOUND);
        assert_eq!(status(read(Method::GET, "/", "")), StatusCode::NOT_FOUND);
        assert_eq!(status(read(Method::GET, "/localapi/v0/logout", "")), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(status(read(Method::PATCH, "/localapi/v0/prefs", "{")), StatusCode::BAD_REQUEST);
        assert_eq!(status(read(Method::GET, "/localapi/v0/whois?addr=ash", "")), StatusCode::BAD_REQUEST);
        assert_eq!(
            status(read(Method::POST, "/localapi/v0/ping?ip=100.64.0.1&type=smoke", "")),
            StatusCode::BAD_REQUEST
        );
    }
}
