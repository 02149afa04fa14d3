//! A policy that answers: words were resolved when it was made, once, and never again when nodes change.

mod compile;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use wattle_netmap::{Capability, Prefix};

use crate::bits::Bits;
use crate::class::Class;
use crate::language::document::{Condition, Document};
use crate::language::{self, Problems};
use crate::posture;
use crate::rule::{Rule, Sources};
use crate::selector::{Selector, Selectors};
use crate::ssh::SshRule;
use crate::subject::{Subject, is_exit_route};
use crate::tag_owners::TagOwners;
use crate::{AddressSet, ranges};

/// A policy, ready to be asked. It never changes.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) document: Document,
    pub(crate) selectors: Selectors,
    pub(crate) rules: Vec<Rule>,
    pub(crate) sources: Vec<Sources>,
    pub(crate) postures: BTreeMap<String, Vec<Condition>>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) ssh: Vec<SshRule>,
    pub(crate) tag_owners: TagOwners,
    approvers: Approvers,

    /// By word: the rules that have it among their sources.
    source_rules: Vec<Bits>,
    /// By word: the rules that have it among their targets.
    target_rules: Vec<Bits>,
    /// Rules for everybody: `*` or `autogroup:danger-all` among their sources.
    open_sources: Bits,
    /// Rules with `*` among their sources: they list approved routes.
    pub(crate) route_sources: Bits,
    /// Rules with `*` among their targets.
    open_targets: Bits,
    /// Those of them that let packets in. Capabilities are for nodes, not for what lies behind them.
    open_packets: Bits,
    /// Rules with `autogroup:internet` among their targets.
    internet_targets: Bits,
    /// Rules with addresses of the internet among their targets.
    public_targets: Bits,
    /// Rules with `autogroup:self` among their targets.
    own_targets: Bits,
    /// Rules that ask for a posture.
    postured: Bits,
    /// Rules with companion capabilities.
    pub(crate) companions: Bits,
    /// Rules that routers with a tag carry, by tag.
    via: BTreeMap<String, Bits>,
    /// All rules that routers carry.
    pub(crate) all_via: Bits,
}

/// Capabilities of some nodes.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) targets: Vec<usize>,
    pub(crate) capabilities: Vec<Capability>,
    /// Where their addresses come from.
    pub(crate) pools: Vec<Prefix>,
}

#[derive(Clone, Debug, Default)]
struct Approvers {
    routes: Vec<(Prefix, Vec<usize>)>,
    exit_node: Vec<usize>,
}

impl Policy {
    /// Everybody may reach everybody, and an administrator may give any tag.
    pub fn allow_all() -> Self {
        let document = Document { acls: None, grants: None, ..Document::default() };
        Self { tag_owners: TagOwners::any(), ..Self::compile(document) }
    }

    /// Reads and checks a policy. Its tests are not run: they need a tailnet ([`crate::Roster::run_tests`]).
    pub fn parse(text: &[u8]) -> Result<Self, Problems> {
        language::read(text).map(Self::compile)
    }

