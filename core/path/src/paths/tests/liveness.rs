//! What becomes of a path under traffic when it dies, or passes only some kinds of packets.

use std::collections::BTreeMap;

use super::*;
use crate::timing::{DWELL, HEARTBEAT};

/// What a direct way lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    disco: bool,
    data_out: bool,
    data_in: bool,
    /// Longer messages get lost.
    mtu: usize,
    /// Of our datagrams, per hundred.
    loss: u64,
    latency: Duration,
}

const GOOD: Link =
    Link { disco: true, data_out: true, data_in: true, mtu: 1500, loss: 0, latency: Duration::from_millis(40) };
const DEAD: Link = Link { disco: false, data_out: false, data_in: false, ..GOOD };
const DISCO_ONLY: Link = Link { data_out: false, data_in: false, ..GOOD };
const DATA_ONLY: Link = Link { disco: false, ..GOOD };

#[derive(Clone, Debug)]
enum Arrival {
    Pong(Way, TransactionId),
    Proof(ProofToken),
    Data(Way),
}

/// We and one peer, which answers whatever reaches it, and its data goes by the relay and by each direct way that passes.
struct Scene {
    paths: Paths,
    now: Instant,
    links: BTreeMap<SocketAddr, Link>,
    coming: BTreeMap<(Instant, u64), Arrival>,
    traffic: Traffic,
    told: BTreeMap<Way, Instant>,
    outbound_told: Option<Instant>,
    /// Whether the peer sends data back.
    answers: bool,
    answers_sealed: bool,
    /// Whether our packets are long.
    large: bool,
    padded: usize,
    /// Between our packets.
    every: Duration,
    count: u64,
    dice: u64,
    /// Our packets that arrived by no way, and when the last and the longest such time was.
    arrived_at: Instant,
    stall: Duration,
    route_changes: usize,
    sealed: usize,
}

const DIRECT: &str = "198.51.100.7:7";
const OTHER: &str = "203.0.113.7:7";

impl Scene {
    fn new(links: &[(&str, Link)]) -> Self {
        let endpoints: Vec<&str> = links.iter().map(|(address, _)| *address).collect();
        let mut paths = paths(&[facts(5, 5, &endpoints)]);
        paths.set_own_endpoints(&["192.0.2.200:1".parse().unwrap()], at(0), &mut Out::default());
        Self {
            paths,
            now: at(0),
            links: links.iter().map(|(address, link)| (address.parse().unwrap(), *link)).collect(),
            coming: BTreeMap::new(),
            traffic: Traffic::default(),
            told: BTreeMap::new(),
            outbound_told: None,
            answers: true,
            answers_sealed: true,
            large: false,
            padded: 0,
            every: Duration::from_millis(20),
            count: 0,
            dice: 1,
            arrived_at: at(0),
            stall: Duration::ZERO,
            route_changes: 0,
            sealed: 0,
        }
    }

    /// With a direct path in use.
    fn direct() -> Self {
        let mut scene = Self::new(&[(DIRECT, GOOD)]);
        scene.run(5000);
        assert!(scene.is_direct());
        scene
    }

    fn set(&mut self, address: &str, link: Link) {
        self.links.insert(address.parse().unwrap(), link);
    }

    fn is_direct(&self) -> bool {
        let route = self.route();
        route.udp.is_some() && route.relay.is_none()
    }

