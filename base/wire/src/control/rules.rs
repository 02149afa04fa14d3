//! Packet rules, as control sends them.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::CapMap;
use crate::go::{self, omit};

/// One rule: who may send what to where.
///
/// `S` is how its sources are held: as texts, or, on a server, as [`crate::RawJson`] that was encoded once for all rules
/// with the same sources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, bound(deserialize = "S: Default + Deserialize<'de>"))]
pub struct FilterRule<S = Vec<String>> {
    /// Who: an address, a prefix, `first-last`, `*`, or `cap:` and a node capability.
    #[serde(rename = "SrcIPs", deserialize_with = "go::nullable")]
    pub src_ips: S,
    /// Prefix lengths of `src_ips`, the older form.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub src_bits: Vec<i64>,
    /// To where. Exclusive with `cap_grant`.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub dst_ports: Vec<NetPortRange>,
    /// Protocol numbers; none: TCP, UDP and ICMP.
    #[serde(rename = "IPProto", deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub ip_proto: Vec<i64>,
    /// Capabilities of the sources at destinations.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub cap_grant: Vec<CapGrant>,
}

/// Destinations and ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetPortRange {
    /// An address, a prefix, `first-last` or `*`.
    #[serde(rename = "IP")]
    pub ip: String,
    /// Prefix length, the older form.
    #[serde(skip_serializing_if = "omit")]
    pub bits: Option<i64>,
    /// Ports.
    pub ports: PortRange,
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

/// Capabilities at destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CapGrant {
    /// Destinations.
    #[serde(deserialize_with = "go::nullable")]
    pub dsts: Vec<IpNet>,
    /// Capabilities without values, the older form.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub caps: Vec<String>,
    /// Capabilities.
    #[serde(deserialize_with = "go::nullable_lists", skip_serializing_if = "omit")]
    pub cap_map: CapMap,
}
