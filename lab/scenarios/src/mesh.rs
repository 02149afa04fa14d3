//! Nodes, relays and a map that spreads with a little delay.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use wattle_keys::NodePublic;
use wattle_netcheck::Event as CheckEvent;
use wattle_netmap::{DerpMap, DerpNode, DerpRegion, RegionId};
use wattle_path::{Event, PeerFacts, PingId, Route, Way};
use wattle_time::Instant;
use wattle_wire::{disco, stun};
use wattle_world::{Arrival, Blockade, Cargo, HostId, SiteId, World};

use crate::node::{Node, PORT};
use crate::{Place, Room};

const STUN_PORT: u16 = 3478;
const REGIONS: u16 = 3;
/// From a node's report to the others' maps.
const MAP_DELAY: Duration = Duration::from_millis(80);
/// How often somebody who talks says something.
const TALK_INTERVAL: Duration = Duration::from_millis(250);
/// WireGuard's passive keepalive.
const KEEPALIVE: Duration = Duration::from_secs(10);
const HTTPS_LATENCY: Duration = Duration::from_millis(60);

const DATA: &[u8; 4] = b"DATA";
const KEEP: &[u8; 4] = b"KEEP";
const RELAYED: u8 = 0;
const GONE: u8 = 1;

/// A tailnet in a world.
pub struct Mesh {
    /// Where it is. Stories change its weather.
    pub world: World,
    nodes: Vec<Node>,
    relays: BTreeMap<RegionId, HostId>,
    rooms: BTreeMap<Room, SiteId>,
    map: DerpMap,
    map_news: Vec<(Instant, PeerFacts)>,
    control_cut: bool,
    talks: BTreeMap<(usize, usize), Talk>,
    answers: Vec<(PingId, Way, Duration)>,
    relayed: usize,
}

/// Who says something to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peering {
    /// Who sends.
    pub from: usize,
    /// Who receives.
    pub to: usize,
}

#[derive(Default)]
struct Talk {
    next_at: Option<Instant>,
    /// When each message was sent, and whether it came.
    said: Vec<(Instant, bool)>,
}

impl Mesh {
    /// Relays in three regions, and no nodes.
    pub fn new(seed: u8) -> Self {
        let mut world = World::new([seed; 32]);
        let mut map = DerpMap::default();
        let mut relays = BTreeMap::new();
        for number in 1..=REGIONS {
            let id = RegionId(number);
            let address = Ipv4Addr::new(203, 0, 113, number as u8);
            relays.insert(id, world.add_host(address, None));
            let node = DerpNode {
                name: format!("{number}a"),
                region: id,
                ipv4: Some(Some(address.into())),
                ipv6: Some(None),
                stun_port: Some(STUN_PORT),
                ..DerpNode::default()
            };
            map.regions.insert(id, DerpRegion { id, nodes: vec![node], ..DerpRegion::default() });
        }
        Self {
            world,
            nodes: Vec::new(),
            relays,
            rooms: BTreeMap::new(),
            map,
            map_news: Vec::new(),
            control_cut: false,
            talks: BTreeMap::new(),
            answers: Vec::new(),
            relayed: 0,
        }
    }

    /// A mesh of nodes at these places, after they have found out about their networks and heard of each other.
    pub fn settled(seed: u8, places: &[Place]) -> Self {
        let mut mesh = Self::new(seed);
        for place in places {
            mesh.add(*place);
        }
        mesh.run(Duration::from_secs(10));
        mesh
    }

    /// Starts a node.
    pub fn add(&mut self, place: Place) -> usize {
        let index = self.nodes.len();
        let host = self.world.add_host(Ipv4Addr::UNSPECIFIED, None);
        let mut key = self.world.seed();
        key[0] = index as u8;
        let node = Node::new(NodePublic::from_bytes(key), host, &mut self.world);
        self.nodes.push(node);
        self.settle_at(index, place);
        self.boot(index);
        index
    }

    /// The node's host moves, and says so.
    pub fn roam(&mut self, index: usize, place: Place) {
        self.settle_at(index, place);
        let now = self.world.now();
        let local = self.nodes[index].local(&self.world);
        let node = &mut self.nodes[index];
        node.paths.handle_network_change(now, &mut node.path_out);
        node.netcheck.set_local(local, now, &mut node.check_out);
        self.carry_out(index);
    }

