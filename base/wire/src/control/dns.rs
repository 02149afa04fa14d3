//! Names, as control sends them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use wattle_keys::NodePublic;

use crate::go::{self, omit};

/// How names are resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DnsConfig {
    /// Resolvers for everything else.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub resolvers: Vec<Resolver>,
    /// Suffix to its resolvers; none: answered by the node itself. Never null: official clients lose such entries.
    #[serde(deserialize_with = "go::nullable_lists", skip_serializing_if = "omit")]
    pub routes: BTreeMap<String, Vec<Resolver>>,
    /// Resolvers when the system's must be replaced and there are no others.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub fallback_resolvers: Vec<Resolver>,
    /// Search domains.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub domains: Vec<String>,
    /// Whether node names are served.
    #[serde(skip_serializing_if = "omit")]
    pub proxied: bool,
    /// Resolvers for old clients.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub nameservers: Vec<IpAddr>,
    /// Names that certificates may be had for.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub cert_domains: Vec<String>,
    /// Names that no node has.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub extra_records: Vec<DnsRecord>,
    /// Suffixes that an exit node does not resolve for others.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub exit_node_filtered_set: Vec<String>,
}

/// One resolver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Resolver {
    /// Address, address with port, or URL.
    #[serde(skip_serializing_if = "omit")]
    pub addr: String,
    /// Addresses of the URL's host.
    #[serde(deserialize_with = "go::nullable", skip_serializing_if = "omit")]
    pub bootstrap_resolution: Vec<IpAddr>,
    /// Keep it while an exit node is in use (from capability version 125).
    #[serde(skip_serializing_if = "omit")]
    pub use_with_exit_node: bool,
}

/// A name that no node has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DnsRecord {
    /// The name.
    pub name: String,
    /// `A`, `AAAA`, or empty.
    #[serde(skip_serializing_if = "omit")]
    pub r#type: String,
    /// The value.
    pub value: String,
}

/// Asks control to publish a record, to prove a name to a certificate authority (`POST /machine/set-dns`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SetDnsRequest {
    /// Capability version.
    pub version: u16,
    /// Who asks.
    #[serde(with = "go::key")]
    pub node_key: Option<NodePublic>,
    /// The name.
    pub name: String,
    /// `TXT`.
    pub r#type: String,
    /// The value.
    pub value: String,
}