    /// The document that it was made of.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    fn index(&mut self) {
        for (number, rule) in self.rules.iter().enumerate() {
            let Some(sources) = self.sources.get(rule.sources) else { continue };
            for selector in &sources.selectors {
                match self.selectors.selector(*selector) {
                    Some(Selector::Anyone) => {
                        self.open_sources.insert(number);
                        self.route_sources.insert(number);
                    }
                    Some(Selector::World) => self.open_sources.insert(number),
                    Some(Selector::Who | Selector::Where(_)) => {
                        insert(&mut self.source_rules, *selector, number);
                    }
                    Some(Selector::Internet | Selector::SameUser) | None => {}
                }
            }
            if !sources.postures.is_empty() {
                self.postured.insert(number);
            }
            if !rule.companions.is_empty() {
                self.companions.insert(number);
            }
            if !rule.own.is_empty() {
                self.own_targets.insert(number);
            }
            for tag in &rule.via {
                self.all_via.insert(number);
                self.via.entry(tag.clone()).or_default().insert(number);
            }
            for target in rule.targets.iter().filter(|_| rule.via.is_empty()) {
                match self.selectors.selector(target.selector) {
                    Some(Selector::Anyone | Selector::World) => {
                        self.open_targets.insert(number);
                        if !target.packets.is_empty() {
                            self.open_packets.insert(number);
                        }
                    }
                    Some(Selector::Internet) => self.internet_targets.insert(number),
                    Some(Selector::Who) => insert(&mut self.target_rules, target.selector, number),
                    Some(Selector::Where(set)) => {
                        insert(&mut self.target_rules, target.selector, number);
                        if set.prefixes().iter().any(is_public) {
                            self.public_targets.insert(number);
                        }
                    }
                    Some(Selector::SameUser) | None => {}
                }
            }
        }
    }

    /// Whether a source list asks for a posture that a node does not have.
    pub(crate) fn lacks_posture(&self, sources: &Sources, subject: &Subject<'_>) -> bool {
        !sources.postures.is_empty()
            && !sources.postures.iter().any(|name| {
                let conditions = self.postures.get(name);
                conditions.is_some_and(|conditions| posture::holds(conditions, subject.attributes))
            })
    }

    /// Whether a node's class depends on more than who it is and which routes it serves.
    pub(crate) fn looks_at(&self, subject: &Subject<'_>) -> bool {
        let mut here = BTreeSet::new();
        subject.addresses.iter().for_each(|address| self.selectors.add_at(*address, &mut here));
        !here.is_empty() || !self.postured.is_empty()
    }

    /// What the policy makes of a node that is selected by these words for who it is.
    pub(crate) fn class_of(&self, subject: &Subject<'_>, who: &BTreeSet<usize>) -> Class {
        let (mut here, mut routed) = (BTreeSet::new(), BTreeSet::new());
        subject.addresses.iter().for_each(|address| self.selectors.add_at(*address, &mut here));
        subject.subnet_routes().for_each(|route| self.selectors.add_overlapping(route, &mut routed));
        let mut class = Class { sources: self.open_sources.clone(), ..Class::default() };
        for selector in who.iter().chain(&here) {
            extend(&mut class.sources, &self.source_rules, *selector);
            extend(&mut class.targets, &self.target_rules, *selector);
        }
        who.iter().for_each(|selector| extend(&mut class.listed, &self.source_rules, *selector));
        if !self.postured.is_empty() {
            let lacks = |rule: &usize| {
                let sources = self.rules.get(*rule).and_then(|rule| self.sources.get(rule.sources));
                sources.is_some_and(|sources| self.lacks_posture(sources, subject))
            };
            let failed: Bits = self.postured.iter().filter(lacks).collect();
            class.sources.subtract(&failed);
            // Who has a posture is nothing that an address tells: such rules list everybody who has it.
            let mut postured = class.sources.clone();
            postured.intersect(&self.postured);
            class.listed.subtract(&self.postured);
            class.listed.extend(&postured);
        }
        let mut behind = Bits::default();
        for selector in &routed {
            extend(&mut behind, &self.source_rules, *selector);
            extend(&mut class.targets, &self.target_rules, *selector);
        }
        // Nobody knows the posture of what lies behind a router.
        behind.subtract(&self.postured);
        class.sources.extend(&behind);
        class.targets.extend(&self.open_targets);
        if subject.is_exit_node() {
            class.targets.extend(&self.internet_targets);
            class.passing = self.public_targets.clone();
        }
        for tag in subject.tags {
            let carried = self.via.get(tag).into_iter().flat_map(Bits::iter);
            carried.filter(|rule| self.carries(*rule, subject)).for_each(|rule| class.targets.insert(rule));
        }
        if let Some(person) = subject.user.filter(|_| subject.tags.is_empty() && !self.own_targets.is_empty()) {
            class.user = Some(person.id);
            class.own_targets = self.own_targets.clone();
        }
        class
    }

    /// Whether a router serves something that a rule with its tag is about.
    fn carries(&self, rule: usize, subject: &Subject<'_>) -> bool {
        let targets = self.rules.get(rule).map(|rule| rule.targets.as_slice()).unwrap_or_default();
        targets.iter().any(|target| match self.selectors.selector(target.selector) {
            Some(Selector::Internet) => subject.is_exit_node(),
            Some(Selector::Where(set)) => subject.subnet_routes().any(|route| set.overlaps_prefix(route)),
            Some(Selector::Anyone | Selector::World | Selector::Who | Selector::SameUser) | None => false,
        })
    }

    /// The addresses of a node that a list of sources has, whatever posture it asks for.
    pub(crate) fn listed<'s>(
        &self,
        sources: &Sources,
        who: &BTreeSet<usize>,
        addresses: &'s [IpAddr],
    ) -> impl Iterator<Item = &'s IpAddr> {
        let everywhere = sources.selectors.iter().any(|word| who.contains(word));
        addresses.iter().filter(move |address| {
            let here = |word: &usize| self.selects_address(*word, std::slice::from_ref(*address));
            everywhere || sources.selectors.iter().any(here)
        })
    }

    /// The rules with companion capabilities that have nodes among their targets for who they are.
    pub(crate) fn rules_that_offer(&self, who: &BTreeSet<usize>) -> Bits {
        let mut rules = Bits::default();
        if !self.companions.is_empty() {
            who.iter().for_each(|word| extend(&mut rules, &self.target_rules, *word));
            rules.intersect(&self.companions);
        }
        rules
    }

    /// Whether some rule of `ssh` asks for a posture.
    pub(crate) fn has_ssh_postures(&self) -> bool {
        self.ssh.iter().any(|rule| !rule.sources.postures.is_empty())
    }

    /// Whether a rule has everybody among its sources, as far as they have its posture.
    pub(crate) fn is_for_everybody(&self, rule: usize) -> bool {
        self.open_sources.contains(rule)
    }

    /// The rules with some of these lists of sources that ask for a posture.
    pub(crate) fn rules_of_lists(&self, wanted: impl Fn(usize) -> bool) -> Bits {
        let is_wanted = |rule: &usize| self.rules.get(*rule).is_some_and(|rule| wanted(rule.sources));
        self.postured.iter().filter(is_wanted).collect()
    }

    /// Whether some rule steers by this tag.
    pub(crate) fn is_via_tag(&self, tag: &str) -> bool {
        self.via.contains_key(tag)
    }

    /// Whether some rule has a word among its targets.
    pub(crate) fn is_target_word(&self, word: usize) -> bool {
        self.target_rules.get(word).is_some_and(|rules| !rules.is_empty())
    }

    /// The rules that let somebody reach a route: some target of theirs lies in it, or it in the target.
    pub(crate) fn rules_to(&self, route: &Prefix) -> Bits {
        let mut rules = self.open_packets.clone();
        if is_exit_route(route) {
            rules.extend(&self.internet_targets);
            return rules;
        }
        let mut found = BTreeSet::new();
        self.selectors.add_overlapping(route, &mut found);
        found.iter().for_each(|selector| extend(&mut rules, &self.target_rules, *selector));
        rules
    }

    /// The rules that let somebody behind a route reach others.
    pub(crate) fn rules_from(&self, route: &Prefix) -> Bits {
        let mut rules = self.open_sources.clone();
        let mut found = BTreeSet::new();
        self.selectors.add_overlapping(route, &mut found);
        found.iter().for_each(|selector| extend(&mut rules, &self.source_rules, *selector));
        rules.subtract(&self.postured);
        rules
    }

    /// Whether an administrator may give this tag: it is well formed, and defined if there is a policy to define it.
    pub fn knows_tag(&self, tag: &str) -> bool {
        self.tag_owners.knows(tag)
    }

    /// Whether a node that belongs to `subject` may ask for this tag.
    pub fn may_use_tag(&self, tag: &str, subject: &Subject<'_>) -> bool {
        self.tag_owners.may_use(tag, &self.selectors.of(subject))
    }

    /// Where the address of a new node comes from; empty: from anywhere.
    pub fn ip_pools(&self, subject: &Subject<'_>) -> Vec<Prefix> {
        let who = self.selectors.of(subject);
        let selects = |word: &usize| who.contains(word) || self.selects_address(*word, subject.addresses);
        let ours = self.attributes.iter().filter(|attribute| attribute.targets.iter().any(selects));
        ours.flat_map(|attribute| attribute.pools.iter().copied()).collect()
    }

    /// Whether a route of a node needs no administrator.
    pub fn approves(&self, route: &Prefix, subject: &Subject<'_>) -> bool {
        let who = self.selectors.of(subject);
        let by = |approvers: &[usize]| approvers.iter().any(|approver| who.contains(approver));
        match is_exit_route(route) {
            true => by(&self.approvers.exit_node),
            false => self.approvers.routes.iter().any(|(prefix, approvers)| prefix.contains(route) && by(approvers)),
        }
    }
}

/// Whether a prefix is all internet, so that an exit node passes packets to it on.
pub(crate) fn is_public(prefix: &Prefix) -> bool {
    AddressSet::from(*prefix).is_subset(&ranges::internet())
}

fn insert(rules: &mut [Bits], selector: usize, rule: usize) {
    if let Some(bits) = rules.get_mut(selector) {
        bits.insert(rule);
    }
}

fn extend(bits: &mut Bits, rules: &[Bits], selector: usize) {
    if let Some(rules) = rules.get(selector) {
        bits.extend(rules);
    }
}
