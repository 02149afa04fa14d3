//! Questions to the daemon, with their answers as values and their failures as sentences.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wattle_local_api::{Client, ClientError, Lines, Reply};
use wattle_wire::control::DerpMap;
use wattle_wire::local::{
    MaskedPrefs, NetcheckReport, Notify, Options, PeerPaths, PeerRelayStatus, PingResult, Prefs, Status, WhoIsResponse,
};

/// The daemon's LocalAPI.
pub(super) struct Api {
    client: Client,
}

impl Api {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { client: Client::new(socket) }
    }

    pub(super) async fn status(&self) -> anyhow::Result<Status> {
        self.read(Method::GET, "status", Bytes::new()).await
    }

    pub(super) async fn status_without_peers(&self) -> anyhow::Result<Status> {
        self.read(Method::GET, "status?peers=false", Bytes::new()).await
    }

    pub(super) async fn prefs(&self) -> anyhow::Result<Prefs> {
        self.read(Method::GET, "prefs", Bytes::new()).await
    }

    pub(super) async fn edit_prefs(&self, change: &MaskedPrefs) -> anyhow::Result<Prefs> {
        self.read(Method::PATCH, "prefs", json(change)?).await
    }

    /// An error when the daemon would not take these.
    pub(super) async fn check_prefs(&self, prefs: &Prefs) -> anyhow::Result<()> {
        #[derive(serde::Deserialize)]
        struct Answer {
            #[serde(rename = "Error", default)]
            error: String,
        }
        let answer: Answer = self.read(Method::POST, "check-prefs", json(prefs)?).await?;
        if answer.error.is_empty() { Ok(()) } else { Err(anyhow!(answer.error)) }
    }

    pub(super) async fn start(&self, options: &Options) -> anyhow::Result<()> {
        self.ask(Method::POST, "start", json(options)?).await.map(drop)
    }

    pub(super) async fn login_interactive(&self) -> anyhow::Result<()> {
        self.ask(Method::POST, "login-interactive", Bytes::new()).await.map(drop)
    }

    pub(super) async fn logout(&self) -> anyhow::Result<()> {
        self.ask(Method::POST, "logout", Bytes::new()).await.map(drop)
    }

    /// `None`: nobody has this address.
    pub(super) async fn who_is(&self, address: &str, protocol: &str) -> anyhow::Result<Option<WhoIsResponse>> {
        let mut path = format!("whois?addr={}", encoded(address));
        if !protocol.is_empty() {
            path += &format!("&proto={}", encoded(protocol));
        }
        let reply = self.send(Method::GET, &path, Bytes::new()).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        parse(&accepted(reply)?.body).map(Some)
    }

    pub(super) async fn ping(&self, address: std::net::IpAddr, kind: &str) -> anyhow::Result<PingResult> {
        let path = format!("ping?ip={}&type={kind}&size=0", encoded(&address.to_string()));
        self.read(Method::POST, &path, Bytes::new()).await
    }

    pub(super) async fn derp_map(&self) -> anyhow::Result<DerpMap> {
        self.read(Method::GET, "derpmap", Bytes::new()).await
    }

    pub(super) async fn peer_relay(&self) -> anyhow::Result<PeerRelayStatus> {
        self.read(Method::GET, "debug-peer-relay-sessions", Bytes::new()).await
    }

    pub(super) async fn netcheck(&self) -> anyhow::Result<NetcheckReport> {
        self.read(Method::GET, "wattle/netcheck?fresh=true", Bytes::new()).await
    }

    pub(super) async fn paths(&self) -> anyhow::Result<Vec<PeerPaths>> {
        self.read(Method::GET, "wattle/paths", Bytes::new()).await
    }

    /// The text that an endpoint for people who look for a fault gives.
    pub(super) async fn text(&self, method: Method, path: &str) -> anyhow::Result<String> {
        let reply = self.ask(method, path, Bytes::new()).await?;
        Ok(String::from_utf8_lossy(&reply.body).into_owned())
    }

    /// What happens from now on.
    pub(super) async fn watch(&self, mask: u64) -> anyhow::Result<Events> {
        let lines = self.client.watch(&format!("/localapi/v0/watch-ipn-bus?mask={mask}")).await;
        match lines {
            Ok(lines) => Ok(Events(lines)),
            Err(ClientError::Refused(reply)) => {
                Err(accepted(reply).err().unwrap_or_else(|| anyhow!("the daemon refused")))
            }
            Err(error) => Err(explain(error)),
        }
    }

    async fn read<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<T> {
        parse(&self.ask(method, path, body).await?.body)
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Reply> {
        accepted(self.send(method, path, body).await?)
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Reply> {
        self.client.request(method, &format!("/localapi/v0/{path}"), body).await.map_err(explain)
    }
}

/// The daemon's events.
pub(super) struct Events(Lines);

impl Events {
    /// The next event. Cancel-safe.
    pub(super) async fn next(&mut self) -> anyhow::Result<Notify> {
        parse(&self.next_line().await?)
    }

    /// The next event as it came.
    pub(super) async fn next_line(&mut self) -> anyhow::Result<Bytes> {
        self.0.next().await.map_err(explain)?.context("the daemon ended")
    }
}

fn json(value: &impl Serialize) -> anyhow::Result<Bytes> {
    Ok(serde_json::to_vec(value)?.into())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(body).context("the daemon's answer was not understood; is it another version?")
}

/// The reply, unless its status says that it is a refusal.
fn accepted(reply: Reply) -> anyhow::Result<Reply> {
    if reply.status.is_success() {
        return Ok(reply);
    }
    if reply.status == StatusCode::FORBIDDEN {
        bail!(
            "access denied: only root and the operator may do that; use sudo, or once `sudo wattle set --operator=$USER`"
        );
    }
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(rename = "Error", alias = "error")]
        error: String,
    }
    let text = String::from_utf8_lossy(&reply.body);
    let sentence = serde_json::from_str::<Told>(&text).map_or_else(|_| text.trim().to_owned(), |told| told.error);
    if sentence.is_empty() { Err(anyhow!("the daemon answered {}", reply.status)) } else { Err(anyhow!(sentence)) }
}

fn explain(error: ClientError) -> anyhow::Error {
    let told = |socket: &Path, what: &str| anyhow!("{what} (socket {})", socket.display());
    match &error {
        ClientError::NotRunning { socket } => {
            told(socket, "the daemon is not running: start it with `sudo wattle daemon`")
        }
        ClientError::Permission { socket } => told(socket, "not permitted to talk to the daemon: use sudo"),
        ClientError::Refused(_) | ClientError::TooLarge | ClientError::TimedOut | ClientError::Broken(_) => {
            error.into()
        }
    }
}

/// Percent encoding for a query value.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_become_their_sentence() {
        let refuse =
            |status, body: &'static str| accepted(Reply { status, body: body.into() }).unwrap_err().to_string();
        assert_eq!(refuse(StatusCode::BAD_REQUEST, "no such tag\n"), "no such tag");
        assert_eq!(refuse(StatusCode::BAD_REQUEST, r#"{"error":"no such tag"}"#), "no such tag");
        assert_eq!(refuse(StatusCode::BAD_GATEWAY, ""), "the daemon answered 502 Bad Gateway");
        assert!(refuse(StatusCode::FORBIDDEN, "x").contains("sudo"));
    }

    #[test]
    fn addresses_are_encoded_for_a_query() {
        assert_eq!(encoded("[fd7a::1]:80"), "%5Bfd7a%3A%3A1%5D%3A80");
    }
}
