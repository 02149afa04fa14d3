//! Which routes of a peer a node is shown.

use wattle_netmap::{NodeId, Prefix};

use super::places::{is_exit, is_internet_word, networks};
use super::rules::{Ports, Rule};
use super::{Reference, Spec};
use crate::language::document::Alias;

impl Reference<'_> {
    /// The routes of a peer that a viewer is shown, when each network has the router with the lowest number in charge.
    pub(crate) fn routes(&self, viewer: NodeId, peer: NodeId) -> Vec<Prefix> {
        let shown = |route: &&Prefix| self.is_shown(self.node(viewer), peer, route);
        self.node(peer).routes.iter().filter(shown).copied().collect()
    }

    /// The router in charge of a network.
    pub(crate) fn in_charge(&self, route: &Prefix) -> Option<NodeId> {
        self.ids().find(|id| self.node(*id).routes.contains(route))
    }

    fn is_shown(&self, viewer: &Spec, peer: NodeId, route: &Prefix) -> bool {
        let plain = self.is_plainly_shown(viewer, route);
        let steering: Vec<_> = self
            .rules
            .iter()
            .filter(|rule| !rule.via.is_empty() && self.is_source_or_before(rule, viewer))
            .filter(|rule| rule.targets.iter().any(|(word, ports)| !ports.is_empty() && self.is_about(word, route)))
            .collect();
        let here = steering.iter().any(|rule| self.is_carried_by(rule, peer, route));
        let named = self.is_named(viewer, route);
        let plain = plain && (named || steering.is_empty());
        if route.prefix_len() == 0 {
            return here || plain;
        }
        let in_charge = self.in_charge(route) == Some(peer);
        let shares = networks(viewer).any(|own| own == route);
        match () {
            () if plain => in_charge,
            () if here => true,
            () => in_charge && shares,
        }
    }

    /// Whether a rule says that this router carries a route: the first of those that have its tag.
    fn is_carried_by(&self, rule: &Rule<'_>, peer: NodeId, route: &Prefix) -> bool {
        let tagged = |id: NodeId| rule.via.iter().any(|tag| self.node(id).tags.iter().any(|own| own == tag));
        let mut routers = self.ids().filter(|id| tagged(*id) && self.node(*id).routes.contains(route));
        tagged(peer) && (route.prefix_len() == 0 || routers.next() == Some(peer))
    }

    fn is_about(&self, word: &Alias, route: &Prefix) -> bool {
        if route.prefix_len() == 0 { is_internet_word(word) } else { self.reaches_into(word, route) }
    }

    /// Whether a rule without via lets a node reach into a route, and says into which.
    fn is_named(&self, viewer: &Spec, route: &Prefix) -> bool {
        let rules = self.rules.iter().filter(|rule| rule.via.is_empty() && self.is_source_or_before(rule, viewer));
        rules.flat_map(|rule| &rule.targets).any(|(word, _)| self.is_about(word, route))
    }

    /// Whether a rule lets a node reach into a route, or what is there reach the node; whoever carries it.
    fn is_plainly_shown(&self, viewer: &Spec, route: &Prefix) -> bool {
        self.rules.iter().any(|rule| {
            let reaches = rule.via.is_empty()
                && self.is_source_or_before(rule, viewer)
                && rule.targets.iter().any(|(word, ports)| match *word == &Alias::Any {
                    true => !ports.is_empty(),
                    false => gives(rule, ports) && self.is_about(word, route),
                });
            let comes_from = |word: &&Alias| {
                matches!(word, Alias::Any | Alias::Autogroup(crate::language::document::Autogroup::DangerAll))
                    || self.reaches_into(word, route)
            };
            let is_reached = route.prefix_len() > 0
                && rule.postures.is_empty()
                && rule.sources.iter().any(comes_from)
                && rule
                    .targets
                    .iter()
                    .any(|(word, ports)| gives(rule, ports) && self.is_at_or_behind(rule, word, viewer));
            reaches || is_reached
        })
    }

    /// Whether somebody with one of these tags serves a network, or the internet.
    pub(super) fn has_carrier(&self, rule: &Rule<'_>, serves: impl Fn(&Spec) -> bool) -> bool {
        let tagged = |node: &&Spec| rule.via.iter().any(|tag| node.tags.iter().any(|own| own == tag));
        self.nodes.values().filter(tagged).any(serves)
    }

    pub(super) fn has_exit_node(&self) -> bool {
        self.nodes.values().any(is_exit)
    }
}

/// Whether a rule gives anything where these packets may go.
pub(super) fn gives(rule: &Rule<'_>, ports: &[Ports]) -> bool {
    !ports.is_empty() || (!rule.app.is_empty() && rule.via.is_empty())
}
