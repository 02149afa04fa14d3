//! A node as control describes it, to itself and to peers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wattle_keys::{DiscoPublic, MachinePublic, NodePublic};
use wattle_time::UnixTime;

use super::{Hostinfo, Resolver};
use crate::RawJson;
use crate::go::{self, omit};
use crate::version::CapabilityVersion;

/// Capabilities by name, with their values.
pub type CapMap = BTreeMap<String, Vec<RawJson>>;

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Node {
    /// Number.
    #[serde(rename = "ID")]
    pub id: u64,
    /// Name over its life.
    #[serde(rename = "StableID")]
    pub stable_id: String,
    /// Full DNS name with the last dot.
    pub name: String,
    /// Owner.
    pub user: u64,
    /// Who shared it with us; 0: nobody.
    #[serde(skip_serializing_if = "omit")]
    pub sharer: u64,
    /// WireGuard and relay identity.
    #[serde(with = "go::key")]
    pub key: Option<NodePublic>,
    /// When the key stops being valid.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub key_expiry: Option<UnixTime>,
    /// Tailnet lock signature of the key.
    #[serde(with = "go::bytes", skip_serializing_if = "omit")]
    pub key_signature: Vec<u8>,
    /// Identity on the control channel.
    #[serde(with = "go::key", skip_serializing_if = "omit")]
    pub machine: Option<MachinePublic>,
    /// Path discovery key.
    #[serde(with = "go::key", skip_serializing_if = "omit")]
    pub disco_key: Option<DiscoPublic>,
    /// Own addresses.
    #[serde(deserialize_with = "go::nullable")]
    pub addresses: Vec<IpNet>,
    /// What may come from it and be routed to it. `None` means `addresses` (from capability version 112).
    #[serde(rename = "AllowedIPs", skip_serializing_if = "Option::is_none")]
    pub allowed_ips: Option<Vec<IpNet>>,
    /// Where it may be reached.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub endpoints: Vec<SocketAddr>,
    /// Home region as `127.3.3.40:N`, for clients below capability version 111.
    #[serde(rename = "DERP", skip_serializing_if = "omit")]
    pub legacy_derp_string: String,
    /// Home region; 0: none.
    #[serde(rename = "HomeDERP", skip_serializing_if = "omit")]
    pub home_derp: i64,
    /// The machine.
    #[serde(skip_serializing_if = "omit")]
    pub hostinfo: Option<Hostinfo>,
    /// When it joined.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub created: Option<UnixTime>,
    /// Capability version of its client.
    #[serde(skip_serializing_if = "omit")]
    pub cap: CapabilityVersion,
    /// Tags.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub tags: Vec<String>,
    /// Routes for which it is the one in charge.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub primary_routes: Vec<IpNet>,
    /// When it was last connected to control.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub last_seen: Option<UnixTime>,
    /// Whether it is.
    #[serde(skip_serializing_if = "omit")]
    pub online: Option<bool>,
    /// Whether an administrator has let it in.
    #[serde(skip_serializing_if = "omit")]
    pub machine_authorized: bool,
    /// Capabilities without values, the older form of `cap_map`.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub capabilities: Vec<String>,
    /// Capabilities.
    #[serde(deserialize_with = "go::nullable_lists", skip_serializing_if = "omit")]
    pub cap_map: CapMap,
    /// Is reachable for its PeerAPI only, and trusted with nothing.
    #[serde(rename = "UnsignedPeerAPIOnly", skip_serializing_if = "omit")]
    pub unsigned_peer_api_only: bool,
    /// Name to show.
    #[serde(skip_serializing_if = "omit")]
    pub computed_name: String,
    /// Name to show, with the host name when it differs.
    #[serde(skip_serializing_if = "omit")]
    pub computed_name_with_host: String,
    /// Where its flow logs go.
    #[serde(rename = "DataPlaneAuditLogID", skip_serializing_if = "omit")]
    pub data_plane_audit_log_id: String,
    /// Its key has expired.
    #[serde(skip_serializing_if = "omit")]
    pub expired: bool,
    /// The IPv4 address that this peer knows us by.
    #[serde(with = "go::address", skip_serializing_if = "omit")]
    pub self_node_v4_masq_addr_for_this_peer: Option<IpAddr>,
    /// The IPv6 address that this peer knows us by.
    #[serde(with = "go::address", skip_serializing_if = "omit")]
    pub self_node_v6_masq_addr_for_this_peer: Option<IpAddr>,
    /// Speaks WireGuard only.
    #[serde(rename = "IsWireGuardOnly", skip_serializing_if = "omit")]
    pub is_wireguard_only: bool,
    /// Nothing may be accepted from it.
    #[serde(skip_serializing_if = "omit")]
    pub is_jailed: bool,
    /// Resolvers to use while it is the exit node.
    #[serde(rename = "ExitNodeDNSResolvers", deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub exit_node_dns_resolvers: Vec<Resolver>,
}
