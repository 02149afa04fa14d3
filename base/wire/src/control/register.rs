//! Joining the tailnet, renewing a key and leaving (`POST /machine/register`).

use serde::{Deserialize, Serialize};
use wattle_keys::NodePublic;
use wattle_time::UnixTime;

use super::{Hostinfo, Login, User};
use crate::go::{self, omit};
use crate::version::CapabilityVersion;

/// Asks control to let a node key in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisterRequest {
    /// Capability version; official clients write 1.
    pub version: CapabilityVersion,
    /// The key to let in.
    #[serde(with = "go::key")]
    pub node_key: Option<NodePublic>,
    /// The key it replaces.
    #[serde(with = "go::key")]
    pub old_node_key: Option<NodePublic>,
    /// Tailnet lock key, as text; empty when there is none.
    #[serde(rename = "NLKey", with = "go::lock_key")]
    pub nl_key: String,
    /// Proof of the right to join.
    #[serde(skip_serializing_if = "omit")]
    pub auth: Option<RegisterResponseAuth>,
    /// When the key shall expire. In the past: log out now.
    #[serde(with = "go::time")]
    pub expiry: Option<UnixTime>,
    /// The former answer's `AuthURL`: hold this request until the person there is done.
    pub followup: String,
    /// The machine.
    pub hostinfo: Option<Hostinfo>,
    /// Forget the node when it goes away.
    #[serde(skip_serializing_if = "omit")]
    pub ephemeral: bool,
    /// Tailnet lock signature of the key.
    #[serde(with = "go::bytes")]
    pub node_key_signature: Vec<u8>,
    /// When it was sent.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub timestamp: Option<UnixTime>,
    /// The tailnet to join, for people with several.
    #[serde(skip_serializing_if = "omit")]
    pub tailnet: String,
}

/// Proof of the right to join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisterResponseAuth {
    /// A key that an administrator made.
    #[serde(skip_serializing_if = "omit")]
    pub auth_key: String,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisterResponse {
    /// The user.
    pub user: User,
    /// How the user signed in.
    pub login: Login,
    /// The key has expired: make a new one and ask again.
    pub node_key_expired: bool,
    /// Whether an administrator has let the machine in.
    pub machine_authorized: bool,
    /// When not empty: a page that a person must open.
    #[serde(rename = "AuthURL")]
    pub auth_url: String,
    /// A signature to make again with the node's own lock key.
    #[serde(with = "go::bytes")]
    pub node_key_signature: Vec<u8>,
    /// Why it was refused.
    pub error: String,
}
