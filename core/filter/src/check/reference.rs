//! Verdicts against a reference: the official filter's order of checks (tailscale `wgengine/filter/filter.go`: `pre`,
//! `runIn4`, `runIn6`, `runOut`; `match.go`), written down as plainly as it goes, over random rules and random packets.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use wattle_netmap::{FilterRule, PortRange, Prefix, RuleSource, RuleTarget};
use wattle_packet::{IpPacket, build, protocol};
use wattle_time::Instant;

use crate::{CapabilityTable, DropReason, Facts, Filter, Flows, Verdict, check_inbound, check_outbound};

const NOW: Instant = Instant::from_nanos(1_000_000_000);
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// What a packet is made from, so that the reference need not take it apart.
#[derive(Clone, Debug)]
struct Packet {
    source: IpAddr,
    destination: IpAddr,
    ports: (u16, u16),
    kind: Kind,
    part: Part,
}

#[derive(Clone, Debug)]
enum Kind {
    Tcp {
        flags: u8,
    },
    Udp,
    Sctp,
    /// ICMP of the packet's IP version, with its type.
    Icmp(u8),
    Other(u8),
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Whole,
    /// Only this much of it.
    Cut(usize),
    /// The front of more.
    Front,
    /// A later fragment, that many times eight bytes into the datagram.
    Later(u16),
}

impl Packet {
    fn protocol(&self) -> u8 {
        match self.kind {
            Kind::Tcp { .. } => protocol::TCP,
            Kind::Udp => protocol::UDP,
            Kind::Sctp => protocol::SCTP,
            Kind::Icmp(_) if self.source.is_ipv4() => protocol::ICMP,
            Kind::Icmp(_) => protocol::ICMPV6,
            Kind::Other(protocol) => protocol,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut body = [self.ports.0.to_be_bytes(), self.ports.1.to_be_bytes()].concat();
        match self.kind {
            Kind::Tcp { flags } => body.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]),
            Kind::Udp => body.extend([0, 12, 0, 0, 1, 2, 3, 4]),
            Kind::Sctp | Kind::Other(_) => body.extend([0; 16]),
            Kind::Icmp(kind) => body = vec![kind, 0, 0, 0, 0, 1, 0, 1],
        }
        let mut packet = Vec::new();
        let more_follow = u16::from(self.part == Part::Front);
        let eighths = if let Part::Later(eighths) = self.part { eighths } else { 0 };
        if self.source.is_ipv4() {
            build::ip(self.source, self.destination, self.protocol(), &body, &mut packet).unwrap();
            packet[6..8].copy_from_slice(&(more_follow << 13 | eighths).to_be_bytes());
        } else if self.part == Part::Front || eighths != 0 {
            let field = (eighths << 3 | more_follow).to_be_bytes();
            let body = [&[self.protocol(), 0, field[0], field[1], 0, 0, 0, 1][..], &body].concat();
            build::ip(self.source, self.destination, 44, &body, &mut packet).unwrap();
        } else {
            build::ip(self.source, self.destination, self.protocol(), &body, &mut packet).unwrap();
        }
        if let Part::Cut(length) = self.part {
            packet.truncate(length);
        }
        packet
    }

    /// Protocol, from and to: what an answer to it has the other way round.
    fn conversation(&self) -> (u8, SocketAddr, SocketAddr) {
        let ends = (SocketAddr::new(self.source, self.ports.0), SocketAddr::new(self.destination, self.ports.1));
        (self.protocol(), ends.0, ends.1)
    }
}

struct Reference<'a> {
    rules: &'a [FilterRule],
    local: &'a [Prefix],
    /// Who has the capabilities "a" and "b".
    having: &'a [(String, Prefix)],
    shields_up: bool,
    sent: Vec<(u8, SocketAddr, SocketAddr)>,
}

