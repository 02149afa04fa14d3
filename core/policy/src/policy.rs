//! A document to a policy that answers: words are resolved here, once, and never again when nodes change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use wattle_netmap::{Capability, PortRange, Prefix};

use crate::bits::Bits;
use crate::class::Class;
use crate::language::document::{Acl, Alias, Autogroup, Condition, Document, Grant, NodeAttribute, Owner, Spot, Ssh};
use crate::language::{self, Problems};
use crate::posture;
use crate::rule::{Packets, Rule, Sources, Target, companions};
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

    /// Makes a document answer.
    pub fn compile(document: Document) -> Self {
        let mut compiler =
            Compiler { document: &document, selectors: Selectors::new(&document), sources: BTreeMap::new() };
        let mut rules = Vec::new();
        for acl in document.acls.iter().flatten() {
            rules.push(compiler.acl(acl));
        }
        for grant in document.grants.iter().flatten() {
            rules.push(compiler.grant(grant));
        }
        if document.acls.is_none() && document.grants.is_none() {
            rules.push(compiler.allow_all());
        }
        let attributes = compiler.attributes();
        let ssh = document.ssh.iter().map(|rule| compiler.ssh(rule)).collect();
        let tag_owners = TagOwners::new(&document, |owner| compiler.owner(owner));
        let approvers = compiler.approvers();
        compiler.claims();
        let Compiler { selectors, sources, .. } = compiler;
        let mut list: Vec<(usize, Sources)> = sources.into_iter().map(|(sources, number)| (number, sources)).collect();
        list.sort_unstable();
        let postures = document.postures.iter().map(|(name, conditions)| {
            (name.clone(), conditions.iter().map(|condition| condition.what.clone()).collect())
        });
        let mut policy = Self {
            postures: postures.collect(),
            sources: list.into_iter().map(|(_, sources)| sources).collect(),
            source_rules: vec![Bits::default(); selectors.all.len()],
            target_rules: vec![Bits::default(); selectors.all.len()],
            document,
            selectors,
            rules,
            attributes,
            ssh,
            tag_owners,
            approvers,
            open_sources: Bits::default(),
            route_sources: Bits::default(),
            open_targets: Bits::default(),
            internet_targets: Bits::default(),
            public_targets: Bits::default(),
            own_targets: Bits::default(),
            postured: Bits::default(),
            companions: Bits::default(),
            via: BTreeMap::new(),
            all_via: Bits::default(),
        };
        policy.index();
        policy
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
                    Some(Selector::Anyone | Selector::World) => self.open_targets.insert(number),
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
        let mut rules = self.open_targets.clone();
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

struct Compiler<'a> {
    document: &'a Document,
    selectors: Selectors,
    sources: BTreeMap<Sources, usize>,
}

