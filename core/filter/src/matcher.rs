//! The rules of one IP version, arranged so that a packet meets only those about its source.
//!
//! The axis of source addresses is cut into stretches on which the same rules hold. Equal sets of rules are kept once,
//! already flattened to their targets; targets that are not ours were left out before.

use std::collections::{BTreeMap, BTreeSet};

use wattle_netmap::PortRange;

use crate::limits::TARGET_REFERENCES_MAX;
use crate::ranges::{Range, Ranges};

/// Where a rule lets packets go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) addresses: Range,
    pub(crate) ports: PortRange,
    pub(crate) protocols: ProtocolSet,
}

/// A set of IP protocols, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProtocolSet([u64; 4]);

impl ProtocolSet {
    pub(crate) fn new(protocols: impl IntoIterator<Item = u8>) -> Self {
        let mut set = Self::default();
        for protocol in protocols {
            set.0[usize::from(protocol >> 6)] |= 1 << (protocol & 63);
        }
        set
    }

    pub(crate) const fn contains(self, protocol: u8) -> bool {
        self.0[(protocol >> 6) as usize] & (1 << (protocol & 63)) != 0
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Matcher {
    targets: Vec<Target>,
    /// The sets of rules that occur, as numbers of targets.
    classes: Vec<Box<[u32]>>,
    /// Where each stretch starts, and its class. Nothing is allowed before the first.
    stretches: Vec<(u128, usize)>,
    /// Whether there were more rules than we compile.
    pub(crate) overflowed: bool,
}

/// Rules by their sources: many rules are about the same ones.
pub(crate) type Rules = BTreeMap<Ranges, BTreeSet<Target>>;

impl Matcher {
    pub(crate) fn new(rules: Rules) -> Self {
        let mut matcher = Self::default();
        // Where rules begin and end, and which targets that opens or closes. Ends sort before beginnings.
        let mut turns: Vec<(u128, bool, usize)> = Vec::new();
        let mut opened: Vec<std::ops::Range<usize>> = Vec::with_capacity(rules.len());
        for (number, (sources, targets)) in rules.into_iter().enumerate() {
            let first = matcher.targets.len();
            matcher.targets.extend(targets);
            opened.push(first..matcher.targets.len());
            for (first, last) in sources.iter() {
                turns.push((first, true, number));
                turns.extend(last.checked_add(1).map(|after| (after, false, number)));
            }
        }
        turns.sort_unstable();
        matcher.lay_stretches(&turns, &opened);
        matcher
    }

    fn lay_stretches(&mut self, turns: &[(u128, bool, usize)], opened: &[std::ops::Range<usize>]) {
        let mut known: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let mut active: BTreeSet<usize> = BTreeSet::new();
        let mut references = 0;
        for at_one_address in turns.chunk_by(|a, b| a.0 == b.0) {
            for (_, begins, rule) in at_one_address {
                // A rule's ranges have gaps between them, so that it never ends and begins at one address.
                if *begins {
                    active.insert(*rule)
                } else {
                    active.remove(rule)
                };
            }
            let Some((at, ..)) = at_one_address.first() else { continue };
            let rules: Vec<usize> = active.iter().copied().collect();
            let class = match known.get(&rules) {
                Some(class) => *class,
                None => {
                    let targets = rules.iter().filter_map(|rule| opened.get(*rule)).flat_map(Clone::clone);
                    let members: Box<[u32]> = targets.filter_map(|target| u32::try_from(target).ok()).collect();
                    references += members.len();
                    self.classes.push(members);
                    known.insert(rules, self.classes.len() - 1);
                    self.classes.len() - 1
                }
            };
            self.stretches.push((*at, class));
            if references > TARGET_REFERENCES_MAX {
                self.classes[class] = Box::default();
                self.overflowed = true;
                return;
            }
        }
    }

    fn targets(&self, source: u128) -> impl Iterator<Item = &Target> {
        let after = self.stretches.partition_point(|(start, _)| *start <= source);
        let stretch = after.checked_sub(1).and_then(|at| self.stretches.get(at));
        let members = stretch.and_then(|(_, class)| self.classes.get(*class)).map_or(&[][..], |members| members);
        members.iter().filter_map(|target| self.targets.get(*target as usize))
    }

    /// Whether a rule allows this protocol from there to there on this port.
    pub(crate) fn allows(&self, protocol: u8, source: u128, destination: u128, port: u16) -> bool {
        self.targets(source).any(|target| {
            target.reaches(destination) && target.ports.contains(port) && target.protocols.contains(protocol)
        })
    }

    /// Whether a rule allows anything from there to there.
    pub(crate) fn allows_anything(&self, source: u128, destination: u128) -> bool {
        self.targets(source).any(|target| target.reaches(destination))
    }

    /// Whether a rule names this protocol with all ports: what protocols without ports need.
    pub(crate) fn allows_portless(&self, protocol: u8, source: u128, destination: u128) -> bool {
        self.targets(source).any(|target| {
            target.reaches(destination) && target.ports == PortRange::ANY && target.protocols.contains(protocol)
        })
    }
}

impl Target {
    const fn reaches(&self, destination: u128) -> bool {
        self.addresses.0 <= destination && destination <= self.addresses.1
    }
}
