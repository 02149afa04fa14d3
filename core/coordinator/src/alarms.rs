//! When something must be done about which node.

use imbl::{OrdMap, OrdSet};
use wattle_netmap::NodeId;

/// At most one time per node, in order. The times are of either clock.
#[derive(Clone, Debug)]
pub(crate) struct Alarms<T: Ord> {
    by_time: OrdSet<(T, NodeId)>,
    by_node: OrdMap<NodeId, T>,
}

impl<T: Ord + Copy> Alarms<T> {
    pub(crate) fn new() -> Self {
        Self { by_time: OrdSet::new(), by_node: OrdMap::new() }
    }

    /// Sets or clears the time of a node.
    pub(crate) fn set(&mut self, node: NodeId, at: Option<T>) {
        if let Some(former) = self.by_node.remove(&node) {
            self.by_time.remove(&(former, node));
        }
        if let Some(at) = at {
            self.by_node.insert(node, at);
            self.by_time.insert((at, node));
        }
    }

    /// The earliest time.
    pub(crate) fn first(&self) -> Option<T> {
        self.by_time.get_min().map(|(at, _)| *at)
    }

    /// The nodes whose time has come.
    pub(crate) fn due(&self, now: T) -> impl Iterator<Item = NodeId> + '_ {
        self.by_time.iter().take_while(move |(at, _)| *at <= now).map(|(_, node)| *node)
    }
}
