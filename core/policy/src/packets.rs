//! The packet rules of a node: what may come in.
//!
//! They come in chunks, one for each rule of the policy that lets something in, so that a change sends what changed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use wattle_netmap::{CapGrant, Capability, FilterRule, NodeId, PortRange, Prefix, RuleSource, RuleTarget};

use crate::AddressSet;
use crate::policy::{Policy, is_public};
use crate::roster::{Member, Roster};
use crate::rule::{Packets, Rule, Target};
use crate::selector::Selector;

/// What one rule of the policy lets into one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Number of the rule: unique among the chunks of a node.
    pub number: usize,
    /// Equal chunks have equal fingerprints, whichever policy they come from.
    pub fingerprint: u64,
    /// In order.
    pub rules: Vec<PacketRule>,
}

/// A packet rule that shares its sources with those of other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketRule {
    /// Who.
    pub sources: Arc<SourceList>,
    /// To where.
    pub targets: Vec<RuleTarget>,
    /// IP protocol numbers; empty: TCP, UDP and ICMP.
    pub protocols: Vec<u8>,
    /// Capabilities, instead of targets.
    pub grants: Vec<CapGrant>,
}

/// Sources of packet rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceList {
    /// In order, none twice.
    pub sources: Vec<RuleSource>,
    /// Equal lists have equal fingerprints.
    pub fingerprint: u64,
}

impl PacketRule {
    /// As machines obey it.
    pub fn to_filter_rule(&self) -> FilterRule {
        FilterRule {
            sources: self.sources.sources.clone(),
            targets: self.targets.clone(),
            protocols: self.protocols.clone(),
            grants: self.grants.clone(),
        }
    }
}

impl SourceList {
    fn new(sources: Vec<RuleSource>) -> Arc<Self> {
        let mut hasher = DefaultHasher::new();
        sources.hash(&mut hasher);
        Arc::new(Self { sources, fingerprint: hasher.finish() })
    }

    fn of(set: &AddressSet) -> Arc<Self> {
        Self::new(set.sources().collect())
    }
}

/// Lists that were spelt out before. Kept by whoever asks, since a roster is only read.
#[derive(Debug, Default)]
pub struct PacketCache {
    /// The policy whose lists these are.
    policy: Option<Arc<Policy>>,
    lists: BTreeMap<(Side, usize), Kept>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Sources,
    Targets,
}

#[derive(Debug)]
struct Kept {
    /// What it was made of: sets that are replaced when they change.
    of: Vec<Arc<AddressSet>>,
    list: Arc<SourceList>,
}

impl Roster {
    /// The packet rules that a node must obey, as machines read them.
    pub fn rules_for(&self, node: NodeId) -> Vec<FilterRule> {
        let mut cache = PacketCache::default();
        self.chunks_for(node, &mut cache)
            .iter()
            .flat_map(|chunk| &chunk.rules)
            .map(PacketRule::to_filter_rule)
            .collect()
    }

    /// The packet rules that a node must obey, by the rules of the policy that they come from.
    pub fn chunks_for(&self, node: NodeId, cache: &mut PacketCache) -> Vec<Chunk> {
        let Some(member) = self.member_of(node) else { return Vec::new() };
        if cache.policy.as_ref().is_none_or(|policy| !Arc::ptr_eq(policy, self.policy())) {
            *cache = PacketCache { policy: Some(self.policy().clone()), ..PacketCache::default() };
        }
        let mut numbers = member.class.targets.clone();
        numbers.extend(&member.class.passing);
        numbers.extend(&member.class.own_targets);
        let mut companions = member.class.sources.clone();
        companions.intersect(&self.policy().companions);
        numbers.extend(&companions);
        let chunk = |number: usize| {
            let rule = self.policy().rules.get(number)?;
            let mut rules = Vec::new();
            if member.class.targets.contains(number) || member.class.passing.contains(number) {
                self.add_common(member, number, rule, cache, &mut rules);
            }
            if member.class.own_targets.contains(number) {
                self.add_own(member, number, rule, &mut rules);
            }
            if companions.contains(number) {
                self.add_companions(member, number, rule, cache, &mut rules);
            }
            (!rules.is_empty()).then(|| Chunk { number, fingerprint: fingerprint(&rules), rules })
        };
        numbers.iter().filter_map(chunk).collect()
    }

