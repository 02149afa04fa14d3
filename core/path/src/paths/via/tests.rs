//! Two nodes that reach each other only by DERP, and two others that relay.

use std::time::Duration;

use wattle_keys::DiscoPrivate;
use wattle_netmap::RegionId;
use wattle_relay_core::{Pass, PeerRelay};
use wattle_wire::geneve::{Header, Payload};

use super::*;
use crate::timing::{PASSAGE_KEPT, PEER_RELAY_RETRY, PEER_RELAY_SEARCH, SESSION_ACTIVE};
use crate::{Config, PeerFacts, PingId, Route, Transmit};

const A: usize = 0;
const B: usize = 1;
const RELAY: usize = 2;
/// Another relay, which few stories use.
const OTHER: usize = 3;
const NODES: usize = 4;
const REGION: RegionId = RegionId(7);
const STEP: Duration = Duration::from_millis(10);

fn key(node: usize) -> NodePublic {
    NodePublic::from_bytes([node as u8 + 1; 32])
}

fn address(node: usize) -> SocketAddr {
    ([192, 0, 2, node as u8 + 1], 41641).into()
}

/// Where a node that relays does.
fn server_of(node: usize) -> SocketAddr {
    ([198, 51, 100, node as u8], 7777).into()
}

fn server() -> SocketAddr {
    server_of(RELAY)
}

/// What an observer of the network counts.
#[derive(Default)]
struct Seen {
    allocations: usize,
    derp: usize,
    to_server: usize,
    answers: Vec<(PingId, Way)>,
}

/// One relay.
struct Server {
    node: usize,
    relay: PeerRelay,
    runs: bool,
    /// How long packets are under way through it.
    delay: Duration,
}

struct Lab {
    nodes: Vec<Paths>,
    servers: [Server; 2],
    /// Whether the relay carries what is not disco.
    carries_data: bool,
    /// Datagrams and DERP packets on their way: when they arrive, to whom, how, what.
    under_way: Vec<(Instant, usize, Way, Vec<u8>)>,
    now: Instant,
    seen: Seen,
    starts: u8,
}

impl Lab {
    fn new() -> Self {
        let now = Instant::from_nanos(1_000_000_000_000);
        let disco = |node: usize| DiscoPrivate::from_bytes([node as u8 + 100; 32]);
        let config = |node: usize| Config { node: key(node), disco: disco(node) };
        let nodes = (0..NODES).map(|node| Paths::new(config(node), [node as u8; 32], now)).collect();
        let server =
            |node: usize| Server { node, relay: PeerRelay::new([node as u8; 32], now), runs: true, delay: STEP };
        let servers = [server(RELAY), server(OTHER)];
        let (under_way, seen) = (Vec::new(), Seen::default());
        let mut lab = Self { nodes, servers, carries_data: true, under_way, now, seen, starts: 0 };
        lab.start_relay(RELAY);
        lab.start_relay(OTHER);
        let pairs = (0..NODES).flat_map(|node| (0..NODES).map(move |peer| (node, peer)));
        for (node, peer) in pairs.filter(|(node, peer)| node != peer) {
            let facts = PeerFacts {
                key: key(peer),
                disco: Some(disco(peer).public()),
                endpoints: Vec::new(),
                home_region: Some(REGION),
                speaks_peer_relay: true,
            };
            lab.act(node, |paths, now, out| paths.upsert_peer(facts, now, out));
        }
        lab
    }

    /// The relay process starts (anew): it knows nothing of former allocations.
    fn start_relay(&mut self, node: usize) {
        self.starts += 1;
        let mut relay = PeerRelay::new([self.starts; 32], self.now);
        relay.set_addresses(&[server_of(node), ([203, 0, 113, 1], 9).into()]);
        self.server_mut(node).relay = relay;
    }

    fn server_mut(&mut self, node: usize) -> &mut Server {
        self.servers.iter_mut().find(|server| server.node == node).unwrap()
    }

    fn let_relay(&mut self, nodes: &[usize]) {
        self.let_relay_by(nodes, &[RELAY]);
    }

    fn let_relay_by(&mut self, nodes: &[usize], relays: &[usize]) {
        for node in nodes {
            let relays = PeerRelays { enabled: true, nodes: relays.iter().map(|relay| key(*relay)).collect() };
            self.act(*node, |paths, _, out| paths.set_peer_relays(relays, out));
        }
    }

    fn act(&mut self, node: usize, act: impl FnOnce(&mut Paths, Instant, &mut Out)) {
        let mut out = Out::default();
        act(&mut self.nodes[node], self.now, &mut out);
        self.carry_out(node, out);
    }

