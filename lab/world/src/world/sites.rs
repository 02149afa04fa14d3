//! Networks, who has which address in them, and mappings that hosts ask gateways for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Event, World};
use crate::host::{HostId, is_link_local};
use crate::limits::DEPTH;
use crate::nat::{Behaviour, Mapped};
use crate::site::{Firewall, Gateway, PortMapping, Site, SiteId};
use crate::{Arrival, Cargo, Direction};

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A host, on a network.
    Host(HostId, Option<SiteId>),
    /// A gateway, on the network around it.
    Nat(SiteId),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct MappingRequest {
    host: HostId,
    inside: SocketAddr,
    wanted: u16,
    lifetime: Duration,
}

impl World {
    /// A network behind a NAT on the open internet, without IPv6.
    pub fn add_site(&mut self, outside: Ipv4Addr, behaviour: Behaviour) -> SiteId {
        self.add_network(Gateway::nat(outside, behaviour))
    }

    /// A network inside another.
    ///
    /// # Panics
    ///
    /// When the networks are nested deeper than any that was ever seen.
    pub fn add_network(&mut self, gateway: Gateway) -> SiteId {
        let id = SiteId(self.sites.len());
        let depth = std::iter::successors(gateway.parent, |site| self.sites[site.0].parent).count();
        assert!(depth < DEPTH, "networks nested {DEPTH} deep");
        let around = gateway.parent.map(|parent| &self.sites[parent.0]);
        self.sites.push(Site::new(id, gateway, around, self.now));
        self.claim_outside(id);
        id
    }

    /// The gateway lets other things pass.
    pub fn set_firewall(&mut self, site: SiteId, firewall: Firewall) {
        self.sites[site.0].firewall = firewall;
    }

    /// Both directions of what joins a site to the network around it. Without it, neighbours still talk.
    pub fn set_uplink_up(&mut self, site: SiteId, up: bool) {
        self.uplink_mut(site, Direction::Out).up = up;
        self.uplink_mut(site, Direction::In).up = up;
    }

    /// The gateway restarts and forgets its mappings.
    pub fn restart_nat(&mut self, site: SiteId) {
        self.sites[site.0].restart(self.now);
    }

    /// Every gateway restarts.
    pub fn restart_nats(&mut self) {
        let now = self.now;
        self.sites.iter_mut().for_each(|site| site.restart(now));
    }

    /// All mappings get other outside ports.
    pub fn rebind_ports(&mut self, site: SiteId) {
        let site = &mut self.sites[site.0];
        site.upheavals += 1;
        if let Some(nat) = &mut site.nat {
            nat.rebind(&mut self.rng);
        }
    }

    /// The gateway gets another outside address, which ends all mappings.
    pub fn move_nat(&mut self, site: SiteId, outside: Ipv4Addr) {
        let around = self.around(site);
        let moved = &mut self.sites[site.0];
        moved.upheavals += 1;
        let Some(nat) = &mut moved.nat else { return };
        for address in nat.outside() {
            let key = (around, IpAddr::V4(*address));
            if self.owners.get(&key) == Some(&Owner::Nat(site)) {
                self.owners.remove(&key);
            }
        }
        nat.move_to(outside, self.now);
        self.claim_outside(site);
    }

    /// The first outside address of a site's NAT.
    pub fn outside(&self, site: SiteId) -> Option<Ipv4Addr> {
        self.sites[site.0].nat.as_ref()?.outside().first().copied()
    }

    /// What the gateway answers to those who ask for mappings.
    pub fn set_port_mapping(&mut self, site: SiteId, port_mapping: PortMapping) {
        self.sites[site.0].port_mapping = port_mapping;
    }

    /// Asks the gateway for a mapping of an inside port, to renew it, or with no lifetime to take it back. `wanted` is
    /// the outside port; zero leaves the choice to the gateway.
    pub fn request_mapping(&mut self, host: HostId, inside_port: u16, wanted: u16, lifetime: Duration) {
        let Some(address) = self.hosts[host.0].first_v4() else { return };
        let inside = SocketAddr::new(address.into(), inside_port);
        let request = MappingRequest { host, inside, wanted, lifetime };
        self.queue.push(self.now + self.conditions.latency_inside, Event::MappingRequest(request));
    }

