//! Packets as they come out of a tunnel: the first ones of conversations.

use std::net::IpAddr;

use super::super::reference::Packet;

/// The bytes of a packet that begins something: a TCP segment with SYN, an ICMP echo request, or a few bytes.
pub(super) fn bytes(packet: Packet) -> Vec<u8> {
    let mut payload = vec![0; 20];
    let port = packet.port.to_be_bytes();
    match packet.protocol {
        1 => payload[0] = 8,
        58 => payload[0] = 128,
        _ => {
            payload[..2].copy_from_slice(&40_000u16.to_be_bytes());
            payload[2..4].copy_from_slice(&port);
        }
    }
    match packet.protocol {
        // Five words of header; SYN.
        6 => (payload[12], payload[13]) = (5 << 4, 2),
        17 => payload[5] = 20,
        _ => {}
    }
    let mut bytes = match (packet.from, packet.to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let start = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, packet.protocol, 0, 0];
            [&start[..], &from.octets(), &to.octets()].concat()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let start = [0x60, 0, 0, 0, 0, 20, packet.protocol, 64];
            [&start[..], &from.octets(), &to.octets()].concat()
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => panic!("no such packet: {packet:?}"),
    };
    bytes.extend(payload);
    bytes
}
