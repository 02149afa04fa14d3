//! Parts of peers that changed.

use wattle_netmap::{NodeId, NodePatch};

use super::derp::region_id;
use super::{capabilities, node};
use crate::control::PeerChange;

/// Reads a patch and whose it is.
pub fn patch_from_wire(change: PeerChange) -> (NodeId, NodePatch) {
    let patch = NodePatch {
        home_region: region_id(change.derp_region),
        endpoints: Some(node::endpoints_from_wire(&change.endpoints)).filter(|endpoints| !endpoints.is_empty()),
        key: change.key,
        disco: change.disco_key,
        online: change.online,
        last_seen: change.last_seen.map(Some),
        key_expiry: change.key_expiry,
        capability_version: Some(change.cap).filter(|version| *version != 0),
        capabilities: change.cap_map.map(|map| capabilities::from_wire(&map, &[])),
    };
    (NodeId(change.node_id), patch)
}

/// Writes a patch; that a node's last sighting is forgotten stands elsewhere ([`super::delta_to_wire`]).
pub fn patch_to_wire(id: NodeId, patch: &NodePatch) -> PeerChange {
    PeerChange {
        node_id: id.0,
        derp_region: node::region_to_wire(patch.home_region),
        cap: patch.capability_version.unwrap_or_default(),
        cap_map: patch.capabilities.as_deref().map(capabilities::to_wire).filter(|map| !map.is_empty()),
        endpoints: patch.endpoints.as_deref().map(node::endpoints_to_wire).unwrap_or_default(),
        key: patch.key,
        key_signature: Vec::new(),
        disco_key: patch.disco,
        online: patch.online,
        last_seen: patch.last_seen.flatten(),
        key_expiry: patch.key_expiry,
    }
}