    fn route(&self) -> Route {
        self.paths.best(&node(5))
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.tick();
        }
    }

    /// How long until this holds.
    fn wait(&mut self, ms_max: u64, holds: impl Fn(&Self) -> bool) -> Option<u64> {
        (0..ms_max / 10)
            .find(|_| {
                self.tick();
                holds(self)
            })
            .map(|ticks| ticks * 10)
    }

    fn tick(&mut self) {
        self.now = self.now + Duration::from_millis(10);
        let mut out = Out::default();
        while let Some(((due, _), _)) = self.coming.first_key_value()
            && *due <= self.now
        {
            let (_, arrival) = self.coming.pop_first().unwrap();
            self.take(arrival, &mut out);
        }
        if self.traffic.sent_at.is_none_or(|sent| self.now.since(sent) >= self.every) {
            self.send_data(&mut out);
        }
        if self.paths.next_timeout().is_some_and(|deadline| deadline.latest <= self.now) {
            self.paths.handle_timeout(self.now, &mut out);
        }
        self.carry(out);
    }

    fn take(&mut self, arrival: Arrival, out: &mut Out) {
        match arrival {
            Arrival::Pong(way, transaction) => {
                let pong = Message::Pong(Pong { transaction, seen_from: "192.0.2.99:9".parse().unwrap() });
                self.paths.handle_disco(way, &sealed(5, &pong), self.now, out);
            }
            Arrival::Proof(token) => self.paths.handle_proof(&node(5), token, self.now, out),
            Arrival::Data(way) => {
                if matches!(way, Way::Udp(_)) {
                    self.traffic.direct_at = Some(self.now);
                }
                if self.told.get(&way).is_none_or(|told| self.now.since(*told) >= Duration::from_secs(1)) {
                    self.told.insert(way, self.now);
                    self.paths.note_inbound(&node(5), way, self.now, out);
                }
            }
        }
    }

    fn send_data(&mut self, out: &mut Out) {
        let last = self.traffic.sent_at.replace(self.now);
        if last.is_none_or(|last| self.now.since(last) >= Duration::from_secs(1)) {
            self.traffic.burst_at = Some(self.now);
        }
        if self.large {
            self.traffic.large_at = Some(self.now);
        }
        if self.outbound_told.is_none_or(|told| self.now.since(told) >= Duration::from_secs(1)) {
            self.outbound_told = Some(self.now);
            self.paths.note_outbound(&node(5), self.now, out);
        }
        let route = self.route();
        let by_udp = route.udp.is_some_and(|hop| self.passes(hop.to, |link| link.data_out));
        if by_udp || route.relay.is_some() {
            self.arrived_at = self.now;
            self.answer_data();
        }
        self.stall = self.stall.max(self.now.since(self.arrived_at));
    }

    /// The peer's data: by the direct ways that work, else by the relay.
    fn answer_data(&mut self) {
        if !self.answers {
            return;
        }
        let direct = self.route().udp.map(|hop| hop.to);
        let back = direct.filter(|to| self.links.get(to).is_some_and(|link| link.data_in));
        if let Some(to) = back {
            self.come(self.links[&to].latency, Arrival::Data(Way::Udp(to)));
        }
        let one_way = direct.is_some_and(|to| self.links.get(&to).is_some_and(|link| !link.data_out));
        if back.is_none() || one_way {
            self.come(Duration::from_millis(60), Arrival::Data(relay(5)));
        }
    }

    fn carry(&mut self, out: Out) {
        for transmit in out.transmits {
            self.padded += usize::from(transmit.packet.len() > 1300);
            if let (Message::Ping(ping), Way::Udp(to)) = (read(5, &transmit), transmit.to)
                && transmit.packet.len() <= self.links.get(&to).map_or(0, |link| link.mtu)
                && self.passes(to, |link| link.disco)
            {
                self.come(self.links[&to].latency, Arrival::Pong(transmit.to, ping.transaction));
            }
        }
        for event in out.events {
            match event {
                Event::SendProof { to, token, .. } => {
                    self.sealed += 1;
                    let arrives = match to {
                        Way::Udp(to) => self.passes(to, |link| link.data_out),
                        Way::Relay { .. } | Way::PeerRelay { .. } => true,
                    };
                    if arrives && self.answers_sealed {
                        self.come(Duration::from_millis(60), Arrival::Proof(token));
                    }
                }
                Event::WantTraffic { peer } => {
                    let mut out = Out::default();
                    self.paths.handle_traffic(&peer, self.traffic, self.now, &mut out);
                    self.carry(out);
                }
                Event::RouteChanged { .. } => self.route_changes += 1,
                _ => {}
            }
        }
    }

    fn passes(&mut self, to: SocketAddr, what: impl Fn(&Link) -> bool) -> bool {
        let Some(link) = self.links.get(&to) else { return false };
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        what(link) && (self.dice >> 33) % 100 >= link.loss
    }

    fn come(&mut self, after: Duration, arrival: Arrival) {
        self.count += 1;
        self.coming.insert((self.now + after, self.count), arrival);
    }
}

#[test]
fn a_path_is_direct_alone_within_a_few_round_trips() {
    let mut scene = Scene::new(&[(DIRECT, GOOD)]);
    let took = scene.wait(1000, Scene::is_direct).unwrap();
    assert!(took <= 150, "took {took} ms");
    assert!(scene.wait(1000, |scene| scene.route().large.is_none()).unwrap() <= 150);
}

