//! Where peers may reach us: what STUN servers saw, and the addresses of our interfaces.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use wattle_netmap::{Endpoint, EndpointKind, is_tailnet_address};
use wattle_time::Instant;

use crate::Report;
use crate::limits::{LOCAL_ADDRESSES_MAX, RECENT_PER_FAMILY_MAX};
use crate::timing::RECENT;

/// What the host says about its network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalNetwork {
    /// Addresses of its interfaces, apart from the overlay's.
    pub addresses: Vec<IpAddr>,
    /// Local port of the IPv4 data socket.
    pub port_v4: u16,
    /// Local port of the IPv6 data socket, if there is one.
    pub port_v6: Option<u16>,
}

impl LocalNetwork {
    /// Whether it has addresses of each family that lead anywhere, IPv4 first.
    pub fn families(&self) -> (bool, bool) {
        let useful = |address: &&IpAddr| !address.is_unspecified() && !address.is_loopback();
        (self.addresses.iter().filter(useful).any(IpAddr::is_ipv4), self.has_ipv6())
    }

    /// Whether an IPv6 server may be reachable.
    pub(crate) fn has_ipv6(&self) -> bool {
        let routable = |address: &IpAddr| matches!(address, IpAddr::V6(ip) if !ip.is_unicast_link_local());
        self.port_v6.is_some() && self.addresses.iter().any(routable)
    }

    fn endpoints(&self) -> impl Iterator<Item = SocketAddr> {
        let usable = |address: &IpAddr| {
            let link_local = matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local());
            !address.is_loopback() && !address.is_unspecified() && !link_local && !is_tailnet_address(*address)
        };
        self.addresses
            .iter()
            .map(IpAddr::to_canonical)
            .filter(usable)
            .filter_map(|address| {
                let port = if address.is_ipv4() { Some(self.port_v4) } else { self.port_v6 };
                port.map(|port| SocketAddr::new(address, port))
            })
            .take(LOCAL_ADDRESSES_MAX)
    }
}

/// Reflexive endpoints of the last minutes. A mapping seen a while ago often still works, and peers that use it would
/// be told that it is gone.
#[derive(Debug, Default)]
pub(crate) struct Recent(BTreeMap<SocketAddr, Instant>);

impl Recent {
    pub(crate) fn note(&mut self, endpoint: SocketAddr, now: Instant) {
        self.0.insert(endpoint, now);
        self.0.retain(|_, seen| now.since(*seen) <= RECENT);
        let same_family = |other: &SocketAddr| other.is_ipv4() == endpoint.is_ipv4();
        while self.0.keys().filter(|other| same_family(other)).count() > RECENT_PER_FAMILY_MAX {
            let oldest = self.0.iter().filter(|(other, _)| same_family(other)).min_by_key(|(_, seen)| **seen);
            let Some(oldest) = oldest.map(|(other, _)| *other) else { return };
            self.0.remove(&oldest);
        }
    }

    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    fn alive(&self, now: Instant) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().filter(move |(_, seen)| now.since(**seen) <= RECENT).map(|(endpoint, _)| *endpoint)
    }
}

/// Our endpoints, best guess first. `seen` has how often each reflexive address was seen in the last run.
pub(crate) fn gather(
    local: &LocalNetwork,
    report: &Report,
    mapped: Option<SocketAddr>,
    seen: &BTreeMap<SocketAddr, u32>,
    recent: &Recent,
    now: Instant,
) -> Vec<Endpoint> {
    let mut list = List(Vec::new());
    list.extend(EndpointKind::PortMapped, mapped);
    let best = [report.global_v4.map(SocketAddr::V4), report.global_v6.map(SocketAddr::V6)];
    list.extend(EndpointKind::Stun, best.into_iter().flatten());
    list.extend(EndpointKind::Stun, seen.iter().filter(|(_, count)| **count > 1).map(|(address, _)| *address));
    if report.mapping_varies == Some(true)
        && let Some(global) = report.global_v4
    {
        // No mapping will fit the peer; but the router may forward our port by hand.
        list.extend(EndpointKind::StunLocalPort, [SocketAddr::new((*global.ip()).into(), local.port_v4)]);
    }
    list.extend(EndpointKind::Stun, recent.alive(now));
    list.extend(EndpointKind::Local, local.endpoints());
    if list.0.is_empty() && local.port_v4 != 0 {
        list.extend(EndpointKind::Local, [SocketAddr::from((Ipv4Addr::LOCALHOST, local.port_v4))]);
    }
    list.0
}

