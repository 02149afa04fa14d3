//! The whole node, without IO: it owns every stage, takes what happened and returns what to do.

mod control;
mod peer_relay;
mod session;
mod status;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_dns::Resolver;
use wattle_filter::{Filter, Flows};
use wattle_keys::{NodePrivate, NodePublic};
use wattle_netcheck::{LocalNetwork, Netcheck, PortMapping};
use wattle_netmap::{Netmap, NodeId};
use wattle_path::Families;
use wattle_session::Session;
use wattle_time::{Deadline, Instant, UnixTime, earliest};

use crate::engine::{Engine, EngineSeeds};
use crate::limits::WALL_CLOCK_EVERY;
use crate::out::{Event, Out};
use crate::pings::Pings;
use crate::relays::{Action, RelayLinks};
use crate::service::Service;
use crate::slots::Slots;
use crate::tables::{OpenerEntry, PeerEntry};
use crate::{Routes, Tables};

pub use status::PeerView;

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers.
    pub mono: Instant,
    /// For expiry, and for the time stamps of handshakes.
    pub wall: UnixTime,
}

/// What a person decides about the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// Whether routes that peers serve are used.
    pub accept_routes: bool,
    /// Whether everything that comes uninvited is refused.
    pub shields_up: bool,
}

/// The node. One owner calls it; see the crate's documentation for the order of things.
pub struct Node {
    preferences: Preferences,
    session: Session,
    engine: Option<Engine>,
    netcheck: Netcheck,
    /// Address families of our network, for the next engine.
    families: Families,
    relays: RelayLinks,
    map: Netmap,
    resolver: Resolver,
    service: Service,
    pings: Pings,
    ids: BTreeMap<NodeId, NodePublic>,
    /// The same the other way round.
    id_of: BTreeMap<NodePublic, NodeId>,
    slots: Slots,
    /// Peers that relay for us.
    peer_relays: BTreeSet<NodeId>,
    /// Who began a handshake though the tunnels do not know it.
    stranger: Option<NodePublic>,
    /// Peers whose last handshake message has not been answered yet.
    initiated: BTreeSet<NodePublic>,
    tables: Tables,
    dirty: Dirty,
    rng: ChaCha20Rng,
    wall_set: Instant,
}

/// What must be built anew before the next tables are published.
#[derive(Clone, Copy, Debug, Default)]
struct Dirty {
    tables: bool,
    routes: bool,
    filter: bool,
    names: bool,
    host: bool,
    peer_relays: bool,
}