    /// What a rule lets in from its sources.
    fn add_common(
        &self,
        member: &Member,
        number: usize,
        rule: &Rule,
        cache: &mut PacketCache,
        rules: &mut Vec<PacketRule>,
    ) {
        let sources = self.source_list(rule.sources, cache);
        let mut by_protocol: BTreeMap<&[u8], Vec<RuleTarget>> = BTreeMap::new();
        for target in &rule.targets {
            let to = self.destinations(member, rule, target);
            for Packets { protocols, ports } in target.packets.iter() {
                let targets = by_protocol.entry(protocols).or_default();
                targets.extend(to.iter().flat_map(|to| on_ports(to, ports)));
            }
        }
        for (protocols, mut targets) in by_protocol {
            targets.sort_unstable();
            targets.dedup();
            if !targets.is_empty() && !sources.sources.is_empty() {
                let (protocols, grants) = (protocols.to_vec(), Vec::new());
                rules.push(PacketRule { sources: sources.clone(), targets, protocols, grants });
            }
        }
        if !rule.app.is_empty() && member.class.targets.contains(number) {
            let mut to: Vec<Prefix> = rule.targets.iter().flat_map(|target| self.granted(member, target)).collect();
            to.sort_unstable();
            to.dedup();
            push_grant(rules, sources, to, rule.app.to_vec());
        }
    }

    /// What a target of a rule is for this node, as packet rules spell it.
    fn destinations(&self, member: &Member, rule: &Rule, target: &Target) -> Vec<RuleSource> {
        let own = || member.addresses.iter().map(|address| RuleSource::Prefix(Prefix::from(*address))).collect();
        match self.policy().selectors.selector(target.selector) {
            Some(Selector::Anyone | Selector::World) if rule.via.is_empty() => vec![RuleSource::Any],
            Some(Selector::Who) if rule.via.is_empty() && member.who.contains(&target.selector) => own(),
            Some(Selector::Where(set)) => {
                // Each part stands for itself: a set may be partly here and partly elsewhere.
                let is_ours = |part: &Prefix| {
                    let is_here = || member.addresses.iter().any(|address| part.contains(address));
                    let is_beyond = || member.exit_node && is_public(part);
                    member.is_behind(part) || (rule.via.is_empty() && (is_here() || is_beyond()))
                };
                let ours: AddressSet = set
                    .prefixes()
                    .iter()
                    .filter(|part| is_ours(part))
                    .map(|part| (part.network(), part.broadcast()))
                    .collect();
                ours.sources().collect()
            }
            Some(Selector::Internet) if member.exit_node => crate::ranges::internet().sources().collect(),
            _ => Vec::new(),
        }
    }

    /// Where capabilities on a target are to be found at this node: its own addresses, and what lies behind it.
    fn granted(&self, member: &Member, target: &Target) -> Vec<Prefix> {
        let own = |fits: &dyn Fn(&IpAddr) -> bool| {
            member.addresses.iter().filter(|a| fits(a)).map(|a| Prefix::from(*a)).collect()
        };
        match self.policy().selectors.selector(target.selector) {
            Some(Selector::Anyone | Selector::World) => own(&|_| true),
            Some(Selector::Who) if member.who.contains(&target.selector) => own(&|_| true),
            Some(Selector::Where(set)) => {
                let mut to: Vec<Prefix> = own(&|address| set.contains(*address));
                to.extend(set.prefixes().iter().filter(|part| member.is_behind(part)));
                to
            }
            _ => Vec::new(),
        }
    }

    /// What a rule lets in from other nodes of the owner.
    fn add_own(&self, member: &Member, number: usize, rule: &Rule, rules: &mut Vec<PacketRule>) {
        let Some(user) = member.class.user else { return };
        let nodes = self.of_user(user).filter(|other| other.class.sources.contains(number));
        let set: AddressSet = nodes.flat_map(|other| other.addresses.iter().copied()).collect();
        if set.is_empty() {
            return;
        }
        let sources = SourceList::of(&set);
        for Packets { protocols, ports } in rule.own.iter().flat_map(|packets| packets.iter()) {
            let own = member.addresses.iter().map(|address| RuleSource::Prefix(Prefix::from(*address)));
            let targets: Vec<RuleTarget> = own.flat_map(|to| on_ports(&to, ports)).collect();
            if !targets.is_empty() {
                let (protocols, grants) = (protocols.clone(), Vec::new());
                rules.push(PacketRule { sources: sources.clone(), targets, protocols, grants });
            }
        }
        let own = || member.addresses.iter().map(|address| Prefix::from(*address)).collect();
        if !rule.app.is_empty() {
            push_grant(rules, sources, own(), rule.app.to_vec());
        }
        if !rule.companions.is_empty() && member.class.sources.contains(number) {
            let all: AddressSet = self.of_user(user).flat_map(|other| other.addresses.iter().copied()).collect();
            push_grant(rules, SourceList::of(&all), own(), names(&rule.companions));
        }
    }

