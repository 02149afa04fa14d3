//! The relay's answer to a login, sealed to the client. The official name is ServerInfo.

use serde::{Deserialize, Serialize};
use wattle_keys::{BOX_OVERHEAD, NONCE_LENGTH, NodePrivate, NodePublic};

use super::frame::{FrameError, write_header};
use super::{LoginError, PROTOCOL_VERSION, limits};

/// The sealed answer as it goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerWelcome<'a> {
    /// Nonce and box with the JSON of [`WelcomeFacts`].
    pub sealed: &'a [u8],
}

/// What a relay says to a client that it lets in. Field names are those of the wire (tailscale `derp.ServerInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WelcomeFacts {
    /// The protocol version that the relay speaks.
    pub version: u32,
    /// How many bytes the client may send a second; zero: no limit. Clients drop what is above.
    #[serde(rename = "TokenBucketBytesPerSecond", skip_serializing_if = "is_zero")]
    pub rate_bytes_per_second: u64,
    /// How many it may send at once.
    #[serde(rename = "TokenBucketBytesBurst", skip_serializing_if = "is_zero")]
    pub burst_bytes: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Default for WelcomeFacts {
    fn default() -> Self {
        Self { version: PROTOCOL_VERSION, rate_bytes_per_second: 0, burst_bytes: 0 }
    }
}

impl<'a> ServerWelcome<'a> {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x03;

    /// Reads a body; nothing is opened yet.
    pub fn decode(body: &'a [u8]) -> Result<Self, FrameError> {
        Ok(Self { sealed: body })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, self.sealed.len(), out);
        out.extend_from_slice(self.sealed);
    }

    /// Opens it with the client's private key.
    pub fn open(&self, ours: &NodePrivate, relay: &NodePublic) -> Result<WelcomeFacts, LoginError> {
        if self.sealed.len() > BOX_OVERHEAD + limits::LOGIN_BYTES_MAX {
            return Err(LoginError::TooLong);
        }
        Ok(serde_json::from_slice(&ours.open_from(relay, self.sealed)?)?)
    }
}

impl WelcomeFacts {
    /// The whole frame, sealed to the client. The nonce must be fresh random bytes.
    pub fn seal(&self, relay: &NodePrivate, client: &NodePublic, nonce: &[u8; NONCE_LENGTH]) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut sealed = Vec::with_capacity(json.len() + BOX_OVERHEAD);
        relay.seal_to(client, nonce, &json, &mut sealed);
        let mut frame = Vec::new();
        ServerWelcome { sealed: &sealed }.encode(&mut frame);
        frame
    }
}
