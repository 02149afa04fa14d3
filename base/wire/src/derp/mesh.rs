//! What only a relay of the same region may ask for: it has logged in with the mesh key.

use wattle_keys::NodePublic;

use super::frame::{FrameError, split_key, write_header};

/// Tell me who is connected, and from then on who comes and goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchConns;

impl WatchConns {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x10;

    /// Reads a body: there is nothing in it.
    pub fn decode(_body: &[u8]) -> Result<Self, FrameError> {
        Ok(Self)
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 0, out);
    }
}

/// Close this peer's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosePeer {
    /// Whose.
    pub peer: NodePublic,
}

impl ClosePeer {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x11;

    /// Reads a body.
    pub fn decode(body: &[u8]) -> Result<Self, FrameError> {
        split_key(Self::TYPE, body).map(|(peer, _future)| Self { peer })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 32, out);
        out.extend_from_slice(self.peer.as_bytes());
    }
}
