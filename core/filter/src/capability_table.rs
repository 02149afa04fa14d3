//! Which nodes have which capability: what `cap:` sources of rules stand for.

use std::collections::BTreeMap;

use wattle_netmap::{Netmap, Prefix};

/// Addresses by node capability. Made when the map changes, so that packets look up no names.
#[derive(Clone, Debug, Default)]
pub struct CapabilityTable {
    having: BTreeMap<String, Vec<Prefix>>,
}

impl CapabilityTable {
    /// Of all nodes of a map.
    pub fn of_netmap(map: &Netmap) -> Self {
        let mut table = Self::default();
        for node in map.self_node.iter().chain(map.peers.values()) {
            for capability in &node.capabilities {
                table.insert(&capability.name, &node.addresses);
            }
        }
        table
    }

    /// These addresses have this capability.
    pub fn insert(&mut self, capability: &str, addresses: &[Prefix]) {
        match self.having.get_mut(capability) {
            Some(known) => known.extend_from_slice(addresses),
            None => {
                self.having.insert(capability.to_owned(), addresses.to_vec());
            }
        }
    }

    pub(crate) fn having(&self, capability: &str) -> &[Prefix] {
        self.having.get(capability).map_or(&[], Vec::as_slice)
    }
}
