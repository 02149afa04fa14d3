//! Packets as bytes.
//!
//! What it is: views of IP, TCP, UDP and ICMP that check bounds once ([`IpPacket`] and its parts), the five-tuple
//! ([`Flow`]), checksums, super-packets cut and joined ([`SuperPacket`], [`Coalesced`]), offers of TCP made
//! to fit ([`clamp_mss`]), small packets built whole ([`build`]), and a buffer with room for a tunnel header in front
//! ([`PacketBuffer`]).
//! What it is not: a network stack. Nothing is reassembled, reordered or answered here.
//! How to drive it: `IpPacket::parse(bytes)` for decisions, `destination(bytes)` and `source_and_destination(bytes)`
//! where only addresses matter.
//! Invariants: no input panics; a view never shows bytes outside the packet's own length.
#![forbid(unsafe_code)]

mod buffer;
pub mod build;
pub mod checksum;
mod flow;
mod gro;
mod gso;
mod icmp;
mod ip;
mod mss;
mod tcp;
mod udp;

pub use buffer::PacketBuffer;
pub use flow::Flow;
pub use gro::{COALESCED_MAX, Coalesced};
pub use gso::{GsoError, SuperPacket, VNET_HEADER_LENGTH};
pub use icmp::IcmpMessage;
pub use ip::{Fragment, IpPacket, Ipv4Packet, Ipv6Packet, PacketError, destination, source_and_destination};
pub use mss::clamp_mss;
pub use tcp::{TcpFlags, TcpSegment};
pub use udp::UdpDatagram;

/// IP protocol numbers (IANA).
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// What nodes tell each other inside the tunnel (`wattle_wire::tsmp`).
    pub const TSMP: u8 = 99;
    /// SCTP.
    pub const SCTP: u8 = 132;
}
