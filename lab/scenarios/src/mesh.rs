//! Nodes, relays and a map that spreads with a little delay.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use wattle_keys::NodePublic;
use wattle_netmap::{DerpMap, DerpNode, DerpRegion, RegionId};
use wattle_path::{PeerFacts, PingId, Route, Way};
use wattle_time::Instant;
use wattle_world::{Blockade, HostId, SiteId, World};

use crate::node::Node;
use crate::{Place, Room};

mod carry;

use carry::DATA;

const STUN_PORT: u16 = 3478;
const REGIONS: u16 = 3;
/// From a node's report to the others' maps.
const MAP_DELAY: Duration = Duration::from_millis(80);
/// How often somebody who talks says something.
const TALK_INTERVAL: Duration = Duration::from_millis(250);
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
}