    /// What the targets of a rule get on this node, which is one of its sources.
    fn add_companions(
        &self,
        member: &Member,
        number: usize,
        rule: &Rule,
        cache: &mut PacketCache,
        rules: &mut Vec<PacketRule>,
    ) {
        let own = self.source_addresses(member, number).into_iter().map(Prefix::from);
        let mut to: Vec<Prefix> = own.chain(self.sources_behind(member, rule)).collect();
        to.sort_unstable();
        to.dedup();
        if !to.is_empty() && !rule.targets.is_empty() {
            push_grant(rules, self.target_list(number, rule, cache), to, names(&rule.companions));
        }
    }

    /// The addresses among the sources of a rule of which a router serves some.
    fn sources_behind(&self, member: &Member, rule: &Rule) -> Vec<Prefix> {
        let sources = self.policy().sources.get(rule.sources).filter(|sources| sources.postures.is_empty());
        let words = sources.iter().flat_map(|sources| &sources.selectors);
        let parts = words.flat_map(|word| match self.policy().selectors.selector(*word) {
            Some(Selector::Where(set)) => set.prefixes(),
            Some(Selector::Who | Selector::Anyone | Selector::World | Selector::Internet | Selector::SameUser)
            | None => Vec::new(),
        });
        parts.filter(|part| member.is_behind(part)).collect()
    }

    /// A list of sources, spelt out.
    fn source_list(&self, number: usize, cache: &mut PacketCache) -> Arc<SourceList> {
        let words = self.policy().sources.get(number).map(|sources| sources.selectors.as_slice()).unwrap_or_default();
        match self.postured(number) {
            Some(set) => {
                let of = vec![set.clone()];
                self.kept((Side::Sources, number), of, cache, || AddressSet::clone(set))
            }
            None => self.words_list((Side::Sources, number), words, cache),
        }
    }

    /// The targets of a rule as sources of what they get back.
    fn target_list(&self, number: usize, rule: &Rule, cache: &mut PacketCache) -> Arc<SourceList> {
        let words: Vec<usize> = rule.targets.iter().map(|target| target.selector).collect();
        self.words_list((Side::Targets, number), &words, cache)
    }

    fn words_list(&self, key: (Side, usize), words: &[usize], cache: &mut PacketCache) -> Arc<SourceList> {
        let is = |word: &usize, kind: fn(&Selector) -> bool| self.policy().selectors.selector(*word).is_some_and(kind);
        if words.iter().any(|word| is(word, |selector| matches!(selector, Selector::World))) {
            return SourceList::new(vec![RuleSource::Any]);
        }
        let members = words.iter().filter(|word| is(word, |selector| matches!(selector, Selector::Who)));
        let mut of: Vec<Arc<AddressSet>> = members.filter_map(|word| self.members(*word)).cloned().collect();
        if words.iter().any(|word| is(word, |selector| matches!(selector, Selector::Anyone))) {
            of.push(self.routed().clone());
        }
        self.kept(key, of.clone(), cache, || {
            let mut set = AddressSet::default();
            of.iter().for_each(|part| set.extend(part));
            words.iter().filter_map(|word| self.policy().selectors.fixed(*word)).for_each(|fixed| set.extend(&fixed));
            set
        })
    }

    fn kept(
        &self,
        key: (Side, usize),
        of: Vec<Arc<AddressSet>>,
        cache: &mut PacketCache,
        make: impl FnOnce() -> AddressSet,
    ) -> Arc<SourceList> {
        let same = |kept: &&Kept| {
            kept.of.len() == of.len() && kept.of.iter().zip(&of).all(|(kept, new)| Arc::ptr_eq(kept, new))
        };
        if let Some(kept) = cache.lists.get(&key).filter(same) {
            return kept.list.clone();
        }
        let list = SourceList::of(&make());
        cache.lists.insert(key, Kept { of, list: list.clone() });
        list
    }
}

fn on_ports<'a>(to: &RuleSource, ports: &'a [PortRange]) -> impl Iterator<Item = RuleTarget> + use<'a> {
    let to = to.clone();
    ports.iter().map(move |ports| RuleTarget { to: to.clone(), ports: *ports })
}

fn push_grant(rules: &mut Vec<PacketRule>, sources: Arc<SourceList>, to: Vec<Prefix>, capabilities: Vec<Capability>) {
    if !to.is_empty() {
        let grants = vec![CapGrant { to, capabilities }];
        rules.push(PacketRule { sources, targets: Vec::new(), protocols: Vec::new(), grants });
    }
}

fn names(companions: &[&str]) -> Vec<Capability> {
    companions.iter().map(|name| Capability { name: (*name).to_owned(), values: Vec::new() }).collect()
}

fn fingerprint(rules: &[PacketRule]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for PacketRule { sources, targets, protocols, grants } in rules {
        (sources.fingerprint, targets, protocols, grants).hash(&mut hasher);
    }
    hasher.finish()
}
