//! Whether the claims of `tests` and `sshTests` hold.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{PortRange, Prefix};

use super::places::{is_internet, is_internet_word, is_place, is_self, is_tailnet};
use super::rules::Rule;
use super::{Login, Reference, Spec, owner};
use crate::hujson::Span;
use crate::language::document::{Alias, Autogroup, Scalar, SshTest, Test};
use crate::language::{alias, destination};

impl Reference<'_> {
    /// How many promises are broken, by the place of the test.
    pub(crate) fn broken(&self) -> BTreeMap<(u32, u32), usize> {
        let mut broken: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        let mut count = |at: Span, number: usize| *broken.entry((at.start, at.end)).or_default() += number;
        self.document.tests.iter().for_each(|test| count(test.at, self.broken_of(test)));
        self.document.ssh_tests.iter().for_each(|test| count(test.at, self.broken_ssh_of(test)));
        broken.retain(|_, number| *number > 0);
        broken
    }

    fn broken_of(&self, test: &Test) -> usize {
        let source = alias(&test.source.what).unwrap();
        let sources = self.ends_of(&source);
        if sources.is_empty() {
            return 1;
        }
        let is_kept = |target: &str, wanted: bool| {
            let (to, ports) = destination(target).unwrap();
            self.exists(&to) && self.is_allowed(test, &sources, &to, ports[0].first) == wanted
        };
        let accept = test.accept.iter().filter(|target| !is_kept(&target.what, true)).count();
        accept + test.deny.iter().filter(|target| !is_kept(&target.what, false)).count()
    }

    /// Every one of the sources gets to some address of the target.
    fn is_allowed(&self, test: &Test, sources: &[Prefix], to: &Alias, port: u16) -> bool {
        let attributes: BTreeMap<String, Scalar> = test.source_posture.iter().cloned().collect();
        let attributes = (!attributes.is_empty()).then_some(&attributes);
        let open = |rule: &&Rule<'_>| rule.via.is_empty() && self.opens(rule, test, to, port);
        let open: Vec<&Rule<'_>> = self.rules.iter().filter(open).collect();
        sources.iter().all(|source| {
            self.samples(*source).any(|address| open.iter().any(|rule| self.is_for(rule, address, attributes)))
        })
    }

    /// Whether a rule lets its sources get to some address of a target.
    fn opens(&self, rule: &Rule<'_>, test: &Test, to: &Alias, port: u16) -> bool {
        rule.targets.iter().any(|(word, ports)| {
            let passes = ports.iter().any(|(protocols, ranges)| {
                let known = if protocols.is_empty() { &[6, 17, 1, 58][..] } else { protocols };
                let asked = if test.protocols.is_empty() { &[6, 17, 1, 58][..] } else { &test.protocols };
                let in_range = |range: &PortRange| (range.first..=range.last).contains(&port);
                known.iter().any(|protocol| asked.contains(protocol)) && ranges.iter().any(in_range)
            });
            passes && self.everywhere().any(|address| self.means(to, address) && self.means_as_target(word, address))
        })
    }

    fn means_as_target(&self, word: &Alias, address: IpAddr) -> bool {
        *word == Alias::Any || self.means(word, address)
    }

    /// Whether a word stands for an address.
    fn means(&self, word: &Alias, address: IpAddr) -> bool {
        let by_node = self.node_at(address).is_some_and(|node| self.is(node, word));
        match word {
            Alias::Any => is_tailnet(address),
            Alias::Autogroup(Autogroup::DangerAll) => true,
            word if is_internet_word(word) => is_internet(address),
            word => by_node || self.holds(word, address),
        }
    }

    fn exists(&self, word: &Alias) -> bool {
        self.everywhere().any(|address| self.means(word, address))
    }

    /// What a claim is about: each address of each node, or each prefix of a place.
    fn ends_of(&self, word: &Alias) -> Vec<Prefix> {
        if is_self(word) {
            return Vec::new();
        }
        let fixed =
            is_place(word) || matches!(word, Alias::Any | Alias::Autogroup(Autogroup::DangerAll | Autogroup::Internet));
        let meant = self.everywhere().filter(|address| self.means(word, *address));
        let mut ends: Vec<Prefix> = match fixed {
            true => meant.map(|address| self.part_around(|address| self.means(word, address), address)).collect(),
            false => meant.map(Prefix::from).collect(),
        };
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    fn broken_ssh_of(&self, test: &SshTest) -> usize {
        let source = alias(&test.source.what).unwrap();
        let is_source = |address: &IpAddr| {
            self.means(&source, *address) && (self.node_at(*address).is_some() || self.is_one_address(&source))
        };
        let sources: Vec<IpAddr> = self.everywhere().filter(is_source).collect();
        if sources.is_empty() {
            return 1;
        }
        let mut broken = 0;
        let mut targets: BTreeMap<u64, &Spec> = BTreeMap::new();
        for target in &test.targets {
            let found: Vec<_> =
                self.nodes.iter().filter(|(_, node)| self.is_tested(&source, &target.what, node)).collect();
            broken += usize::from(found.is_empty());
            targets.extend(found.into_iter().map(|(number, node)| (*number, node)));
        }
        for node in targets.values() {
            let all = |user: &str, holds: fn(Login) -> bool| {
                sources.iter().all(|address| holds(self.login(*address, node, user)))
            };
            broken += test.accept.iter().filter(|user| !all(user, |login| login != Login::Denied)).count();
            broken += test.deny.iter().filter(|user| !all(user, |login| login == Login::Denied)).count();
            broken += test.check.iter().filter(|user| !all(user, |login| login == Login::Checked)).count();
        }
        broken
    }

    /// Whether an SSH test is about logging in to a node.
    fn is_tested(&self, source: &Alias, target: &str, node: &Spec) -> bool {
        let target = alias(target).unwrap();
        if is_self(&target) {
            let is_them = |other: &&Spec| matches!(source, Alias::User(_)) && self.is(other, source);
            return self.nodes.values().filter(is_them).any(|other| owner(other) == owner(node));
        }
        node.addresses.iter().any(|address| self.means(&target, *address))
    }

    fn is_one_address(&self, word: &Alias) -> bool {
        let prefix = match word {
            Alias::Prefix(prefix) => Some(*prefix),
            Alias::Host(name) => self.document.hosts.get(name).map(|host| host.what),
            _ => None,
        };
        prefix.is_some_and(|prefix| prefix.prefix_len() == prefix.max_prefix_len())
    }
}
