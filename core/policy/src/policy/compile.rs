//! A document to a policy: every word is numbered, every rule spelt out.

use std::collections::BTreeMap;
use std::sync::Arc;

use wattle_netmap::{Capability, PortRange};

use super::{Approvers, Attribute, Policy};
use crate::bits::Bits;
use crate::language;
use crate::language::document::{Acl, Alias, Autogroup, Document, Grant, NodeAttribute, Owner, Spot, Ssh};
use crate::rule::{Packets, Rule, Sources, Target, companions};
use crate::selector::Selectors;
use crate::ssh::SshRule;
use crate::tag_owners::TagOwners;

impl Policy {
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
            open_packets: Bits::default(),
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
        let flag =
            |name: &str| Attribute { targets: vec![everyone], capabilities: vec![capability(name)], pools: Vec::new() };
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
            let NodeAttribute { targets, attributes: names, app, ip_pool, .. } = rule;
            let mut capabilities: Vec<Capability> = names.iter().map(|name| capability(name)).collect();
            if names.iter().any(|name| name == "funnel") {
                capabilities.push(capability(FUNNEL_PORTS));
            }
            capabilities.extend(app.iter().cloned());
            let targets = targets.iter().map(|target| self.number(&target.what)).collect();
            attributes.push(Attribute { targets, capabilities, pools: ip_pool.clone() });
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