    pub(super) fn answer(&mut self, request: MappingRequest) -> Option<Arrival> {
        let MappingRequest { host, inside, wanted, lifetime } = request;
        let site = &mut self.sites[self.hosts[host.0].site_of(inside.ip())??.0];
        let nat = site.nat.as_mut()?;
        let answer = match site.port_mapping {
            PortMapping::Off => return None,
            PortMapping::On => nat.request(inside, wanted, lifetime, self.now, &mut self.rng),
            PortMapping::Refusing => Err(crate::MappingRefused),
            PortMapping::Lying(address) => {
                let granted = nat.request(inside, wanted, lifetime, self.now, &mut self.rng);
                granted
                    .map(|mapped| Mapped { outside: SocketAddr::new(address.into(), mapped.outside.port()), ..mapped })
            }
        };
        let cargo = Cargo::MappingAnswer { port: inside.port(), answer };
        self.queue.push(self.now + self.conditions.latency_inside, Event::Arrival(Arrival { host, cargo }));
        None
    }

    /// Who is at an address, as a host sees it: through NATs, whether they would let its datagrams in or not. Nothing is
    /// changed by asking.
    pub fn recipient(&self, host: HostId, mut to: SocketAddr) -> Option<HostId> {
        let mut at = self.source(host, to.ip())?.site;
        loop {
            match self.owner(at, to.ip()) {
                Some(Owner::Host(host, _)) => return Some(host),
                Some(Owner::Nat(site)) => {
                    to = self.sites[site.0].nat.as_ref()?.behind(to, self.now)?;
                    at = Some(site);
                }
                // Not known in this realm: perhaps around it.
                None => {
                    let edge = self.realm(at, to.ip()).filter(|_| !is_link_local(to.ip()))?;
                    at = self.sites[edge.0].parent;
                }
            }
        }
    }

    /// In which network an address is meant, by one who stands on a network.
    pub(super) fn realm(&self, at: Option<SiteId>, address: IpAddr) -> Option<SiteId> {
        at.and_then(|site| self.sites[site.0].realm(site, address))
    }

    pub(super) fn owner(&self, at: Option<SiteId>, address: IpAddr) -> Option<Owner> {
        self.owners.get(&(self.realm(at, address), address)).copied()
    }

    /// The network on which the owner of an address stands.
    pub(super) fn place(&self, owner: Owner) -> Option<SiteId> {
        match owner {
            Owner::Host(_, site) => site,
            Owner::Nat(site) => self.sites[site.0].parent,
        }
    }

    /// Whether a network is another, or holds it.
    pub(super) fn encloses(&self, outer: Option<SiteId>, inner: Option<SiteId>) -> bool {
        let Some(outer) = outer else { return true };
        std::iter::successors(inner, |site| self.sites[site.0].parent).any(|site| site == outer)
    }

    /// The gateway by which one comes from a network to another that lies inside it.
    pub(super) fn gate(&self, at: Option<SiteId>, inner: Option<SiteId>) -> Option<SiteId> {
        std::iter::successors(inner, |site| self.sites[site.0].parent).find(|site| self.sites[site.0].parent == at)
    }

    pub(super) fn claim(&mut self, at: Option<SiteId>, address: IpAddr, owner: Owner) {
        if !address.is_unspecified() {
            self.owners.insert((self.realm(at, address), address), owner);
        }
    }

    pub(super) fn release(&mut self, at: Option<SiteId>, address: IpAddr, owner: Owner) {
        let key = (self.realm(at, address), address);
        // Another may have taken it since.
        if self.owners.get(&key) == Some(&owner) {
            self.owners.remove(&key);
        }
    }

    fn claim_outside(&mut self, site: SiteId) {
        let parent = self.sites[site.0].parent;
        let outside = self.sites[site.0].nat.as_ref().map_or_else(Vec::new, |nat| nat.outside().to_vec());
        outside.into_iter().for_each(|address| self.claim(parent, address.into(), Owner::Nat(site)));
    }

    /// The realm of a NAT's outside addresses.
    fn around(&self, site: SiteId) -> Option<SiteId> {
        let parent = self.sites[site.0].parent;
        parent.and_then(|parent| self.sites[parent.0].realm_v4)
    }
}
