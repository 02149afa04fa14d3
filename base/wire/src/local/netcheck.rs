//! What the node measured of its network.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use serde::{Deserialize, Serialize};
use wattle_time::UnixTime;

use crate::go;

/// The measurements. Latencies are nanoseconds by region number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetcheckReport {
    /// When.
    #[serde(with = "go::time")]
    pub now: Option<UnixTime>,
    /// Whether UDP works.
    #[serde(rename = "UDP")]
    pub udp: bool,
    /// Whether IPv4 works.
    #[serde(rename = "IPv4")]
    pub ipv4: bool,
    /// Whether IPv6 works.
    #[serde(rename = "IPv6")]
    pub ipv6: bool,
    /// Whether the NAT maps differently per destination; null: unknown.
    #[serde(rename = "MappingVariesByDestIP")]
    pub mapping_varies_by_dest_ip: Option<bool>,
    /// Whether the router opens ports by UPnP; null: unknown.
    #[serde(rename = "UPnP")]
    pub upnp: Option<bool>,
    /// The same by NAT-PMP.
    #[serde(rename = "PMP")]
    pub pmp: Option<bool>,
    /// The same by PCP.
    #[serde(rename = "PCP")]
    pub pcp: Option<bool>,
    /// The address that the router has opened for us. Official programs do not know it.
    #[serde(with = "go::address", skip_serializing_if = "Option::is_none")]
    pub port_mapping: Option<SocketAddr>,
    /// Whether a captive portal answers in place of the internet; null: unknown.
    pub captive_portal: Option<bool>,
    /// Home region; 0: none.
    #[serde(rename = "PreferredDERP")]
    pub preferred_derp: i64,
    /// Best latency of a region.
    #[serde(deserialize_with = "go::nullable")]
    pub region_latency: BTreeMap<i64, i64>,
    /// Over IPv4.
    #[serde(rename = "RegionV4Latency", deserialize_with = "go::nullable")]
    pub region_v4_latency: BTreeMap<i64, i64>,
    /// Over IPv6.
    #[serde(rename = "RegionV6Latency", deserialize_with = "go::nullable")]
    pub region_v6_latency: BTreeMap<i64, i64>,
    /// Our address as STUN servers see it.
    #[serde(rename = "GlobalV4", with = "go::address")]
    pub global_v4: Option<SocketAddrV4>,
    /// The same over IPv6.
    #[serde(rename = "GlobalV6", with = "go::address")]
    pub global_v6: Option<SocketAddrV6>,
}
