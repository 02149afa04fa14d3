//! The compiled rules of a node.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use wattle_netmap::{FilterRule, Netmap, Prefix, RuleSource};
use wattle_packet::protocol;

use crate::CapabilityTable;
use crate::grants::Grants;
use crate::limits::Budget;
use crate::matcher::{Matcher, MatcherBuilder};
use crate::ranges::{self, PerVersion, Ranges, number};
use crate::services;

/// Which packets may come in. Never changes; make a new one when facts change.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    local: PerVersion<Ranges>,
    rules_v4: Matcher<u32>,
    rules_v6: Matcher<u128>,
    grants: Grants,
    shields_up: bool,
    peerapi_port: Option<u16>,
    /// Whether a rule is about who has a capability, so that the filter changes with the nodes of the map.
    about_capabilities: bool,
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
        let (mut v4, mut v6) =
            (MatcherBuilder::new(&local.v4, Budget::FULL), MatcherBuilder::new(&local.v6, Budget::FULL));
        for rule in facts.rules {
            let sources = ranges::of_sources(&rule.sources, facts.capabilities);
            let targets: Vec<_> = rule
                .targets
                .iter()
                .map(|target| (ranges::of_addresses(&target.to), services::of_rule(&rule.protocols, target.ports)))
                .collect();
            v4.push(sources.v4, targets.iter().filter_map(|(to, services)| Some((to.v4?, &services[..]))));
            v6.push(sources.v6, targets.iter().filter_map(|(to, services)| Some((to.v6?, &services[..]))));
        }
        let (rules_v4, rules_v6) = (v4.build(), v6.build());
        let sources = facts.rules.iter().flat_map(|rule| &rule.sources);
        Self {
            rules_v4,
            rules_v6,
            grants: Grants::new(facts.rules.iter().copied(), facts.capabilities),
            shields_up: false,
            peerapi_port: None,
            about_capabilities: sources.into_iter().any(|source| matches!(source, RuleSource::HasCapability(_))),
            local,
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
        self.is_local(destination.ip()) && (protocol == protocol::TSMP || self.opens(protocol, source, destination))
    }

    /// What `source` may do with services on `destination`: values (JSON texts) by capability.
    pub fn capabilities(&self, source: IpAddr, destination: IpAddr) -> BTreeMap<&str, Vec<&str>> {
        self.grants.held(source, destination)
    }

    /// Whether anybody holds this capability on anything of ours.
    pub fn grants_anybody(&self, capability: &str) -> bool {
        self.grants.name(capability)
    }

    /// Whether we take no incoming connections.
    pub const fn is_shields_up(&self) -> bool {
        self.shields_up
    }

    /// Whether it may change when nodes of the map do: a rule is about those that have a capability.
    pub const fn is_about_capabilities(&self) -> bool {
        self.about_capabilities
    }

    /// How large it is.
    pub fn size(&self) -> FilterSize {
        FilterSize {
            bytes: self.rules_v4.bytes() + self.rules_v6.bytes(),
            walk_max: self.rules_v4.walk_max().max(self.rules_v6.walk_max()),
        }
    }

    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        self.local.of(address).contains(number(address))
    }

    /// Whether rules let a conversation of this kind begin. That the destination is ours was checked.
    pub(crate) fn opens(&self, protocol: u8, source: IpAddr, destination: SocketAddr) -> bool {
        if protocol == protocol::TCP && self.peerapi_port == Some(destination.port()) {
            return true;
        }
        match (source, destination) {
            (IpAddr::V4(source), SocketAddr::V4(to)) => {
                let service = match protocol {
                    protocol::ICMP => services::ANYTHING,
                    _ => services::of_packet(protocol, to.port()),
                };
                self.rules_v4.allows(source.to_bits(), to.ip().to_bits(), service)
            }
            (IpAddr::V6(source), SocketAddr::V6(to)) => {
                let service = match protocol {
                    protocol::ICMPV6 => services::ANYTHING,
                    _ => services::of_packet(protocol, to.port()),
                };
                self.rules_v6.allows(source.to_bits(), to.ip().to_bits(), service)
            }
            _ => false,
        }
    }
}

/// How large a filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterSize {
    /// Memory of the compiled rules.
    pub bytes: usize,
    /// How many sets of sources a packet may meet one by one at a place where it usually meets one; more than a few only
    /// when making one of them would cost too much memory.
    pub walk_max: usize,
}

#[cfg(test)]
mod tests;
