//! A part of a peer that changed.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use wattle_keys::{DiscoPublic, NodePublic};
use wattle_time::UnixTime;

use super::CapMap;
use crate::go::{self, omit};
use crate::version::CapabilityVersion;

/// What changed of one peer. Absent and zero fields say nothing, so endpoints cannot be emptied this way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeerChange {
    /// Which.
    #[serde(rename = "NodeID")]
    pub node_id: u64,
    /// Home region.
    #[serde(rename = "DERPRegion", skip_serializing_if = "omit")]
    pub derp_region: i64,
    /// Capability version.
    #[serde(skip_serializing_if = "omit")]
    pub cap: CapabilityVersion,
    /// Capabilities, all of them.
    #[serde(deserialize_with = "optional_caps", skip_serializing_if = "Option::is_none")]
    pub cap_map: Option<CapMap>,
    /// Endpoints, all of them.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub endpoints: Vec<SocketAddr>,
    /// Node key.
    #[serde(with = "go::key", skip_serializing_if = "omit")]
    pub key: Option<NodePublic>,
    /// Tailnet lock signature of the key.
    #[serde(with = "go::bytes", skip_serializing_if = "omit")]
    pub key_signature: Vec<u8>,
    /// Disco key.
    #[serde(with = "go::key", skip_serializing_if = "omit")]
    pub disco_key: Option<DiscoPublic>,
    /// Whether it is connected to control.
    #[serde(skip_serializing_if = "omit")]
    pub online: Option<bool>,
    /// When it last was.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub last_seen: Option<UnixTime>,
    /// Key expiry.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub key_expiry: Option<UnixTime>,
}

fn optional_caps<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<CapMap>, D::Error> {
    let caps: CapMap = go::nullable_lists(from)?;
    Ok(Some(caps).filter(|caps| !caps.is_empty()))
}
