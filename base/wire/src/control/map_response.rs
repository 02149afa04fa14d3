//! What control sends to a node: a map, or what changed in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wattle_time::UnixTime;

use super::{
    ClientVersion, ControlDialPlan, Debug, DerpMap, DisplayMessage, DnsConfig, FilterRule, Node, PeerChange,
    PingRequest, SshPolicy, UserProfile,
};
use crate::go::{self, omit};

/// One message of a map stream. A field that is absent says nothing: what it spoke of stays as it was.
///
/// `P` and `R` are how peers and lists of rules are held: as values, or, on a server, as [`crate::RawJson`] that was encoded
/// once for all streams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "PascalCase",
    default,
    bound(deserialize = "P: Default + Deserialize<'de>, R: Default + Deserialize<'de>")
)]
pub struct MapResponse<P = Node, R = Vec<FilterRule>> {
    /// Names the stream. Official clients do not use it.
    #[serde(skip_serializing_if = "omit")]
    pub map_session_handle: String,
    /// Counts the messages of a stream.
    #[serde(skip_serializing_if = "omit")]
    pub seq: i64,
    /// Says only that the stream lives.
    #[serde(skip_serializing_if = "omit")]
    pub keep_alive: bool,
    /// Asks the node to ping somebody, or to answer something.
    #[serde(skip_serializing_if = "omit")]
    pub ping_request: Option<PingRequest>,
    /// A page to show to the user.
    #[serde(rename = "PopBrowserURL", skip_serializing_if = "omit")]
    pub pop_browser_url: String,
    /// The node itself, whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Box<Node>>,
    /// The relays.
    #[serde(rename = "DERPMap", skip_serializing_if = "Option::is_none")]
    pub derp_map: Option<DerpMap>,
    /// When not empty, all peers, sorted by number; the next four fields are then ignored.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<P>,
    /// Peers that are new or changed, whole.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "Vec::is_empty")]
    pub peers_changed: Vec<P>,
    /// Peers that are gone.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub peers_removed: Vec<u64>,
    /// Parts of peers that changed.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub peers_changed_patch: Vec<PeerChange>,
    /// Whether a peer was just seen; `false` forgets when it was.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub peer_seen_change: BTreeMap<u64, bool>,
    /// Whether a peer is connected to control.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub online_change: BTreeMap<u64, bool>,
    /// Names.
    #[serde(rename = "DNSConfig", skip_serializing_if = "Option::is_none")]
    pub dns_config: Option<DnsConfig>,
    /// The tailnet's name.
    #[serde(skip_serializing_if = "omit")]
    pub domain: String,
    /// Whether the node should tell which services it runs.
    #[serde(skip_serializing_if = "omit")]
    pub collect_services: Option<bool>,
    /// The rules named `base`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet_filter: Option<Vec<FilterRule>>,
    /// Rules by name; null removes the name, and the name `*` with null removes all first.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub packet_filters: BTreeMap<String, Option<R>>,
    /// Users, added to those known.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub user_profiles: Vec<UserProfile>,
    /// What is wrong with the node, for clients below capability version 117. Empty: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Vec<String>>,
    /// What people should read; null and `*` as in `packet_filters`.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub display_messages: BTreeMap<String, Option<DisplayMessage>>,
    /// Who may open a shell.
    #[serde(rename = "SSHPolicy", skip_serializing_if = "Option::is_none")]
    pub ssh_policy: Option<SshPolicy>,
    /// Control's clock.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub control_time: Option<UnixTime>,
    /// The tailnet lock; absent in the first message: it is off.
    #[serde(rename = "TKAInfo", skip_serializing_if = "omit")]
    pub tka_info: Option<TkaInfo>,
    /// Where flow logs go.
    #[serde(rename = "DomainDataPlaneAuditLogID", skip_serializing_if = "omit")]
    pub domain_data_plane_audit_log_id: String,
    /// Switches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug: Option<Debug>,
    /// Other ways to control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_dial_plan: Option<ControlDialPlan>,
    /// Whether the client is up to date.
    #[serde(skip_serializing_if = "omit")]
    pub client_version: Option<ClientVersion>,
}

impl<P: Default, R: Default> MapResponse<P, R> {
    /// The message that says only that the stream lives. Always the same bytes: official clients then skip decoding.
    pub fn keep_alive() -> Self {
        Self { keep_alive: true, ..Self::default() }
    }
}

impl<P, R> MapResponse<P, R> {
    /// The same message with its peers and named rules held another way.
    pub fn map_parts<Q, S>(self, mut each: impl FnMut(P) -> Q, mut rules: impl FnMut(R) -> S) -> MapResponse<Q, S> {
        let packet_filters = self.packet_filters.into_iter().map(|(name, list)| (name, list.map(&mut rules))).collect();
        MapResponse {
            map_session_handle: self.map_session_handle,
            seq: self.seq,
            keep_alive: self.keep_alive,
            ping_request: self.ping_request,
            pop_browser_url: self.pop_browser_url,
            node: self.node,
            derp_map: self.derp_map,
            peers: self.peers.into_iter().map(&mut each).collect(),
            peers_changed: self.peers_changed.into_iter().map(&mut each).collect(),
            peers_removed: self.peers_removed,
            peers_changed_patch: self.peers_changed_patch,
            peer_seen_change: self.peer_seen_change,
            online_change: self.online_change,
            dns_config: self.dns_config,
            domain: self.domain,
            collect_services: self.collect_services,
            packet_filter: self.packet_filter,
            packet_filters,
            user_profiles: self.user_profiles,
            health: self.health,
            display_messages: self.display_messages,
            ssh_policy: self.ssh_policy,
            control_time: self.control_time,
            tka_info: self.tka_info,
            domain_data_plane_audit_log_id: self.domain_data_plane_audit_log_id,
            debug: self.debug,
            control_dial_plan: self.control_dial_plan,
            client_version: self.client_version,
        }
    }
}

/// The state of the tailnet lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TkaInfo {
    /// Its newest entry.
    #[serde(skip_serializing_if = "omit")]
    pub head: String,
    /// It was turned off.
    #[serde(skip_serializing_if = "omit")]
    pub disabled: bool,
}
