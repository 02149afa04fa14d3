//! The nodes of a tailnet in the light of one policy: their classes, and who stands as a source in which rule.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use wattle_netmap::{FilterRule, NodeId, PortRange, Prefix, RuleSource, RuleTarget, UserId};

use crate::class::{Class, Subject};
use crate::compile::{Policy, Rule};
use crate::selector::Selector;

/// All nodes with their classes. A change of a node touches that node and the sources of its rules, nothing else.
#[derive(Clone, Debug)]
pub struct Roster {
    policy: Arc<Policy>,
    nodes: BTreeMap<NodeId, Entry>,
    by_user: BTreeMap<UserId, BTreeSet<NodeId>>,
    /// Per rule, the addresses of the nodes that are its sources by who they are.
    sources: Vec<BTreeSet<IpAddr>>,
}

#[derive(Clone, Debug)]
struct Entry {
    class: Arc<Class>,
    addresses: Vec<IpAddr>,
    tags: Vec<String>,
    login: Option<(UserId, String)>,
}

impl Entry {
    fn subject(&self) -> Subject<'_> {
        Subject {
            user: self.login.as_ref().map(|(id, login)| (*id, login.as_str())),
            tags: &self.tags,
            addresses: &self.addresses,
        }
    }
}

impl Roster {
    /// Nobody yet.
    pub fn new(policy: Arc<Policy>) -> Self {
        let sources = vec![BTreeSet::new(); policy.rules.len()];
        Self { policy, nodes: BTreeMap::new(), by_user: BTreeMap::new(), sources }
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Adds a node, or says what it is like now.
    pub fn insert(&mut self, node: NodeId, subject: &Subject<'_>) -> Arc<Class> {
        self.remove(node);
        let class = Arc::new(self.policy.class_of(subject));
        for rule in class.listed.iter() {
            if let Some(sources) = self.sources.get_mut(rule) {
                sources.extend(subject.addresses.iter().copied());
            }
        }
        if let Some(user) = class.user {
            self.by_user.entry(user).or_default().insert(node);
        }
        let entry = Entry {
            class: class.clone(),
            addresses: subject.addresses.to_vec(),
            tags: subject.tags.to_vec(),
            login: subject.user.map(|(id, login)| (id, login.to_owned())),
        };
        self.nodes.insert(node, entry);
        class
    }

    /// Forgets a node.
    pub fn remove(&mut self, node: NodeId) {
        let Some(entry) = self.nodes.remove(&node) else { return };
        for rule in entry.class.listed.iter() {
            if let Some(sources) = self.sources.get_mut(rule) {
                entry.addresses.iter().for_each(|address| _ = sources.remove(address));
            }
        }
        if let Some(user) = entry.class.user
            && let Some(nodes) = self.by_user.get_mut(&user)
        {
            nodes.remove(&node);
            if nodes.is_empty() {
                self.by_user.remove(&user);
            }
        }
    }

    /// The class of a node.
    pub fn class(&self, node: NodeId) -> Option<&Arc<Class>> {
        self.nodes.get(&node).map(|entry| &entry.class)
    }

    /// The packet rules that a node must obey: what may come in.
    pub fn rules_for(&self, node: NodeId) -> Vec<FilterRule> {
        let Some(entry) = self.nodes.get(&node) else { return Vec::new() };
        let mut rules = Vec::new();
        for (number, rule) in self.policy.rules.iter().enumerate() {
            if entry.class.targets.contains(number) {
                let mut sources = rule.fixed_sources.clone();
                sources.extend(self.sources.get(number).into_iter().flatten().map(|address| host(*address)));
                let covering = rule.targets.iter().filter(|(target, _)| target.covers(&entry.subject()));
                push_rule(
                    &mut rules,
                    rule,
                    sources,
                    covering.flat_map(|(target, ports)| targets(entry, target, ports)),
                );
            }
            if entry.class.own_targets.contains(number) {
                let sources = self.own_sources(entry.class.user, number);
                let own = rule.targets.iter().filter(|(target, _)| *target == Selector::SameUser);
                push_rule(&mut rules, rule, sources, own.flat_map(|(target, ports)| targets(entry, target, ports)));
            }
        }
        rules
    }

    /// The addresses of a user's nodes that are sources of a rule.
    fn own_sources(&self, user: Option<UserId>, rule: usize) -> Vec<RuleSource> {
        let nodes = user.and_then(|user| self.by_user.get(&user)).into_iter().flatten();
        let entries = nodes.filter_map(|node| self.nodes.get(node)).filter(|entry| entry.class.sources.contains(rule));
        entries.flat_map(|entry| &entry.addresses).map(|address| host(*address)).collect()
    }
}

fn host(address: IpAddr) -> RuleSource {
    RuleSource::Prefix(Prefix::from(address))
}

/// What a packet rule of this node says for one target of a rule: `*` stays as it is, everything else is its addresses.
fn targets(entry: &Entry, target: &Selector, ports: &[PortRange]) -> Vec<RuleTarget> {
    let to: Vec<RuleSource> = match target {
        Selector::Everyone => vec![RuleSource::Any],
        Selector::Prefix(prefix) => {
            entry.addresses.iter().filter(|address| prefix.contains(*address)).map(|address| host(*address)).collect()
        }
        Selector::Users(_) | Selector::Tag(_) | Selector::Member | Selector::Tagged | Selector::SameUser => {
            entry.addresses.iter().map(|address| host(*address)).collect()
        }
    };
    to.iter().flat_map(|to| ports.iter().map(|ports| RuleTarget { to: to.clone(), ports: *ports })).collect()
}

fn push_rule(
    rules: &mut Vec<FilterRule>,
    rule: &Rule,
    sources: Vec<RuleSource>,
    targets: impl Iterator<Item = RuleTarget>,
) {
    let mut targets: Vec<RuleTarget> = targets.collect();
    targets.sort();
    targets.dedup();
    if !sources.is_empty() && !targets.is_empty() {
        rules.push(FilterRule { sources, targets, protocols: rule.protocols.clone(), grants: Vec::new() });
    }
}
