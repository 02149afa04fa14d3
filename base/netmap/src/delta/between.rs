//! The change that leads from one map to another.

use std::collections::BTreeMap;

use crate::{Delta, Netmap, Node, NodePatch};

impl Delta {
    /// What turns `old` into `new`. Users that `new` lacks stay, because a delta cannot take users away.
    pub fn between(old: &Netmap, new: &Netmap) -> Self {
        let mut delta = Self {
            self_node: (old.self_node != new.self_node).then(|| new.self_node.clone().map(Box::new)).flatten(),
            removed: old.peers.keys().filter(|id| !new.peers.contains_key(id)).copied().collect(),
            users: changed_entries(&old.users, &new.users),
            derp_regions: (old.derp.regions != new.derp.regions).then(|| new.derp.regions.clone()),
            region_scores: (old.derp.region_scores != new.derp.region_scores).then(|| new.derp.region_scores.clone()),
            dns: (old.dns != new.dns).then(|| new.dns.clone()),
            rules: edits_between(&old.rules, &new.rules),
            domain: (old.domain != new.domain).then(|| new.domain.clone()),
            health: edits_between(&old.health, &new.health),
            ..Self::default()
        };
        for (id, peer) in &new.peers {
            match old.peers.get(id) {
                Some(former) if former == peer => {}
                Some(former) => match NodePatch::between(former, peer) {
                    Some(patch) => drop(delta.patched.insert(*id, patch)),
                    None => drop(delta.changed.insert(*id, peer.clone())),
                },
                None => drop(delta.changed.insert(*id, peer.clone())),
            }
        }
        delta
    }
}

fn changed_entries<K: Ord + Copy, V: PartialEq + Clone>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> BTreeMap<K, V> {
    let changed = |(key, value): &(&K, &V)| old.get(key) != Some(value);
    new.iter().filter(changed).map(|(key, value)| (*key, value.clone())).collect()
}

fn edits_between<V: PartialEq + Clone>(
    old: &BTreeMap<String, V>,
    new: &BTreeMap<String, V>,
) -> BTreeMap<String, Option<V>> {
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), None));
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
    gone.chain(changed.map(|(key, value)| (key.clone(), Some(value.clone())))).collect()
}

impl NodePatch {
    /// The patch that turns `old` into `new`, or `None` when it takes the whole node: something else changed, or
    /// something was taken away.
    pub fn between(old: &Node, new: &Node) -> Option<Self> {
        let patch = Self {
            home_region: new.home_region.filter(|_| old.home_region != new.home_region),
            endpoints: (old.endpoints != new.endpoints && !new.endpoints.is_empty()).then(|| new.endpoints.clone()),
            key: (old.key != new.key).then_some(new.key),
            disco: new.disco.filter(|_| old.disco != new.disco),
            online: new.online.filter(|_| old.online != new.online),
            last_seen: (old.last_seen != new.last_seen).then_some(new.last_seen),
            key_expiry: new.key_expiry.filter(|_| old.key_expiry != new.key_expiry),
            capability_version: (old.capability_version != new.capability_version && new.capability_version != 0)
                .then_some(new.capability_version),
            capabilities: (old.capabilities != new.capabilities && !new.capabilities.is_empty())
                .then(|| new.capabilities.clone()),
        };
        let mut patched = old.clone();
        patch.clone().apply_to(&mut patched);
        (patched == *new).then_some(patch)
    }
}
