//! Which routes of a peer a node is shown, and by way of which router.

use wattle_netmap::{NodeId, Prefix};

use crate::bits::Bits;
use crate::roster::{Member, Roster, Route};
use crate::rule::Target;
use crate::selector::Selector;
use crate::subject::is_exit_route;

impl Roster {
    /// The routes that `viewer` may reach through `peer`. `primary` names the router in charge of a subnet route, among
    /// those that serve it.
    ///
    /// A rule with `via` decides for whom it is written: its routers carry what it is about, and no others. Where a rule
    /// without `via` names the same route, the router in charge does (headscale `State.RoutesForPeer`); one to `*` does
    /// not name it.
    pub fn routes_through(
        &self,
        viewer: NodeId,
        peer: NodeId,
        primary: impl Fn(&Prefix) -> Option<NodeId>,
    ) -> Vec<Prefix> {
        let (Some(viewer), Some(peer)) = (self.member_of(viewer), self.member_of(peer)) else { return Vec::new() };
        let mut via = viewer.class.sources.clone();
        via.intersect(&self.policy().all_via);
        let shown = |route: &&Route| {
            let plain = plainly(viewer, route);
            if is_exit_route(&route.prefix) {
                return match self.steered(&via, peer, &route.prefix) {
                    Steered::Here => true,
                    Steered::Elsewhere => self.names(viewer, route),
                    Steered::Nowhere => plain,
                };
            }
            let in_charge = primary(&route.prefix) == Some(peer.id);
            let shares = || viewer.subnet_routes().any(|own| own.prefix == route.prefix);
            match self.steered(&via, peer, &route.prefix) {
                Steered::Here if !self.names(viewer, route) => true,
                Steered::Elsewhere if !self.names(viewer, route) => in_charge && shares(),
                Steered::Here | Steered::Elsewhere | Steered::Nowhere => in_charge && (plain || shares()),
            }
        };
        peer.routes.iter().filter(shown).map(|route| route.prefix).collect()
    }

    /// The routes that a node serves: advertised and approved.
    pub fn routes_of(&self, node: NodeId) -> Vec<Prefix> {
        self.member_of(node).map(|member| member.routes.iter().map(|route| route.prefix).collect()).unwrap_or_default()
    }

    /// Those who serve a subnet route.
    pub fn routers_of(&self, route: &Prefix) -> impl Iterator<Item = NodeId> {
        let found = self.approved_routes_of(route);
        found.into_iter().flat_map(|nodes| nodes.iter().copied())
    }

    /// Whether a rule without `via` that lets the viewer reach a route is about just that.
    fn names(&self, viewer: &Member, route: &Route) -> bool {
        let rules = viewer.class.sources.iter().filter(|number| route.to.contains(*number));
        let mut targets = rules.filter_map(|number| self.policy().rules.get(number)).flat_map(|rule| &rule.targets);
        targets.any(|target| self.is_about(target, &route.prefix))
    }

    /// Whether a target is addresses that lie on the way of a route.
    fn is_about(&self, target: &Target, route: &Prefix) -> bool {
        match self.policy().selectors.selector(target.selector) {
            Some(Selector::Where(set)) => !is_exit_route(route) && set.overlaps_prefix(route),
            Some(Selector::Internet) => is_exit_route(route),
            Some(Selector::Who | Selector::Anyone | Selector::World | Selector::SameUser) | None => false,
        }
    }

    /// What rules with `via` for the viewer say about a route of a peer.
    fn steered(&self, via: &Bits, peer: &Member, route: &Prefix) -> Steered {
        let mut steered = Steered::Nowhere;
        for rule in via.iter().filter_map(|number| self.policy().rules.get(number)) {
            if !rule.targets.iter().any(|target| self.is_about(target, route)) {
                continue;
            }
            let tagged = |member: &Member| rule.via.iter().any(|tag| member.tags.contains(tag));
            // Among several routers with the tag, the one that joined first is in charge.
            let first = || {
                let routers = self.routers_of(route).filter(|node| self.member_of(*node).is_some_and(|m| tagged(m)));
                routers.min() == Some(peer.id)
            };
            if tagged(peer) && (is_exit_route(route) || first()) {
                return Steered::Here;
            }
            steered = Steered::Elsewhere;
        }
        steered
    }
}

enum Steered {
    /// This router carries it.
    Here,
    /// Others do.
    Elsewhere,
    /// No rule says.
    Nowhere,
}

/// Whether rules without `via` let the viewer reach the route, or what lies behind it reach the viewer.
fn plainly(viewer: &Member, route: &Route) -> bool {
    viewer.class.sources.meets(&route.to) || (!is_exit_route(&route.prefix) && viewer.class.targets.meets(&route.from))
}
