//! Nodes.

use std::net::SocketAddr;

use wattle_netmap::{Endpoint, EndpointKind, Node, NodeId, RegionId, StableId, UserId};
use wattle_time::UnixTime;

use super::derp::region_id;
use super::{ConvertError, capabilities, host};
use crate::control;

/// How the region stood in the address space of paths, before capability version 111.
const REGION_ADDRESS: &str = "127.3.3.40:";

/// For whom a node is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// For itself.
    Itself,
    /// For others. All that we serve (from [`crate::version::OLDEST_SERVED`]) read the same.
    Peer,
}

/// Reads a node.
pub fn node_from_wire(node: control::Node) -> Result<Node, ConvertError> {
    let key = node.key.filter(|_| node.id != 0).ok_or(ConvertError::Nameless { id: node.id })?;
    let legacy_region = || node.legacy_derp_string.strip_prefix(REGION_ADDRESS)?.parse().ok().and_then(region_id);
    Ok(Node {
        stable_id: StableId(node.stable_id),
        name: node.name.trim_end_matches('.').to_ascii_lowercase(),
        user: UserId(node.user),
        key_expiry: node.key_expiry,
        machine: node.machine,
        disco: node.disco_key,
        allowed_ips: node.allowed_ips.unwrap_or_else(|| node.addresses.clone()),
        addresses: node.addresses,
        primary_routes: node.primary_routes,
        endpoints: endpoints_from_wire(&node.endpoints),
        home_region: region_id(node.home_derp).or_else(legacy_region),
        host: node.hostinfo.as_ref().map(host::hostinfo_from_wire).unwrap_or_default(),
        created: node.created.unwrap_or(UnixTime::EPOCH),
        capability_version: node.cap,
        tags: node.tags,
        online: node.online,
        last_seen: node.last_seen,
        authorized: node.machine_authorized,
        expired: node.expired,
        capabilities: capabilities::from_wire(&node.cap_map, &node.capabilities),
        wireguard_only: node.is_wireguard_only,
        jailed: node.is_jailed,
        ..Node::new(NodeId(node.id), key)
    })
}

/// Writes a node.
pub fn node_to_wire(node: &Node, viewer: Viewer) -> control::Node {
    control::Node {
        id: node.id.0,
        stable_id: node.stable_id.0.clone(),
        name: if node.name.is_empty() { String::new() } else { format!("{}.", node.name) },
        user: node.user.0,
        key: Some(node.key),
        key_expiry: node.key_expiry,
        machine: node.machine.filter(|_| viewer == Viewer::Itself),
        disco_key: node.disco,
        addresses: node.addresses.clone(),
        allowed_ips: (node.allowed_ips != node.addresses).then(|| node.allowed_ips.clone()),
        endpoints: endpoints_to_wire(&node.endpoints),
        home_derp: region_to_wire(node.home_region),
        hostinfo: Some(match viewer {
            Viewer::Itself => host::own_view(&node.host),
            Viewer::Peer => host::peer_view(&node.host),
        }),
        created: Some(node.created).filter(|created| *created != UnixTime::EPOCH),
        cap: node.capability_version,
        tags: node.tags.clone(),
        primary_routes: node.primary_routes.clone(),
        last_seen: node.last_seen,
        online: node.online,
        machine_authorized: node.authorized,
        cap_map: capabilities::to_wire(&node.capabilities),
        expired: node.expired,
        is_wireguard_only: node.wireguard_only,
        is_jailed: node.jailed,
        ..control::Node::default()
    }
}

pub(super) fn endpoints_from_wire(endpoints: &[SocketAddr]) -> Vec<Endpoint> {
    endpoints.iter().map(|address| Endpoint { address: *address, kind: EndpointKind::Unknown }).collect()
}

pub(super) fn endpoints_to_wire(endpoints: &[Endpoint]) -> Vec<SocketAddr> {
    endpoints.iter().map(|endpoint| endpoint.address).collect()
}

pub(super) fn region_to_wire(region: Option<RegionId>) -> i64 {
    region.map_or(0, |region| i64::from(region.0))
}