    fn carry_out(&mut self, node: usize, out: Out) {
        for Transmit { to, packet } in out.transmits {
            match to {
                Way::Relay { peer, .. } => {
                    self.seen.derp += 1;
                    if let Some(target) = (0..NODES).find(|target| key(*target) == peer) {
                        let way = Way::Relay { region: REGION, peer: key(node) };
                        self.under_way.push((self.now + STEP, target, way, packet));
                    }
                }
                Way::Udp(to) | Way::PeerRelay { server: to, .. } => self.send_udp(node, to, packet),
            }
        }
        for event in out.events {
            match event {
                Event::AllocationRequested { from, request } => {
                    self.seen.allocations += 1;
                    // Whoever else is asked has the first one's relay: it may be ourselves.
                    let (now, at) = (self.now, if node == OTHER { OTHER } else { RELAY });
                    let server = self.server_mut(at);
                    if !server.runs {
                        continue;
                    }
                    let allocation = server.relay.allocate(from, request.clients, now).unwrap();
                    let mut more = Out::default();
                    self.nodes[node].answer_allocation(from, &request, allocation, self.now, &mut more);
                    self.carry_out(node, more);
                }
                Event::PingAnswered { id, way, .. } => self.seen.answers.push((id, way)),
                _ => {}
            }
        }
    }

    fn send_udp(&mut self, from: usize, to: SocketAddr, packet: Vec<u8>) {
        let now = self.now;
        let Some(server) = self.servers.iter_mut().find(|server| server_of(server.node) == to && server.runs) else {
            return;
        };
        self.seen.to_server += 1;
        let mut reply = Vec::new();
        let (way, arrives) = (server_of(server.node), now + server.delay);
        let (target, packet) = match server.relay.handle_datagram(address(from), &packet, now, &mut reply) {
            Pass::Forward(target) => (target, packet),
            Pass::Reply => (address(from), reply),
            Pass::Nothing => return,
        };
        let (header, message) = Header::split(&packet).unwrap();
        if header.payload == Payload::WireGuard && !self.carries_data {
            return;
        }
        let target = (0..NODES).find(|node| address(*node) == target).unwrap();
        self.under_way.push((arrives, target, Way::PeerRelay { server: way, vni: header.vni }, message.to_vec()));
    }

