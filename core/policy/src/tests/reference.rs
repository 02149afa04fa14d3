//! What a policy means, asked one node and one rule at a time: slow, and easy to believe.
//!
//! It knows the document and a plain list of nodes. It shares nothing with the engine that it is held against: no
//! classes, no sets of addresses, no look-ups. Sets are questions ("does it hold this address?"), and whether sets meet
//! is asked at every boundary that anything names: between two boundaries all addresses are alike.

mod access;
mod claims;
mod packets;
mod people;
mod places;
mod routes;
mod rules;
mod ssh;

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{NodeId, UserId};

use super::{Spec, user_id};
use crate::language::document::{Alias, Autogroup, Document, Member, Role};

pub(crate) use packets::Packet;
use rules::Rule;
pub(crate) use ssh::Login;

/// A tailnet under a policy.
pub(crate) struct Reference<'a> {
    pub(crate) document: &'a Document,
    pub(crate) nodes: &'a BTreeMap<u64, Spec>,
    /// The first address of every piece of the address space that something tells from its neighbours.
    cuts: Vec<IpAddr>,
    rules: Vec<Rule<'a>>,
}

impl<'a> Reference<'a> {
    pub(crate) fn new(document: &'a Document, nodes: &'a BTreeMap<u64, Spec>) -> Self {
        Self { document, nodes, cuts: places::cuts(document, nodes), rules: rules::rules(document) }
    }

    /// Whether a word means a node for who it is, not for where it is.
    pub(crate) fn is(&self, node: &Spec, word: &Alias) -> bool {
        match word {
            Alias::User(name) => is_named(node, name),
            Alias::Domain(domain) => is_of_domain(node, domain),
            Alias::Group(group) => self.is_in_group(node, group),
            Alias::Tag(tag) => node.tags.contains(tag),
            Alias::Autogroup(Autogroup::Member) => owner(node).is_some(),
            Alias::Autogroup(Autogroup::Tagged) => !node.tags.is_empty(),
            Alias::Autogroup(Autogroup::Role(role)) => has_role(node, *role),
            Alias::Autogroup(
                Autogroup::Internet | Autogroup::Self_ | Autogroup::NonRoot | Autogroup::DangerAll | Autogroup::Shared,
            ) => false,
            Alias::Any | Alias::Host(_) | Alias::IpSet(_) | Alias::Service(_) | Alias::Prefix(_) => false,
        }
    }

    fn is_in_group(&self, node: &Spec, group: &str) -> bool {
        let listed = self.document.groups.get(group).into_iter().flatten().any(|member| match &member.what {
            Member::User(name) => is_named(node, name),
            Member::Domain(domain) => is_of_domain(node, domain),
        });
        let provided = node.groups.iter().any(|provided| format!("group:{provided}") == group);
        owner(node).is_some() && (listed || provided)
    }

    /// The node that has an address.
    pub(crate) fn node_at(&self, address: IpAddr) -> Option<&'a Spec> {
        self.nodes.values().find(|node| node.addresses.contains(&address))
    }

    pub(crate) fn node(&self, id: NodeId) -> &'a Spec {
        &self.nodes[&id.0]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<'a> {
        self.nodes.keys().copied().map(NodeId)
    }
}

/// Whose node it is. Tagged nodes are nobody's.
pub(crate) fn owner(node: &Spec) -> Option<UserId> {
    if node.tags.is_empty() { node.user.map(user_id) } else { None }
}

fn is_own(a: &Spec, b: &Spec) -> bool {
    owner(a).is_some() && owner(a) == owner(b)
}

/// The login name of the owner.
fn login(node: &Spec) -> Option<&'static str> {
    node.user.filter(|_| node.tags.is_empty())
}

/// Policies write the user `alice` of this server alone as `alice@`.
fn is_named(node: &Spec, name: &str) -> bool {
    login(node).is_some_and(|login| login == name || (!login.contains('@') && name.strip_suffix('@') == Some(login)))
}

fn is_of_domain(node: &Spec, domain: &str) -> bool {
    let own = login(node).and_then(|login| login.split('@').nth(1));
    own.is_some_and(|own| own.eq_ignore_ascii_case(domain))
}

/// An owner is an admin as well.
fn has_role(node: &Spec, role: Role) -> bool {
    owner(node).is_some() && (node.role == role || (role == Role::Admin && node.role == Role::Owner))
}
