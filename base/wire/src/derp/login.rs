//! The client's login: its key, and what it says about itself, sealed to the relay. The official name is ClientInfo.
//!
//! That the box opens proves to the relay that the client holds the private half of its key.

use serde::{Deserialize, Serialize};
use wattle_keys::{BOX_OVERHEAD, NONCE_LENGTH, NodePrivate, NodePublic, OpenError};

use super::frame::{FrameError, split_key, write_header};
use super::{PROTOCOL_VERSION, limits};

/// The sealed login as it goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLogin<'a> {
    /// Who logs in.
    pub key: NodePublic,
    /// Nonce and box with the JSON of [`LoginFacts`].
    pub sealed: &'a [u8],
}

/// What a client says when it logs in. Field names are those of the wire (tailscale `derp.ClientInfo`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginFacts {
    /// The key that relays of one region share; only they have it.
    #[serde(rename = "meshKey", skip_serializing_if = "Option::is_none")]
    pub mesh_key: Option<String>,
    /// The protocol version that the client speaks.
    pub version: u32,
    /// Whether it answers pings of the relay.
    #[serde(rename = "CanAckPings")]
    pub can_ack_pings: bool,
    /// Whether it only measures.
    #[serde(rename = "IsProber")]
    pub is_prober: bool,
    /// What kind of program it is; empty for nodes.
    #[serde(rename = "AppName", skip_serializing_if = "String::is_empty")]
    pub app_name: String,
}

/// A login or its answer that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The box is not sealed by the key it claims, to the key that we have.
    #[error(transparent)]
    Box(#[from] OpenError),
    /// What was in it is not the JSON that belongs there.
    #[error("what was sealed into the relay login is not understood")]
    Json(#[from] serde_json::Error),
    /// It is larger than we take.
    #[error("the relay login is too long")]
    TooLong,
}

impl Default for LoginFacts {
    fn default() -> Self {
        Self {
            mesh_key: None,
            version: PROTOCOL_VERSION,
            can_ack_pings: true,
            is_prober: false,
            app_name: String::new(),
        }
    }
}

impl std::fmt::Debug for LoginFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The mesh key is a secret: it must not reach a log.
        f.debug_struct("LoginFacts")
            .field("version", &self.version)
            .field("has_mesh_key", &self.mesh_key.is_some())
            .field("can_ack_pings", &self.can_ack_pings)
            .field("is_prober", &self.is_prober)
            .field("app_name", &self.app_name)
            .finish()
    }
}

impl<'a> ClientLogin<'a> {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x02;

    /// Reads a body; nothing is opened yet.
    pub fn decode(body: &'a [u8]) -> Result<Self, FrameError> {
        let (key, sealed) = split_key(Self::TYPE, body)?;
        Ok(Self { key, sealed })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 32 + self.sealed.len(), out);
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(self.sealed);
    }

    /// Opens it with the relay's private key.
    pub fn open(&self, relay: &NodePrivate) -> Result<LoginFacts, LoginError> {
        if self.sealed.len() > BOX_OVERHEAD + limits::LOGIN_BYTES_MAX {
            return Err(LoginError::TooLong);
        }
        Ok(serde_json::from_slice(&relay.open_from(&self.key, self.sealed)?)?)
    }
}

impl LoginFacts {
    /// The whole frame of a login, sealed to the relay. The nonce must be fresh random bytes.
    pub fn seal(&self, ours: &NodePrivate, relay: &NodePublic, nonce: &[u8; NONCE_LENGTH]) -> Vec<u8> {
        // These structs have string keys and no failing serialisers, so that there is always a JSON text.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut sealed = Vec::with_capacity(json.len() + BOX_OVERHEAD);
        ours.seal_to(relay, nonce, &json, &mut sealed);
        let mut frame = Vec::new();
        ClientLogin { key: ours.public(), sealed: &sealed }.encode(&mut frame);
        frame
    }
}
