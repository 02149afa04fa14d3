//! What a ping found.

use serde::{Deserialize, Serialize};

use crate::go::omit;

/// The answer to `POST ping`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PingResult {
    /// The address that was pinged.
    #[serde(rename = "IP")]
    pub ip: String,
    /// The address of the node that has it.
    #[serde(rename = "NodeIP")]
    pub node_ip: String,
    /// That node's name.
    pub node_name: String,
    /// What went wrong; empty: nothing.
    pub err: String,
    /// Round trip.
    pub latency_seconds: f64,
    /// Where the answer came from, when it came directly.
    pub endpoint: String,
    /// The peer that relayed it.
    pub peer_relay: String,
    /// The region that relayed it; 0: none did.
    #[serde(rename = "DERPRegionID")]
    pub derp_region_id: i64,
    /// Its code.
    #[serde(rename = "DERPRegionCode")]
    pub derp_region_code: String,
    /// The node's PeerAPI port, told by TSMP.
    #[serde(rename = "PeerAPIPort", skip_serializing_if = "omit")]
    pub peer_api_port: u16,
    /// The node's PeerAPI.
    #[serde(rename = "PeerAPIURL", skip_serializing_if = "omit")]
    pub peer_api_url: String,
    /// The address is our own.
    #[serde(rename = "IsLocalIP", skip_serializing_if = "omit")]
    pub is_local_ip: bool,
}
