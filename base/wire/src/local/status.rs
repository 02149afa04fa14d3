//! How the node is, and what it knows of its peers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wattle_keys::NodePublic;
use wattle_time::UnixTime;

use crate::control::{CapMap, ClientVersion, DnsRecord, UserProfile};
use crate::go::{self, omit};

/// The answer to `GET status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// Whether there is a TUN device.
    #[serde(rename = "TUN")]
    pub tun: bool,
    /// The word of [`super::State`].
    pub backend_state: String,
    /// Whether there is a node key.
    #[serde(skip_serializing_if = "omit")]
    pub have_node_key: bool,
    /// A page that a person must open.
    #[serde(rename = "AuthURL")]
    pub auth_url: String,
    /// Our addresses.
    #[serde(rename = "TailscaleIPs", deserialize_with = "go::nullable")]
    pub tailscale_ips: Vec<IpAddr>,
    /// Ourselves.
    #[serde(rename = "Self")]
    pub self_status: Option<Box<PeerStatus>>,
    /// The exit node in use.
    #[serde(skip_serializing_if = "omit")]
    pub exit_node_status: Option<ExitNodeStatus>,
    /// What is wrong.
    #[serde(deserialize_with = "go::nullable")]
    pub health: Vec<String>,
    /// The suffix of node names.
    #[serde(rename = "MagicDNSSuffix")]
    pub magic_dns_suffix: String,
    /// The tailnet.
    pub current_tailnet: Option<TailnetStatus>,
    /// Names that we may have certificates for.
    #[serde(deserialize_with = "go::nullable")]
    pub cert_domains: Vec<String>,
    /// Names that no node has.
    #[serde(deserialize_with = "go::nullable")]
    pub extra_records: Vec<DnsRecord>,
    /// The peers by node key.
    #[serde(with = "by_key")]
    pub peer: BTreeMap<NodePublic, PeerStatus>,
    /// The users by number.
    #[serde(deserialize_with = "go::nullable")]
    pub user: BTreeMap<u64, UserProfile>,
    /// Whether the client is up to date.
    pub client_version: Option<ClientVersion>,
}

/// The tailnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TailnetStatus {
    /// Its name for people.
    pub name: String,
    /// The suffix of node names.
    #[serde(rename = "MagicDNSSuffix")]
    pub magic_dns_suffix: String,
    /// Whether node names are served.
    #[serde(rename = "MagicDNSEnabled")]
    pub magic_dns_enabled: bool,
}

/// The exit node in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExitNodeStatus {
    /// Its stable name.
    #[serde(rename = "ID")]
    pub id: String,
    /// Whether it is connected to control.
    pub online: bool,
    /// Its addresses.
    #[serde(rename = "TailscaleIPs", deserialize_with = "go::nullable")]
    pub tailscale_ips: Vec<IpNet>,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeerStatus {
    /// Name over its life.
    #[serde(rename = "ID")]
    pub id: String,
    /// Number.
    #[serde(rename = "NodeID")]
    pub node_id: u64,
    /// Node key.
    #[serde(with = "go::key")]
    pub public_key: Option<NodePublic>,
    /// Host name.
    pub host_name: String,
    /// Full DNS name with the last dot.
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    /// Operating system.
    #[serde(rename = "OS")]
    pub os: String,
    /// Owner.
    #[serde(rename = "UserID")]
    pub user_id: u64,
    /// Addresses.
    #[serde(rename = "TailscaleIPs", deserialize_with = "go::nullable")]
    pub tailscale_ips: Vec<IpAddr>,
    /// What is routed to it.
    #[serde(rename = "AllowedIPs", deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub allowed_ips: Vec<IpNet>,
    /// Tags.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub tags: Vec<String>,
    /// Routes for which it is the one in charge.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub primary_routes: Vec<IpNet>,
    /// Where it may be reached.
    #[serde(deserialize_with = "go::nullable")]
    pub addrs: Vec<String>,
    /// Where it is reached directly; empty: it is not.
    pub cur_addr: String,
    /// Code of its home region.
    pub relay: String,
    /// The peer that relays to it.
    pub peer_relay: String,
    /// Bytes received from it.
    pub rx_bytes: i64,
    /// Bytes sent to it.
    pub tx_bytes: i64,
    /// When it joined.
    #[serde(with = "go::time")]
    pub created: Option<UnixTime>,
    /// When we last sent to it.
    #[serde(with = "go::time")]
    pub last_write: Option<UnixTime>,
    /// When it was last connected to control.
    #[serde(with = "go::time")]
    pub last_seen: Option<UnixTime>,
    /// The last handshake with it.
    #[serde(with = "go::time")]
    pub last_handshake: Option<UnixTime>,
    /// Whether it is connected to control.
    pub online: bool,
    /// Whether it is our exit node.
    pub exit_node: bool,
    /// Whether it could be.
    pub exit_node_option: bool,
    /// Whether there was traffic lately.
    pub active: bool,
    /// Its PeerAPI.
    #[serde(rename = "PeerAPIURL", deserialize_with = "go::nullable")]
    pub peer_api_url: Vec<String>,
    /// Whether files can be sent to it (0: unknown).
    pub taildrop_target: i64,
    /// Why not.
    pub no_file_sharing_reason: String,
    /// Capabilities by name only.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub capabilities: Vec<String>,
    /// Capabilities.
    #[serde(deserialize_with = "go::nullable_lists", skip_serializing_if = "omit")]
    pub cap_map: CapMap,
    /// Whether it is in the map.
    pub in_network_map: bool,
    /// Whether paths to it are sought.
    pub in_magic_sock: bool,
    /// Whether there is a tunnel to it.
    pub in_engine: bool,
    /// Whether its key has expired.
    #[serde(skip_serializing_if = "omit")]
    pub expired: bool,
    /// When it does.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub key_expiry: Option<UnixTime>,
    /// Since when data goes the way it goes. Official programs do not know it.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub path_since: Option<UnixTime>,
    /// Why data does not go directly although there is some. Official programs do not know it.
    #[serde(skip_serializing_if = "omit")]
    pub why_not_direct: String,
}

/// Keys of a JSON object are texts: node keys stand there in theirs.
mod by_key {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer, de};
    use wattle_keys::NodePublic;

    use super::PeerStatus;

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<NodePublic, PeerStatus>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(map.iter().map(|(key, peer)| (key.to_string(), peer)))
    }

    pub(super) fn deserialize<'de, D>(from: D) -> Result<BTreeMap<NodePublic, PeerStatus>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let map: Option<BTreeMap<String, PeerStatus>> = Option::deserialize(from)?;
        let parsed = map.unwrap_or_default().into_iter().map(|(key, peer)| Ok((key.parse()?, peer)));
        parsed.collect::<Result<_, wattle_keys::ParseKeyError>>().map_err(de::Error::custom)
    }
}
