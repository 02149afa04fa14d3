//! What people and tags are given: tags, routes, attributes.

use std::collections::{BTreeMap, BTreeSet};

use wattle_netmap::Prefix;

use super::{Reference, Spec};
use crate::language::document::{Alias, Owner, Spot};

impl Reference<'_> {
    /// Whether a node may ask for a tag: it is an owner, or may ask for a tag that is one.
    pub(crate) fn may_use_tag(&self, node: &Spec, tag: &str) -> bool {
        self.may_use(node, tag, &mut BTreeSet::new())
    }

    fn may_use(&self, node: &Spec, tag: &str, asked: &mut BTreeSet<String>) -> bool {
        let owners = self.document.tag_owners.get(tag).into_iter().flatten();
        asked.insert(tag.to_owned())
            && owners.into_iter().any(|owner| {
                self.is_owner(node, &owner.what)
                    || matches!(&owner.what, Owner::Tag(other) if self.may_use(node, other, asked))
            })
    }

    fn is_owner(&self, node: &Spec, owner: &Owner) -> bool {
        match owner.clone() {
            Owner::User(name) => self.is(node, &Alias::User(name)),
            Owner::Domain(domain) => self.is(node, &Alias::Domain(domain)),
            Owner::Group(group) => self.is(node, &Alias::Group(group)),
            Owner::Tag(tag) => self.is(node, &Alias::Tag(tag)),
            Owner::Autogroup(autogroup) => self.is(node, &Alias::Autogroup(autogroup)),
        }
    }

    /// Whether a route of a node needs no administrator.
    pub(crate) fn approves(&self, node: &Spec, route: &Prefix) -> bool {
        let is_one = |owners: &[Spot<Owner>]| owners.iter().any(|owner| self.is_owner(node, &owner.what));
        let auto = &self.document.auto_approvers;
        match route.prefix_len() {
            0 => is_one(&auto.exit_node),
            _ => auto.routes.iter().any(|(prefix, owners)| prefix.what.contains(route) && is_one(owners)),
        }
    }

    /// Capabilities that a node has for itself, with their values.
    pub(crate) fn attributes(&self, node: &Spec) -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let document = self.document;
        let switches = [
            (document.randomize_client_port, "randomize-client-port"),
            (document.disable_ipv4, "disable-ipv4"),
            (document.one_cgnat_route == Some(true), "one-cgnat?v=true"),
            (document.one_cgnat_route == Some(false), "one-cgnat?v=false"),
        ];
        found.extend(switches.into_iter().filter(|(on, _)| *on).map(|(_, name)| (name.to_owned(), Vec::new())));
        for rule in &document.node_attributes {
            let is_meant = |word: &Alias| {
                *word == Alias::Any
                    || self.is(node, word)
                    || node.addresses.iter().any(|address| self.holds(word, *address))
            };
            if rule.targets.iter().any(|target| is_meant(&target.what)) {
                for name in &rule.attributes {
                    found.entry(name.clone()).or_default();
                    if name == "funnel" {
                        found
                            .entry("https://tailscale.com/cap/funnel-ports?ports=443,8443,10000".to_owned())
                            .or_default();
                    }
                }
                for capability in &rule.app {
                    found.entry(capability.name.clone()).or_insert_with(|| capability.values.clone());
                }
            }
        }
        found
    }
}
