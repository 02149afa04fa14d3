//! How a map takes a change in.

use std::collections::BTreeMap;

use crate::{Delta, Netmap, Node, NodePatch};

impl Netmap {
    /// Takes a change in.
    pub fn apply(&mut self, delta: Delta) {
        if let Some(node) = delta.self_node {
            self.self_node = Some(*node);
        }
        if let Some(all) = delta.all_peers {
            self.peers = all.into_iter().map(|peer| (peer.id, peer)).collect();
        }
        for id in &delta.removed {
            self.peers.remove(id);
        }
        self.peers.extend(delta.changed);
        for (id, patch) in delta.patched {
            if let Some(peer) = self.peers.get_mut(&id) {
                patch.apply_to(peer);
            }
        }
        self.users.extend(delta.users);
        if let Some(regions) = delta.derp_regions {
            self.derp.regions = regions;
        }
        if let Some(scores) = delta.region_scores {
            self.derp.region_scores = scores;
        }
        if let Some(dns) = delta.dns {
            self.dns = dns;
        }
        edit(&mut self.rules, delta.clear_rules, delta.rules);
        if let Some(domain) = delta.domain {
            self.domain = domain;
        }
        edit(&mut self.health, delta.clear_health, delta.health);
    }
}

/// Sets and removes keys of a map, after dropping everything when asked to.
fn edit<V>(map: &mut BTreeMap<String, V>, clear: bool, edits: BTreeMap<String, Option<V>>) {
    if clear {
        map.clear();
    }
    for (key, value) in edits {
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
}

impl NodePatch {
    /// Changes what the patch names.
    pub fn apply_to(self, node: &mut Node) {
        if let Some(region) = self.home_region {
            node.home_region = Some(region);
        }
        if let Some(endpoints) = self.endpoints {
            node.endpoints = endpoints;
        }
        if let Some(key) = self.key {
            node.key = key;
        }
        if let Some(disco) = self.disco {
            node.disco = Some(disco);
        }
        if let Some(online) = self.online {
            node.online = Some(online);
        }
        if let Some(last_seen) = self.last_seen {
            node.last_seen = last_seen;
        }
        if let Some(expiry) = self.key_expiry {
            node.key_expiry = Some(expiry);
        }
        if let Some(version) = self.capability_version {
            node.capability_version = version;
        }
        if let Some(capabilities) = self.capabilities {
            node.capabilities = capabilities;
        }
    }
}
