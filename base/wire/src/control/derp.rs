//! The relays, as control sends them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::go::{self, omit};

/// All relay regions. In a delta, no `regions` and no `home_params` mean that the former ones stay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DerpMap {
    /// How home regions are weighed.
    #[serde(skip_serializing_if = "omit")]
    pub home_params: Option<DerpHomeParams>,
    /// Regions by number. A null region is none.
    pub regions: Option<BTreeMap<i64, Option<DerpRegion>>>,
    /// Use these regions only.
    #[serde(rename = "omitDefaultRegions", skip_serializing_if = "omit")]
    pub omit_default_regions: bool,
}

/// How home regions are weighed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DerpHomeParams {
    /// Factor on a region's latency; missing means 1.
    #[serde(skip_serializing_if = "omit")]
    pub region_score: Option<BTreeMap<i64, f64>>,
}

/// Relays near each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DerpRegion {
    /// The number.
    #[serde(rename = "RegionID")]
    pub region_id: i64,
    /// A short code.
    pub region_code: String,
    /// A name for people.
    pub region_name: String,
    /// Degrees north.
    #[serde(skip_serializing_if = "omit")]
    pub latitude: f64,
    /// Degrees east.
    #[serde(skip_serializing_if = "omit")]
    pub longitude: f64,
    /// Use it only when told to.
    #[serde(skip_serializing_if = "omit")]
    pub avoid: bool,
    /// Neither measure it nor make it a home (from capability version 115).
    #[serde(skip_serializing_if = "omit")]
    pub no_measure_no_home: bool,
    /// Its relays.
    #[serde(deserialize_with = "go::nullable")]
    pub nodes: Vec<DerpNode>,
}

/// One relay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DerpNode {
    /// Unique over all regions.
    pub name: String,
    /// Its region.
    #[serde(rename = "RegionID")]
    pub region_id: i64,
    /// Host name.
    pub host_name: String,
    /// Name in its certificate, or `sha256-raw:` and the hash that pins it.
    #[serde(skip_serializing_if = "omit")]
    pub cert_name: String,
    /// Address; empty: look the name up; `none` (or any other text): not over IPv4.
    #[serde(rename = "IPv4", skip_serializing_if = "omit")]
    pub ipv4: String,
    /// The same for IPv6.
    #[serde(rename = "IPv6", skip_serializing_if = "omit")]
    pub ipv6: String,
    /// STUN port; 0 means 3478, negative means no STUN.
    #[serde(rename = "STUNPort", skip_serializing_if = "omit")]
    pub stun_port: i64,
    /// Serves no relay.
    #[serde(rename = "STUNOnly", skip_serializing_if = "omit")]
    pub stun_only: bool,
    /// Relay port; 0 means 443.
    #[serde(rename = "DERPPort", skip_serializing_if = "omit")]
    pub derp_port: i64,
    /// Do not verify its certificate.
    #[serde(skip_serializing_if = "omit")]
    pub insecure_for_tests: bool,
    /// Where STUN goes instead, in tests.
    #[serde(rename = "STUNTestIP", skip_serializing_if = "omit")]
    pub stun_test_ip: String,
    /// Also answers plain HTTP on port 80.
    #[serde(rename = "CanPort80", skip_serializing_if = "omit")]
    pub can_port_80: bool,
}
