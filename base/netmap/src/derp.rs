//! The relays a node may use, by region.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Numbers a relay region. In the address space of paths, region 7 is `127.3.3.40:7`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(pub u16);

/// All relay regions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DerpMap {
    /// The regions by number.
    pub regions: BTreeMap<RegionId, DerpRegion>,
    /// Factors that control multiplies latencies with when a home region is chosen; missing means 1.
    pub region_scores: BTreeMap<RegionId, Score>,
}

/// A latency factor in thousandths, so that maps can be compared exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score {
    /// 1000 leaves latencies as they are; 500 makes the region look twice as near.
    pub thousandths: u32,
}

/// Relays near each other: a node is at home in a region, and any relay of it reaches the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DerpRegion {
    /// The number.
    pub id: RegionId,
    /// A short code, such as `fra`.
    pub code: String,
    /// A name for people.
    pub name: String,
    /// Use it only when told to, not as a home.
    pub avoid: bool,
    /// Neither measure it nor make it a home.
    pub no_measure_no_home: bool,
    /// Its relays, preferred first.
    pub nodes: Vec<DerpNode>,
}

/// One relay server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DerpNode {
    /// Unique over all regions, such as `7a`.
    pub name: String,
    /// The region it serves.
    pub region: RegionId,
    /// Host name for TLS and for dialling when no address is given.
    pub host_name: String,
    /// Another name for its certificate, or `sha256-raw:` and the hash that pins it.
    pub cert_name: String,
    /// Address to dial instead of looking the name up. `None`: look up; `Some(None)`: not reachable over IPv4.
    pub ipv4: Option<Option<IpAddr>>,
    /// The same for IPv6.
    pub ipv6: Option<Option<IpAddr>>,
    /// STUN port; `None` means it serves no STUN. 3478 unless the map says otherwise.
    pub stun_port: Option<u16>,
    /// Serves STUN only, no relay.
    pub stun_only: bool,
    /// Port of the relay; 443 unless the map says otherwise.
    pub derp_port: u16,
    /// Do not verify its certificate. Only tests set it.
    pub insecure_for_tests: bool,
    /// Also answers plain HTTP on port 80, for captive portal detection.
    pub can_port_80: bool,
}
