//! What one run found out.

use std::collections::BTreeMap;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use wattle_netmap::{NetFacts, RegionId};
use wattle_time::Instant;

/// What our network is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// When the run began.
    pub at: Instant,
    /// Whether any answer came over UDP.
    pub udp: bool,
    /// Whether one came over IPv4.
    pub ipv4: bool,
    /// Whether one came over IPv6.
    pub ipv6: bool,
    /// Whether different servers see us at different IPv4 addresses or ports (address-dependent mapping, RFC 4787 4.1);
    /// `None` when fewer than two answered.
    pub mapping_varies: Option<bool>,
    /// Our IPv4 address and port as the nearest server sees them.
    pub global_v4: Option<SocketAddrV4>,
    /// The same for IPv6.
    pub global_v6: Option<SocketAddrV6>,
    /// The home region chosen after this run.
    pub preferred_region: Option<RegionId>,
    /// The shortest time to an answer of each region.
    pub region_latencies: BTreeMap<RegionId, Duration>,
    /// Those over IPv4.
    pub region_v4_latencies: BTreeMap<RegionId, Duration>,
    /// Those over IPv6.
    pub region_v6_latencies: BTreeMap<RegionId, Duration>,
    /// Whether a captive portal answers in place of the internet; `None`: nobody asked.
    pub captive_portal: Option<bool>,
    /// What the router speaks.
    pub port_mapping: PortMapping,
    /// Where the router maps our port to.
    pub mapped: Option<SocketAddr>,
}

/// Which protocols for port mappings the router speaks; `None`: nobody asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortMapping {
    /// UPnP Internet Gateway Device.
    pub upnp: Option<bool>,
    /// NAT-PMP (RFC 6886).
    pub pmp: Option<bool>,
    /// PCP (RFC 6887).
    pub pcp: Option<bool>,
}

/// What is known of the router's mapping.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mapping {
    pub(crate) external: Option<SocketAddr>,
    pub(crate) protocols: PortMapping,
}

impl Mapping {
    pub(crate) fn describe(&self, report: &mut Report) {
        report.port_mapping = self.protocols;
        report.mapped = self.external;
    }
}

impl Report {
    /// The part that control is told.
    pub fn net_facts(&self) -> NetFacts {
        NetFacts {
            mapping_varies: self.mapping_varies,
            udp: Some(self.udp),
            ipv6: Some(self.ipv6),
            preferred_region: self.preferred_region,
        }
    }

    /// A server of the region answered after `latency` and saw us at `seen`.
    pub(crate) fn note_stun(&mut self, region: RegionId, latency: Duration, seen: SocketAddr) {
        self.udp = true;
        let nearest = self.by_family(seen).values().all(|known| latency < *known);
        match seen {
            SocketAddr::V4(seen) => {
                self.ipv4 = true;
                if nearest {
                    self.global_v4 = Some(seen);
                }
            }
            SocketAddr::V6(seen) => {
                self.ipv6 = true;
                if nearest {
                    self.global_v6 = Some(seen);
                }
            }
        }
        shorten(self.by_family(seen), region, latency);
        shorten(&mut self.region_latencies, region, latency);
    }

    /// A relay of the region answered over HTTPS.
    pub(crate) fn note_https(&mut self, region: RegionId, latency: Duration) {
        shorten(&mut self.region_latencies, region, latency);
    }

    fn by_family(&mut self, seen: SocketAddr) -> &mut BTreeMap<RegionId, Duration> {
        if seen.is_ipv4() { &mut self.region_v4_latencies } else { &mut self.region_v6_latencies }
    }
}

fn shorten(latencies: &mut BTreeMap<RegionId, Duration>, region: RegionId, latency: Duration) {
    let shortest = latencies.entry(region).or_insert(latency);
    *shortest = latency.min(*shortest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_server_says_where_we_are() {
        let mut report = Report::default();
        let [far, near] = ["192.0.2.1:1", "192.0.2.1:2"].map(|text| text.parse().unwrap());
        report.note_stun(RegionId(1), Duration::from_millis(50), far);
        report.note_stun(RegionId(2), Duration::from_millis(5), near);
        report.note_stun(RegionId(1), Duration::from_millis(60), far);
        assert_eq!(report.global_v4.map(SocketAddr::V4), Some(near));
        assert_eq!(report.region_latencies[&RegionId(1)], Duration::from_millis(50));
        assert!(report.udp && report.ipv4 && !report.ipv6);
    }
}