impl Node {
    /// A node that is not running yet. `session` says who it is, if it was somebody before.
    pub fn new(
        session: Session,
        node_key: Option<NodePrivate>,
        preferences: Preferences,
        seed: [u8; 32],
        now: Now,
    ) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let map = Netmap::default();
        let filter = Filter::of_netmap(&map, &[], preferences.shields_up);
        let tables = Tables {
            routes: Arc::new(Routes::default()),
            peers: Vec::new(),
            openers: Vec::new(),
            jailed_filter: Arc::new(filter.jailed()),
            filter: Arc::new(filter),
            flows: Arc::new(Flows::new(bytes(&mut rng))),
            own: Vec::new(),
            echo_id: rng.next_u32() as u16,
        };
        let public = node_key.as_ref().map_or(NodePublic::from_bytes([0; 32]), NodePrivate::public);
        let mut node = Self {
            preferences,
            session,
            engine: None,
            netcheck: Netcheck::new(public, bytes(&mut rng), now.mono),
            families: Families::default(),
            relays: RelayLinks::default(),
            resolver: Resolver::of_netmap(&map),
            map,
            service: Service::default(),
            pings: Pings::default(),
            ids: BTreeMap::new(),
            id_of: BTreeMap::new(),
            slots: Slots::default(),
            peer_relays: BTreeSet::new(),
            stranger: None,
            initiated: BTreeSet::new(),
            tables,
            dirty: Dirty::default(),
            rng,
            wall_set: now.mono,
        };
        if let Some(key) = node_key {
            node.adopt(key, now);
            let disco = node.engine.as_ref().map(|engine| engine.paths.disco_key());
            // Nothing runs yet, so nothing is caused.
            node.session.set_disco(disco, now.mono, &mut wattle_session::Out::default());
        }
        node
    }

    /// What the packet path should read now. Later versions come as [`Out::tables`].
    pub fn tables(&self) -> Arc<Tables> {
        Arc::new(self.tables.clone())
    }

    /// Our own addresses and ports: at the start, and whenever they change.
    pub fn set_network(&mut self, network: LocalNetwork, now: Now, out: &mut Out) {
        let (v4, v6) = network.families();
        self.families = Families { v4, v6 };
        let families = self.families;
        self.with_paths(now, out, |paths, mono, effects| paths.set_families(families, mono, effects));
        self.with_netcheck(now, out, |netcheck, mono, effects| netcheck.set_local(network, mono, effects));
        self.finish(out);
    }

    /// The network under us changed, or we slept: every path and every connection is in doubt.
    pub fn handle_network_change(&mut self, network: LocalNetwork, now: Now, out: &mut Out) {
        self.set_wall_clock(now);
        self.with_paths(now, out, |paths, mono, effects| paths.handle_network_change(mono, effects));
        self.with_relays(now, out, |relays, mono, actions| relays.doubt(mono, actions));
        self.with_session(now, out, Session::handle_network_change);
        self.set_network(network, now, out);
    }

    /// Changes what a person decided.
    pub fn set_preferences(&mut self, preferences: Preferences, out: &mut Out) {
        if self.preferences != preferences {
            self.preferences = preferences;
            self.dirty.routes = true;
            self.dirty.filter = true;
            self.finish(out);
        }
    }

    /// What a netcheck asked to look up; an empty answer means that it failed.
    pub fn handle_resolved(&mut self, host: &str, addresses: &[IpAddr], now: Now, out: &mut Out) {
        self.with_netcheck(now, out, |netcheck, mono, effects| {
            netcheck.handle_resolved(host, addresses, mono, effects)
        });
        self.finish(out);
    }

    /// What a netcheck asked to time.
    pub fn handle_https(
        &mut self,
        region: wattle_netmap::RegionId,
        latency: Option<std::time::Duration>,
        now: Now,
        out: &mut Out,
    ) {
        self.with_netcheck(now, out, |netcheck, mono, effects| netcheck.handle_https(region, latency, mono, effects));
        self.finish(out);
    }

    /// The router's answer to our wish for a port mapping.
    pub fn set_port_mapping(
        &mut self,
        external: Option<std::net::SocketAddr>,
        protocols: PortMapping,
        now: Now,
        out: &mut Out,
    ) {
        self.with_netcheck(now, out, |netcheck, mono, effects| {
            netcheck.set_port_mapping(external, protocols, mono, effects);
        });
        self.finish(out);
    }

    /// Whether a captive portal answers in place of the internet.
    pub fn set_captive_portal(&mut self, found: Option<bool>) {
        self.netcheck.set_captive_portal(found);
    }

    /// Measures our network now.
    pub fn measure(&mut self, now: Now, out: &mut Out) {
        self.with_netcheck(now, out, |netcheck, mono, effects| netcheck.refresh(mono, effects));
        self.finish(out);
    }

    /// An upstream resolver answered a forwarded query.
    pub fn handle_dns_answer(&mut self, id: u64, message: &[u8], out: &mut Out) {
        self.service.handle_answer(id, message, out);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now, out: &mut Out) {
        if now.mono.since(self.wall_set) >= WALL_CLOCK_EVERY {
            self.set_wall_clock(now);
        }
        self.with_tunnels(None, now, out, |tunnels, mono, effects| tunnels.handle_timeout(mono, effects));
        self.with_paths(now, out, |paths, mono, effects| paths.handle_timeout(mono, effects));
        self.with_netcheck(now, out, |netcheck, mono, effects| netcheck.handle_timeout(mono, effects));
        self.with_relays(now, out, |relays, mono, actions| relays.handle_timeout(mono, actions));
        self.with_session(now, out, |session, mono, effects| session.handle_timeout(mono, effects));
        self.pings.handle_timeout(now.mono, &mut out.events);
        self.service.handle_timeout(now.mono);
        self.finish(out);
    }

    /// When [`Self::handle_timeout`] must be called.
    pub fn next_timeout(&self) -> Option<Deadline> {
        let engine = self.engine.as_ref();
        earliest([
            engine.and_then(|engine| engine.tunnels.next_timeout()),
            engine.and_then(|engine| engine.paths.next_timeout()),
            self.netcheck.next_timeout(),
            self.relays.next_timeout(),
            self.session.next_timeout(),
            self.pings.next_timeout(),
            self.service.next_timeout(),
        ])
    }

    fn set_wall_clock(&mut self, now: Now) {
        self.wall_set = now.mono;
        if let Some(engine) = &mut self.engine {
            engine.tunnels.set_wall_clock(now.mono, now.wall);
        }
    }

    /// Makes a node key ours: tunnels and paths begin anew under it.
    fn adopt(&mut self, key: NodePrivate, now: Now) {
        let seeds =
            EngineSeeds { tunnels: bytes(&mut self.rng), paths: bytes(&mut self.rng), disco: bytes(&mut self.rng) };
        let mut engine = Engine::new(key, &seeds, now.mono, now.wall);
        // It has no peers yet, so nothing is caused.
        engine.paths.set_families(self.families, now.mono, &mut wattle_path::Out::default());
        self.engine = Some(engine);
        self.initiated.clear();
        self.tables.openers.clear();
        for peer in self.tables.peers.iter_mut().flatten() {
            Arc::make_mut(peer).sealer = None;
        }
        self.dirty.tables = true;
        self.dirty.peer_relays = true;
    }

    fn with_netcheck(
        &mut self,
        now: Now,
        out: &mut Out,
        call: impl FnOnce(&mut Netcheck, Instant, &mut wattle_netcheck::Out),
    ) {
        let mut effects = wattle_netcheck::Out::default();
        call(&mut self.netcheck, now.mono, &mut effects);
        self.act_on_netcheck(effects, now, out);
    }

    fn act_on_netcheck(&mut self, effects: wattle_netcheck::Out, now: Now, out: &mut Out) {
        out.udp.extend(effects.transmits.into_iter().map(|transmit| (transmit.to, transmit.packet)));
        for event in effects.events {
            match event {
                wattle_netcheck::Event::Resolve { host } => out.events.push(Event::Resolve(host)),
                wattle_netcheck::Event::MeasureHttps { region } => out.events.push(Event::MeasureHttps(region)),
                wattle_netcheck::Event::EndpointsRefreshed { changed } => self.endpoints_refreshed(changed, now, out),
                wattle_netcheck::Event::HomeChanged(home) => {
                    self.with_relays(now, out, |relays, mono, actions| relays.set_home(home, mono, actions));
                    self.report_network(now, out);
                }
                wattle_netcheck::Event::ReportReady => {
                    self.report_network(now, out);
                    out.events.push(Event::ReportReady);
                }
            }
        }
    }

    fn endpoints_refreshed(&mut self, changed: bool, now: Now, out: &mut Out) {
        let endpoints = self.netcheck.endpoints().to_vec();
        let addresses: Vec<_> = endpoints.iter().map(|endpoint| endpoint.address).collect();
        self.with_paths(now, out, |paths, mono, effects| paths.set_own_endpoints(&addresses, mono, effects));
        if changed {
            self.with_session(now, out, |session, mono, effects| session.set_endpoints(&endpoints, mono, effects));
        }
    }

    fn with_relays(&mut self, now: Now, out: &mut Out, call: impl FnOnce(&mut RelayLinks, Instant, &mut Vec<Action>)) {
        let mut actions = Vec::new();
        call(&mut self.relays, now.mono, &mut actions);
        self.act_on_relays(actions, now, out);
    }

    fn act_on_relays(&mut self, actions: Vec<Action>, now: Now, out: &mut Out) {
        for action in actions {
            match action {
                Action::Open(region) => out.events.push(Event::RelayOpen(region)),
                Action::Close(region) => out.events.push(Event::RelayClose(region)),
                Action::Check(region) => out.events.push(Event::RelayCheck(region)),
                Action::Prefer(region, preferred) => out.events.push(Event::RelayPrefer(region, preferred)),
                Action::HomeDown(region) => {
                    self.with_netcheck(now, out, |netcheck, mono, effects| {
                        netcheck.note_home_down(region, mono, effects)
                    });
                }
                Action::Send(region, peer, message) => out.relay.push((region, peer, message)),
            }
        }
    }

    /// Builds and publishes what changed. Every input ends here.
    fn finish(&mut self, out: &mut Out) {
        let mut dirty = std::mem::take(&mut self.dirty);
        if dirty.names {
            self.resolver = Resolver::of_netmap(&self.map);
        }
        if dirty.routes {
            self.rebuild_routes();
        }
        if dirty.filter {
            let filter = Filter::of_netmap(&self.map, &[], self.preferences.shields_up);
            self.tables.jailed_filter = Arc::new(filter.jailed());
            self.tables.filter = Arc::new(filter);
            self.find_peer_relays();
        }
        if dirty.peer_relays || dirty.filter {
            self.publish_peer_relays();
            dirty.tables |= std::mem::take(&mut self.dirty).tables;
        }
        if dirty.host || dirty.routes {
            self.want_host(out);
        }
        if dirty.tables || dirty.routes || dirty.filter {
            out.tables = Some(Arc::new(self.tables.clone()));
        }
    }

    fn set_opener(&mut self, entry: OpenerEntry) {
        match self.tables.openers.binary_search_by_key(&entry.index, |entry| entry.index) {
            Ok(at) => self.tables.openers[at] = entry,
            Err(at) => self.tables.openers.insert(at, entry),
        }
        self.dirty.tables = true;
    }

    fn edit_peer(&mut self, key: &NodePublic, edit: impl FnOnce(&mut PeerEntry)) {
        let Some(slot) = self.slots.of(key) else { return };
        if let Some(Some(entry)) = self.tables.peers.get_mut(slot.0 as usize) {
            edit(Arc::make_mut(entry));
            self.dirty.tables = true;
        }
    }
}

fn bytes(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}