    fn step(&mut self) {
        self.now = self.now + STEP;
        let (due, later) = std::mem::take(&mut self.under_way).into_iter().partition(|(at, ..)| *at <= self.now);
        self.under_way = later;
        let due: Vec<(Instant, usize, Way, Vec<u8>)> = due;
        for (_, node, way, packet) in due {
            if packet == b"data" {
                let sender = if node == A { B } else { A };
                self.act(node, |paths, now, out| paths.note_inbound(&key(sender), way, now, out));
            } else {
                self.act(node, |paths, now, out| paths.handle_disco(way, &packet, now, out));
            }
        }
        for node in 0..NODES {
            if self.nodes[node].next_timeout().is_some_and(|due| due.earliest <= self.now) {
                self.act(node, |paths, now, out| paths.handle_timeout(now, out));
                let again = self.nodes[node].next_timeout();
                assert!(again.is_none_or(|due| due.earliest > self.now), "a timer does not rest: {again:?}");
            }
        }
        for server in &mut self.servers {
            server.relay.handle_timeout(self.now);
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// One sends data by its route, and so does the other.
    fn talk(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            for (from, to) in [(A, B), (B, A)] {
                self.act(from, |paths, now, out| paths.note_outbound(&key(to), now, out));
                let route = self.nodes[from].best(&key(to));
                if route.relay.is_some() {
                    let way = Way::Relay { region: REGION, peer: key(from) };
                    self.under_way.push((self.now + STEP, to, way, b"data".to_vec()));
                }
                if let Some(hop) = route.udp {
                    let vni = hop.vni.expect("there is no direct path here");
                    let header = Header { payload: Payload::WireGuard, vni }.encode();
                    self.send_udp(from, hop.to, [&header[..], b"data"].concat());
                }
            }
            self.run(Duration::from_secs(1).min(end.since(self.now)));
        }
    }

    fn route(&self, from: usize) -> Route {
        self.nodes[from].best(&key(1 - from))
    }

    fn is_relayed(&self, from: usize) -> bool {
        self.is_relayed_by(from, RELAY)
    }

    fn is_relayed_by(&self, from: usize, relay: usize) -> bool {
        let route = self.route(from);
        route.relay.is_none() && route.udp.is_some_and(|hop| hop.vni.is_some() && hop.to == server_of(relay))
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn nodes_without_a_direct_path_meet_at_a_peer_relay() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    lab.talk(secs(3));
    assert!(lab.is_relayed(A) && lab.is_relayed(B), "{:?} {:?}", lab.route(A), lab.route(B));
    let status = lab.nodes[A].peer_status(&key(B), lab.now).unwrap();
    assert_eq!(status.latency, Some(STEP * 2));
    // Both asked, and it is one allocation; the address that leads nowhere did no harm.
    assert_eq!(lab.server_mut(RELAY).relay.sessions().count(), 1);
}

#[test]
fn it_suffices_that_one_of_them_may_ask() {
    let mut lab = Lab::new();
    lab.let_relay(&[A]);
    let relays = PeerRelays { enabled: true, nodes: BTreeSet::new() };
    lab.act(B, |paths, _, out| paths.set_peer_relays(relays, out));
    lab.talk(secs(3));
    assert!(lab.is_relayed(A) && lab.is_relayed(B));
}

#[test]
fn who_uses_no_peer_relays_stays_with_derp() {
    let mut lab = Lab::new();
    lab.let_relay(&[A]);
    lab.talk(secs(40));
    assert_eq!((lab.route(A).udp, lab.route(B).udp), (None, None));
}

#[test]
fn a_peer_relay_that_carries_no_data_is_not_relied_upon() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    lab.carries_data = false;
    let mut beside = 0;
    for _ in 0..100 {
        lab.talk(secs(1));
        for node in [A, B] {
            assert!(lab.route(node).relay.is_some(), "the relay left the route");
            beside += usize::from(lab.route(node).udp.is_some());
        }
    }
    // Tried for a while, then left alone for a minute.
    assert!(beside > 10 && beside < 100, "{beside}");
}

#[test]
fn when_the_peer_relay_dies_derp_is_back_within_seconds() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    lab.talk(secs(10));
    lab.server_mut(RELAY).runs = false;
    lab.talk(secs(5));
    assert!(lab.route(A).relay.is_some() && lab.route(B).relay.is_some());
    lab.talk(secs(5));
    assert_eq!((lab.route(A).udp, lab.route(B).udp), (None, None));
}

#[test]
fn a_peer_relay_that_was_restarted_is_used_again_soon() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    lab.talk(secs(60));
    assert!(lab.is_relayed(A) && lab.is_relayed(B));
    lab.start_relay(RELAY);
    lab.talk(PEER_RELAY_RETRY + secs(2));
    assert!(lab.is_relayed(A) && lab.is_relayed(B), "{:?} {:?}", lab.route(A), lab.route(B));
}

#[test]
fn both_ends_agree_on_one_of_two_relays() {
    for slow in [RELAY, OTHER] {
        let mut lab = Lab::new();
        lab.server_mut(slow).delay = STEP * 5;
        lab.let_relay_by(&[A, B], &[RELAY, OTHER]);
        lab.talk(secs(10));
        let fast = RELAY + OTHER - slow;
        assert!(lab.is_relayed_by(A, fast) && lab.is_relayed_by(B, fast), "{:?} {:?}", lab.route(A), lab.route(B));
    }
}

#[test]
fn a_faster_relay_that_comes_later_takes_over_and_a_dead_one_is_replaced() {
    let mut lab = Lab::new();
    lab.server_mut(RELAY).delay = STEP * 5;
    lab.server_mut(OTHER).runs = false;
    lab.let_relay_by(&[A, B], &[RELAY, OTHER]);
    lab.talk(secs(10));
    assert!(lab.is_relayed(A) && lab.is_relayed(B));
    lab.server_mut(OTHER).runs = true;
    for _ in 0..90 {
        lab.talk(secs(1));
        assert!(lab.route(A).udp.is_some() && lab.route(B).udp.is_some(), "the former one was left too early");
    }
    assert!(lab.is_relayed_by(A, OTHER) && lab.is_relayed_by(B, OTHER), "{:?} {:?}", lab.route(A), lab.route(B));
    lab.server_mut(OTHER).runs = false;
    lab.talk(secs(15));
    assert!(lab.is_relayed(A) && lab.is_relayed(B), "{:?} {:?}", lab.route(A), lab.route(B));
}