    /// The node's process starts again, with a new disco key.
    pub fn restart(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.restart(&mut self.world);
        self.boot(index);
        let now = self.world.now();
        for other in 0..self.nodes.len() {
            let facts = self.nodes[other].facts();
            let node = &mut self.nodes[index];
            node.paths.upsert_peer(facts, now, &mut node.path_out);
        }
        self.carry_out(index);
    }

    /// The peer hears the node's disco key inside the tunnel.
    pub fn advertise_disco_key(&mut self, peering: Peering) {
        let (key, disco) = (self.nodes[peering.from].key, self.nodes[peering.from].paths.disco_key());
        let now = self.world.now();
        let node = &mut self.nodes[peering.to];
        node.paths.update_disco_key(&key, disco, now, &mut node.path_out);
        self.carry_out(peering.to);
    }

    /// Control is away: no news of now or later spread.
    pub fn cut_control(&mut self) {
        self.map_news.clear();
        self.control_cut = true;
    }

    /// Every NAT restarts and forgets its mappings.
    pub fn restart_nats(&mut self) {
        self.world.restart_nats();
    }

    /// How many messages were said so far.
    pub fn said(&self) -> usize {
        self.talks.values().map(|talk| talk.said.len()).sum()
    }

    /// Changes what the node's network drops.
    pub fn set_blockade(&mut self, index: usize, blockade: Blockade) {
        self.world.set_blockade(self.nodes[index].host, blockade);
    }

