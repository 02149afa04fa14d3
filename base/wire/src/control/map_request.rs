//! What a node sends to `POST /machine/map`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use wattle_keys::{DiscoPublic, NodePublic};

use super::Hostinfo;
use crate::go::{self, omit};
use crate::version::CapabilityVersion;

/// Asks for a stream of maps (`stream`), or tells what changed (`!stream && omit_peers`), or asks for one map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MapRequest {
    /// Capability version.
    pub version: CapabilityVersion,
    /// `zstd`, or empty for none.
    #[serde(skip_serializing_if = "omit")]
    pub compress: String,
    /// Wants keepalives.
    #[serde(skip_serializing_if = "omit")]
    pub keep_alive: bool,
    /// Who asks.
    #[serde(with = "go::key")]
    pub node_key: Option<NodePublic>,
    /// Its disco key.
    #[serde(with = "go::key")]
    pub disco_key: Option<DiscoPublic>,
    /// Wants a stream. Such a request changes nothing (from capability version 68).
    #[serde(skip_serializing_if = "omit")]
    pub stream: bool,
    /// The machine.
    pub hostinfo: Option<Hostinfo>,
    /// The stream to take up again. Official clients never send it.
    #[serde(skip_serializing_if = "omit")]
    pub map_session_handle: String,
    /// The last message of that stream that was handled.
    #[serde(skip_serializing_if = "omit")]
    pub map_session_seq: i64,
    /// Where the node may be reached.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub endpoints: Vec<SocketAddr>,
    /// How each of them was learnt ([`wattle_netmap::EndpointKind`]).
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub endpoint_types: Vec<i64>,
    /// The node's head of the tailnet lock.
    #[serde(rename = "TKAHead", skip_serializing_if = "omit")]
    pub tka_head: String,
    /// Changes nothing. Not sent since capability version 68.
    #[serde(skip_serializing_if = "omit")]
    pub read_only: bool,
    /// Wants no peers in the answer.
    #[serde(skip_serializing_if = "omit")]
    pub omit_peers: bool,
    /// Warnings of the node about itself.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub debug_flags: Vec<String>,
}
