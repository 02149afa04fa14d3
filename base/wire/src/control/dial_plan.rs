//! Other ways to reach the coordination server, for when its name does not resolve.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::go::{self, omit};

/// Ways to try. A plan without any removes the former ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ControlDialPlan {
    /// The ways.
    #[serde(deserialize_with = "go::nullable")]
    pub candidates: Vec<ControlIpCandidate>,
}

/// One way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ControlIpCandidate {
    /// The address.
    #[serde(rename = "IP", with = "go::address", skip_serializing_if = "omit")]
    pub ip: Option<IpAddr>,
    /// A host that forwards to control.
    #[serde(rename = "ACEHost", skip_serializing_if = "omit")]
    pub ace_host: String,
    /// When to start.
    #[serde(skip_serializing_if = "omit")]
    pub dial_start_delay_sec: f64,
    /// When to give up.
    #[serde(skip_serializing_if = "omit")]
    pub dial_timeout_sec: f64,
    /// Higher first.
    #[serde(skip_serializing_if = "omit")]
    pub priority: i64,
}
