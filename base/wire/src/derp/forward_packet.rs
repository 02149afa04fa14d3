//! A packet on its way between two relays of a region.

use wattle_keys::NodePublic;

use super::frame::{FrameError, split_key, write_header};

/// Sent by a relay to another one of its region, where the receiver of the packet is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardPacket<'a> {
    /// Who sent the packet.
    pub from: NodePublic,
    /// For whom it is.
    pub to: NodePublic,
    /// The packet.
    pub packet: &'a [u8],
}

impl<'a> ForwardPacket<'a> {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x0a;

    /// Reads a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FrameError> {
        let (from, rest) = split_key(Self::TYPE, body)?;
        let (to, packet) = split_key(Self::TYPE, rest)?;
        Ok(Self { from, to, packet })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 64 + self.packet.len(), out);
        out.extend_from_slice(self.from.as_bytes());
        out.extend_from_slice(self.to.as_bytes());
        out.extend_from_slice(self.packet);
    }
}