impl Compiler<'_> {
    fn number(&mut self, alias: &Alias) -> usize {
        self.selectors.number(alias, self.document)
    }

    fn owner(&mut self, owner: &Owner) -> usize {
        self.number(&match owner {
            Owner::User(name) => Alias::User(name.clone()),
            Owner::Domain(domain) => Alias::Domain(domain.clone()),
            Owner::Group(group) => Alias::Group(group.clone()),
            Owner::Tag(tag) => Alias::Tag(tag.clone()),
            Owner::Autogroup(autogroup) => Alias::Autogroup(*autogroup),
        })
    }

    fn sources(&mut self, aliases: &[Spot<Alias>], postures: &[Spot<String>]) -> usize {
        let mut selectors: Vec<usize> = aliases.iter().map(|alias| self.number(&alias.what)).collect();
        selectors.sort_unstable();
        selectors.dedup();
        let postures = self.postures(postures);
        let next = self.sources.len();
        *self.sources.entry(Sources { selectors, postures }).or_insert(next)
    }

    fn acl(&mut self, acl: &Acl) -> Rule {
        let sources = self.sources(&acl.sources, &acl.source_posture);
        let (mut targets, mut own) = (Vec::new(), Vec::new());
        for target in &acl.targets {
            let (alias, ports) = &target.what;
            let packets = Packets { protocols: acl.protocols.clone(), ports: ports.clone() };
            self.target(alias, Arc::from([packets]), &mut targets, &mut own);
        }
        let at = Some(acl.at);
        Rule { at, sources, targets, own, app: Arc::default(), companions: Vec::new(), via: Vec::new() }
    }

    fn grant(&mut self, grant: &Grant) -> Rule {
        let sources = self.sources(&grant.sources, &grant.source_posture);
        let packets = |spot: &Spot<(Vec<u8>, Vec<PortRange>)>| {
            let (protocols, ports) = spot.what.clone();
            Packets { protocols, ports }
        };
        let packets: Arc<[Packets]> = grant.ip.iter().map(packets).collect();
        let (mut targets, mut own) = (Vec::new(), Vec::new());
        let via: Vec<String> = grant.via.iter().map(|tag| tag.what.clone()).collect();
        // Routers carry packets, not capabilities.
        let app: Arc<[Capability]> =
            grant.app.as_deref().filter(|_| via.is_empty()).unwrap_or_default().to_vec().into();
        // A grant of nothing, or to nobody, makes nobody visible; a grant to people who are not there yet has targets.
        let grants = !grant.sources.is_empty() && (!packets.is_empty() || !app.is_empty());
        for target in grant.targets.iter().filter(|_| grants) {
            self.target(&target.what, packets.clone(), &mut targets, &mut own);
        }
        if !via.is_empty() {
            own.clear();
        }
        Rule { at: Some(grant.at), sources, targets, own, companions: companions(&app), app, via }
    }

    fn allow_all(&mut self) -> Rule {
        let anyone = self.number(&Alias::Any);
        let next = self.sources.len();
        let only = Sources { selectors: vec![anyone], postures: Vec::new() };
        let sources = *self.sources.entry(only).or_insert(next);
        let packets = Arc::from([Packets { protocols: Vec::new(), ports: vec![PortRange::ANY] }]);
        let targets = vec![Target { selector: anyone, packets }];
        let (own, companions, via) = (Vec::new(), Vec::new(), Vec::new());
        Rule { at: None, sources, targets, own, app: Arc::default(), companions, via }
    }

    fn target(
        &mut self,
        alias: &Alias,
        packets: Arc<[Packets]>,
        targets: &mut Vec<Target>,
        own: &mut Vec<Arc<[Packets]>>,
    ) {
        match alias {
            Alias::Autogroup(Autogroup::Self_) => own.push(packets),
            other => targets.push(Target { selector: self.number(other), packets }),
        }
    }

    fn ssh(&mut self, rule: &Ssh) -> SshRule {
        let postures = self.postures(&rule.source_posture);
        SshRule::new(rule, postures, |alias| self.number(alias))
    }

    fn postures(&self, postures: &[Spot<String>]) -> Vec<String> {
        let postures = if postures.is_empty() { &self.document.default_source_posture } else { postures };
        let mut postures: Vec<String> = postures.iter().map(|posture| posture.what.clone()).collect();
        postures.sort_unstable();
        postures.dedup();
        postures
    }

    fn attributes(&mut self) -> Vec<Attribute> {
        let everyone = self.number(&Alias::Any);
        let flag = |name: &str| Attribute { targets: vec![everyone], capabilities: vec![capability(name)] };
        let mut attributes: Vec<Attribute> = Vec::new();
        if self.document.randomize_client_port {
            attributes.push(flag("randomize-client-port"));
        }
        if self.document.disable_ipv4 {
            attributes.push(flag("disable-ipv4"));
        }
        match self.document.one_cgnat_route {
            Some(true) => attributes.push(flag("one-cgnat?v=true")),
            Some(false) => attributes.push(flag("one-cgnat?v=false")),
            None => {}
        }
        for rule in &self.document.node_attributes {
            let NodeAttribute { targets, attributes: names, app, .. } = rule;
            let mut capabilities: Vec<Capability> = names.iter().map(|name| capability(name)).collect();
            if names.iter().any(|name| name == "funnel") {
                capabilities.push(capability(FUNNEL_PORTS));
            }
            capabilities.extend(app.iter().cloned());
            let targets = targets.iter().map(|target| self.number(&target.what)).collect();
            attributes.push(Attribute { targets, capabilities });
        }
        attributes
    }

    /// Words of tests: they get numbers, too, so that their nodes are known.
    fn claims(&mut self) {
        let document = self.document;
        let sources =
            document.tests.iter().map(|test| &test.source).chain(document.ssh_tests.iter().map(|test| &test.source));
        let words = sources.chain(document.ssh_tests.iter().flat_map(|test| &test.targets));
        let words: Vec<Alias> = words.filter_map(|word| language::alias(&word.what).ok()).collect();
        let targets = document.tests.iter().flat_map(|test| test.accept.iter().chain(&test.deny));
        let targets = targets.filter_map(|target| language::destination(&target.what).ok()).map(|(alias, _)| alias);
        words.into_iter().chain(targets).for_each(|alias| _ = self.number(&alias));
    }

    fn approvers(&mut self) -> Approvers {
        let auto = &self.document.auto_approvers;
        let mut numbers = |owners: &[Spot<Owner>]| owners.iter().map(|owner| self.owner(&owner.what)).collect();
        let routes = auto.routes.iter().map(|(prefix, owners)| (prefix.what, numbers(owners))).collect();
        let exit_node = numbers(&auto.exit_node);
        Approvers { routes, exit_node }
    }
}

/// Where Funnel may listen; nodes with `funnel` need to know (tailscale `tailcfg.CapabilityFunnelPorts`).
const FUNNEL_PORTS: &str = "https://tailscale.com/cap/funnel-ports?ports=443,8443,10000";

fn capability(name: &str) -> Capability {
    Capability { name: name.to_owned(), values: Vec::new() }
}