#[test]
fn when_a_path_dies_data_goes_by_the_relay_after_a_second() {
    let mut scene = Scene::direct();
    scene.set(DIRECT, DEAD);
    scene.run(20_000);
    assert!(scene.stall <= Duration::from_millis(1100), "{:?}", scene.stall);
    scene.set(DIRECT, GOOD);
    scene.stall = Duration::ZERO;
    let back = scene.wait(90_000, Scene::is_direct);
    assert!(back.is_some() && scene.stall <= Duration::from_millis(30), "{back:?} {:?}", scene.stall);
}

#[test]
fn pings_that_were_lost_at_the_start_are_no_news_later() {
    let mut scene = Scene::new(&[(DIRECT, DEAD)]);
    scene.run(100);
    scene.set(DIRECT, GOOD);
    handle(&mut scene.paths, udp(DIRECT), 5, &ping(5), scene.now).into_iter().for_each(|transmit| {
        scene.carry(Out { transmits: vec![transmit], ..Out::default() });
    });
    scene.run(1500);
    assert!(scene.is_direct());
    let sealed = scene.sealed;
    scene.run(10_000);
    assert_eq!(scene.sealed, sealed, "nothing is wrong, so nothing is asked");
}

#[test]
fn when_only_data_is_stopped_the_path_is_left_within_seconds_and_tried_again_later() {
    let mut scene = Scene::direct();
    scene.set(DIRECT, DISCO_ONLY);
    let left = scene.wait(10_000, |scene| scene.route().udp.is_none()).unwrap();
    assert!(left <= 4500, "left after {left} ms");
    assert!(scene.stall <= Duration::from_millis(1100), "{:?}", scene.stall);
    assert_eq!(scene.wait(50_000, |scene| scene.route().udp.is_some()), None, "it is refused for a while");
    scene.set(DIRECT, GOOD);
    assert!(scene.wait(120_000, Scene::is_direct).is_some());
}

#[test]
fn a_path_that_never_passed_data_is_refused_and_nothing_is_lost() {
    let mut scene = Scene::new(&[(DIRECT, DISCO_ONLY)]);
    let left = scene.wait(10_000, |scene| scene.now >= at(100) && scene.route().udp.is_none()).unwrap();
    assert!(left <= 4000, "left after {left} ms");
    scene.run(600_000);
    assert!(scene.stall <= scene.every, "{:?}", scene.stall);
}

#[test]
fn when_only_our_data_is_stopped_the_peers_does_not_deceive_us() {
    let mut scene = Scene::direct();
    scene.set(DIRECT, Link { data_out: false, ..GOOD });
    scene.run(30_000);
    assert!(scene.stall <= Duration::from_millis(1100), "{:?}", scene.stall);
    assert!(scene.route_changes < 12, "{} changes", scene.route_changes);
}

#[test]
fn where_disco_is_stopped_data_finds_and_keeps_the_path() {
    let mut scene = Scene::new(&[(DIRECT, DATA_ONLY)]);
    assert!(scene.wait(20_000, Scene::is_direct).is_some());
    let changes = scene.route_changes;
    scene.run(120_000);
    assert!(scene.is_direct());
    assert!(scene.route_changes <= changes + 2, "{} changes", scene.route_changes - changes);
}

#[test]
fn when_disco_is_stopped_later_the_path_stays() {
    let mut scene = Scene::direct();
    let changes = scene.route_changes;
    scene.set(DIRECT, DATA_ONLY);
    scene.run(120_000);
    assert!(scene.is_direct() && scene.route_changes == changes, "{} changes", scene.route_changes - changes);
}

#[test]
fn a_session_that_comes_after_the_path_is_asked_later() {
    let mut scene = Scene::new(&[(DIRECT, GOOD)]);
    scene.answers_sealed = false;
    scene.run(400);
    scene.answers_sealed = true;
    scene.run(10_000);
    scene.set(DIRECT, DISCO_ONLY);
    scene.run(20_000);
    assert!(scene.stall <= Duration::from_millis(1100), "{:?}", scene.stall);
    assert_eq!(scene.route().udp, None);
}