struct List(Vec<Endpoint>);

impl List {
    fn extend(&mut self, kind: EndpointKind, addresses: impl IntoIterator<Item = SocketAddr>) {
        for address in addresses {
            if !is_tailnet_address(address.ip()) && !self.0.iter().any(|known| known.address == address) {
                self.0.push(Endpoint { address, kind });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn local(addresses: &[&str]) -> LocalNetwork {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        LocalNetwork { addresses, port_v4: 41641, port_v6: Some(41642) }
    }

    fn texts(endpoints: &[Endpoint]) -> Vec<String> {
        endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect()
    }

    #[test]
    fn a_mapping_of_the_router_comes_first() {
        let mapped = Some("192.0.2.7:7000".parse().unwrap());
        let none = BTreeMap::new();
        let endpoints =
            gather(&local(&["192.168.1.5"]), &Report::default(), mapped, &none, &Recent::default(), Instant::ORIGIN);
        assert_eq!(texts(&endpoints), ["192.0.2.7:7000", "192.168.1.5:41641"]);
        assert_eq!(endpoints[0].kind, EndpointKind::PortMapped);
    }

    #[test]
    fn reflexive_addresses_come_before_local_ones_and_overlay_ones_never() {
        let local = local(&["100.64.0.9", "192.168.1.5", "fe80::1", "2001:db8::5", "127.0.0.1"]);
        let report = Report { global_v4: Some("192.0.2.7:4000".parse().unwrap()), ..Report::default() };
        let endpoints = gather(&local, &report, None, &BTreeMap::new(), &Recent::default(), Instant::ORIGIN);
        assert_eq!(texts(&endpoints), ["192.0.2.7:4000", "192.168.1.5:41641", "[2001:db8::5]:41642"]);
        assert_eq!(endpoints[0].kind, EndpointKind::Stun);
        assert_eq!(endpoints[1].kind, EndpointKind::Local);
    }

    #[test]
    fn a_varying_mapping_adds_the_local_port_as_a_guess() {
        let global_v4 = Some("192.0.2.7:4000".parse().unwrap());
        let report = Report { global_v4, mapping_varies: Some(true), ..Report::default() };
        let endpoints = gather(&local(&[]), &report, None, &BTreeMap::new(), &Recent::default(), Instant::ORIGIN);
        assert_eq!(texts(&endpoints), ["192.0.2.7:4000", "192.0.2.7:41641"]);
        assert_eq!(endpoints[1].kind, EndpointKind::StunLocalPort);
    }

    #[test]
    fn loopback_is_told_only_when_there_is_nothing_else() {
        let endpoints = gather(
            &local(&["127.0.0.1"]),
            &Report::default(),
            None,
            &BTreeMap::new(),
            &Recent::default(),
            Instant::ORIGIN,
        );
        assert_eq!(texts(&endpoints), ["127.0.0.1:41641"]);
    }

    #[test]
    fn recent_endpoints_are_few_and_end() {
        let mut recent = Recent::default();
        for port in 1..=20u16 {
            recent
                .note(SocketAddr::from(([192, 0, 2, 1], port)), Instant::ORIGIN + Duration::from_secs(u64::from(port)));
        }
        let alive = |seconds| recent.alive(Instant::ORIGIN + Duration::from_secs(seconds)).count();
        assert_eq!((alive(20), alive(400)), (RECENT_PER_FAMILY_MAX, 0));
    }
}
