//! The first frame of a relay: that it speaks DERP, and its key.

use wattle_keys::NodePublic;

use super::frame::{FrameError, split_key, write_header};

/// `DERP` and a key, in UTF-8: how a relay's first frame begins.
pub const MAGIC: [u8; 8] = [0x44, 0x45, 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91];

/// Sent by a relay as soon as a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKey {
    /// The relay's key: the login is sealed to it.
    pub key: NodePublic,
}

impl ServerKey {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x01;

    /// Reads a body. What follows the key is for future use and ignored.
    pub fn decode(body: &[u8]) -> Result<Self, FrameError> {
        let (magic, rest) = body.split_first_chunk().ok_or(FrameError::Short { kind: Self::TYPE })?;
        if *magic != MAGIC {
            return Err(FrameError::BadMagic);
        }
        let (key, _future) = split_key(Self::TYPE, rest)?;
        Ok(Self { key })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, MAGIC.len() + 32, out);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(self.key.as_bytes());
    }
}