impl Reference<'_> {
    fn verdict(&self, packet: &Packet) -> Verdict {
        match packet.part {
            Part::Cut(0) => return Verdict::KeepAlive,
            Part::Cut(length) if length < 20 => return Verdict::Drop(DropReason::TooShort),
            // Shorter than its header says.
            Part::Cut(_) => return Verdict::Drop(DropReason::TooShort),
            Part::Whole | Part::Front | Part::Later(_) => {}
        }
        if packet.destination.is_multicast() {
            return Verdict::Drop(DropReason::Multicast);
        }
        let link_local = match packet.destination {
            IpAddr::V4(address) => address.is_link_local() && address.octets() != [169, 254, 169, 254],
            IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
        };
        if link_local {
            return Verdict::Drop(DropReason::LinkLocal);
        }
        if let Part::Later(eighths) = packet.part {
            return if eighths >= 10 { Verdict::Accept } else { Verdict::Drop(DropReason::Malformed) };
        }
        if !self.local.iter().any(|prefix| prefix.contains(&packet.destination)) {
            return Verdict::Drop(DropReason::NotLocal);
        }
        if self.is_allowed(packet) {
            Verdict::Accept
        } else if self.shields_up {
            Verdict::Drop(DropReason::ShieldsUp)
        } else {
            Verdict::Drop(DropReason::NoRule)
        }
    }

    fn is_allowed(&self, packet: &Packet) -> bool {
        let (protocol, from, to) = packet.conversation();
        match packet.kind {
            Kind::Icmp(kind) => {
                let passes = match packet.source {
                    IpAddr::V4(_) => [0, 3, 11, 12].contains(&kind),
                    IpAddr::V6(_) => kind == 129 || kind < 128,
                };
                passes || self.some_rule(packet, |_, _| true)
            }
            Kind::Tcp { flags } => flags & (SYN | ACK) != SYN || self.port_rule(packet),
            Kind::Udp | Kind::Sctp => self.sent.contains(&(protocol, to, from)) || self.port_rule(packet),
            Kind::Other(protocol::TSMP) => true,
            Kind::Other(_) => {
                self.some_rule(packet, |named, ports| named.contains(&protocol) && ports == PortRange::ANY)
            }
        }
    }

    fn port_rule(&self, packet: &Packet) -> bool {
        self.some_rule(packet, |named, ports| {
            named.contains(&packet.protocol()) && (ports.first..=ports.last).contains(&packet.ports.1)
        })
    }

    fn some_rule(&self, packet: &Packet, fits: impl Fn(&[u8], PortRange) -> bool) -> bool {
        const DEFAULT: [u8; 4] = [protocol::TCP, protocol::UDP, protocol::ICMP, protocol::ICMPV6];
        !self.shields_up
            && self.rules.iter().any(|rule| {
                let named = if rule.protocols.is_empty() { &DEFAULT[..] } else { &rule.protocols };
                rule.sources.iter().any(|source| self.means(source, packet.source))
                    && rule
                        .targets
                        .iter()
                        .any(|target| self.means(&target.to, packet.destination) && fits(named, target.ports))
            })
    }

    fn means(&self, named: &RuleSource, address: IpAddr) -> bool {
        match named {
            RuleSource::Any => true,
            RuleSource::Prefix(prefix) => prefix.contains(&address),
            RuleSource::Range(first, last) => {
                first.is_ipv4() == address.is_ipv4()
                    && last.is_ipv4() == address.is_ipv4()
                    && *first <= address
                    && address <= *last
            }
            RuleSource::HasCapability(name) => {
                self.having.iter().any(|(having, prefix)| having == name && prefix.contains(&address))
            }
        }
    }
}

/// Addresses that meet often, and some that are special.
fn address() -> impl Strategy<Value = IpAddr> {
    let special = vec![
        "224.0.0.1",
        "169.254.1.1",
        "169.254.169.254",
        "255.255.255.255",
        "0.0.0.0",
        "ff02::1",
        "fe80::1",
        "::ffff:100.64.0.1",
        "::",
    ];
    let v6 = |host: u8| IpAddr::from([0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, u16::from(host)]);
    prop_oneof![
        10 => (0u8..12).prop_map(|host| IpAddr::from([100, 64, 0, host])),
        3 => (0u8..3, any::<u8>()).prop_map(|(net, host)| IpAddr::from([10, 0, net, host])),
        6 => (0u8..12).prop_map(v6),
        1 => prop::sample::select(special).prop_map(|text| text.parse().unwrap()),
    ]
}

fn prefix() -> impl Strategy<Value = Prefix> {
    (address(), prop_oneof![Just(0u8), 0u8..=10]).prop_map(|(address, host_bits)| {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Prefix::new(address, bits - host_bits).unwrap().trunc()
    })
}

fn addresses() -> impl Strategy<Value = RuleSource> {
    prop_oneof![
        1 => Just(RuleSource::Any),
        8 => prefix().prop_map(RuleSource::Prefix),
        3 => (address(), address()).prop_map(|(first, last)| RuleSource::Range(first, last)),
    ]
}

