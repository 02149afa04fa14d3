//! That a peer cannot be reached through this relay.

use wattle_keys::NodePublic;

use super::frame::{FrameError, split_key, write_header};

/// Sent by a relay to those who had heard from the peer, or who tried to reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerGone {
    /// Who.
    pub peer: NodePublic,
    /// Why.
    pub reason: PeerGoneReason,
}

/// Why a peer cannot be reached through a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeerGoneReason {
    /// It was connected and has left. Old relays name no reason and mean this one.
    #[default]
    Disconnected,
    /// It is not connected to this relay.
    NotHere,
    /// The connection to the relay where it was has broken. Relays use it inside themselves.
    MeshBroken,
    /// A reason from the future.
    Other(u8),
}

impl PeerGoneReason {
    const fn from_byte(byte: u8) -> Self {
        match byte {
            0x00 => Self::Disconnected,
            0x01 => Self::NotHere,
            0xf0 => Self::MeshBroken,
            other => Self::Other(other),
        }
    }

    const fn to_byte(self) -> u8 {
        match self {
            Self::Disconnected => 0x00,
            Self::NotHere => 0x01,
            Self::MeshBroken => 0xf0,
            Self::Other(other) => other,
        }
    }
}

impl PeerGone {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x08;

    /// Reads a body.
    pub fn decode(body: &[u8]) -> Result<Self, FrameError> {
        let (peer, rest) = split_key(Self::TYPE, body)?;
        Ok(Self { peer, reason: rest.first().copied().map(PeerGoneReason::from_byte).unwrap_or_default() })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 33, out);
        out.extend_from_slice(self.peer.as_bytes());
        out.push(self.reason.to_byte());
    }
}
