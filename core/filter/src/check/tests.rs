//! The order of the checks, packet by packet.

use std::net::SocketAddr;

use proptest::prelude::*;
use wattle_netmap::{FilterRule, PortRange, Prefix, RuleSource, RuleTarget};
use wattle_packet::build;

use super::*;
use crate::{CapabilityTable, Facts};

const PEER: &str = "100.64.0.1";
const HERE: &str = "100.64.0.9";
const NOW: Instant = Instant::from_nanos(1_000_000_000);

/// Lets `PEER` in on port 80, TCP and UDP.
fn filter(shields_up: bool) -> Filter {
    let one = |text: &str| RuleSource::Prefix(Prefix::from(text.parse::<IpAddr>().unwrap()));
    let rule = FilterRule {
        sources: vec![one(PEER), one("fd7a:115c:a1e0::1")],
        targets: [HERE, "fd7a:115c:a1e0::9"].map(|to| RuleTarget { to: one(to), ports: PortRange::one(80) }).to_vec(),
        ..FilterRule::default()
    };
    let local = [HERE, "fd7a:115c:a1e0::9"].map(|text| Prefix::from(text.parse::<IpAddr>().unwrap()));
    let capabilities = CapabilityTable::default();
    Filter::compile(&Facts { rules: &[&rule], local: &local, capabilities: &capabilities, shields_up })
}

fn verdict(packet: &[u8]) -> Verdict {
    check_inbound(&filter(false), &Flows::new([0; 32]), packet, NOW)
}

fn udp(from: &str, to: &str) -> Vec<u8> {
    let mut packet = Vec::new();
    build::udp(from.parse().unwrap(), to.parse().unwrap(), b"payload", &mut packet).unwrap();
    packet
}

fn raw(to: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let to: IpAddr = to.parse().unwrap();
    let from = if to.is_ipv4() { PEER } else { "fd7a:115c:a1e0::1" };
    build::ip(from.parse().unwrap(), to, protocol, payload, &mut packet).unwrap();
    packet
}

fn tcp(port: u16, flags: u8) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    raw(HERE, protocol::TCP, &[0x30, 0x39, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0])
}

#[test]
fn an_empty_packet_is_a_keepalive() {
    assert_eq!(verdict(&[]), Verdict::KeepAlive);
}

#[test]
fn what_is_not_ip_is_dropped() {
    assert_eq!(verdict(&[0x45; 19]), Verdict::Drop(DropReason::TooShort));
    assert_eq!(verdict(&[0x55; 40]), Verdict::Drop(DropReason::Malformed));
}

#[test]
fn multicast_and_link_local_are_dropped_before_rules_are_asked() {
    assert_eq!(verdict(&udp("100.64.0.1:1", "224.0.0.251:5353")), Verdict::Drop(DropReason::Multicast));
    assert_eq!(verdict(&udp("100.64.0.1:1", "169.254.1.1:80")), Verdict::Drop(DropReason::LinkLocal));
    assert_eq!(verdict(&udp("[fd7a:115c:a1e0::1]:1", "[fe80::1]:80")), Verdict::Drop(DropReason::LinkLocal));
    // The cloud's service is only dropped because this node does not route to it.
    assert_eq!(verdict(&udp("100.64.0.1:1", "169.254.169.254:80")), Verdict::Drop(DropReason::NotLocal));
}

#[test]
fn foreign_destinations_are_dropped() {
    assert_eq!(verdict(&udp("100.64.0.1:1", "100.64.0.10:80")), Verdict::Drop(DropReason::NotLocal));
}

#[test]
fn tcp_needs_a_rule_to_open_a_connection_and_none_to_go_on() {
    const SYN: u8 = 0x02;
    assert_eq!(verdict(&tcp(80, SYN)), Verdict::Accept);
    assert_eq!(verdict(&tcp(81, SYN)), Verdict::Drop(DropReason::NoRule));
    assert_eq!(verdict(&tcp(81, SYN | 0x10)), Verdict::Accept);
    assert_eq!(verdict(&tcp(81, 0x10)), Verdict::Accept);
    assert_eq!(verdict(&raw(HERE, protocol::TCP, &[0; 19])), Verdict::Drop(DropReason::Malformed));
}

