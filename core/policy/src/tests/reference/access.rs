//! What people and tags may do with each other, and with places.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wattle_netmap::UserId;

use super::packets::{Packet, passes};
use super::places::{is_exit, is_internet, is_internet_word, is_place, is_self, networks};
use super::rules::{Ports, Rule};
use super::{Reference, Spec, is_own, owner};
use crate::language::document::Alias;
use crate::{Access, Party};

impl Reference<'_> {
    /// The rules that let a node begin a conversation with an address, wherever that is.
    pub(crate) fn rules_that_allow(&self, from: &Spec, packet: Packet) -> Vec<usize> {
        let Packet { to, protocol, port, .. } = packet;
        self.rules_towards(from, to, |ports| passes(ports, protocol, port))
    }

    /// Whether a node may begin some conversation with an address.
    pub(crate) fn may_begin(&self, from: &Spec, to: IpAddr) -> bool {
        !self.rules_towards(from, to, |ports| !ports.is_empty()).is_empty()
    }

    fn rules_towards(&self, from: &Spec, to: IpAddr, passes: impl Fn(&[Ports]) -> bool) -> Vec<usize> {
        let is_source = |rule: &Rule<'_>| {
            let own = from.addresses.iter().filter(|address| address.is_ipv4() == to.is_ipv4());
            own.into_iter().any(|address| self.is_source_at(rule, from, *address))
        };
        let allows = |rule: &Rule<'_>| {
            let is_target =
                |(word, ports): &(&Alias, Vec<Ports>)| passes(ports) && self.is_target_anywhere(rule, word, from, to);
            is_source(rule) && rule.targets.iter().any(is_target)
        };
        self.rules.iter().enumerate().filter(|(_, rule)| allows(rule)).map(|(number, _)| number).collect()
    }

    fn is_target_anywhere(&self, rule: &Rule<'_>, word: &Alias, from: &Spec, to: IpAddr) -> bool {
        let there = self.node_at(to);
        if rule.via.is_empty() {
            return *word == Alias::Any
                || self.holds(word, to)
                || there.is_some_and(|node| self.is(node, word) || (is_self(word) && is_own(from, node)))
                || (is_internet_word(word) && is_internet(to));
        }
        let behind = |node: &Spec| networks(node).any(|route| route.contains(&to));
        let beyond = |node: &Spec| node.routes.iter().any(|route| route.prefix_len() == 0 && route.contains(&to));
        (there.is_none() && self.holds(word, to) && self.has_carrier(rule, behind))
            || (is_internet_word(word) && is_internet(to) && self.has_carrier(rule, beyond))
    }

    /// All parties: people, sets of tags, networks, the internet.
    pub(crate) fn parties(&self) -> BTreeSet<Party> {
        let mut parties: BTreeSet<Party> = self.nodes.values().map(party).collect();
        parties.extend(self.nodes.values().flat_map(networks).map(|route| Party::Route(*route)));
        parties.extend(self.has_exit_node().then_some(Party::Internet));
        parties
    }

    /// What nodes of one party may do with another, and by which rules. `own`: what only nodes of one user may.
    pub(crate) fn access(&self, who: &Party, whom: &Party, own: bool) -> (Access, BTreeSet<usize>) {
        let (mut access, mut by) = (Access::default(), BTreeSet::new());
        for from in self.nodes.values().filter(|node| party(node) == *who) {
            for (number, rule) in self.rules.iter().enumerate().filter(|(_, rule)| self.is_source(rule, from)) {
                for (word, ports) in &rule.targets {
                    let hit = match own {
                        true => rule.via.is_empty() && is_self(word) && owner(from).is_some(),
                        false => self.is_met(rule, word, whom),
                    };
                    if !hit || !super::routes::gives(rule, ports) {
                        continue;
                    }
                    let packets = ports
                        .iter()
                        .flat_map(|(protocols, ranges)| ranges.iter().map(|range| (protocols.clone(), *range)));
                    access.packets.extend(packets);
                    let app = rule.app.iter().filter(|_| rule.via.is_empty());
                    access.capabilities.extend(app.map(|capability| capability.name.clone()));
                    by.insert(number);
                }
            }
        }
        (access, by)
    }

    fn is_met(&self, rule: &Rule<'_>, word: &Alias, whom: &Party) -> bool {
        let via = !rule.via.is_empty();
        match whom {
            Party::User(_) | Party::Tags(_) => {
                let is_met = |node: &Spec| self.is(node, word) || node.addresses.iter().any(|a| self.holds(word, *a));
                let mut nodes = self.nodes.values().filter(|node| party(node) == *whom);
                !via && nodes.any(|node| *word == Alias::Any || is_met(node))
            }
            Party::Route(route) if via => {
                self.reaches_into(word, route) && self.has_carrier(rule, |node| networks(node).any(|own| own == route))
            }
            Party::Route(route) => *word == Alias::Any || self.reaches_into(word, route),
            Party::Internet if via => is_internet_word(word) && self.has_carrier(rule, is_exit),
            Party::Internet => {
                *word == Alias::Any
                    || is_internet_word(word)
                    || (is_place(word)
                        && self.everywhere().any(|address| is_internet(address) && self.holds(word, address)))
            }
        }
    }
}

/// What a node is an example of.
pub(crate) fn party(node: &Spec) -> Party {
    match owner(node) {
        Some(user) => Party::User(UserId(user.0)),
        None => Party::Tags(node.tags.clone()),
    }
}
