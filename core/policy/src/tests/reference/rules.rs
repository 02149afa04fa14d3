//! Rules of packets and capabilities, and whom they are for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{Capability, PortRange};

use super::places::{is_tailnet, networks};
use super::{Reference, Spec};
use crate::language::document::{Alias, Autogroup, Condition, Document, Operator, Scalar, Spot};

/// Protocols (none: TCP, UDP and ICMP) with ports.
pub(crate) type Ports = (Vec<u8>, Vec<PortRange>);

/// A rule of `acls` or `grants`; the default is one, too.
pub(crate) struct Rule<'a> {
    pub(crate) sources: Vec<&'a Alias>,
    pub(crate) postures: Vec<&'a str>,
    pub(crate) targets: Vec<(&'a Alias, Vec<Ports>)>,
    pub(crate) app: &'a [Capability],
    pub(crate) via: Vec<&'a str>,
}

/// All rules, those of `acls` first.
pub(crate) fn rules(document: &Document) -> Vec<Rule<'_>> {
    let mut rules = Vec::new();
    let asked = |own| postures_of(document, own);
    for acl in document.acls.iter().flatten() {
        let target = |spot| {
            let Spot { what: (word, ports), .. }: &Spot<(Alias, Vec<PortRange>)> = spot;
            (word, vec![(acl.protocols.clone(), ports.clone())])
        };
        rules.push(Rule {
            sources: acl.sources.iter().map(|source| &source.what).collect(),
            postures: asked(&acl.source_posture),
            targets: acl.targets.iter().map(target).collect(),
            app: &[],
            via: Vec::new(),
        });
    }
    for grant in document.grants.iter().flatten() {
        let ports: Vec<Ports> = grant.ip.iter().map(|spot| spot.what.clone()).collect();
        rules.push(Rule {
            sources: grant.sources.iter().map(|source| &source.what).collect(),
            postures: asked(&grant.source_posture),
            targets: grant.targets.iter().map(|target| (&target.what, ports.clone())).collect(),
            app: grant.app.as_deref().unwrap_or_default(),
            via: grant.via.iter().map(|tag| tag.what.as_str()).collect(),
        });
    }
    if document.acls.is_none() && document.grants.is_none() {
        let everything = vec![(Vec::new(), vec![PortRange::ANY])];
        let (sources, targets) = (vec![&Alias::Any], vec![(&Alias::Any, everything)]);
        rules.push(Rule { sources, postures: Vec::new(), targets, app: &[], via: Vec::new() });
    }
    rules
}

/// The postures of a rule, one of which its sources must have.
pub(super) fn postures_of<'a>(document: &'a Document, own: &'a [Spot<String>]) -> Vec<&'a str> {
    let postures = if own.is_empty() { &document.default_source_posture } else { own };
    postures.iter().map(|posture| posture.what.as_str()).collect()
}

fn is_world(word: &Alias) -> bool {
    *word == Alias::Autogroup(Autogroup::DangerAll)
}

impl Reference<'_> {
    /// Whether a rule is for a node itself, at one of its addresses.
    pub(crate) fn is_source_at(&self, rule: &Rule<'_>, node: &Spec, address: IpAddr) -> bool {
        let selects =
            |word: &&Alias| **word == Alias::Any || is_world(word) || self.is(node, word) || self.holds(word, address);
        rule.sources.iter().any(selects) && self.stands(&rule.postures, &node.attributes)
    }

    /// Whether a rule is for a node itself.
    pub(crate) fn is_source(&self, rule: &Rule<'_>, node: &Spec) -> bool {
        node.addresses.iter().any(|address| self.is_source_at(rule, node, *address))
    }

    /// Whether a rule is for a node, or for a network behind it. Nobody knows the posture of what is behind a node.
    pub(crate) fn is_source_or_before(&self, rule: &Rule<'_>, node: &Spec) -> bool {
        let behind = |word: &&Alias| networks(node).any(|route| self.reaches_into(word, route));
        self.is_source(rule, node) || (rule.postures.is_empty() && rule.sources.iter().any(behind))
    }

    /// Whether a rule is for whatever has an address. `attributes`: those to go by, instead of those of the node there.
    pub(crate) fn is_for(
        &self,
        rule: &Rule<'_>,
        address: IpAddr,
        attributes: Option<&BTreeMap<String, Scalar>>,
    ) -> bool {
        let node = self.node_at(address);
        let known = attributes.or(node.map(|node| &node.attributes));
        let selects = |word: &&Alias| {
            is_world(word)
                || (**word == Alias::Any && (is_tailnet(address) || self.is_routed(address)))
                || node.is_some_and(|node| self.is(node, word))
                || self.holds(word, address)
        };
        let stands = rule.postures.is_empty() || known.is_some_and(|known| self.stands(&rule.postures, known));
        rule.sources.iter().any(selects) && stands
    }

    /// Whether one of these postures is had.
    pub(super) fn stands(&self, postures: &[&str], attributes: &BTreeMap<String, Scalar>) -> bool {
        let has = |name: &&str| {
            let conditions = &self.document.postures[*name];
            conditions.iter().all(|condition| is_met(&condition.what, attributes.get(&condition.what.attribute)))
        };
        postures.is_empty() || postures.iter().any(has)
    }
}

fn is_met(condition: &Condition, known: Option<&Scalar>) -> bool {
    let is = |wanted: &Scalar| known.is_some_and(|known| compare(known, wanted) == Some(0));
    let order = || compare(known?, condition.values.first()?);
    match condition.operator {
        Operator::IsSet => known.is_some(),
        Operator::NotSet => known.is_none(),
        Operator::Equal | Operator::In => condition.values.iter().any(is),
        Operator::NotEqual | Operator::NotIn => !condition.values.iter().any(is),
        Operator::Less => order().is_some_and(|order| order < 0),
        Operator::LessOrEqual => order().is_some_and(|order| order <= 0),
        Operator::Greater => order().is_some_and(|order| order > 0),
        Operator::GreaterOrEqual => order().is_some_and(|order| order >= 0),
    }
}

/// Negative: less. Versions such as `1.40.2-t12` go by their numbers.
fn compare(a: &Scalar, b: &Scalar) -> Option<i32> {
    match (a, b) {
        (Scalar::Number(a), Scalar::Number(b)) => a.partial_cmp(b).map(|order| order as i32),
        (Scalar::Bool(a), Scalar::Bool(b)) => Some(a.cmp(b) as i32),
        (Scalar::Text(a), Scalar::Text(b)) => Some(match (numbers(a), numbers(b)) {
            (Some(a), Some(b)) => a.cmp(&b) as i32,
            _ => a.cmp(b) as i32,
        }),
        _ => None,
    }
}

/// The first four numbers of a version.
fn numbers(version: &str) -> Option<[u32; 4]> {
    let mut numbers = [0; 4];
    for (place, part) in version.split('-').next()?.split('.').enumerate() {
        *numbers.get_mut(place)? = part.parse().ok()?;
    }
    Some(numbers)
}
