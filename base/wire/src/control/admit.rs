//! What a relay asks the coordination server before it lets a client in (`POST /verify`).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use wattle_keys::NodePublic;

use crate::go;

/// Whether this client may use the relay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DerpAdmitClientRequest {
    /// Who asks to be let in.
    #[serde(with = "go::key")]
    pub node_public: Option<NodePublic>,
    /// From where.
    #[serde(with = "go::address")]
    pub source: Option<IpAddr>,
}

/// The answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DerpAdmitClientResponse {
    /// Whether it may.
    pub allow: bool,
}
