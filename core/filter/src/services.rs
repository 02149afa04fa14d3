//! What packets are for, as numbers on one axis: a protocol with a port, or a protocol alone. So a rule's protocols and
//! ports are a few ranges, and one search finds what a rule says of a packet.
//!
//! ```text
//! 0            anything at all: some rule lets this source reach this destination
//! 0x1_0000..   protocols without ports, by number
//! 0x2_0000..   ports of TCP, then of UDP, then of SCTP
//! ```

use wattle_netmap::PortRange;
use wattle_packet::protocol;

use crate::nest::Span;

/// What ICMP needs: that a rule allows anything from there to there.
pub(crate) const ANYTHING: u32 = 0;
const ALONE: u32 = 1 << 16;
const PORTS: [(u8, u32); 3] = [(protocol::TCP, 2 << 16), (protocol::UDP, 3 << 16), (protocol::SCTP, 4 << 16)];
/// What a rule is about when it names no protocol.
const DEFAULT_PROTOCOLS: [u8; 4] = [protocol::ICMP, protocol::TCP, protocol::UDP, protocol::ICMPV6];

/// The service that a conversation of this protocol with this port needs. Without ports the port counts for nothing.
pub(crate) fn of_packet(protocol: u8, port: u16) -> u32 {
    match PORTS.iter().find(|(known, _)| *known == protocol) {
        Some((_, base)) => base | u32::from(port),
        None => ALONE | u32::from(protocol),
    }
}

/// The services of a rule's protocols on these ports: ranges in order, with gaps between them. A protocol without ports
/// is among them if the rule is about all ports.
pub(crate) fn of_rule(protocols: &[u8], ports: PortRange) -> Vec<Span<u32>> {
    let protocols = if protocols.is_empty() { &DEFAULT_PROTOCOLS[..] } else { protocols };
    let mut named: Vec<(u32, u32)> = Vec::with_capacity(1 + protocols.len());
    named.push((ANYTHING, ANYTHING));
    for protocol in protocols {
        match PORTS.iter().find(|(known, _)| known == protocol) {
            Some((_, base)) if ports.first <= ports.last => {
                named.push((base | u32::from(ports.first), base | u32::from(ports.last)));
            }
            None if ports == PortRange::ANY => named.push((ALONE | u32::from(*protocol), ALONE | u32::from(*protocol))),
            _ => {}
        }
    }
    named.sort_unstable();
    named.dedup();
    let mut merged: Vec<Span<u32>> = Vec::with_capacity(named.len());
    for (first, last) in named {
        match merged.last_mut() {
            Some(previous) if previous.last + 1 == first => previous.last = last,
            _ => merged.push(Span { first, last }),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_rules_are_few_ranges() {
        let of_rule = |protocols: &[u8], ports| -> Vec<(u32, u32)> {
            of_rule(protocols, ports).iter().map(|span| (span.first, span.last)).collect()
        };
        assert_eq!(of_rule(&[], PortRange::one(22)), [(0, 0), (0x2_0016, 0x2_0016), (0x3_0016, 0x3_0016)]);
        let all = [(0, 0), (0x1_0001, 0x1_0001), (0x1_003a, 0x1_003a), (0x2_0000, 0x3_ffff)];
        assert_eq!(of_rule(&[], PortRange::ANY), all);
        assert_eq!(of_rule(&[47, 46, 47], PortRange::ANY), [(0, 0), (0x1_002e, 0x1_002f)]);
        assert_eq!(of_rule(&[47], PortRange::one(1)), [(0, 0)]);
    }

    #[test]
    fn a_packet_is_for_what_rules_name() {
        assert_eq!(of_packet(protocol::UDP, 22), 0x3_0016);
        assert_eq!(of_packet(47, 22), 0x1_002f);
    }
}
