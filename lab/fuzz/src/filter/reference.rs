//! The filter as one would write it who has all the time in the world: every rule is read for every packet.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_filter::{DropReason, Verdict};
use wattle_netmap::{FilterRule, PortRange, Prefix, RuleSource, RuleTarget};
use wattle_packet::{Flow, Fragment, IcmpMessage, IpPacket, PacketError, TcpSegment, protocol};

/// What a filter is made from, and what was sent.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) rules: Vec<FilterRule>,
    pub(super) local: Vec<Prefix>,
    pub(super) capabilities: BTreeMap<String, Vec<Prefix>>,
    pub(super) shields_up: bool,
    pub(super) jailed: bool,
    pub(super) peerapi_port: Option<u16>,
    pub(super) sent: Vec<Flow>,
}

impl Reference {
    /// The verdict over a packet that comes in.
    pub(super) fn verdict(&self, bytes: &[u8]) -> Verdict {
        match bytes.len() {
            0 => return Verdict::KeepAlive,
            1..20 => return Verdict::Drop(DropReason::TooShort),
            _ => {}
        }
        match IpPacket::parse(bytes) {
            Ok(packet) => self.objection(&packet).map_or(Verdict::Accept, Verdict::Drop),
            Err(PacketError::Short) => Verdict::Drop(DropReason::TooShort),
            Err(PacketError::NotIp | PacketError::Malformed) => Verdict::Drop(DropReason::Malformed),
        }
    }

    fn objection(&self, packet: &IpPacket<'_>) -> Option<DropReason> {
        let to = packet.destination();
        let link_local = match to {
            IpAddr::V4(to) => to.is_link_local() && to.octets() != [169, 254, 169, 254],
            IpAddr::V6(to) => to.is_unicast_link_local(),
        };
        let multicast = to.is_multicast();
        if multicast || link_local {
            return Some(if multicast { DropReason::Multicast } else { DropReason::LinkLocal });
        }
        if let Fragment::Later { offset_bytes } = packet.fragment() {
            return (offset_bytes < 80).then_some(DropReason::Malformed);
        }
        if !self.is_local(to) {
            return Some(DropReason::NotLocal);
        }
        match self.passes(packet) {
            None => Some(DropReason::Malformed),
            Some(true) => None,
            Some(false) => {
                Some(if self.shields_up && !self.jailed { DropReason::ShieldsUp } else { DropReason::NoRule })
            }
        }
    }

    /// `None`: the transport header is broken.
    fn passes(&self, packet: &IpPacket<'_>) -> Option<bool> {
        let (kind, from, to) = (packet.protocol(), packet.source(), packet.destination());
        let own_icmp = if to.is_ipv4() { protocol::ICMP } else { protocol::ICMPV6 };
        Some(match kind {
            _ if kind == own_icmp => {
                let message = IcmpMessage::of(packet)?;
                message.is_echo_reply() || message.is_error() || self.has_rule(from, to, |_, _| true)
            }
            protocol::TCP => {
                let segment = TcpSegment::parse(packet.payload())?;
                !segment.flags().opens_connection() || self.opens(kind, from, to, segment.destination_port())
            }
            protocol::UDP | protocol::SCTP => {
                let flow = Flow::of(packet)?;
                self.sent.contains(&flow.reversed()) || self.opens(kind, from, to, flow.destination.port())
            }
            protocol::TSMP => true,
            _ => self.portless(kind, from, to),
        })
    }

    /// Whether a new conversation may begin.
    pub(super) fn allows(&self, kind: u8, from: IpAddr, to: IpAddr, port: u16) -> bool {
        self.is_local(to)
            && from.is_ipv4() == to.is_ipv4()
            && match kind {
                protocol::ICMP if to.is_ipv4() => self.has_rule(from, to, |_, _| true),
                protocol::ICMPV6 if to.is_ipv6() => self.has_rule(from, to, |_, _| true),
                protocol::TCP | protocol::UDP | protocol::SCTP => self.opens(kind, from, to, port),
                protocol::TSMP => true,
                _ => self.portless(kind, from, to),
            }
    }

    /// What `from` may do on `to`: values by name.
    pub(super) fn capabilities_held(&self, from: IpAddr, to: IpAddr) -> BTreeMap<&str, Vec<&str>> {
        let mut held: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| self.is_source(rule, from) && self.obeys_rules()) {
            for grant in rule.grants.iter().filter(|grant| grant.to.iter().any(|prefix| prefix.contains(&to))) {
                for capability in &grant.capabilities {
                    let values = capability.values.iter().map(String::as_str);
                    held.entry(&capability.name).or_default().extend(values);
                }
            }
        }
        held
    }

    fn obeys_rules(&self) -> bool {
        !self.shields_up && !self.jailed
    }

    fn is_local(&self, address: IpAddr) -> bool {
        self.local.iter().any(|prefix| prefix.contains(&address))
    }

    fn opens(&self, kind: u8, from: IpAddr, to: IpAddr, port: u16) -> bool {
        let to_peerapi = kind == protocol::TCP && self.peerapi_port == Some(port) && !self.jailed;
        to_peerapi || self.has_rule(from, to, |rule, target| target.ports.contains(port) && speaks(rule, kind))
    }

    fn portless(&self, kind: u8, from: IpAddr, to: IpAddr) -> bool {
        self.has_rule(from, to, |rule, target| target.ports == PortRange::ANY && speaks(rule, kind))
    }

    fn has_rule(&self, from: IpAddr, to: IpAddr, fits: impl Fn(&FilterRule, &RuleTarget) -> bool) -> bool {
        let mut about = self.rules.iter().filter(|rule| self.obeys_rules() && self.is_source(rule, from));
        about.any(|rule| rule.targets.iter().any(|target| holds(&target.to, to) && fits(rule, target)))
    }

    fn is_source(&self, rule: &FilterRule, address: IpAddr) -> bool {
        rule.sources.iter().any(|source| match source {
            RuleSource::HasCapability(name) => {
                self.capabilities.get(name).into_iter().flatten().any(|prefix| prefix.contains(&address))
            }
            source => holds(source, address),
        })
    }
}

/// Whether an address is meant; capabilities stand for nobody here.
fn holds(source: &RuleSource, address: IpAddr) -> bool {
    match source {
        RuleSource::Any => true,
        RuleSource::Prefix(prefix) => prefix.contains(&address),
        RuleSource::Range(first, last) => {
            let one_version = first.is_ipv4() == last.is_ipv4() && first.is_ipv4() == address.is_ipv4();
            one_version && *first <= address && address <= *last
        }
        RuleSource::HasCapability(_) => false,
    }
}

fn speaks(rule: &FilterRule, kind: u8) -> bool {
    match rule.protocols.as_slice() {
        [] => [protocol::TCP, protocol::UDP, protocol::ICMP, protocol::ICMPV6].contains(&kind),
        named => named.contains(&kind),
    }
}
