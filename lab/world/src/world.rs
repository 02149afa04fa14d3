//! Hosts, sites and the datagrams between them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_time::Instant;

use crate::{Behaviour, Blockade, Conditions, Fate, Nat, Trace};

/// A whole internet.
#[derive(Debug)]
pub struct World {
    now: Instant,
    rng: ChaCha20Rng,
    /// The weather; may be changed at any time.
    pub conditions: Conditions,
    sites: Vec<Nat>,
    hosts: Vec<Host>,
    arrivals: BTreeMap<(Instant, u64), Arrival>,
    sequence: u64,
    trace: Trace,
}

/// Names a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(usize);

/// Names a network behind a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiteId(usize);

#[derive(Debug)]
struct Host {
    address: Ipv4Addr,
    site: Option<SiteId>,
    blockade: Blockade,
}

/// Something reached a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which host.
    pub host: HostId,
    /// What.
    pub cargo: Cargo,
}

/// What can reach a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cargo {
    /// A datagram.
    Datagram {
        /// The source as the receiver sees it.
        from: SocketAddr,
        /// The local port.
        port: u16,
        /// The payload.
        bytes: Vec<u8>,
    },
    /// A message over a reliable connection.
    Message {
        /// Who sent it.
        from: HostId,
        /// The payload.
        bytes: Vec<u8>,
    },
}

impl World {
    /// An empty world.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            now: Instant::ORIGIN + Duration::from_secs(1000),
            rng: ChaCha20Rng::from_seed(seed),
            conditions: Conditions::default(),
            sites: Vec::new(),
            hosts: Vec::new(),
            arrivals: BTreeMap::new(),
            sequence: 0,
            trace: Trace::default(),
        }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Fresh random bytes, for the seeds of machines.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    /// What happened so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// A network behind a NAT.
    pub fn add_site(&mut self, outside: Ipv4Addr, behaviour: Behaviour) -> SiteId {
        self.sites.push(Nat::new(outside, behaviour));
        SiteId(self.sites.len() - 1)
    }

    /// A host, inside a site or on the open internet.
    pub fn add_host(&mut self, address: Ipv4Addr, site: Option<SiteId>) -> HostId {
        self.hosts.push(Host { address, site, blockade: Blockade::None });
        HostId(self.hosts.len() - 1)
    }

    /// The host's own address.
    pub fn address(&self, host: HostId) -> Ipv4Addr {
        self.hosts[host.0].address
    }

    /// The host moves to another network.
    pub fn roam(&mut self, host: HostId, address: Ipv4Addr, site: Option<SiteId>) {
        self.hosts[host.0].address = address;
        self.hosts[host.0].site = site;
    }

    /// Changes what the host's network drops.
    pub fn set_blockade(&mut self, host: HostId, blockade: Blockade) {
        self.hosts[host.0].blockade = blockade;
    }

    /// Every NAT restarts and forgets its mappings.
    pub fn restart_nats(&mut self) {
        self.sites.iter_mut().for_each(Nat::restart);
    }

    /// Sends a datagram.
    pub fn send(&mut self, host: HostId, port: u16, to: SocketAddr, bytes: Vec<u8>) {
        let from = SocketAddr::from((self.hosts[host.0].address, port));
        let fate = self.carry(host, from, to, &bytes);
        self.trace.note(self.now, from, to, &bytes, fate);
    }

    /// Sends a message over a reliable connection: no NAT and no loss, only time.
    pub fn send_message(&mut self, from: HostId, to: HostId, bytes: Vec<u8>) {
        let latency = self.latency(from, to);
        self.arrive(latency, Arrival { host: to, cargo: Cargo::Message { from, bytes } });
    }

    /// Moves the clock to the next arrival, at most up to `until`, and takes it out.
    pub fn next_arrival(&mut self, until: Instant) -> Option<Arrival> {
        let entry = self.arrivals.first_entry().filter(|entry| entry.key().0 <= until);
        let Some(entry) = entry else {
            self.now = self.now.max(until);
            return None;
        };
        let ((at, _), arrival) = entry.remove_entry();
        self.now = self.now.max(at);
        Some(arrival)
    }

    fn carry(&mut self, host: HostId, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Fate {
        let sender = &self.hosts[host.0];
        if sender.blockade.drops(bytes) {
            return Fate::Blocked;
        }
        let site = sender.site;
        let (target, seen_from) = match self.find(to.ip(), site) {
            Some(neighbour) => (Some((neighbour, to.port())), from),
            None => {
                let seen_from = match site {
                    Some(site) => self.sites[site.0].outbound(from, to, self.now),
                    None => from,
                };
                (self.enter(seen_from, to, site), seen_from)
            }
        };
        let Some((target, port)) = target else {
            let is_known = self.sites.iter().any(|nat| IpAddr::V4(nat.outside()) == to.ip());
            return if is_known { Fate::Filtered } else { Fate::NoHost };
        };
        if self.hosts[target.0].blockade.drops(bytes) {
            return Fate::Blocked;
        }
        let inside = site.is_some() && self.hosts[target.0].site == site;
        if !inside && self.rng.next_u32() % 1000 < self.conditions.lost_per_thousand {
            return Fate::Lost;
        }
        let latency = self.latency(host, target);
        let cargo = Cargo::Datagram { from: seen_from, port, bytes: bytes.to_vec() };
        self.arrive(latency, Arrival { host: target, cargo });
        Fate::Delivered
    }

    /// Who gets a datagram that is on the open internet.
    fn enter(&self, from: SocketAddr, to: SocketAddr, sender_site: Option<SiteId>) -> Option<(HostId, u16)> {
        if let Some(host) = self.find(to.ip(), None) {
            return Some((host, to.port()));
        }
        let index = self.sites.iter().position(|nat| IpAddr::V4(nat.outside()) == to.ip())?;
        let nat = &self.sites[index];
        if sender_site == Some(SiteId(index)) && !nat.behaviour().hairpinning {
            return None;
        }
        let inside = nat.inbound(from, to.port(), self.now)?;
        Some((self.find(inside.ip(), Some(SiteId(index)))?, inside.port()))
    }

    fn find(&self, address: IpAddr, site: Option<SiteId>) -> Option<HostId> {
        self.hosts.iter().position(|host| IpAddr::V4(host.address) == address && host.site == site).map(HostId)
    }

    fn latency(&self, a: HostId, b: HostId) -> Duration {
        let site = |host: HostId| self.hosts[host.0].site;
        if site(a).is_some() && site(a) == site(b) {
            return self.conditions.latency_inside;
        }
        // Any fixed function of the pair will do.
        let share = (a.0.min(b.0) * 31 + a.0.max(b.0) * 17) % 8;
        self.conditions.latency + self.conditions.spread * u32::try_from(share).unwrap_or_default() / 8
    }

    fn arrive(&mut self, after: Duration, arrival: Arrival) {
        self.sequence += 1;
        self.arrivals.insert((self.now + after, self.sequence), arrival);
    }
}