#[test]
fn udp_replies_come_in_and_others_need_a_rule() {
    let (filter, flows) = (filter(false), Flows::new([0; 32]));
    let (query, reply) = (udp("100.64.0.9:4000", "100.64.0.1:53"), udp("100.64.0.1:53", "100.64.0.9:4000"));
    assert_eq!(check_inbound(&filter, &flows, &reply, NOW), Verdict::Drop(DropReason::NoRule));
    check_outbound(&flows, &IpPacket::parse(&query).unwrap(), 1, NOW);
    assert_eq!(check_inbound(&filter, &flows, &reply, NOW), Verdict::Accept);
    assert_eq!(
        check_inbound(&filter, &flows, &udp("100.64.0.1:54", "100.64.0.9:4000"), NOW),
        Verdict::Drop(DropReason::NoRule)
    );
    assert_eq!(verdict(&udp("100.64.0.1:9", "100.64.0.9:80")), Verdict::Accept);
    assert_eq!(verdict(&udp("[fd7a:115c:a1e0::1]:9", "[fd7a:115c:a1e0::9]:80")), Verdict::Accept);
}

#[test]
fn shields_leave_replies_alone() {
    let (filter, flows) = (filter(true), Flows::new([0; 32]));
    let reply = udp("100.64.0.1:53", "100.64.0.9:80");
    assert_eq!(check_inbound(&filter, &flows, &reply, NOW), Verdict::Drop(DropReason::ShieldsUp));
    check_outbound(&flows, &IpPacket::parse(&udp("100.64.0.9:80", "100.64.0.1:53")).unwrap(), 1, NOW);
    assert_eq!(check_inbound(&filter, &flows, &reply, NOW), Verdict::Accept);
}

#[test]
fn echo_replies_and_errors_come_in_and_requests_need_any_rule() {
    let message = |kind| [kind, 0, 0, 0, 0, 1, 0, 1];
    for kind in [0, 3, 11, 12] {
        assert_eq!(
            check_inbound(&filter(true), &Flows::new([0; 32]), &raw(HERE, protocol::ICMP, &message(kind)), NOW),
            Verdict::Accept
        );
    }
    assert_eq!(verdict(&raw(HERE, protocol::ICMP, &message(8))), Verdict::Accept);
    assert_eq!(verdict(&raw("fd7a:115c:a1e0::9", protocol::ICMPV6, &message(128))), Verdict::Accept);
    let shielded = check_inbound(&filter(true), &Flows::new([0; 32]), &raw(HERE, protocol::ICMP, &message(8)), NOW);
    assert_eq!(shielded, Verdict::Drop(DropReason::ShieldsUp));
    // The other version's ICMP is just a protocol without ports.
    assert_eq!(verdict(&raw(HERE, protocol::ICMPV6, &message(129))), Verdict::Drop(DropReason::NoRule));
}

#[test]
fn tsmp_comes_in_and_unknown_protocols_do_not() {
    assert_eq!(verdict(&raw(HERE, protocol::TSMP, b"p12345678")), Verdict::Accept);
    assert_eq!(verdict(&raw(HERE, 47, &[0; 8])), Verdict::Drop(DropReason::NoRule));
}

#[test]
fn later_fragments_pass_unless_they_could_rewrite_headers() {
    let mut packet = raw(HERE, protocol::UDP, &[0; 64]);
    for (eighths, expected) in [(10u16, Verdict::Accept), (9, Verdict::Drop(DropReason::Malformed))] {
        packet[6..8].copy_from_slice(&eighths.to_be_bytes());
        assert_eq!(verdict(&packet), expected);
    }
}

proptest! {
    #[test]
    fn random_packets_get_a_verdict(mut bytes in prop::collection::vec(any::<u8>(), 0..120), six: bool, ours: bool) {
        if bytes.len() >= 40 {
            let length = bytes.len() as u16;
            if six {
                bytes[0] = 0x60;
                bytes[4..6].copy_from_slice(&(length - 40).to_be_bytes());
                if ours {
                    bytes[24..40].copy_from_slice(&"fd7a:115c:a1e0::9".parse::<std::net::Ipv6Addr>().unwrap().octets());
                }
            } else {
                bytes[0] = 0x45;
                bytes[2..4].copy_from_slice(&length.to_be_bytes());
                if ours {
                    bytes[16..20].copy_from_slice(&[100, 64, 0, 9]);
                }
            }
        }
        let _ignored = verdict(&bytes);
    }

    #[test]
    fn nothing_is_accepted_for_a_destination_that_is_not_ours(to: [u8; 4], port: u16) {
        let to = IpAddr::from(to);
        prop_assume!(to != HERE.parse::<IpAddr>().unwrap());
        let mut packet = Vec::new();
        build::udp("100.64.0.1:1".parse().unwrap(), SocketAddr::new(to, port), b"", &mut packet).unwrap();
        prop_assert!(matches!(verdict(&packet), Verdict::Drop(_)));
    }
}
