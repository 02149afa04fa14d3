//! A packet on its way from the relay.

use wattle_keys::NodePublic;

use super::frame::{FrameError, HEADER_LENGTH, split_key, write_header};
use super::send_packet::with_key;

/// Sent by a relay: a peer sent you this packet. (In protocol version 1 the sender was missing.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvPacket<'a> {
    /// Who sent it. The relay vouches for that: the sender proved its key when it logged in.
    pub from: NodePublic,
    /// The packet, as it would have come over UDP.
    pub packet: &'a [u8],
}

impl<'a> RecvPacket<'a> {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x05;

    /// Reads a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FrameError> {
        let (from, packet) = split_key(Self::TYPE, body)?;
        Ok(Self { from, packet })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 32 + self.packet.len(), out);
        out.extend_from_slice(self.from.as_bytes());
        out.extend_from_slice(self.packet);
    }
}

/// What stands before the packet, for a relay that does not want to copy the packet.
pub fn recv_packet_header(from: &NodePublic, packet_length: usize) -> [u8; HEADER_LENGTH + 32] {
    with_key(RecvPacket::TYPE, from, packet_length)
}
