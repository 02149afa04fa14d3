//! The paths to peers and why they are what they are: `GET wattle/paths`, an endpoint of ours alone.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use wattle_time::UnixTime;

use crate::go::{self, omit};

/// The paths to one peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeerPaths {
    /// The peer's number.
    #[serde(rename = "NodeID")]
    pub node_id: u64,
    /// Its name without the network's suffix.
    pub name: String,
    /// Its tailnet addresses.
    #[serde(rename = "TailscaleIPs", deserialize_with = "go::nullable")]
    pub tailscale_ips: Vec<IpAddr>,
    /// Whether data went to it lately; without, no path is looked for.
    pub active: bool,
    /// Where data goes.
    pub path: PathKind,
    /// Since when the nominated direct path is it.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub since: Option<UnixTime>,
    /// The direct address in use, proven or not yet.
    #[serde(skip_serializing_if = "omit")]
    pub endpoint: String,
    /// The peer relay in use.
    #[serde(skip_serializing_if = "omit")]
    pub peer_relay: String,
    /// The code of the relay region that reaches it, in use or not.
    pub relay: String,
    /// There and back on the nominated path, in milliseconds.
    #[serde(skip_serializing_if = "omit")]
    pub latency_ms: f64,
    /// The largest UDP payload that the nominated path is known to pass; 0: no limit is known.
    #[serde(rename = "MTU", skip_serializing_if = "omit")]
    pub mtu: u16,
    /// Why the path is what it is.
    pub why: String,
    /// Why the nominated path won.
    #[serde(skip_serializing_if = "omit")]
    pub why_it_won: String,
    /// Why data does not go directly, or not only so.
    #[serde(skip_serializing_if = "omit")]
    pub why_not_direct: String,
    /// Every address that was or may be tried, the best first.
    #[serde(deserialize_with = "go::nullable")]
    pub candidates: Vec<PathCandidate>,
    /// What will be done next without being asked; empty: nothing.
    #[serde(skip_serializing_if = "omit")]
    pub next: String,
    /// In how many milliseconds that is.
    #[serde(skip_serializing_if = "omit")]
    pub next_ms: u64,
}

/// Where data for a peer goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathKind {
    /// Nowhere: no way is known.
    #[default]
    None,
    /// Straight to it.
    Direct,
    /// Through a node that relays for peers.
    PeerRelay,
    /// Through a relay region.
    Relay,
    /// Through a relay region, and by another path that has yet to prove itself.
    Proving,
}

impl PathKind {
    /// The words to show people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "no way",
            Self::Direct => "direct",
            Self::PeerRelay => "peer relay",
            Self::Relay => "relay",
            Self::Proving => "relay, and a new path on trial",
        }
    }
}

/// One address where a peer may be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PathCandidate {
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// How it became known: `map`, `call`, `heard`.
    pub source: String,
    /// There and back when it last answered, in milliseconds; 0: it never did.
    #[serde(skip_serializing_if = "omit")]
    pub latency_ms: f64,
    /// What became of it, in words.
    pub state: String,
}