#[test]
fn a_node_that_moves_binds_its_new_address() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    lab.talk(secs(10));
    lab.act(A, |paths, now, out| paths.handle_network_change(now, out));
    assert!(lab.route(A).relay.is_some());
    lab.talk(secs(2));
    assert!(lab.is_relayed(A) && lab.is_relayed(B));
}

#[test]
fn a_quiet_pair_costs_nothing_and_finds_its_passage_again() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    lab.talk(secs(10));
    lab.run(SESSION_ACTIVE + secs(10));
    let sent = lab.seen.to_server + lab.seen.derp;
    lab.run(secs(100));
    assert_eq!(lab.seen.to_server + lab.seen.derp, sent);
    assert!(lab.route(A).relay.is_some(), "nobody knows whether it still answers");
    let allocations = lab.seen.allocations;
    lab.talk(Duration::from_millis(300));
    assert!(lab.is_relayed(A) && lab.seen.allocations == allocations);
    lab.run(PASSAGE_KEPT + secs(60));
    assert!(lab.nodes[A].peers[&key(B)].via.is_none());
    assert_eq!(lab.route(A), Route { relay: Some(REGION), ..Route::default() });
}

#[test]
fn searches_that_find_nothing_are_rare() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    lab.server_mut(RELAY).runs = false;
    lab.talk(secs(300));
    // Each search asks twice; calls for direct paths make the rest.
    let searches = 300 / PEER_RELAY_SEARCH.as_secs() as usize + 1;
    assert!(lab.seen.derp < 2 * (2 * searches + 40), "{}", lab.seen.derp);
}

#[test]
fn we_can_be_the_peer_relay_ourselves() {
    let mut lab = Lab::new();
    let relays = PeerRelays { enabled: true, nodes: BTreeSet::from([key(A)]) };
    lab.act(A, |paths, _, out| paths.set_peer_relays(relays, out));
    let relays = PeerRelays { enabled: true, nodes: BTreeSet::new() };
    lab.act(B, |paths, _, out| paths.set_peer_relays(relays, out));
    lab.talk(secs(3));
    assert!(lab.is_relayed(A) && lab.is_relayed(B));
}

#[test]
fn a_ping_by_a_person_is_answered_through_the_peer_relay() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    lab.talk(secs(3));
    let mut id = None;
    lab.act(A, |paths, now, out| id = paths.ping(&key(B), now, out).ok());
    lab.run(secs(1));
    let through_relay = |(answered, way): &(PingId, Way)| Some(*answered) == id && matches!(way, Way::PeerRelay { .. });
    assert!(lab.seen.answers.iter().any(through_relay), "{:?}", lab.seen.answers);
}

#[test]
fn requests_of_others_for_others_are_not_heard() {
    let mut lab = Lab::new();
    let request = AllocateRequest { clients: [1, 2].map(|byte| DiscoPublic::from_bytes([byte; 32])), generation: 5 };
    let asks = lab.seen.allocations;
    lab.act(A, |paths, _, out| {
        let relay = paths.peers[&key(RELAY)].disco.unwrap();
        let way = Way::Relay { region: REGION, peer: key(RELAY) };
        paths.disco.pen(&relay, out).unwrap().write(way, &Message::AllocateRequest(request));
    });
    lab.run(secs(1));
    assert_eq!(lab.seen.allocations, asks);
}

#[test]
fn calls_to_a_relay_for_others_or_far_too_many_cause_little() {
    let mut lab = Lab::new();
    lab.let_relay(&[A, B]);
    let ours = wattle_wire::disco::in_order(lab.nodes[A].disco_key(), lab.nodes[B].disco_key());
    for number in 1..200u32 {
        let mut allocation = Allocation {
            server: DiscoPrivate::from_bytes([number as u8; 32]).public(),
            clients: ours,
            lamport_id: u64::from(number),
            vni: Vni::new(number).unwrap(),
            bind_lifetime: secs(1 << 40),
            steady_lifetime: secs(1),
            addresses: vec![server(); 500],
        };
        if number % 2 == 0 {
            allocation.clients[1] = allocation.server;
        }
        lab.act(B, |paths, _, out| {
            let peer = paths.peers[&key(A)].disco.unwrap();
            let way = Way::Relay { region: REGION, peer: key(A) };
            paths.disco.pen(&peer, out).unwrap().write(way, &Message::CallMeMaybeVia(allocation));
        });
        lab.step();
    }
    lab.run(secs(60));
    // Eight handshakes of sixteen addresses, each bound four times.
    assert!(lab.seen.to_server <= 8 * 16 * 4, "{}", lab.seen.to_server);
    assert!(lab.nodes[A].at_relays.is_empty());
}
