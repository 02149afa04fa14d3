//! What the relay for peers carries. Source: tailscale `net/udprelay/status/status.go`.

use serde::{Deserialize, Serialize};

/// The answer to `GET debug-peer-relay-sessions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeerRelayStatus {
    /// The port it runs at; `None`: it does not.
    #[serde(rename = "UDPPort")]
    pub udp_port: Option<u16>,
    /// What is set aside.
    pub sessions: Option<Vec<PeerRelaySession>>,
}

/// What is set aside for one pair of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeerRelaySession {
    /// Its number on the wire.
    #[serde(rename = "VNI")]
    pub vni: u32,
    /// One client.
    #[serde(rename = "Client1")]
    pub client_1: PeerRelayClient,
    /// The other.
    #[serde(rename = "Client2")]
    pub client_2: PeerRelayClient,
}

/// A client of the relay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PeerRelayClient {
    /// Its address; empty until its handshake is done.
    pub endpoint: String,
    /// The beginning of its disco key.
    pub short_disco: String,
    /// Datagrams of it that were sent on.
    pub packets_tx: u64,
    /// Bytes of these.
    pub bytes_tx: u64,
}
