//! A node as a policy looks at it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{Prefix, UserId};

use crate::language::document::{Role, Scalar};

/// What a policy asks of a node.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Owner; `None` for tagged nodes.
    pub user: Option<Person<'a>>,
    /// Tags. A tagged node has no owner.
    pub tags: &'a [String],
    /// Tailnet addresses.
    pub addresses: &'a [IpAddr],
    /// Routes that it serves: advertised and approved, default routes among them.
    pub routes: &'a [Prefix],
    /// What is known about its state, for postures: `node:os` and so on.
    pub attributes: &'a BTreeMap<String, Scalar>,
}

/// Who owns a node.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// Number.
    pub id: UserId,
    /// As they sign in, and as policies name them.
    pub login: &'a str,
    /// What they may do in the tailnet.
    pub role: Role,
    /// Groups that their identity provider says they are in, without `group:`.
    pub groups: &'a [String],
}

impl<'a> Subject<'a> {
    /// A node with nothing but an owner or tags, and addresses.
    pub fn new(user: Option<Person<'a>>, tags: &'a [String], addresses: &'a [IpAddr]) -> Self {
        static NO_ATTRIBUTES: BTreeMap<String, Scalar> = BTreeMap::new();
        Self { user, tags, addresses, routes: &[], attributes: &NO_ATTRIBUTES }
    }

    /// The routes that are not default routes.
    pub(crate) fn subnet_routes(&self) -> impl Iterator<Item = &'a Prefix> {
        self.routes.iter().filter(|route| !is_exit_route(route))
    }

    /// Whether it is an exit node.
    pub(crate) fn is_exit_node(&self) -> bool {
        self.routes.iter().any(is_exit_route)
    }
}

/// Whether a route is one of those that make an exit node.
pub fn is_exit_route(route: &Prefix) -> bool {
    route.prefix_len() == 0
}