    /// From now on both say something four times a second.
    pub fn talk(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            self.talk_one_way(Peering { from, to });
        }
    }

    /// From now on one says something four times a second, and the other only listens.
    pub fn talk_one_way(&mut self, Peering { from, to }: Peering) {
        self.talks.entry((from, to)).or_default().next_at = Some(self.world.now());
    }

    /// Nobody says anything any more.
    pub fn hush(&mut self) {
        self.talks.values_mut().for_each(|talk| talk.next_at = None);
    }

    /// Sends a ping for a person.
    pub fn ping(&mut self, Peering { from, to }: Peering) -> Option<PingId> {
        let (peer, now) = (self.nodes[to].key, self.world.now());
        let node = &mut self.nodes[from];
        let id = node.paths.ping(&peer, now, &mut node.path_out).ok();
        self.carry_out(from);
        id
    }

    /// The answer to a ping for a person, if it came.
    pub fn answer(&self, id: PingId) -> Option<(Way, Duration)> {
        self.answers.iter().find(|(known, ..)| *known == id).map(|(_, way, latency)| (*way, *latency))
    }

    /// Where the data of one for the other goes.
    pub fn route(&self, Peering { from, to }: Peering) -> Route {
        self.nodes[from].route(&self.nodes[to].key)
    }

    /// Whether the data of both goes straight to the other, and no other way.
    pub fn is_direct(&self, a: usize, b: usize) -> bool {
        [(a, b), (b, a)].into_iter().all(|(from, to)| {
            let route = self.route(Peering { from, to });
            route.udp.is_some() && route.relay.is_none()
        })
    }

    /// How many messages of one to the other, said after `since` and at least a second ago, did not come.
    pub fn lost(&self, Peering { from, to }: Peering, since: Instant) -> usize {
        let now = self.world.now();
        let said = self.talks.get(&(from, to)).map_or(&[][..], |talk| &talk.said);
        let late = |at: Instant| at >= since && now.since(at) > Duration::from_secs(1);
        said.iter().filter(|(at, came)| late(*at) && !came).count()
    }

    /// How many messages of data the relays have carried.
    pub fn relayed(&self) -> usize {
        self.relayed
    }

    /// Whether a node waits for anything, apart from forgetting.
    pub fn next_timeouts(&self) -> Vec<&'static str> {
        self.nodes.iter().filter_map(Node::next_timeout).map(|deadline| deadline.why).collect()
    }

    /// Runs until this is true, at most so long. Returns how long it took.
    pub fn run_until(&mut self, at_most: Duration, mut wanted: impl FnMut(&Self) -> bool) -> Option<Duration> {
        let start = self.world.now();
        while self.world.now().since(start) < at_most {
            if wanted(self) {
                return Some(self.world.now().since(start));
            }
            self.run(Duration::from_millis(10));
        }
        wanted(self).then_some(at_most)
    }

    /// Lets so much time pass.
    pub fn run(&mut self, wait: Duration) {
        let end = self.world.now() + wait;
        loop {
            let next = self.next_moment().min(end);
            if let Some(arrival) = self.world.next_arrival(next) {
                self.handle_arrival(arrival);
                continue;
            }
            let now = self.world.now();
            self.spread_map_news(now);
            self.say_what_is_due(now);
            for index in 0..self.nodes.len() {
                if self.nodes[index].next_timeout().is_some_and(|deadline| deadline.latest <= now) {
                    self.nodes[index].handle_timeout(now);
                    self.carry_out(index);
                }
            }
            if now >= end && self.next_moment() > end {
                return;
            }
        }
    }

    /// When a timer, the map or somebody who talks is due. As late as allowed: machines must stand that.
    fn next_moment(&self) -> Instant {
        let timers = self.nodes.iter().filter_map(Node::next_timeout).map(|deadline| deadline.latest);
        let news = self.map_news.iter().map(|(at, _)| *at);
        let talks = self.talks.values().filter_map(|talk| talk.next_at);
        timers.chain(news).chain(talks).min().unwrap_or(Instant::from_nanos(u64::MAX))
    }

    fn settle_at(&mut self, index: usize, place: Place) {
        let host = self.nodes[index].host;
        let outside = Ipv4Addr::new(198, 51, 100, 10 + index as u8);
        let inside = Ipv4Addr::new(192, 168, 7, 10 + index as u8);
        self.world.set_blockade(host, Blockade::None);
        match place {
            Place::Open => self.world.roam(host, outside, None),
            Place::Blocked => {
                self.world.roam(host, outside, None);
                self.world.set_blockade(host, Blockade::AllDatagrams);
            }
            Place::Behind(behaviour) => {
                // Another address each time, so that nothing of an earlier stay still fits.
                let fresh = Ipv4Addr::new(192, 0, 2, self.world.seed()[0]);
                let site = self.world.add_site(fresh, behaviour);
                self.world.roam(host, inside, Some(site));
            }
            Place::Site(room, behaviour) => {
                let world = &mut self.world;
                let outside = Ipv4Addr::new(198, 51, 100, 200 + room.0);
                let site = *self.rooms.entry(room).or_insert_with(|| world.add_site(outside, behaviour));
                self.world.roam(host, inside, Some(site));
            }
        }
    }

    fn boot(&mut self, index: usize) {
        let now = self.world.now();
        let local = self.nodes[index].local(&self.world);
        let node = &mut self.nodes[index];
        node.netcheck.set_control_connected(true);
        node.netcheck.set_local(local, now, &mut node.check_out);
        node.netcheck.set_derp_map(&self.map, now, &mut node.check_out);
        self.carry_out(index);
    }

    /// The node tells control what others shall know of it.
    fn report(&mut self, index: usize, now: Instant) {
        if !self.control_cut {
            self.map_news.push((now + MAP_DELAY, self.nodes[index].facts()));
        }
    }

    fn spread_map_news(&mut self, now: Instant) {
        let (due, later) = std::mem::take(&mut self.map_news).into_iter().partition(|(at, _)| *at <= now);
        self.map_news = later;
        for (_, facts) in due {
            for index in 0..self.nodes.len() {
                let node = &mut self.nodes[index];
                node.paths.upsert_peer(facts.clone(), now, &mut node.path_out);
                self.carry_out(index);
            }
        }
    }

    fn say_what_is_due(&mut self, now: Instant) {
        let due = |talk: &Talk| talk.next_at.is_some_and(|at| at <= now);
        let peerings: Vec<(usize, usize)> =
            self.talks.iter().filter(|(_, talk)| due(talk)).map(|(peering, _)| *peering).collect();
        for (from, to) in peerings {
            let Some(talk) = self.talks.get_mut(&(from, to)) else { continue };
            talk.next_at = Some(now + TALK_INTERVAL);
            let number = talk.said.len() as u64;
            talk.said.push((now, false));
            let peer = self.nodes[to].key;
            self.nodes[from].note_outbound(peer, now);
            self.carry_out(from);
            self.send_data(from, to, DATA, number);
        }
    }

    /// Sends a packet of the tunnel along the published route.
    fn send_data(&mut self, from: usize, to: usize, kind: &[u8; 4], number: u64) {
        let (sender, peer) = (&self.nodes[from], self.nodes[to].key);
        let route = sender.route(&peer);
        let mut packet = kind.to_vec();
        packet.extend_from_slice(sender.key.as_bytes());
        packet.extend_from_slice(&number.to_be_bytes());
        if let Some(address) = route.udp {
            self.world.send(sender.host, PORT, address, packet.clone());
        }
        if let Some(region) = route.relay {
            self.relayed += 1;
            self.send_relayed(from, region, peer, &packet);
        }
    }

    fn send_relayed(&mut self, from: usize, region: RegionId, peer: NodePublic, packet: &[u8]) {
        let mut message = peer.as_bytes().to_vec();
        message.extend_from_slice(packet);
        let node = &mut self.nodes[from];
        node.connected.insert(region);
        if let Some(relay) = self.relays.get(&region) {
            self.world.send_message(node.host, *relay, message);
        }
    }

    fn handle_arrival(&mut self, Arrival { host, cargo }: Arrival) {
        let relay = self.relays.iter().find(|(_, relay)| **relay == host).map(|(region, _)| *region);
        match (relay, cargo) {
            (Some(_), Cargo::Datagram { from, bytes, .. }) => {
                if let Ok(transaction) = stun::decode_request(&bytes) {
                    let mut response = Vec::new();
                    stun::encode_response(transaction, from, &mut response);
                    self.world.send(host, STUN_PORT, from, response);
                }
            }
            (Some(region), Cargo::Message { from, bytes }) => self.forward(region, host, from, &bytes),
            (None, Cargo::Datagram { from, bytes, .. }) => self.handle_packet(host, Way::Udp(from), from, &bytes),
            (None, Cargo::Message { from, bytes }) => self.handle_relay_message(host, from, &bytes),
        }
    }

    fn forward(&mut self, region: RegionId, relay: HostId, from: HostId, message: &[u8]) {
        let Some((to, packet)) = message.split_first_chunk::<32>() else { return };
        let Some(sender) = self.nodes.iter().find(|node| node.host == from) else { return };
        let receiver = self.nodes.iter().find(|node| node.key.as_bytes() == to && node.connected.contains(&region));
        let (target, kind, key) = match receiver {
            Some(receiver) => (receiver.host, RELAYED, *sender.key.as_bytes()),
            None => (from, GONE, *to),
        };
        let packet = if kind == RELAYED { packet } else { &[] };
        self.world.send_message(relay, target, [&[kind][..], &key, packet].concat());
    }

    fn handle_relay_message(&mut self, host: HostId, relay: HostId, message: &[u8]) {
        let Some(region) = self.relays.iter().find(|(_, known)| **known == relay).map(|(region, _)| *region) else {
            return;
        };
        let Some((kind, rest)) = message.split_first() else { return };
        let Some((key, packet)) = rest.split_first_chunk::<32>() else { return };
        let peer = NodePublic::from_bytes(*key);
        if *kind == GONE {
            if let Some(index) = self.nodes.iter().position(|node| node.host == host) {
                let node = &mut self.nodes[index];
                node.paths.note_peer_gone(region, &peer, &mut node.path_out);
                self.carry_out(index);
            }
            return;
        }
        self.handle_packet(host, Way::Relay { region, peer }, SocketAddr::from(([127, 3, 3, 40], region.0)), packet);
    }

    fn handle_packet(&mut self, host: HostId, way: Way, from: SocketAddr, packet: &[u8]) {
        let now = self.world.now();
        let Some(index) = self.nodes.iter().position(|node| node.host == host) else { return };
        let node = &mut self.nodes[index];
        if let Way::Relay { region, .. } = way {
            node.netcheck.note_relay_frame(region, now);
        }
        if stun::looks_like_stun_response(packet) {
            node.netcheck.handle_stun(from, packet, now, &mut node.check_out);
        } else if disco::looks_like_disco(packet) {
            node.paths.handle_disco(way, packet, now, &mut node.path_out);
        } else if let Some((kind, rest)) = packet.split_first_chunk::<4>()
            && let Some((key, number)) = rest.split_first_chunk::<32>()
        {
            let peer = NodePublic::from_bytes(*key);
            node.note_inbound(peer, way, now);
            if let Some(sender) = self.nodes.iter().position(|node| node.key == peer) {
                let number = number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                self.handle_data(Peering { from: sender, to: index }, kind, number, now);
            }
        }
        self.carry_out(index);
    }

    fn handle_data(&mut self, Peering { from, to }: Peering, kind: &[u8; 4], number: u64, now: Instant) {
        if kind != DATA {
            return;
        }
        let said = self.talks.get_mut(&(from, to)).and_then(|talk| talk.said.get_mut(number as usize));
        if let Some((_, came)) = said {
            *came = true;
        }
        let peer = self.nodes[from].key;
        let quiet = self.nodes[to].sent_at.get(&peer).is_none_or(|sent| now.since(*sent) >= KEEPALIVE);
        if quiet {
            self.nodes[to].sent_at.insert(peer, now);
            self.send_data(to, from, KEEP, 0);
        }
    }

    /// Carries out what a node's machines want, until they want nothing more.
    fn carry_out(&mut self, index: usize) {
        let now = self.world.now();
        loop {
            let node = &mut self.nodes[index];
            let paths = std::mem::take(&mut node.path_out);
            let check = std::mem::take(&mut node.check_out);
            if paths.transmits.is_empty()
                && paths.events.is_empty()
                && check.transmits.is_empty()
                && check.events.is_empty()
            {
                break;
            }
            for transmit in paths.transmits {
                match transmit.to {
                    Way::Udp(to) => self.world.send(self.nodes[index].host, PORT, to, transmit.packet),
                    Way::Relay { region, peer } => self.send_relayed(index, region, peer, &transmit.packet),
                }
            }
            for transmit in check.transmits {
                self.world.send(self.nodes[index].host, PORT, transmit.to, transmit.packet);
            }
            paths.events.into_iter().for_each(|event| self.handle_path_event(index, event, now));
            check.events.into_iter().for_each(|event| self.handle_check_event(index, event, now));
        }
        self.assert_published(index);
    }

    fn handle_path_event(&mut self, index: usize, event: Event, now: Instant) {
        let node = &mut self.nodes[index];
        match event {
            Event::RouteChanged { peer, route } => {
                node.routes.insert(peer, route);
            }
            Event::PingAnswered { id, way, latency, .. } => self.answers.push((id, way, latency)),
            Event::PingLost { .. } => {}
            Event::WantFreshEndpoints => node.netcheck.refresh(now, &mut node.check_out),
        }
    }

    fn handle_check_event(&mut self, index: usize, event: CheckEvent, now: Instant) {
        let node = &mut self.nodes[index];
        match event {
            CheckEvent::EndpointsRefreshed { changed } => {
                let own: Vec<SocketAddr> = node.netcheck.endpoints().iter().map(|endpoint| endpoint.address).collect();
                node.paths.set_own_endpoints(&own, now, &mut node.path_out);
                if changed {
                    self.report(index, now);
                }
            }
            CheckEvent::HomeChanged(home) => {
                node.connected.extend(home);
                self.report(index, now);
            }
            CheckEvent::MeasureHttps { region } => {
                node.netcheck.handle_https(region, Some(HTTPS_LATENCY), now, &mut node.check_out);
            }
            CheckEvent::Resolve { .. } | CheckEvent::ReportReady => {}
        }
    }

    /// What the data path was told is what the machine thinks.
    fn assert_published(&self, index: usize) {
        let node = &self.nodes[index];
        for (peer, route) in &node.routes {
            assert_eq!(*route, node.paths.best(peer), "a route changed in silence");
        }
    }
}
