//! Routes: who serves them, who is in charge, and what a viewer is shown of them.
//!
//! A route is served by the nodes that offer it and may. For a subnet one of them is in charge: it stays so while it is
//! connected; then the connected one with the lowest number takes over. When nobody is connected, nothing changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use wattle_netmap::{NodeId, Prefix};
use wattle_policy::{Policy, is_exit_route};

use crate::limits;
use crate::record::{NodeRecord, UserRecord};
use crate::state::Coordinator;
use crate::subject::Looks;

/// The routes of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRoutes {
    /// What it offers.
    pub advertised: Vec<Prefix>,
    /// What it may serve, offered or not.
    pub approved: Vec<Prefix>,
    /// What it serves: both of these.
    pub served: Vec<Prefix>,
    /// The subnets among them that it is in charge of.
    pub primary: Vec<Prefix>,
}

impl Coordinator {
    /// The node in charge of a subnet route.
    pub fn primary_of(&self, route: &Prefix) -> Option<NodeId> {
        self.primaries.get(route).copied()
    }

    /// The routes of a node.
    pub fn routes_of(&self, node: NodeId) -> Option<NodeRoutes> {
        let record = &self.node(node)?.record;
        let served = record.served_routes();
        let in_charge = |route: &&Prefix| self.primary_of(route) == Some(node);
        Some(NodeRoutes {
            advertised: record.host.routable_ips.clone(),
            approved: record.approved_routes.clone(),
            primary: served.iter().filter(in_charge).copied().collect(),
            served,
        })
    }

    /// The routes of a peer that a viewer is shown; `None`: none.
    pub(crate) fn shown_routes(&self, viewer: NodeId, peer: NodeId) -> Option<Arc<[Prefix]>> {
        self.routers.get(&peer)?;
        let routes = self.roster.routes_through(viewer, peer, |route| self.primary_of(route));
        (!routes.is_empty()).then(|| routes.into())
    }

    /// Finds out anew who is in charge of routes. Gives the nodes whose charge that changes.
    pub(crate) fn elect(&mut self, routes: &BTreeSet<Prefix>) -> BTreeSet<NodeId> {
        let mut changed = BTreeSet::new();
        for route in routes.iter().filter(|route| !is_exit_route(route)) {
            let routers: Vec<NodeId> = self.roster.routers_of(route).collect();
            let current = self.primary_of(route).filter(|node| routers.contains(node));
            let works =
                |node: &NodeId| self.node(*node).is_some_and(|entry| entry.presence.is_online() && entry.is_admitted());
            let next = match current.filter(works) {
                Some(current) => Some(current),
                None => routers.iter().copied().find(works).or(current).or(routers.first().copied()),
            };
            let former = match next {
                Some(next) => self.primaries.insert(*route, next),
                None => self.primaries.remove(route),
            };
            if former != next {
                changed.extend(former.into_iter().chain(next));
            }
        }
        changed
    }
}

/// The record with the routes approved that the policy approves by itself. It never takes an approval back: people do.
pub(crate) fn approved_by(policy: &Policy, record: NodeRecord, owner: Option<&UserRecord>) -> NodeRecord {
    let known = |route: &&Prefix| record.approved_routes.contains(route);
    if record.host.routable_ips.iter().all(|route| known(&route)) {
        return record;
    }
    let looks = Looks::of(&record);
    let subject = looks.subject(&record, owner);
    let offered = record.host.routable_ips.iter().filter(|route| !known(route));
    let approved: Vec<Prefix> = offered.filter(|route| policy.approves(route, &subject)).copied().collect();
    if approved.is_empty() {
        return record;
    }
    let mut approved_routes: BTreeSet<Prefix> = record.approved_routes.iter().copied().collect();
    approved_routes.extend(approved);
    NodeRecord { approved_routes: approved_routes.into_iter().take(limits::HOST_LIST_MAX).collect(), ..record }
}

/// Routes as they are kept: without host bits, sorted, none twice, and both default routes where there is one, because no
/// client offers or uses one alone.
pub(crate) fn tidied(routes: impl IntoIterator<Item = Prefix>) -> Vec<Prefix> {
    let mut tidy: BTreeSet<Prefix> = routes.into_iter().map(|route| route.trunc()).collect();
    if tidy.iter().any(is_exit_route) {
        tidy.extend(DEFAULT_ROUTES.iter().filter_map(|route| route.parse::<Prefix>().ok()));
    }
    tidy.into_iter().collect()
}

const DEFAULT_ROUTES: [&str; 2] = ["0.0.0.0/0", "::/0"];
