//! A view of ICMP messages of both IP versions.

use crate::IpPacket;

/// An ICMP or ICMPv6 message. The two number their kinds differently; this hides it.
#[derive(Clone, Copy, Debug)]
pub struct IcmpMessage<'a> {
    bytes: &'a [u8],
    v6: bool,
}

/// ICMP errors: destination unreachable, time exceeded, parameter problem.
const V4_ERRORS: [u8; 3] = [3, 11, 12];
const HEADER: usize = 8;

impl<'a> IcmpMessage<'a> {
    /// The payload of this packet; `None` when it is too short for an ICMP header. That the packet's protocol is ICMP
    /// is for the caller to know.
    pub fn of(packet: &IpPacket<'a>) -> Option<Self> {
        let bytes = packet.payload();
        (bytes.len() >= HEADER).then_some(Self { bytes, v6: matches!(packet, IpPacket::V6(_)) })
    }

    /// The number of its kind.
    pub const fn kind(&self) -> u8 {
        self.bytes[0]
    }

    /// Whether it asks for an echo.
    pub const fn is_echo_request(&self) -> bool {
        self.kind() == if self.v6 { 128 } else { 8 }
    }

    /// Whether it is an echo.
    pub const fn is_echo_reply(&self) -> bool {
        self.kind() == if self.v6 { 129 } else { 0 }
    }

    /// Whether it tells of a packet that did not get through.
    pub fn is_error(&self) -> bool {
        if self.v6 { self.kind() < 128 } else { V4_ERRORS.contains(&self.kind()) }
    }

    /// Identifier and sequence number of an echo.
    pub const fn echo_id(&self) -> (u16, u16) {
        let b = self.bytes;
        (u16::from_be_bytes([b[4], b[5]]), u16::from_be_bytes([b[6], b[7]]))
    }

    /// What an echo carries.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }
}