fn source() -> impl Strategy<Value = RuleSource> {
    prop_oneof![
        6 => addresses(),
        1 => prop::sample::select(vec!["a", "b", "c"]).prop_map(|name| RuleSource::HasCapability(name.to_owned())),
    ]
}

/// Ports that meet often.
fn port() -> impl Strategy<Value = u16> {
    prop_oneof![8 => 0u16..8, 1 => any::<u16>(), 1 => Just(u16::MAX)]
}

fn ports() -> impl Strategy<Value = PortRange> {
    prop_oneof![
        2 => Just(PortRange::ANY),
        3 => port().prop_map(PortRange::one),
        2 => (port(), port()).prop_map(|(a, b)| PortRange { first: a.min(b), last: a.max(b) }),
    ]
}

fn rule() -> impl Strategy<Value = FilterRule> {
    let target = (addresses(), ports()).prop_map(|(to, ports)| RuleTarget { to, ports });
    let protocols = prop_oneof![
        3 => Just(vec![]),
        2 => prop::collection::vec(prop::sample::select(vec![1u8, 6, 17, 47, 58, 99, 132]), 1..4),
    ];
    (prop::collection::vec(source(), 0..4), prop::collection::vec(target, 0..4), protocols)
        .prop_map(|(sources, targets, protocols)| FilterRule { sources, targets, protocols, grants: vec![] })
}

fn packet() -> impl Strategy<Value = Packet> {
    let kind = prop_oneof![
        4 => prop::sample::select(vec![SYN, SYN, ACK, SYN | ACK, 0, 0xff]).prop_map(|flags| Kind::Tcp { flags }),
        4 => Just(Kind::Udp),
        1 => Just(Kind::Sctp),
        2 => prop::sample::select(vec![0u8, 3, 8, 11, 12, 13, 128, 129, 135]).prop_map(Kind::Icmp),
        2 => prop::sample::select(vec![47u8, 99, 50, protocol::TSMP]).prop_map(Kind::Other),
    ];
    let part = prop_oneof![
        12 => Just(Part::Whole),
        1 => (0usize..28).prop_map(Part::Cut),
        1 => Just(Part::Front),
        1 => (1u16..20).prop_map(Part::Later),
    ];
    (address(), address(), port(), port(), kind, part)
        .prop_filter("one IP version", |(source, to, ..)| source.is_ipv4() == to.is_ipv4())
        .prop_map(|(source, destination, from, to, kind, part)| Packet {
            source,
            destination,
            ports: (from, to),
            kind,
            part,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_global_rejects: 1 << 20, max_local_rejects: 1 << 20, ..ProptestConfig::default() })]
    #[test]
    fn verdicts_equal_the_reference(
        rules in prop::collection::vec(rule(), 0..12),
        local in prop::collection::vec(prefix(), 1..5),
        having in prop::collection::vec((prop::sample::select(vec!["a", "b"]), prefix()), 0..4),
        shields_up in prop::bool::weighted(0.1),
        sent in prop::collection::vec(packet(), 0..6),
        received in prop::collection::vec(packet(), 1..40),
    ) {
        let having: Vec<(String, Prefix)> = having.into_iter().map(|(name, prefix)| (name.to_owned(), prefix)).collect();
        let mut capabilities = CapabilityTable::default();
        having.iter().for_each(|(name, prefix)| capabilities.insert(name, &[*prefix]));
        let compiled: Vec<&FilterRule> = rules.iter().collect();
        let filter = Filter::compile(&Facts { rules: &compiled, local: &local, capabilities: &capabilities, shields_up });
        let flows = Flows::new([1; 32]);
        let mut reference = Reference { rules: &rules, local: &local, having: &having, shields_up, sent: Vec::new() };
        for packet in sent.iter().filter(|packet| !matches!(packet.part, Part::Cut(_))) {
            check_outbound(&flows, &IpPacket::parse(&packet.bytes()).unwrap(), 7, NOW);
            if matches!(packet.kind, Kind::Udp | Kind::Sctp) && !matches!(packet.part, Part::Later(_)) {
                reference.sent.push(packet.conversation());
            }
        }
        // Answers to what was sent, too.
        let answers = sent.iter().map(|packet| Packet {
            source: packet.destination,
            destination: packet.source,
            ports: (packet.ports.1, packet.ports.0),
            ..packet.clone()
        });
        for packet in received.iter().cloned().chain(answers) {
            let verdict = check_inbound(&filter, &flows, &packet.bytes(), NOW);
            prop_assert_eq!(verdict, reference.verdict(&packet), "{:?}", packet);
        }
    }
}
