//! Who may open a shell on a node.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use wattle_time::UnixTime;

use crate::go::{self, omit};

/// The rules, first match wins. A policy without rules allows nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SshPolicy {
    /// The rules.
    #[serde(deserialize_with = "go::nullable")]
    pub rules: Vec<SshRule>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SshRule {
    /// Until when.
    #[serde(with = "go::time", skip_serializing_if = "omit")]
    pub rule_expires: Option<UnixTime>,
    /// Whom it is about.
    #[serde(deserialize_with = "go::nullable")]
    pub principals: Vec<SshPrincipal>,
    /// Asked user name to local user name; `*` is any, `=` the same.
    #[serde(deserialize_with = "go::nullable")]
    pub ssh_users: BTreeMap<String, String>,
    /// What happens.
    pub action: Option<SshAction>,
    /// Environment variables that may be set.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub accept_env: Vec<String>,
}

/// Whom a rule is about: all fields that are set must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SshPrincipal {
    /// A node's stable name.
    #[serde(skip_serializing_if = "omit")]
    pub node: String,
    /// A node's address.
    #[serde(rename = "nodeIP", skip_serializing_if = "omit")]
    pub node_ip: String,
    /// A user.
    #[serde(skip_serializing_if = "omit")]
    pub user_login: String,
    /// Everybody.
    #[serde(skip_serializing_if = "omit")]
    pub any: bool,
}

/// What happens to a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SshAction {
    /// Shown to the user.
    #[serde(skip_serializing_if = "omit")]
    pub message: String,
    /// It is refused.
    #[serde(skip_serializing_if = "omit")]
    pub reject: bool,
    /// It is allowed.
    #[serde(skip_serializing_if = "omit")]
    pub accept: bool,
    /// It ends after this many nanoseconds.
    #[serde(skip_serializing_if = "omit")]
    pub session_duration: i64,
    /// The agent may be forwarded.
    #[serde(skip_serializing_if = "omit")]
    pub allow_agent_forwarding: bool,
    /// Control decides: ask this URL.
    #[serde(skip_serializing_if = "omit")]
    pub hold_and_delegate: String,
    /// Ports may be forwarded from the client.
    #[serde(skip_serializing_if = "omit")]
    pub allow_local_port_forwarding: bool,
    /// Ports may be forwarded to the client.
    #[serde(skip_serializing_if = "omit")]
    pub allow_remote_port_forwarding: bool,
    /// Where the session is recorded: it is sent to `http://address:port/record`.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub recorders: Vec<SocketAddr>,
    /// What happens when that fails; `None`: the session goes on.
    #[serde(skip_serializing_if = "omit")]
    pub on_recording_failure: Option<SshRecorderFailure>,
}

/// What happens to a session that is not recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SshRecorderFailure {
    /// It is refused with this message when recording does not begin.
    #[serde(skip_serializing_if = "omit")]
    pub reject_session_with_message: String,
    /// It is ended with this message when recording breaks off.
    #[serde(skip_serializing_if = "omit")]
    pub terminate_session_with_message: String,
    /// Control is told here.
    #[serde(rename = "NotifyURL", skip_serializing_if = "omit")]
    pub notify_url: String,
}
