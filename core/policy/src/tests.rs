//! Policies that people write, and what they mean for a tailnet.

mod access;
mod agreement;
mod churn;
mod packets;
mod people;
mod random;
mod reference;
mod routes;
mod ssh;
mod trial;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use wattle_netmap::{FilterRule, NodeId, Prefix, RuleSource, UserId};

use crate::language::document::{Role, Scalar};
use crate::{Person, Policy, Roster, Subject};

/// A node for tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spec {
    user: Option<&'static str>,
    role: Role,
    groups: Vec<String>,
    tags: Vec<String>,
    addresses: Vec<IpAddr>,
    routes: Vec<Prefix>,
    attributes: BTreeMap<String, Scalar>,
}

pub(crate) fn address(number: u8) -> IpAddr {
    IpAddr::from([100, 64, 0, number])
}

pub(crate) fn node(number: u8, user: &'static str) -> Spec {
    Spec { user: Some(user), addresses: vec![address(number)], ..Spec::default() }
}

pub(crate) fn tagged(number: u8, tags: &[&str]) -> Spec {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Spec { tags, addresses: vec![address(number)], ..Spec::default() }
}

pub(crate) fn router(number: u8, tag: &str, routes: &[&str]) -> Spec {
    let routes = routes.iter().map(|route| route.parse().unwrap()).collect();
    Spec { routes, ..tagged(number, &[tag]) }
}

pub(crate) fn user_id(login: &str) -> UserId {
    UserId(login.bytes().fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte)))
}

impl Spec {
    pub(crate) fn subject(&self) -> Subject<'_> {
        let person = self.user.map(|login| Person { id: user_id(login), login, role: self.role, groups: &self.groups });
        Subject {
            routes: &self.routes,
            attributes: &self.attributes,
            ..Subject::new(person, &self.tags, &self.addresses)
        }
    }
}

/// Nodes are numbered from 0.
pub(crate) fn roster(policy: &str, nodes: &[Spec]) -> Roster {
    let policy = Policy::parse(policy.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let mut roster = Roster::new(Arc::new(policy));
    for (number, node) in nodes.iter().enumerate() {
        roster.insert(NodeId(number as u64), &node.subject());
    }
    let numbered = || (0..).map(NodeId).zip(nodes.iter().map(Spec::subject));
    let at_once = Roster::with_nodes(roster.policy().clone(), numbered());
    for (id, _) in numbered() {
        assert_eq!(roster.class(id), at_once.class(id));
        assert_eq!(roster.rules_for(id), at_once.rules_for(id));
    }
    roster
}

pub(crate) fn sees(roster: &Roster, a: u64, b: u64) -> bool {
    roster.class(NodeId(a)).unwrap().sees(roster.class(NodeId(b)).unwrap())
}

fn matches(source: &RuleSource, address: IpAddr) -> bool {
    match source {
        RuleSource::Any => true,
        RuleSource::Prefix(prefix) => prefix.contains(&address),
        RuleSource::Range(first, last) => (*first..=*last).contains(&address),
        RuleSource::HasCapability(_) => false,
    }
}

/// Whether packet rules let something in on a TCP port.
pub(crate) fn lets_in(rules: &[FilterRule], from: IpAddr, to: IpAddr, port: u16) -> bool {
    rules.iter().any(|rule| {
        (rule.protocols.is_empty() || rule.protocols.contains(&6))
            && rule.sources.iter().any(|source| matches(source, from))
            && rule.targets.iter().any(|target| matches(&target.to, to) && target.ports.contains(port))
    })
}

/// The names of capabilities that packet rules give to a source at a destination.
pub(crate) fn granted(rules: &[FilterRule], from: IpAddr, to: IpAddr) -> Vec<&str> {
    let rules = rules.iter().filter(|rule| rule.sources.iter().any(|source| matches(source, from)));
    let grants = rules.flat_map(|rule| &rule.grants).filter(|grant| grant.to.iter().any(|prefix| prefix.contains(&to)));
    grants.flat_map(|grant| &grant.capabilities).map(|capability| capability.name.as_str()).collect()
}
