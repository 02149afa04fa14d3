//! Control asks a node to ping somebody.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::go::{self, omit};

/// What is asked. Without `types`: request `url` with HEAD to show that the stream is alive in both directions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PingRequest {
    /// Where the answer goes. Each request has its own.
    #[serde(rename = "URL")]
    pub url: String,
    /// Whether that is inside the control channel.
    #[serde(rename = "URLIsNoise", skip_serializing_if = "omit")]
    pub url_is_noise: bool,
    /// Whether it is logged.
    #[serde(skip_serializing_if = "omit")]
    pub log: bool,
    /// Kinds of ping, with commas; or `c2n`: answer the HTTP request in `payload`.
    #[serde(skip_serializing_if = "omit")]
    pub types: String,
    /// Whom.
    #[serde(rename = "IP", with = "go::address", skip_serializing_if = "omit")]
    pub ip: Option<IpAddr>,
    /// An HTTP/1 request.
    #[serde(with = "go::bytes", skip_serializing_if = "omit")]
    pub payload: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PingResponse {
    /// Kind of ping.
    pub r#type: String,
    /// Whom it was for.
    #[serde(rename = "IP", skip_serializing_if = "omit")]
    pub ip: String,
    /// The node that has this address.
    #[serde(rename = "NodeIP", skip_serializing_if = "omit")]
    pub node_ip: String,
    /// Its name.
    #[serde(skip_serializing_if = "omit")]
    pub node_name: String,
    /// What went wrong.
    #[serde(skip_serializing_if = "omit")]
    pub err: String,
    /// Round trip.
    #[serde(skip_serializing_if = "omit")]
    pub latency_seconds: f64,
    /// Where the answer came from, when direct.
    #[serde(skip_serializing_if = "omit")]
    pub endpoint: String,
    /// The peer that relayed.
    #[serde(skip_serializing_if = "omit")]
    pub peer_relay: String,
    /// The region that relayed.
    #[serde(rename = "DERPRegionID", skip_serializing_if = "omit")]
    pub derp_region_id: i64,
    /// Its code.
    #[serde(rename = "DERPRegionCode", skip_serializing_if = "omit")]
    pub derp_region_code: String,
    /// PeerAPI port of the node.
    #[serde(rename = "PeerAPIPort", skip_serializing_if = "omit")]
    pub peer_api_port: u16,
    /// The address is our own.
    #[serde(rename = "IsLocalIP", skip_serializing_if = "omit")]
    pub is_local_ip: bool,
}
