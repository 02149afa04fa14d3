//! The compiled rules of a node.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use wattle_netmap::{FilterRule, Netmap, Prefix};
use wattle_packet::protocol;

use crate::CapabilityTable;
use crate::grants::Grants;
use crate::matcher::{Matcher, ProtocolSet, Rules, Target};
use crate::ranges::{self, PerVersion, Ranges, number};

/// What a rule is about when it names no protocol.
const DEFAULT_PROTOCOLS: [u8; 4] = [protocol::TCP, protocol::UDP, protocol::ICMP, protocol::ICMPV6];

/// Which packets may come in. Never changes; make a new one when facts change.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    local: PerVersion<Ranges>,
    rules: PerVersion<Matcher>,
    grants: Grants,
    shields_up: bool,
    peerapi_port: Option<u16>,
}

/// What a filter is made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The rules, from control.
    pub rules: &'a [&'a FilterRule],
    /// Our own addresses and the prefixes that we route.
    pub local: &'a [Prefix],
    /// Who has which node capability.
    pub capabilities: &'a CapabilityTable,
    /// Take no incoming connections, whatever the rules say.
    pub shields_up: bool,
}

impl Filter {
    /// Compiles rules. Targets that are not ours are left out: no packet to them would come in anyway.
    pub fn compile(facts: &Facts<'_>) -> Self {
        let local = ranges::of_prefixes(facts.local);
        if facts.shields_up {
            return Self { local, shields_up: true, ..Self::default() };
        }
        let mut rules = PerVersion::<Rules>::default();
        for rule in facts.rules {
            let sources = ranges::of_sources(&rule.sources, facts.capabilities);
            let targets = targets(rule, &local);
            push_rule(sources.v4, targets.v4, &mut rules.v4);
            push_rule(sources.v6, targets.v6, &mut rules.v6);
        }
        Self {
            local,
            rules: rules.map(Matcher::new),
            grants: Grants::new(facts.rules.iter().copied(), facts.capabilities),
            shields_up: false,
            peerapi_port: None,
        }
    }

    /// Compiles the rules of a map for its own node, which also serves these routes.
    pub fn of_netmap(map: &Netmap, served_routes: &[Prefix], shields_up: bool) -> Self {
        let addresses = map.self_node.iter().flat_map(|node| &node.addresses);
        let local: Vec<Prefix> = addresses.chain(served_routes).copied().collect();
        let rules: Vec<&FilterRule> = map.filter_rules().collect();
        let capabilities = CapabilityTable::of_netmap(map);
        Self::compile(&Facts { rules: &rules, local: &local, capabilities: &capabilities, shields_up })
    }

    /// The same node's filter for peers from which nothing may be accepted: only replies come in.
    #[must_use]
    pub fn jailed(&self) -> Self {
        Self { local: self.local.clone(), ..Self::default() }
    }

    /// Connections to this port of our own addresses pass: the peer API checks its callers itself.
    #[must_use]
    pub fn with_peerapi_port(self, port: u16) -> Self {
        Self { peerapi_port: Some(port), ..self }
    }

    /// Whether a new conversation of this kind would be let in. For protocols without ports the port counts for nothing.
    pub fn allows(&self, protocol: u8, source: IpAddr, destination: SocketAddr) -> bool {
        let to = destination.ip();
        self.is_local(to)
            && source.is_ipv4() == to.is_ipv4()
            && match protocol {
                protocol::ICMP | protocol::ICMPV6 => self.allows_anything(source, to),
                protocol::TCP | protocol::UDP | protocol::SCTP => self.allows_port(protocol, source, destination),
                protocol::TSMP => true,
                other => self.allows_portless(other, source, to),
            }
    }

    /// What `source` may do with services on `destination`: values (JSON texts) by capability.
    pub fn capabilities(&self, source: IpAddr, destination: IpAddr) -> BTreeMap<&str, Vec<&str>> {
        self.grants.held(source, destination)
    }

    /// Whether we take no incoming connections.
    pub const fn is_shields_up(&self) -> bool {
        self.shields_up
    }

    /// Whether there were more rules than a node compiles: some that should allow a packet do not.
    pub const fn is_overflowed(&self) -> bool {
        self.rules.v4.overflowed || self.rules.v6.overflowed
    }

    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        self.local.of(address).contains(number(address))
    }

    pub(crate) fn allows_port(&self, protocol: u8, source: IpAddr, destination: SocketAddr) -> bool {
        let (to, port) = (destination.ip(), destination.port());
        let to_peerapi = protocol == protocol::TCP && self.peerapi_port == Some(port);
        to_peerapi || self.rules.of(to).allows(protocol, number(source), number(to), port)
    }

    pub(crate) fn allows_anything(&self, source: IpAddr, destination: IpAddr) -> bool {
        self.rules.of(destination).allows_anything(number(source), number(destination))
    }

    pub(crate) fn allows_portless(&self, protocol: u8, source: IpAddr, destination: IpAddr) -> bool {
        self.rules.of(destination).allows_portless(protocol, number(source), number(destination))
    }
}

/// A rule's targets, as far as they are ours.
fn targets(rule: &FilterRule, local: &PerVersion<Ranges>) -> PerVersion<Vec<Target>> {
    let protocols = match rule.protocols.as_slice() {
        [] => ProtocolSet::new(DEFAULT_PROTOCOLS),
        named => ProtocolSet::new(named.iter().copied()),
    };
    // Capabilities never stand in targets: an empty table lets them mean nobody.
    let nobody = CapabilityTable::default();
    let mut found = PerVersion::<Vec<Target>>::default();
    for target in &rule.targets {
        let to = ranges::of_sources(std::slice::from_ref(&target.to), &nobody);
        let ours = |to: &Ranges, local: &Ranges| -> Vec<Target> {
            let parts = to.iter().flat_map(|range| local.intersect(range));
            parts.map(|addresses| Target { addresses, ports: target.ports, protocols }).collect()
        };
        found.v4.extend(ours(&to.v4, &local.v4));
        found.v6.extend(ours(&to.v6, &local.v6));
    }
    found
}

fn push_rule(sources: Ranges, targets: Vec<Target>, rules: &mut Rules) {
    if !targets.is_empty() {
        rules.entry(sources).or_default().extend(targets);
    }
}

#[cfg(test)]
mod tests;