#[test]
fn where_disco_is_stopped_it_is_asked_less_and_less() {
    let mut scene = Scene::direct();
    scene.large = true;
    scene.set(DIRECT, DATA_ONLY);
    scene.run(30_000);
    let (padded, sealed) = (scene.padded, scene.sealed);
    scene.run(120_000);
    assert!(scene.padded - padded <= 12, "{} padded pings", scene.padded - padded);
    assert!(scene.sealed - sealed <= 90, "{} sealed pings", scene.sealed - sealed);
    assert!(scene.is_direct());
}

#[test]
fn data_that_flows_one_way_only_is_not_doubted_and_asked_about_seldom() {
    let mut scene = Scene::direct();
    scene.answers = false;
    scene.run(10_000);
    let (changes, sealed) = (scene.route_changes, scene.sealed);
    scene.run(60_000);
    assert_eq!(scene.route_changes, changes);
    assert!((25..=60).contains(&(scene.sealed - sealed)), "{} sealed pings in a minute", scene.sealed - sealed);
    scene.stall = Duration::ZERO;
    scene.set(DIRECT, DEAD);
    scene.run(5_000);
    assert!(scene.stall <= Duration::from_millis(2900), "{:?}", scene.stall);
}

#[test]
fn a_third_of_our_packets_lost_does_not_make_the_path_flap() {
    let mut scene = Scene::direct();
    let changes = scene.route_changes;
    scene.set(DIRECT, Link { loss: 30, ..GOOD });
    scene.run(600_000);
    assert!(scene.route_changes - changes <= 20, "{} changes in ten minutes", scene.route_changes - changes);
    assert!(scene.route().udp.is_some());
}

#[test]
fn a_peer_that_answers_no_sealed_pings_keeps_its_path() {
    let mut scene = Scene::new(&[(DIRECT, GOOD)]);
    scene.answers_sealed = false;
    assert!(scene.wait(1000, Scene::is_direct).is_some());
    scene.run(5_000);
    let changes = scene.route_changes;
    scene.run(60_000);
    scene.answers = false;
    scene.run(10_000);
    assert_eq!(scene.route_changes, changes);
    scene.answers = true;
    scene.set(DIRECT, DEAD);
    scene.stall = Duration::ZERO;
    scene.run(10_000);
    assert!(scene.stall <= Duration::from_millis(1100), "{:?}", scene.stall);
}

#[test]
fn where_full_size_messages_get_lost_they_take_the_relay_and_the_rest_stays_direct() {
    let mut scene = Scene::new(&[(DIRECT, Link { mtu: 1280, ..GOOD })]);
    scene.run(5000);
    let route = scene.route();
    assert_eq!(route.udp.map(|hop| hop.mtu), Some(1232));
    assert_eq!((route.relay, route.large), (None, Some(Large { over: 1232, region: REGION })));
}

#[test]
fn a_path_that_begins_to_lose_full_size_messages_is_noticed_while_they_are_sent() {
    let mut scene = Scene::direct();
    scene.large = true;
    scene.run(5_000);
    assert_eq!(scene.route().large, None);
    scene.set(DIRECT, Link { mtu: 1280, ..GOOD });
    let took = scene.wait(5_000, |scene| scene.route().large.is_some()).unwrap();
    assert!(took <= 1300, "took {took} ms");
    scene.run(5_000);
    assert_eq!(scene.route().udp.map(|hop| hop.mtu), Some(1232));
    let mut thin = Scene::direct();
    let sent = thin.padded;
    thin.run(60_000);
    assert_eq!(thin.padded, sent, "nothing long is sent, so nothing is asked");
}

#[test]
fn another_path_must_stay_better_for_a_while_and_its_data_must_arrive() {
    let slow = Link { latency: Duration::from_millis(80), ..GOOD };
    let mut scene = Scene::new(&[(DIRECT, GOOD), (OTHER, slow)]);
    scene.run(70_000);
    let uses =
        |scene: &Scene, address: &str| scene.route().udp.map(|hop| hop.to.to_string()).as_deref() == Some(address);
    assert!(uses(&scene, DIRECT));
    // It becomes clearly better: found by the next round, and used after a while.
    scene.set(OTHER, Link { latency: Duration::from_millis(10), ..GOOD });
    let changes = scene.route_changes;
    let took = scene.wait(90_000, |scene| uses(scene, OTHER)).unwrap();
    assert!(took >= DWELL.as_millis() as u64);
    assert!(scene.is_direct(), "the relay is not needed for that");
    assert!(scene.route_changes - changes <= 2);
    // One through which only pings get is not used, however fast.
    scene.set(DIRECT, Link { latency: Duration::from_millis(1), ..DISCO_ONLY });
    scene.run(200_000);
    assert!(uses(&scene, OTHER) && scene.is_direct());
}

