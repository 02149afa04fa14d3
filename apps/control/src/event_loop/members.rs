//! The node keys that are admitted now, for readers that cannot wait for the loop: the relay and `/verify`.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use wattle_coordinator::Coordinator;
use wattle_keys::NodePublic;

use super::{is_member, now};

/// A set that is replaced when nodes come, go or expire.
#[derive(Debug)]
pub(super) struct Members(RwLock<BTreeSet<NodePublic>>);

impl Members {
    pub(super) fn new(coordinator: &Coordinator) -> Self {
        Self(RwLock::new(read(coordinator)))
    }

    pub(super) fn contains(&self, key: &NodePublic) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    /// Reads the set anew and gives who is no longer in it.
    pub(super) fn update(&self, coordinator: &Coordinator) -> Vec<NodePublic> {
        let fresh = read(coordinator);
        let mut members = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let gone = members.difference(&fresh).copied().collect();
        *members = fresh;
        gone
    }
}

fn read(coordinator: &Coordinator) -> BTreeSet<NodePublic> {
    let now = now();
    coordinator.nodes().filter(|entry| is_member(entry, now)).map(|entry| entry.record.key).collect()
}
