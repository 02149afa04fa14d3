//! The keys of the control channel: before it (`GET /key`) and at its start (the early payload).

use serde::{Deserialize, Serialize};
use wattle_keys::{ChallengePublic, MachinePublic};

use crate::go;

/// The answer to `GET /key?v=...`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OverTlsPublicKeyResponse {
    /// For clients from before the control channel; zero.
    #[serde(with = "go::key")]
    pub legacy_public_key: Option<MachinePublic>,
    /// The server's static key.
    #[serde(with = "go::key")]
    pub public_key: Option<MachinePublic>,
}

/// What a server may write into the channel before HTTP starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EarlyNoise {
    /// A key to prove the node key against.
    #[serde(with = "go::key")]
    pub node_key_challenge: Option<ChallengePublic>,
}
