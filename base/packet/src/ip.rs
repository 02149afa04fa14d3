//! Views of IP packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why bytes are not an IP packet that we can look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// They end before the headers do, or before the length that the header says.
    #[error("the packet is too short")]
    Short,
    /// Neither version 4 nor 6.
    #[error("the packet is not IP")]
    NotIp,
    /// A header contradicts itself.
    #[error("a header of the packet is malformed")]
    Malformed,
}

/// An IP packet of either version.
#[derive(Clone, Copy, Debug)]
pub enum IpPacket<'a> {
    /// Version 4.
    V4(Ipv4Packet<'a>),
    /// Version 6.
    V6(Ipv6Packet<'a>),
}

/// Which part of a datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// All of it.
    Whole,
    /// The front: it has the transport header.
    First,
    /// Another part: it has no transport header.
    Later {
        /// Where in the datagram it belongs.
        offset_bytes: u16,
    },
}

impl Fragment {
    const fn at(more_follow: bool, offset_bytes: u16) -> Self {
        match (more_follow, offset_bytes) {
            (false, 0) => Self::Whole,
            (true, 0) => Self::First,
            _ => Self::Later { offset_bytes },
        }
    }
}

/// An IPv4 packet. Options are skipped.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4Packet<'a> {
    /// Cut at the packet's own length, which lies within the bytes.
    bytes: &'a [u8],
    header_length: usize,
}

/// An IPv6 packet. Extension headers are skipped, as far as they are known.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6Packet<'a> {
    bytes: &'a [u8],
    payload_at: usize,
    protocol: u8,
    fragment: Fragment,
}

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
/// More extension headers than this are nothing that a host would send.
const V6_EXTENSIONS_MAX: usize = 8;

impl<'a> IpPacket<'a> {
    /// Checks all lengths; what follows the packet's own length is left off.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        match bytes.first().ok_or(PacketError::Short)? >> 4 {
            4 => Ipv4Packet::parse(bytes).map(Self::V4),
            6 => Ipv6Packet::parse(bytes).map(Self::V6),
            _ => Err(PacketError::NotIp),
        }
    }

    /// From whom.
    pub fn source(&self) -> IpAddr {
        match self {
            Self::V4(packet) => IpAddr::V4(packet.source()),
            Self::V6(packet) => IpAddr::V6(packet.source()),
        }
    }

    /// To whom.
    pub fn destination(&self) -> IpAddr {
        match self {
            Self::V4(packet) => IpAddr::V4(packet.destination()),
            Self::V6(packet) => IpAddr::V6(packet.destination()),
        }
    }

    /// The transport protocol (IPv6: behind the extension headers).
    pub const fn protocol(&self) -> u8 {
        match self {
            Self::V4(packet) => packet.bytes[9],
            Self::V6(packet) => packet.protocol,
        }
    }

    /// What follows the IP headers.
    pub fn payload(&self) -> &'a [u8] {
        match self {
            Self::V4(packet) => &packet.bytes[packet.header_length..],
            Self::V6(packet) => &packet.bytes[packet.payload_at..],
        }
    }

    /// The whole packet, without bytes that followed it.
    pub const fn bytes(&self) -> &'a [u8] {
        match self {
            Self::V4(packet) => packet.bytes,
            Self::V6(packet) => packet.bytes,
        }
    }

    /// Which part of a datagram this is.
    pub fn fragment(&self) -> Fragment {
        match self {
            Self::V4(packet) => packet.fragment(),
            Self::V6(packet) => packet.fragment,
        }
    }
}

impl<'a> Ipv4Packet<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        if bytes.len() < V4_HEADER {
            return Err(PacketError::Short);
        }
        let header_length = usize::from(bytes[0] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        if header_length < V4_HEADER || total < header_length {
            return Err(PacketError::Malformed);
        }
        let bytes = bytes.get(..total).ok_or(PacketError::Short)?;
        Ok(Self { bytes, header_length })
    }

    /// From whom.
    pub fn source(&self) -> Ipv4Addr {
        v4_at(self.bytes, 12)
    }

    /// To whom.
    pub fn destination(&self) -> Ipv4Addr {
        v4_at(self.bytes, 16)
    }

    fn fragment(&self) -> Fragment {
        let field = u16::from_be_bytes([self.bytes[6], self.bytes[7]]);
        Fragment::at(field & 0x2000 != 0, (field & 0x1fff) * 8)
    }
}

