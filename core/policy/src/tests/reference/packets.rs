//! What comes in at a node, who sees whom, and what one may do there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use wattle_netmap::PortRange;

use super::places::{is_exit, is_internet, is_internet_word, is_place, is_self, is_tailnet, meet, networks};
use super::rules::{Ports, Rule};
use super::{Reference, Spec, is_own};
use crate::language::document::Alias;

/// Capabilities that come with one on the other side.
const COMPANIONS: [(&str, &str); 2] = [
    ("tailscale.com/cap/drive", "tailscale.com/cap/drive-sharer"),
    ("tailscale.com/cap/relay", "tailscale.com/cap/relay-target"),
];

/// The start of a conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) port: u16,
}

impl Reference<'_> {
    /// Whether a node lets a packet in.
    pub(crate) fn lets_in(&self, packet: Packet, node: &Spec) -> bool {
        let Packet { from, to, protocol, port } = packet;
        let is_here = node.addresses.contains(&to) || node.routes.iter().any(|route| route.contains(&to));
        // TSMP is the tunnel's own.
        is_here
            && from.is_ipv4() == to.is_ipv4()
            && (protocol == 99 || {
                self.rules.iter().any(|rule| {
                    self.is_for(rule, from, None)
                        && rule.targets.iter().any(|(word, ports)| {
                            passes(ports, protocol, port) && self.is_target_at(rule, word, from, to, node)
                        })
                })
            })
    }

    /// Whether a rule leads by this router to an address of its own: it lets that in, though it is meant for what lies behind.
    pub(crate) fn leads_via(&self, to: IpAddr, router: &Spec) -> bool {
        let mut via = self.rules.iter().filter(|rule| !rule.via.is_empty());
        via.any(|rule| rule.targets.iter().any(|(word, _)| self.is_target_at(rule, word, to, to, router)))
    }

    /// Whether a word among the targets of a rule means an address, where it comes in at a node.
    fn is_target_at(&self, rule: &Rule<'_>, word: &Alias, from: IpAddr, to: IpAddr, node: &Spec) -> bool {
        let own = node.addresses.contains(&to);
        let part = || self.part(word, to);
        let is_behind = || networks(node).any(|route| meet(route, &part()));
        if !rule.via.is_empty() {
            let carries = rule.via.iter().any(|tag| node.tags.iter().any(|own| own == tag));
            let beyond = is_internet_word(word) && is_exit(node) && is_internet(to);
            return carries && (beyond || (self.holds(word, to) && is_behind()));
        }
        if is_place(word) {
            let is_here = || node.addresses.iter().any(|address| part().contains(address));
            let is_beyond = || is_exit(node) && self.is_all_internet(part());
            return self.holds(word, to) && (is_here() || is_behind() || is_beyond());
        }
        *word == Alias::Any
            || (own && self.is(node, word))
            || (is_internet_word(word) && is_exit(node) && is_internet(to))
            || (own && is_self(word) && self.node_at(from).is_some_and(|from| is_own(from, node)))
    }

    /// What somebody at one address may do at another, which is a node's or behind it: values by name.
    pub(crate) fn capabilities(&self, from: IpAddr, to: IpAddr, node: &Spec) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| rule.via.is_empty()) {
            let given = self.is_for(rule, from, None)
                && rule.targets.iter().any(|(word, _)| self.is_granted_at(word, from, to, node));
            for capability in rule.app.iter().filter(|_| given) {
                found.entry(capability.name.clone()).or_default().extend(capability.values.iter().cloned());
            }
            // Whoever may use something is known to those who offer it.
            let is_behind = |word: &&Alias| {
                is_place(word) && self.holds(word, to) && networks(node).any(|route| meet(route, &self.part(word, to)))
            };
            let stands = (node.addresses.contains(&to) && self.is_source_at(rule, node, to))
                || (rule.postures.is_empty() && rule.sources.iter().any(is_behind));
            let known = stands && rule.targets.iter().any(|(word, _)| self.offers(word, from, node));
            for (_, companion) in COMPANIONS.iter().filter(|_| known).filter(|(name, _)| has(rule, name)) {
                found.entry((*companion).to_owned()).or_default();
            }
        }
        found
    }

    fn is_granted_at(&self, word: &Alias, from: IpAddr, to: IpAddr, node: &Spec) -> bool {
        let own = node.addresses.contains(&to);
        let is_behind = || networks(node).any(|route| meet(route, &self.part(word, to)));
        if is_place(word) {
            return self.holds(word, to) && (own || is_behind());
        }
        let of_same_user = || self.node_at(from).is_some_and(|from| is_own(from, node));
        own && (*word == Alias::Any || self.is(node, word) || (is_self(word) && of_same_user()))
    }

    /// Whether a word among the targets means whoever has an address, from where a node stands.
    fn offers(&self, word: &Alias, address: IpAddr, node: &Spec) -> bool {
        let other = self.node_at(address);
        (*word == Alias::Any && (is_tailnet(address) || self.is_routed(address)))
            || self.holds(word, address)
            || other.is_some_and(|other| self.is(other, word) || (is_self(word) && is_own(other, node)))
    }

    /// Whether two nodes know of each other: some rule lets one of them, or what is behind it, begin a conversation with
    /// the other or with what is behind that.
    pub(crate) fn sees(&self, a: &Spec, b: &Spec) -> bool {
        self.reaches(a, b) || self.reaches(b, a)
    }

    fn reaches(&self, from: &Spec, to: &Spec) -> bool {
        self.rules.iter().any(|rule| {
            self.is_source_or_before(rule, from)
                && rule.targets.iter().any(|(word, ports)| {
                    let gives = !ports.is_empty() || (!rule.app.is_empty() && rule.via.is_empty());
                    gives && (self.is_at_or_behind(rule, word, to) || self.is_own_target(rule, word, from, to))
                })
        })
    }

    fn is_own_target(&self, rule: &Rule<'_>, word: &Alias, from: &Spec, to: &Spec) -> bool {
        rule.via.is_empty() && is_self(word) && is_own(from, to)
    }

    /// Whether a word among the targets of a rule means a node, something behind it, or the internet beyond it.
    pub(super) fn is_at_or_behind(&self, rule: &Rule<'_>, word: &Alias, node: &Spec) -> bool {
        let behind = networks(node).any(|route| self.reaches_into(word, route));
        let beyond = is_internet_word(word) && is_exit(node);
        if rule.via.is_empty() {
            let here = self.is(node, word) || node.addresses.iter().any(|address| self.holds(word, *address));
            *word == Alias::Any || here || behind || beyond
        } else {
            rule.via.iter().any(|tag| node.tags.iter().any(|own| own == tag)) && (behind || beyond)
        }
    }
}

fn has(rule: &Rule<'_>, name: &str) -> bool {
    rule.app.iter().any(|capability| capability.name == name)
}

/// Whether packets of a protocol to a port are among those. ICMP goes wherever something else goes; what has no ports
/// needs all of them.
pub(super) fn passes(ports: &[Ports], protocol: u8, port: u16) -> bool {
    ports.iter().any(|(protocols, ranges)| {
        let named =
            if protocols.is_empty() { [1, 6, 17, 58].contains(&protocol) } else { protocols.contains(&protocol) };
        match protocol {
            1 | 58 => !ranges.is_empty(),
            6 | 17 | 132 => named && ranges.iter().any(|range| (range.first..=range.last).contains(&port)),
            _ => named && ranges.contains(&PortRange::ANY),
        }
    })
}
