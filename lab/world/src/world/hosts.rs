//! Hosts: what they have, where they are, and whether they run.

use std::net::{IpAddr, Ipv4Addr};

use super::sites::Owner;
use super::{Event, World};
use crate::host::{Host, HostId, Interface, InterfaceId, Power, is_link_local};
use crate::site::SiteId;
use crate::{Arrival, Blockade, Cargo, Direction};

/// Where a host sends from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) site: Option<SiteId>,
    pub(super) address: IpAddr,
}

impl World {
    /// A host with one address, inside a site or on the open internet. An unspecified address is none yet.
    pub fn add_host(&mut self, address: impl Into<IpAddr>, site: Option<SiteId>) -> HostId {
        let host = self.add_bare_host();
        self.place_host(host, address.into(), site);
        host
    }

    /// A host without interfaces.
    pub fn add_bare_host(&mut self) -> HostId {
        self.hosts.push(Host::new());
        HostId(self.hosts.len() - 1)
    }

    /// What the trace calls it.
    pub fn name_host(&mut self, host: HostId, name: &str) {
        self.trace.name(host, name);
    }

    /// The host's first IPv4 address; unspecified where it has none.
    pub fn address(&self, host: HostId) -> Ipv4Addr {
        self.hosts[host.0].first_v4().unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// The host's own addresses.
    pub fn addresses(&self, host: HostId) -> impl Iterator<Item = (InterfaceId, IpAddr)> {
        self.hosts[host.0].addresses()
    }

    /// The host gets an interface on a network.
    pub fn attach(&mut self, host: HostId, site: Option<SiteId>, addresses: &[IpAddr]) -> InterfaceId {
        let interface = self.hosts[host.0].attach(site, addresses.to_vec());
        addresses.iter().for_each(|address| self.claim(site, *address, Owner::Host(host, site)));
        self.network_changed(host, "gains an interface");
        interface
    }

    /// The host loses an interface.
    pub fn detach(&mut self, host: HostId, interface: InterfaceId) {
        self.take_addresses(host, interface);
        self.hosts[host.0].interfaces.retain(|known| known.id != interface);
        self.break_without_address(host);
        self.network_changed(host, "loses an interface");
    }

    /// An interface has other addresses now.
    pub fn readdress(&mut self, host: HostId, interface: InterfaceId, addresses: &[IpAddr]) {
        self.take_addresses(host, interface);
        let Some(known) = self.hosts[host.0].interfaces.iter_mut().find(|known| known.id == interface) else { return };
        let site = known.site;
        known.addresses = addresses.to_vec();
        addresses.iter().for_each(|address| self.claim(site, *address, Owner::Host(host, site)));
        self.break_without_address(host);
        self.network_changed(host, "gets other addresses");
    }

    /// The host sends by this interface where several would do.
    pub fn prefer(&mut self, host: HostId, interface: InterfaceId) {
        // False sorts first, and the others keep their order.
        self.hosts[host.0].interfaces.sort_by_key(|known| known.id != interface);
        self.network_changed(host, "prefers another interface");
    }

    /// The host moves to another network.
    pub fn roam(&mut self, host: HostId, address: impl Into<IpAddr>, site: Option<SiteId>) {
        let interfaces: Vec<InterfaceId> = self.hosts[host.0].interfaces.iter().map(|known| known.id).collect();
        interfaces.into_iter().for_each(|interface| self.take_addresses(host, interface));
        self.hosts[host.0].interfaces.clear();
        self.place_host(host, address.into(), site);
        self.break_without_address(host);
        self.network_changed(host, "roams");
    }

    /// Changes what the host's network drops, in both directions.
    pub fn set_blockade(&mut self, host: HostId, blockade: Blockade) {
        self.access_mut(host, Direction::Out).blockade = blockade;
        self.access_mut(host, Direction::In).blockade = blockade;
    }

    /// Whether a socket of the host would find a route.
    pub fn has_route(&self, host: HostId, to: IpAddr) -> bool {
        self.source(host, to).is_some()
    }

    /// Whether the host runs and does not sleep.
    pub fn is_awake(&self, host: HostId) -> bool {
        self.hosts[host.0].is_awake()
    }

    /// The host gets nothing and sends nothing until it wakes up.
    pub fn sleep(&mut self, host: HostId) {
        if self.is_awake(host) {
            self.hosts[host.0].power = Power::Asleep { since: self.now };
            self.trace.remark(self.now, host, "falls asleep");
        }
    }

    /// The host wakes up, and is told that its network may have changed.
    pub fn wake(&mut self, host: HostId) {
        if let Power::Asleep { since } = self.hosts[host.0].power {
            self.hosts[host.0].power = Power::Awake;
            self.notify(host, Cargo::Woke { slept: self.now.since(since) });
            self.network_changed(host, "wakes up");
        }
    }

    /// The host's program ends: its kernel closes all connections and refuses new ones.
    pub fn crash(&mut self, host: HostId) {
        self.trace.remark(self.now, host, "crashes");
        self.reset_connections(host);
        self.hosts[host.0].power = Power::Crashed;
    }

    /// The host is gone without a word.
    pub fn power_off(&mut self, host: HostId) {
        self.trace.remark(self.now, host, "loses power");
        self.drop_connections(host);
        self.hosts[host.0].power = Power::Off;
    }

    /// The host's program starts again; it listens on the ports that it did.
    pub fn start(&mut self, host: HostId) {
        self.hosts[host.0].power = Power::Awake;
        self.trace.remark(self.now, host, "starts");
    }

    /// The address to send from: one of the same network, else the first of the family.
    pub(super) fn source(&self, host: HostId, to: IpAddr) -> Option<Source> {
        let source =
            |interface: &Interface| interface.source_for(to).map(|address| Source { site: interface.site, address });
        let interfaces = &self.hosts[host.0].interfaces;
        if let [only] = interfaces.as_slice() {
            return source(only);
        }
        let is_neighbour = |site: Option<SiteId>| self.owner(site, to).is_some_and(|owner| self.place(owner) == site);
        let sources = interfaces.iter().filter_map(source);
        let mut near = sources.clone().filter(|source| is_neighbour(source.site));
        let mut routable = sources.filter(|source| !is_link_local(source.address));
        near.next().or_else(|| routable.next())
    }

    pub(super) fn notify(&mut self, host: HostId, cargo: Cargo) {
        self.queue.push(self.now, Event::Arrival(Arrival { host, cargo }));
    }

    fn network_changed(&mut self, host: HostId, remark: &'static str) {
        self.trace.remark(self.now, host, remark);
        self.notify(host, Cargo::NetworkChanged);
    }

    fn place_host(&mut self, host: HostId, address: IpAddr, site: Option<SiteId>) {
        if !address.is_unspecified() {
            self.hosts[host.0].attach(site, vec![address]);
            self.claim(site, address, Owner::Host(host, site));
        }
    }

    fn take_addresses(&mut self, host: HostId, interface: InterfaceId) {
        let Some(known) = self.hosts[host.0].interfaces.iter_mut().find(|known| known.id == interface) else { return };
        let site = known.site;
        for address in std::mem::take(&mut known.addresses) {
            self.release(site, address, Owner::Host(host, site));
        }
    }
}