impl<'a> Ipv6Packet<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        if bytes.len() < V6_HEADER {
            return Err(PacketError::Short);
        }
        let total = V6_HEADER + usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
        let bytes = bytes.get(..total).ok_or(PacketError::Short)?;
        let mut packet = Self { bytes, payload_at: V6_HEADER, protocol: bytes[6], fragment: Fragment::Whole };
        for _ in 0..V6_EXTENSIONS_MAX {
            if matches!(packet.fragment, Fragment::Later { .. }) || !packet.skip_extension()? {
                return Ok(packet);
            }
        }
        Err(PacketError::Malformed)
    }

    /// Steps over one extension header; says whether there was one.
    fn skip_extension(&mut self) -> Result<bool, PacketError> {
        /// Hop-by-hop, routing, destination options: next header, length in eights beyond the first.
        const OPTIONS: [u8; 3] = [0, 43, 60];
        const FRAGMENT: u8 = 44;
        let rest = &self.bytes[self.payload_at..];
        let length = if OPTIONS.contains(&self.protocol) {
            let [_, length] = *rest.first_chunk::<2>().ok_or(PacketError::Short)?;
            8 + usize::from(length) * 8
        } else if self.protocol == FRAGMENT {
            let [_, _, high, low] = *rest.first_chunk::<4>().ok_or(PacketError::Short)?;
            let field = u16::from_be_bytes([high, low]);
            self.fragment = Fragment::at(field & 1 != 0, field & !7);
            8
        } else {
            return Ok(false);
        };
        if rest.len() < length {
            return Err(PacketError::Short);
        }
        self.protocol = rest[0];
        self.payload_at += length;
        Ok(true)
    }

    /// From whom.
    pub fn source(&self) -> Ipv6Addr {
        v6_at(self.bytes, 8)
    }

    /// To whom.
    pub fn destination(&self) -> Ipv6Addr {
        v6_at(self.bytes, 24)
    }
}

/// Where a packet wants to go, without looking at anything else: for the route table.
pub fn destination(bytes: &[u8]) -> Option<IpAddr> {
    source_and_destination(bytes).map(|(_, destination)| destination)
}

/// Both addresses, without looking at anything else: for the check that a source belongs to a peer.
pub fn source_and_destination(bytes: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match bytes.first()? >> 4 {
        4 if bytes.len() >= V4_HEADER => Some((v4_at(bytes, 12).into(), v4_at(bytes, 16).into())),
        6 if bytes.len() >= V6_HEADER => Some((v6_at(bytes, 8).into(), v6_at(bytes, 24).into())),
        _ => None,
    }
}

/// Callers have checked that the header is there.
fn v4_at(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::from([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn v6_at(bytes: &[u8], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[at..at + 16]);
    Ipv6Addr::from(octets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{build, protocol};

    const LATER: Fragment = Fragment::Later { offset_bytes: 8 };

    fn v6_with_fragment_header(offset_field: u16) -> Vec<u8> {
        let mut body = vec![protocol::UDP, 0];
        body.extend_from_slice(&offset_field.to_be_bytes());
        body.extend_from_slice(&[0, 0, 0, 9, 1, 2, 3, 4]);
        let mut packet = Vec::new();
        build::ip("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap(), 44, &body, &mut packet).unwrap();
        packet
    }

    #[test]
    fn ipv6_fragment_header_is_stepped_over() {
        for (field, expected) in [(0, Fragment::Whole), (1, Fragment::First), (8, LATER), (9, LATER)] {
            let bytes = v6_with_fragment_header(field);
            let packet = IpPacket::parse(&bytes).unwrap();
            assert_eq!((packet.protocol(), packet.fragment()), (protocol::UDP, expected));
            assert_eq!(packet.payload(), [1, 2, 3, 4]);
        }
    }

    #[test]
    fn endless_extension_headers_are_refused() {
        let body = [[0u8; 8]; 20].concat();
        let mut packet = Vec::new();
        build::ip("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap(), 0, &body, &mut packet).unwrap();
        assert_eq!(IpPacket::parse(&packet).err(), Some(PacketError::Malformed));
    }

    #[test]
    fn ipv4_fragments_are_told_apart() {
        let mut packet = Vec::new();
        build::ip("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap(), 17, &[0; 16], &mut packet).unwrap();
        for (bits, expected) in [(0x4000u16, Fragment::Whole), (0x2000, Fragment::First), (0x2001, LATER), (1, LATER)] {
            packet[6..8].copy_from_slice(&bits.to_be_bytes());
            assert_eq!(IpPacket::parse(&packet).unwrap().fragment(), expected);
        }
    }

    proptest! {
        #[test]
        fn built_packets_read_back(source: IpAddr, other: IpAddr, protocol in 61u8.., payload: Vec<u8>, trailing: Vec<u8>) {
            // Protocols below have IPv6 extension headers among them.
            let mut bytes = Vec::new();
            let built = build::ip(source, other, protocol, &payload, &mut bytes);
            prop_assert_eq!(built.is_ok(), source.is_ipv4() == other.is_ipv4());
            if built.is_ok() {
                prop_assert_eq!(source_and_destination(&bytes), Some((source, other)));
                let length = bytes.len();
                bytes.extend_from_slice(&trailing);
                let packet = IpPacket::parse(&bytes).unwrap();
                prop_assert_eq!((packet.source(), packet.destination()), (source, other));
                prop_assert_eq!((packet.protocol(), packet.payload()), (protocol, payload.as_slice()));
                for cut in 0..length {
                    prop_assert!(IpPacket::parse(&bytes[..cut]).is_err());
                }
            }
        }

        #[test]
        fn random_bytes_are_handled(mut bytes in prop::collection::vec(any::<u8>(), 0..200), six: bool) {
            if let Some(first) = bytes.first_mut() {
                *first = if six { 0x60 } else { 0x40 | *first & 15 };
            }
            if let Ok(packet) = IpPacket::parse(&bytes) {
                prop_assert!(packet.payload().len() < bytes.len());
                let _ignored = (packet.fragment(), packet.protocol(), packet.source());
            }
            let _ignored = destination(&bytes);
        }
    }
}
