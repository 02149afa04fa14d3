//! One node: its machines, and what the data path would remember.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wattle_keys::{DiscoPrivate, NodePublic};
use wattle_netcheck::{LocalNetwork, Netcheck};
use wattle_netmap::RegionId;
use wattle_path::{Config, Out, Paths, PeerFacts, Route, Way};
use wattle_time::{Deadline, Instant, earliest};
use wattle_world::{HostId, World};

/// UDP port of every node.
pub(crate) const PORT: u16 = 41641;

/// How often the data path tells the slow half of traffic.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct Node {
    pub(crate) key: NodePublic,
    pub(crate) host: HostId,
    pub(crate) paths: Paths,
    pub(crate) netcheck: Netcheck,
    pub(crate) path_out: Out,
    pub(crate) check_out: wattle_netcheck::Out,
    /// The routes that were published to the data path.
    pub(crate) routes: BTreeMap<NodePublic, Route>,
    /// Relays that it has a connection to.
    pub(crate) connected: BTreeSet<RegionId>,
    noted_outbound: BTreeMap<NodePublic, Instant>,
    noted_inbound: BTreeMap<(NodePublic, Way), Instant>,
    pub(crate) sent_at: BTreeMap<NodePublic, Instant>,
}

impl Node {
    pub(crate) fn new(key: NodePublic, host: HostId, world: &mut World) -> Self {
        Self {
            key,
            host,
            paths: fresh_paths(key, world),
            netcheck: Netcheck::new(key, world.seed(), world.now()),
            path_out: Out::default(),
            check_out: wattle_netcheck::Out::default(),
            routes: BTreeMap::new(),
            connected: BTreeSet::new(),
            noted_outbound: BTreeMap::new(),
            noted_inbound: BTreeMap::new(),
            sent_at: BTreeMap::new(),
        }
    }

    /// The process ends and starts again: only the node key stays.
    pub(crate) fn restart(&mut self, world: &mut World) {
        *self = Self::new(self.key, self.host, world);
    }

    /// What control tells others of it.
    pub(crate) fn facts(&self) -> PeerFacts {
        PeerFacts {
            key: self.key,
            disco: Some(self.paths.disco_key()),
            endpoints: self.netcheck.endpoints().iter().map(|endpoint| endpoint.address).collect(),
            home_region: self.netcheck.home(),
            speaks_peer_relay: true,
        }
    }

    pub(crate) fn local(&self, world: &World) -> LocalNetwork {
        LocalNetwork { addresses: vec![world.address(self.host).into()], port_v4: PORT, port_v6: None }
    }

    pub(crate) fn route(&self, peer: &NodePublic) -> Route {
        self.routes.get(peer).copied().unwrap_or_else(|| self.paths.best(peer))
    }

    /// The data path sent data.
    pub(crate) fn note_outbound(&mut self, peer: NodePublic, now: Instant) {
        self.sent_at.insert(peer, now);
        if is_due(self.noted_outbound.get(&peer), now) {
            self.noted_outbound.insert(peer, now);
            self.paths.note_outbound(&peer, now, &mut self.path_out);
            self.netcheck.note_activity(now);
        }
    }

    /// The data path opened a packet.
    pub(crate) fn note_inbound(&mut self, peer: NodePublic, way: Way, now: Instant) {
        if is_due(self.noted_inbound.get(&(peer, way)), now) {
            self.noted_inbound.insert((peer, way), now);
            self.paths.note_inbound(&peer, way, now, &mut self.path_out);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        earliest([self.paths.next_timeout(), self.netcheck.next_timeout()])
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let is_due = |deadline: Option<Deadline>| deadline.is_some_and(|deadline| deadline.earliest <= now);
        if is_due(self.paths.next_timeout()) {
            self.paths.handle_timeout(now, &mut self.path_out);
        }
        if is_due(self.netcheck.next_timeout()) {
            self.netcheck.handle_timeout(now, &mut self.check_out);
        }
    }
}

fn fresh_paths(key: NodePublic, world: &mut World) -> Paths {
    let config = Config { node: key, disco: DiscoPrivate::from_bytes(world.seed()) };
    Paths::new(config, world.seed(), world.now())
}

fn is_due(noted: Option<&Instant>, now: Instant) -> bool {
    noted.is_none_or(|noted| now.since(*noted) >= NOTE_INTERVAL)
}