#[test]
fn jitter_does_not_make_paths_take_turns() {
    let mut scene = Scene::new(&[(DIRECT, GOOD), (OTHER, GOOD)]);
    scene.run(5000);
    let changes = scene.route_changes;
    for round in 0..300u64 {
        for (number, address) in [DIRECT, OTHER].into_iter().enumerate() {
            let jitter = (round * 7 + number as u64 * 5) % 13;
            scene.set(address, Link { latency: Duration::from_millis(34 + jitter), ..GOOD });
        }
        scene.run(1000);
    }
    assert_eq!(scene.route_changes, changes);
}

#[test]
fn of_two_paths_the_second_takes_over_when_the_first_dies() {
    let mut scene = Scene::new(&[(DIRECT, GOOD), (OTHER, Link { latency: Duration::from_millis(60), ..GOOD })]);
    scene.run(5000);
    scene.set(DIRECT, DEAD);
    let took =
        scene.wait(5000, |scene| scene.route().udp.is_some_and(|hop| hop.to.to_string() == OTHER) && scene.is_direct());
    assert!(took.is_some_and(|took| took <= 1500), "{took:?}");
    assert!(scene.stall <= Duration::from_millis(1100), "{:?}", scene.stall);
}

#[test]
fn people_are_told_why() {
    let says = |scene: &Scene, ours: Option<bool>| {
        let net = wattle_netmap::NetFacts { mapping_varies: ours, ..Default::default() };
        scene.paths.explain(&node(5), Nets { ours: Some(&net), theirs: None }, scene.now).unwrap()
    };
    let mut scene = Scene::new(&[(DIRECT, GOOD), (OTHER, DEAD), ("[2001:db8::7]:7", GOOD)]);
    scene.paths.set_families(Families { v4: true, v6: false }, at(0), &mut Out::default());
    let idle = says(&scene, None);
    assert_eq!(idle.why_not_direct.as_deref(), Some("there is no traffic: paths are looked for when there is some"));
    scene.run(5000);
    let direct = says(&scene, None);
    assert_eq!(direct.why_not_direct, None);
    assert_eq!(direct.best.unwrap().why, "40.0 ms, the first to answer");
    let states: Vec<_> = direct.candidates.iter().map(|one| (one.sources(), one.state.as_str())).collect();
    let expected = ["in use", "never answered", "not tried: we have no IPv6"];
    let sources = ["map, heard", "map", "map"].map(str::to_owned);
    assert_eq!(states, sources.into_iter().zip(expected).collect::<Vec<_>>());
    scene.set(DIRECT, DISCO_ONLY);
    scene.run(6000);
    let refused = says(&scene, None);
    assert_eq!(
        refused.why_not_direct.as_deref(),
        Some("an address of it answers pings, but data does not arrive by it")
    );
    assert!(refused.candidates[0].state.starts_with("refused for 5"), "{}", refused.candidates[0].state);
    let mut dead = Scene::new(&[(DIRECT, DEAD)]);
    dead.run(5000);
    let why = says(&dead, Some(true)).why_not_direct.unwrap();
    assert!(why.starts_with("our NAT maps each destination to another port"), "{why}");
    assert!(dead.paths.explain(&node(77), Nets::default(), dead.now).is_none());
}

#[test]
fn when_traffic_ends_so_does_everything() {
    let mut scene = Scene::direct();
    scene.every = Duration::from_secs(100_000);
    scene.run(46_000);
    let before = scene.sealed;
    let mut wakes = 0;
    let end = scene.now + Duration::from_secs(500);
    while let Some(deadline) = scene.paths.next_timeout().filter(|deadline| deadline.latest < end) {
        let mut out = Out::default();
        scene.paths.handle_timeout(deadline.latest, &mut out);
        assert!(out.transmits.is_empty(), "{:?}", deadline.why);
        wakes += 1;
        assert!(wakes < 5, "{:?}", deadline.why);
    }
    assert_eq!(scene.sealed, before);
    assert!(HEARTBEAT < Duration::from_secs(46));
}
