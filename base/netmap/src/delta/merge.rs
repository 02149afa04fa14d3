//! Two changes in a row as one.

use std::collections::BTreeMap;

use crate::{Delta, NodePatch};

impl Delta {
    /// Adds a later change: applying the result does what applying `self` and then `later` does.
    pub fn merge(&mut self, later: Self) {
        replace(&mut self.self_node, later.self_node);
        if later.all_peers.is_some() {
            self.all_peers = later.all_peers;
            self.removed = later.removed;
            self.changed = later.changed;
            self.patched = later.patched;
        } else {
            for id in later.removed {
                self.changed.remove(&id);
                self.patched.remove(&id);
                self.removed.insert(id);
            }
            for (id, node) in later.changed {
                self.patched.remove(&id);
                self.changed.insert(id, node);
            }
            for (id, patch) in later.patched {
                self.patched.entry(id).or_default().merge(patch);
            }
        }
        self.users.extend(later.users);
        replace(&mut self.derp_regions, later.derp_regions);
        replace(&mut self.region_scores, later.region_scores);
        replace(&mut self.dns, later.dns);
        merge_edits(&mut self.clear_rules, &mut self.rules, later.clear_rules, later.rules);
        replace(&mut self.domain, later.domain);
        merge_edits(&mut self.clear_health, &mut self.health, later.clear_health, later.health);
    }
}

fn replace<T>(former: &mut Option<T>, later: Option<T>) {
    if later.is_some() {
        *former = later;
    }
}

fn merge_edits<V>(
    clear: &mut bool,
    edits: &mut BTreeMap<String, Option<V>>,
    clear_later: bool,
    later: BTreeMap<String, Option<V>>,
) {
    if clear_later {
        *clear = true;
        edits.clear();
    }
    edits.extend(later);
}

impl NodePatch {
    /// Adds a later patch of the same node.
    pub fn merge(&mut self, later: Self) {
        replace(&mut self.home_region, later.home_region);
        replace(&mut self.endpoints, later.endpoints);
        replace(&mut self.key, later.key);
        replace(&mut self.disco, later.disco);
        replace(&mut self.online, later.online);
        replace(&mut self.last_seen, later.last_seen);
        replace(&mut self.key_expiry, later.key_expiry);
        replace(&mut self.capability_version, later.capability_version);
        replace(&mut self.capabilities, later.capabilities);
    }
}
