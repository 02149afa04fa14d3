//! Hosts, networks and the clock. What happens between them stands in the files below.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_time::Instant;

use crate::conditions::Link;
use crate::host::{Host, HostId};
use crate::queue::Queue;
use crate::site::{Site, SiteId};
use crate::{Arrival, Conditions, Direction, Trace};

mod carry;
mod connections;
mod hosts;
mod sites;

pub use connections::{ConnectionId, WriteError};

use carry::Flight;
use connections::{Connection, Step};
use sites::{MappingRequest, Owner};

/// A whole internet.
#[derive(Debug)]
pub struct World {
    now: Instant,
    rng: ChaCha20Rng,
    /// The weather; may be changed at any time.
    pub conditions: Conditions,
    sites: Vec<Site>,
    hosts: Vec<Host>,
    /// Who has an address, in each network whose addresses mean something of their own.
    owners: BTreeMap<(Option<SiteId>, IpAddr), Owner>,
    pairs: BTreeMap<(HostId, HostId), Link>,
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    queue: Queue<Event>,
    trace: Trace,
}

/// What will happen.
#[derive(Debug)]
enum Event {
    Flight(Box<Flight>),
    Arrival(Arrival),
    Connection(Step),
    MappingRequest(MappingRequest),
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
            owners: BTreeMap::new(),
            pairs: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            queue: Queue::new(),
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

    /// Keeps so many lines of the trace, from now on.
    pub fn keep(&mut self, lines: usize) {
        self.trace.keep(lines);
    }

    /// One direction of the way between two hosts, wherever they are.
    pub fn pair_mut(&mut self, from: HostId, to: HostId) -> &mut Link {
        self.pairs.entry((from, to)).or_default()
    }

    /// All ways between two hosts are as good as their links again.
    pub fn clear_pairs(&mut self) {
        self.pairs.clear();
    }

    /// One direction of a host's own link.
    pub fn access_mut(&mut self, host: HostId, direction: Direction) -> &mut Link {
        self.hosts[host.0].access_mut(direction)
    }

    /// One direction of what joins a site to the network around it.
    pub fn uplink_mut(&mut self, site: SiteId, direction: Direction) -> &mut Link {
        self.sites[site.0].uplink_mut(direction)
    }

    /// Sends a datagram from the address that fits the destination: one of the same network, else the first of the
    /// family.
    pub fn send(&mut self, host: HostId, port: u16, to: SocketAddr, bytes: Vec<u8>) {
        let unspecified = match to {
            SocketAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        let source = self.source(host, to.ip());
        let from = SocketAddr::new(source.map_or(unspecified, |source| source.address), port);
        self.launch(host, source.map(|source| source.site), [from, to], bytes);
    }

    /// Sends a datagram from one of the host's addresses.
    pub fn send_from(&mut self, host: HostId, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let site = self.hosts[host.0].site_of(from.ip());
        self.launch(host, site, [from, to], bytes);
    }

    /// When the next thing happens. It may be nothing that reaches a host.
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    /// Moves the clock to the next arrival, at most up to `until`, and takes it out.
    pub fn next_arrival(&mut self, until: Instant) -> Option<Arrival> {
        while self.queue.next_at().is_some_and(|at| at <= until) {
            let Some((at, event)) = self.queue.pop() else { break };
            self.now = self.now.max(at);
            let arrival = match event {
                Event::Flight(flight) => self.land(flight),
                Event::Arrival(arrival) => self.hosts[arrival.host.0].is_awake().then_some(arrival),
                Event::Connection(step) => self.step(step),
                Event::MappingRequest(request) => self.answer(request),
            };
            if arrival.is_some() {
                return arrival;
            }
        }
        self.now = self.now.max(until);
        None
    }

    /// The latency of the open internet between two places.
    fn distance(&self, a: usize, b: usize) -> Duration {
        // Any fixed function of the pair will do.
        let share = (a.min(b) * 31 + a.max(b) * 17) % 8;
        self.conditions.latency + self.conditions.spread * u32::try_from(share).unwrap_or_default() / 8
    }
}

/// Numbers a host's place on the internet.
const fn host_anchor(host: HostId) -> usize {
    host.0 * 2
}

/// Numbers a site's place on the internet.
const fn site_anchor(site: SiteId) -> usize {
    site.0 * 2 + 1
}
