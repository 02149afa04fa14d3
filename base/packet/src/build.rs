//! Small packets, built whole: answers of the resolver inside the tunnel, pings, TSMP. Not for the fast path.

use std::net::{IpAddr, SocketAddr};

use crate::{IcmpMessage, IpPacket, checksum, protocol};

/// Why a packet cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// One address is IPv4 and the other IPv6.
    #[error("a packet has addresses of two IP versions")]
    MixedVersions,
    /// The length does not fit into its header.
    #[error("the payload is too long for a packet")]
    TooLong,
}

const HOPS: u8 = 64;
const V4_HEADER: usize = 20;

/// Appends an IP packet to `out`.
pub fn ip(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), BuildError> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let total = u16::try_from(V4_HEADER + payload.len()).map_err(|_| BuildError::TooLong)?.to_be_bytes();
            // Identification 0 with "don't fragment" (RFC 6864).
            let mut header = [0x45, 0, total[0], total[1], 0, 0, 0x40, 0, HOPS, protocol, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            header[12..16].copy_from_slice(&source.octets());
            header[16..20].copy_from_slice(&destination.octets());
            let sum = checksum::of(&header).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            out.extend_from_slice(&header);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let length = u16::try_from(payload.len()).map_err(|_| BuildError::TooLong)?.to_be_bytes();
            out.extend_from_slice(&[0x60, 0, 0, 0, length[0], length[1], protocol, HOPS]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
        _ => return Err(BuildError::MixedVersions),
    }
    out.extend_from_slice(payload);
    Ok(())
}

/// Appends a UDP packet to `out`.
pub fn udp(source: SocketAddr, destination: SocketAddr, payload: &[u8], out: &mut Vec<u8>) -> Result<(), BuildError> {
    let length = u16::try_from(8 + payload.len()).map_err(|_| BuildError::TooLong)?;
    let mut datagram = Vec::with_capacity(usize::from(length));
    for word in [source.port(), destination.port(), length, 0] {
        datagram.extend_from_slice(&word.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    let sum = checksum::transport(source.ip(), destination.ip(), protocol::UDP, &datagram);
    // Zero would mean "no checksum" (RFC 768).
    let sum = if sum == 0 { u16::MAX } else { sum };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(source.ip(), destination.ip(), protocol::UDP, &datagram, out)
}

/// Appends an ICMP or ICMPv6 echo request to `out`.
pub fn icmp_echo_request(
    source: IpAddr,
    destination: IpAddr,
    (id, sequence): (u16, u16),
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), BuildError> {
    let kind = if source.is_ipv4() { 8 } else { 128 };
    icmp_echo(kind, source, destination, (id, sequence), payload, out)
}

/// Appends the answer to an echo request; says whether the packet was one.
pub fn icmp_echo_reply(request: &IpPacket<'_>, out: &mut Vec<u8>) -> bool {
    let icmp = match request {
        IpPacket::V4(_) => protocol::ICMP,
        IpPacket::V6(_) => protocol::ICMPV6,
    };
    let Some(message) = IcmpMessage::of(request).filter(|message| message.is_echo_request()) else {
        return false;
    };
    let kind = if icmp == protocol::ICMP { 0 } else { 129 };
    let (from, to) = (request.destination(), request.source());
    request.protocol() == icmp && icmp_echo(kind, from, to, message.echo_id(), message.payload(), out).is_ok()
}

fn icmp_echo(
    kind: u8,
    source: IpAddr,
    destination: IpAddr,
    (id, sequence): (u16, u16),
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), BuildError> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend_from_slice(&id.to_be_bytes());
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(payload);
    let (icmp, sum) = match source {
        IpAddr::V4(_) => (protocol::ICMP, checksum::of(&message)),
        IpAddr::V6(_) => (protocol::ICMPV6, checksum::transport(source, destination, protocol::ICMPV6, &message)),
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(source, destination, icmp, &message, out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::UdpDatagram;

    fn pair(v6: bool) -> (IpAddr, IpAddr) {
        match v6 {
            false => ([100, 64, 0, 1].into(), [100, 64, 0, 2].into()),
            true => ("fd7a:115c:a1e0::1".parse().unwrap(), "fd7a:115c:a1e0::2".parse().unwrap()),
        }
    }

    proptest! {
        #[test]
        fn udp_checksums_are_right(v6: bool, ports: (u16, u16), payload: Vec<u8>) {
            let (a, b) = pair(v6);
            let mut bytes = Vec::new();
            udp(SocketAddr::new(a, ports.0), SocketAddr::new(b, ports.1), &payload, &mut bytes).unwrap();
            let packet = IpPacket::parse(&bytes).unwrap();
            prop_assert_eq!(checksum::transport(a, b, protocol::UDP, packet.payload()), 0);
            let datagram = UdpDatagram::parse(packet.payload()).unwrap();
            prop_assert_eq!((datagram.source_port(), datagram.destination_port()), ports);
            prop_assert_eq!(datagram.payload(), payload.as_slice());
            if !v6 {
                prop_assert_eq!(checksum::of(&bytes[..20]), 0);
            }
        }

        #[test]
        fn echo_is_answered_with_the_same_bytes(v6: bool, id: (u16, u16), payload: Vec<u8>) {
            let (a, b) = pair(v6);
            let (mut request, mut reply) = (Vec::new(), Vec::new());
            icmp_echo_request(a, b, id, &payload, &mut request).unwrap();
            prop_assert!(icmp_echo_reply(&IpPacket::parse(&request).unwrap(), &mut reply));
            let packet = IpPacket::parse(&reply).unwrap();
            prop_assert_eq!((packet.source(), packet.destination()), (b, a));
            let message = IcmpMessage::of(&packet).unwrap();
            prop_assert!(message.is_echo_reply() && !message.is_echo_request());
            prop_assert_eq!((message.echo_id(), message.payload()), (id, payload.as_slice()));
            let sum = if v6 { checksum::transport(b, a, protocol::ICMPV6, packet.payload()) } else { checksum::of(packet.payload()) };
            prop_assert_eq!(sum, 0);
            prop_assert!(!icmp_echo_reply(&packet, &mut Vec::new()));
        }
    }

    #[test]
    fn a_payload_that_does_not_fit_is_refused() {
        let (a, b) = pair(false);
        let mut out = Vec::new();
        assert_eq!(ip(a, b, 17, &vec![0; 65_516], &mut out), Err(BuildError::TooLong));
        assert!(out.is_empty());
    }
}
