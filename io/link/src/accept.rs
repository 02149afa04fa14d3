//! The server's side of `/ts2021`: from an HTTP request to a control channel.
//!
//! Sources: tailscale `control/controlhttp/controlhttpserver`, `control/controlhttp/controlhttpcommon`.

use std::io;

use axum::body::Body;
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use http::header::{CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use wattle_keys::{ChallengePublic, MachinePrivate, MachinePublic};
use wattle_noise::{Accepted, early, respond};

use crate::duplex::BoxedStream;
use crate::limits::UPGRADE_MAX;
use crate::noise_stream::NoiseStream;
use crate::random::random_seed;
use crate::websocket::WebSocketBytes;

/// The name of the protocol in `Upgrade` and as a WebSocket subprotocol.
pub(crate) const CONTROL_PROTOCOL: &str = "tailscale-control-protocol";
/// The header, or query key, that carries the first handshake message.
pub(crate) const HANDSHAKE: HeaderName = HeaderName::from_static("x-tailscale-handshake");

/// A control channel whose HTTP part is not over yet.
pub type ControlStream = NoiseStream<BoxedStream>;

/// A request that becomes a control channel once its 101 is sent.
#[derive(Debug)]
pub struct Upgrade {
    accepted: Accepted,
    connection: OnUpgrade,
    websocket: bool,
}

/// Turns a request into a control channel: a POST with `Upgrade`, or a GET WebSocket.
///
/// Send the response, and run [`Upgrade::finish`] in a task of its own.
pub fn accept_control<B>(
    request: &mut Request<B>,
    machine: &MachinePrivate,
) -> Result<(Upgrade, Response<Body>), Refusal> {
    let (initiation, websocket_key) = match *request.method() {
        Method::POST if has_token(request.headers(), UPGRADE, CONTROL_PROTOCOL) => {
            (request.headers().get(HANDSHAKE).ok_or(Refusal::NoHandshake)?.as_bytes().to_vec(), None)
        }
        Method::GET if has_token(request.headers(), UPGRADE, "websocket") => {
            if !has_token(request.headers(), SEC_WEBSOCKET_PROTOCOL, CONTROL_PROTOCOL) {
                return Err(Refusal::OtherProtocol);
            }
            let key = request.headers().get(SEC_WEBSOCKET_KEY).ok_or(Refusal::OtherProtocol)?.as_bytes().to_vec();
            (handshake_in_query(request.uri().query()).ok_or(Refusal::NoHandshake)?, Some(key))
        }
        _ => return Err(Refusal::OtherProtocol),
    };
    let initiation = BASE64_STANDARD
        .decode(&initiation)
        .or_else(|_| BASE64_URL_SAFE.decode(&initiation))
        .map_err(|_| Refusal::NoHandshake)?;
    let seed = random_seed().map_err(|_| Refusal::NoRandomness)?;
    let accepted = respond(machine, &initiation, seed).map_err(|_| Refusal::WrongHandshake)?;
    let response = match &websocket_key {
        None => switching(CONTROL_PROTOCOL),
        Some(key) => switching("websocket")
            .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key))
            .header(SEC_WEBSOCKET_PROTOCOL, CONTROL_PROTOCOL),
    };
    let response = response.body(Body::empty()).map_err(|_| Refusal::OtherProtocol)?;
    let connection = hyper::upgrade::on(request);
    Ok((Upgrade { accepted, connection, websocket: websocket_key.is_some() }, response))
}

impl Upgrade {
    /// Who wants the channel. An initiation can be a replay: the key is proven once something was read from the channel.
    pub fn peer(&self) -> MachinePublic {
        self.accepted.peer
    }

    /// The capability version that the peer claims.
    pub fn version(&self) -> u16 {
        self.accepted.version
    }

    /// Waits for the connection, and says the early payload if there is one. The handshake's answer leaves with the
    /// first flush.
    pub async fn finish(self, challenge: Option<&ChallengePublic>) -> io::Result<ControlStream> {
        let upgraded = tokio::time::timeout(UPGRADE_MAX, self.connection)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the connection was never handed over"))?
            .map_err(io::Error::other)?;
        let upgraded = TokioIo::new(upgraded);
        let below: BoxedStream = if self.websocket {
            Box::new(WebSocketBytes::new(upgraded, Role::Server).await)
        } else {
            Box::new(upgraded)
        };
        let mut stream = NoiseStream::accepted(below, self.accepted.channel, &self.accepted.response);
        if let Some(challenge) = challenge {
            stream.write_all(&early::encode(challenge)).await?;
        }
        Ok(stream)
    }
}

/// Why a request is not the beginning of a control channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A browser, say.
    #[error("Nodes connect here, by an upgrade to tailscale-control-protocol; there is nothing to see.")]
    OtherProtocol,
    /// No handshake, or not base64.
    #[error("The request to upgrade carries no handshake.")]
    NoHandshake,
    /// Made for another key.
    #[error("The handshake was made for another server key. Fetch /key and try again.")]
    WrongHandshake,
    /// The system gives no random bytes.
    #[error("This server has no randomness and cannot speak in secret.")]
    NoRandomness,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let status = match self {
            Self::OtherProtocol => StatusCode::UPGRADE_REQUIRED,
            Self::NoHandshake | Self::WrongHandshake => StatusCode::BAD_REQUEST,
            Self::NoRandomness => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, [(UPGRADE, CONTROL_PROTOCOL)], format!("{self}\n")).into_response()
    }
}

fn switching(protocol: &str) -> http::response::Builder {
    Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).header(UPGRADE, protocol).header(CONNECTION, "upgrade")
}

/// Whether a comma-separated header names this token.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// The handshake in a query, percent signs decoded. Other keys are ignored.
fn handshake_in_query(query: Option<&str>) -> Option<Vec<u8>> {
    let value = query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(HANDSHAKE.as_str()).then_some(value)
    })?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let pair = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_found_in_a_query() {
        let query = "a=b&X-Tailscale-Handshake=AA%2B%2FAA%3D%3D&c=d";
        assert_eq!(handshake_in_query(Some(query)), Some(b"AA+/AA==".to_vec()));
        for broken in ["", "X-Tailscale-Handshake", "X-Tailscale-Handshake=%2", "X-Tailscale-Handshake=%zz"] {
            assert_eq!(handshake_in_query(Some(broken)), None, "{broken}");
        }
    }

    #[test]
    fn what_is_no_control_channel_is_refused_in_a_sentence() {
        let machine = MachinePrivate::from_bytes([1; 32]);
        let post = || Request::post("http://host/ts2021").header(UPGRADE, CONTROL_PROTOCOL);
        for (request, refusal) in [
            (Request::get("/ts2021").body(()), Refusal::OtherProtocol),
            (Request::get("/ts2021").header(UPGRADE, "websocket").body(()), Refusal::OtherProtocol),
            (post().body(()), Refusal::NoHandshake),
            (post().header(HANDSHAKE, "%%%").body(()), Refusal::NoHandshake),
            (post().header(HANDSHAKE, "AAAA").body(()), Refusal::WrongHandshake),
        ] {
            assert_eq!(accept_control(&mut request.unwrap(), &machine).unwrap_err(), refusal);
        }
    }
}
