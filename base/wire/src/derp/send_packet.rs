//! A packet on its way to the relay.

use wattle_keys::NodePublic;

use super::frame::{FrameError, HEADER_LENGTH, header, split_key, write_header};

/// Sent by a client: relay this packet to that peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendPacket<'a> {
    /// For whom.
    pub to: NodePublic,
    /// The packet, as it would have gone over UDP.
    pub packet: &'a [u8],
}

impl<'a> SendPacket<'a> {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x04;

    /// Reads a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FrameError> {
        let (to, packet) = split_key(Self::TYPE, body)?;
        Ok(Self { to, packet })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 32 + self.packet.len(), out);
        out.extend_from_slice(self.to.as_bytes());
        out.extend_from_slice(self.packet);
    }
}

/// What stands before the packet, for a writer that does not want to copy the packet.
pub fn send_packet_header(to: &NodePublic, packet_length: usize) -> [u8; HEADER_LENGTH + 32] {
    with_key(SendPacket::TYPE, to, packet_length)
}

pub(super) fn with_key(kind: u8, key: &NodePublic, packet_length: usize) -> [u8; HEADER_LENGTH + 32] {
    let mut bytes = [0; HEADER_LENGTH + 32];
    let (front, back) = bytes.split_at_mut(HEADER_LENGTH);
    front.copy_from_slice(&header(kind, packet_length.saturating_add(32)));
    back.copy_from_slice(key.as_bytes());
    bytes
}
