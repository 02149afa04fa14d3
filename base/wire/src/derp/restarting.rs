//! That a relay goes down and comes back.

use super::frame::{FrameError, write_header};

/// Sent by a relay before it closes its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restarting {
    /// How long to wait before connecting again, so that not all come at once.
    pub reconnect_in_ms: u32,
    /// How long to keep trying before another region is chosen.
    pub try_for_ms: u32,
}

impl Restarting {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x15;

    /// Reads a body.
    pub fn decode(body: &[u8]) -> Result<Self, FrameError> {
        let (reconnect, rest) = body.split_first_chunk().ok_or(FrameError::Short { kind: Self::TYPE })?;
        let (try_for, _future) = rest.split_first_chunk().ok_or(FrameError::Short { kind: Self::TYPE })?;
        Ok(Self { reconnect_in_ms: u32::from_be_bytes(*reconnect), try_for_ms: u32::from_be_bytes(*try_for) })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 8, out);
        out.extend_from_slice(&self.reconnect_in_ms.to_be_bytes());
        out.extend_from_slice(&self.try_for_ms.to_be_bytes());
    }
}
