//! What single packets cause. Whole stories are in `lab/scenarios`.

mod liveness;

use std::time::Duration;

use proptest::prelude::*;
use wattle_wire::disco::{CallMeMaybe, Envelope, Pong, TransactionId};

use super::*;
use crate::limits::{CALLS, CANDIDATES_MAX, ENDPOINTS_MAX, PENDING_PINGS_MAX, PRIVATE_ENDPOINTS_MAX};
use crate::{Hop, Large, Transmit};

const REGION: RegionId = RegionId(4);
const OURS: [u8; 32] = [1; 32];

fn at(ms: u64) -> Instant {
    Instant::ORIGIN + Duration::from_secs(100) + Duration::from_millis(ms)
}

fn node(number: u8) -> NodePublic {
    NodePublic::from_bytes([number; 32])
}

fn disco(number: u8) -> DiscoPrivate {
    DiscoPrivate::from_bytes([number; 32])
}

fn udp(text: &str) -> Way {
    Way::Udp(text.parse().unwrap())
}

fn relay(number: u8) -> Way {
    Way::Relay { region: REGION, peer: node(number) }
}

fn facts(number: u8, disco_number: u8, endpoints: &[&str]) -> PeerFacts {
    PeerFacts {
        key: node(number),
        disco: Some(disco(disco_number).public()),
        endpoints: endpoints.iter().map(|text| text.parse().unwrap()).collect(),
        home_region: Some(REGION),
        speaks_peer_relay: true,
    }
}

/// We, with these peers.
fn paths(peers: &[PeerFacts]) -> Paths {
    let mut paths = Paths::new(Config { node: node(200), disco: DiscoPrivate::from_bytes(OURS) }, [9; 32], at(0));
    for facts in peers {
        paths.upsert_peer(facts.clone(), at(0), &mut Out::default());
    }
    paths
}

/// What the owner of a disco key sends us.
fn sealed(number: u8, message: &Message) -> Vec<u8> {
    let (theirs, ours) = (disco(number), DiscoPrivate::from_bytes(OURS).public());
    let mut packet = Vec::new();
    message.seal(&theirs.public(), &theirs.shared(&ours), &[7; 24], &mut packet);
    packet
}

fn ping(sender: u8) -> Message {
    Message::Ping(Ping { transaction: TransactionId([3; 12]), node: Some(node(sender)), padding: 0 })
}

fn call(endpoints: &[&str]) -> Message {
    let endpoints = endpoints.iter().map(|text| text.parse().unwrap()).collect();
    Message::CallMeMaybe(CallMeMaybe { endpoints })
}

/// What we sent, as the owner of the disco key reads it.
fn read(number: u8, transmit: &Transmit) -> Message {
    let shared = disco(number).shared(&DiscoPrivate::from_bytes(OURS).public());
    Envelope::parse(&transmit.packet).unwrap().open(&shared).unwrap()
}

fn handle(paths: &mut Paths, from: Way, sender: u8, message: &Message, now: Instant) -> Vec<Transmit> {
    let mut out = Out::default();
    paths.handle_disco(from, &sealed(sender, message), now, &mut out);
    out.transmits
}

/// Where pings went.
fn pinged(number: u8, transmits: &[Transmit]) -> Vec<Way> {
    let is_ping = |transmit: &&Transmit| matches!(read(number, transmit), Message::Ping(_));
    transmits.iter().filter(is_ping).map(|transmit| transmit.to).collect()
}

/// Answers every ping among these over UDP.
fn answer(paths: &mut Paths, number: u8, transmits: &[Transmit], now: Instant) -> Out {
    let mut out = Out::default();
    for transmit in transmits {
        if let (Message::Ping(ping), Way::Udp(_)) = (read(number, transmit), transmit.to) {
            let pong =
                Message::Pong(Pong { transaction: ping.transaction, seen_from: "192.0.2.99:9".parse().unwrap() });
            paths.handle_disco(transmit.to, &sealed(number, &pong), now, &mut out);
        }
    }
    out
}

/// The routes that were told.
fn routes(out: &Out) -> Vec<Route> {
    out.events
        .iter()
        .filter_map(|event| if let Event::RouteChanged { route, .. } = event { Some(*route) } else { None })
        .collect()
}

#[test]
fn a_pong_goes_back_the_way_the_ping_came() {
    let mut paths = paths(&[facts(5, 5, &[])]);
    for way in [udp("198.51.100.7:7"), relay(5)] {
        let transmits = handle(&mut paths, way, 5, &ping(5), at(0));
        let Message::Pong(pong) = read(5, &transmits[0]) else { panic!("no pong") };
        assert_eq!((transmits[0].to, pong.transaction), (way, TransactionId([3; 12])));
        if let Way::Udp(address) = way {
            assert_eq!(pong.seen_from, address);
        }
    }
}

#[test]
fn a_ping_from_an_unknown_address_of_a_peer_makes_it_a_candidate() {
    let mut paths = paths(&[facts(5, 5, &[])]);
    let way = udp("198.51.100.7:7");
    let transmits = handle(&mut paths, way, 5, &ping(5), at(0));
    assert_eq!(pinged(5, &transmits), [way], "whether ours gets through is asked at once");
    let again = handle(&mut paths, way, 5, &ping(5), at(1));
    assert_eq!(pinged(5, &again), [], "but not for each ping");
}

#[test]
fn strangers_and_garbage_cause_nothing() {
    let mut paths = paths(&[facts(5, 5, &[])]);
    assert_eq!(handle(&mut paths, udp("198.51.100.7:7"), 6, &ping(5), at(0)), []);
    let mut out = Out::default();
    let mut broken = sealed(5, &ping(5));
    *broken.last_mut().unwrap() ^= 1;
    for packet in [&broken[..], &broken[..40], &[]] {
        paths.handle_disco(udp("198.51.100.7:7"), packet, at(0), &mut out);
    }
    assert!(out.transmits.is_empty() && out.events.is_empty());
}

#[test]
fn a_call_is_heeded_over_the_relay_only_and_only_from_the_node_that_has_the_key() {
    let mut paths = paths(&[facts(5, 5, &[]), facts(6, 6, &[])]);
    let message = call(&["198.51.100.7:7", "[fe80::1]:7", "100.64.0.3:7"]);
    assert_eq!(handle(&mut paths, udp("198.51.100.7:7"), 5, &message, at(0)), []);
    assert_eq!(handle(&mut paths, relay(6), 5, &message, at(0)), []);
    let transmits = handle(&mut paths, relay(5), 5, &message, at(0));
    assert_eq!(pinged(5, &transmits), [udp("198.51.100.7:7")], "no link-local, no overlay address");
    assert_eq!(transmits.len(), 1, "and no call back");
}

#[test]
fn a_storm_of_calls_makes_us_send_little() {
    let mut paths = paths(&[facts(5, 5, &[])]);
    let sent: usize = (0..100).map(|_| handle(&mut paths, relay(5), 5, &call(&["198.51.100.7:7"]), at(0)).len()).sum();
    assert_eq!(sent, CALLS.at_once as usize);
}

#[test]
fn many_peers_that_call_together_make_us_send_no_more_than_the_budget_allows() {
    let peers: Vec<PeerFacts> = (0..190).map(|number| facts(number, number, &[])).collect();
    let mut paths = paths(&peers);
    let mut sent = 0;
    for round in 0..4u8 {
        let endpoints: Vec<String> = (0..60).map(|host| format!("198.51.{round}.{host}:7")).collect();
        let call = call(&endpoints.iter().map(String::as_str).collect::<Vec<_>>());
        for number in 0..190 {
            sent += handle(&mut paths, relay(number), number, &call, at(0)).len();
        }
    }
    assert_eq!(sent, crate::limits::ALL_PINGS.at_once as usize);
}

#[test]
fn private_and_repeated_addresses_of_a_call_are_few() {
    let mut paths = paths(&[facts(5, 5, &[])]);
    let mut endpoints: Vec<String> = (0..60).map(|host| format!("10.0.0.{host}:7")).collect();
    endpoints.extend((0..60).map(|_| "198.51.100.7:7".to_owned()));
    let call = call(&endpoints.iter().map(String::as_str).collect::<Vec<_>>());
    let sent = handle(&mut paths, relay(5), 5, &call, at(0)).len();
    assert_eq!(sent, PRIVATE_ENDPOINTS_MAX + 1);
}

#[test]
fn a_network_that_changes_ten_times_a_second_is_acted_on_once_a_second() {
    let mut paths = paths(&[facts(5, 5, &["198.51.100.7:7"])]);
    paths.note_outbound(&node(5), at(0), &mut Out::default());
    let mut out = Out::default();
    for ms in (1000..6000).step_by(100) {
        paths.handle_network_change(at(ms), &mut out);
        paths.handle_timeout(at(ms), &mut out);
    }
    let calls = out.transmits.iter().filter(|transmit| transmit.to == relay(5)).count();
    assert!((5..=7).contains(&calls), "{calls} calls in five seconds");
    let mut last = Out::default();
    paths.handle_timeout(at(7000), &mut last);
    assert!(!last.transmits.is_empty(), "the last change is not forgotten");
}

#[test]
fn of_several_nodes_with_one_disco_key_the_ping_says_which_it_is() {
    let mut paths = paths(&[facts(5, 9, &[]), facts(6, 9, &[])]);
    let way = udp("198.51.100.7:7");
    handle(&mut paths, way, 9, &ping(6), at(0));
    let candidates = |paths: &Paths, number| paths.peer_status(&node(number), at(0)).unwrap().candidates.len();
    assert_eq!((candidates(&paths, 5), candidates(&paths, 6)), (0, 1));
    let silent = Message::Ping(Ping { transaction: TransactionId([8; 12]), node: None, padding: 0 });
    let transmits = handle(&mut paths, udp("198.51.100.8:8"), 9, &silent, at(1));
    assert!(matches!(read(9, &transmits[0]), Message::Pong(_)), "an ambiguous ping is answered");
    assert_eq!((candidates(&paths, 5), candidates(&paths, 6)), (0, 1), "and teaches nothing");
}

#[test]
fn traffic_starts_a_round_of_pings_and_a_call() {
    let mut paths = paths(&[facts(5, 5, &["198.51.100.7:7", "10.0.0.7:7"])]);
    let mut out = Out::default();
    paths.set_own_endpoints(&["203.0.113.1:1".parse().unwrap()], at(0), &mut out);
    paths.note_outbound(&node(5), at(0), &mut out);
    assert_eq!(pinged(5, &out.transmits), [udp("10.0.0.7:7"), udp("198.51.100.7:7")]);
    let calls: Vec<_> = out.transmits.iter().filter(|transmit| transmit.to == relay(5)).collect();
    assert_eq!(read(5, calls[0]), call(&["203.0.113.1:1"]));
    assert_eq!(out.events, [], "own endpoints are fresh");
}

#[test]
fn stale_own_endpoints_are_told_at_once_and_told_anew_when_found() {
    let mut paths = paths(&[facts(5, 5, &[])]);
    let mut out = Out::default();
    paths.note_outbound(&node(5), at(0), &mut out);
    assert_eq!(out.events, [Event::WantFreshEndpoints]);
    let mut out = Out::default();
    paths.set_own_endpoints(&["203.0.113.1:1".parse().unwrap()], at(50), &mut out);
    assert_eq!(read(5, out.transmits.last().unwrap()), call(&["203.0.113.1:1"]));
}

#[test]
fn the_relay_leaves_the_route_only_after_data_has_come_over_the_new_path() {
    let mut paths = paths(&[facts(5, 5, &["198.51.100.7:7"])]);
    let direct: SocketAddr = "198.51.100.7:7".parse().unwrap();
    let mut out = Out::default();
    paths.note_outbound(&node(5), at(0), &mut out);
    let answered = answer(&mut paths, 5, &out.transmits, at(30));
    let both = Route {
        udp: Some(Hop::direct(direct)),
        relay: Some(REGION),
        large: Some(Large { over: 1232, region: REGION }),
    };
    assert_eq!(routes(&answered), [both]);
    paths.note_inbound(&node(5), relay(5), at(40), &mut Out::default());
    assert_eq!(paths.best(&node(5)), both);
    paths.note_inbound(&node(5), udp("198.51.100.7:7"), at(50), &mut Out::default());
    assert_eq!(paths.best(&node(5)), Route { relay: None, ..both });
    paths.note_unanswered(&node(5), at(60), &mut Out::default());
    assert_eq!(paths.best(&node(5)), both, "the tunnel doubts it");
}

#[test]
fn an_answer_through_the_relay_proves_no_direct_path() {
    let mut paths = paths(&[facts(5, 5, &["198.51.100.7:7"])]);
    let mut out = Out::default();
    paths.note_outbound(&node(5), at(0), &mut out);
    let Message::Ping(asked) = read(5, &out.transmits[0]) else { panic!("no ping") };
    let pong = Message::Pong(Pong { transaction: asked.transaction, seen_from: "192.0.2.9:9".parse().unwrap() });
    handle(&mut paths, relay(5), 5, &pong, at(20));
    assert_eq!(paths.best(&node(5)).udp, None);
}

#[test]
fn an_old_disco_key_repeated_by_the_map_does_not_undo_a_newer_one_from_the_tunnel() {
    let mut paths = paths(&[facts(5, 5, &[])]);
    let mut out = Out::default();
    paths.update_disco_key(&node(5), disco(6).public(), at(0), &mut out);
    paths.upsert_peer(facts(5, 5, &["198.51.100.7:7"]), at(1), &mut out);
    assert_eq!(handle(&mut paths, udp("198.51.100.7:7"), 5, &ping(5), at(2)), []);
    assert_ne!(handle(&mut paths, udp("198.51.100.7:7"), 6, &ping(5), at(2)), []);
    paths.upsert_peer(facts(5, 7, &[]), at(3), &mut out);
    assert_ne!(handle(&mut paths, udp("198.51.100.7:7"), 7, &ping(5), at(4)), [], "a new one of the map counts");
}

#[test]
fn a_removed_peer_leaves_nothing_behind() {
    let mut paths = paths(&[facts(5, 5, &["198.51.100.7:7"])]);
    paths.note_outbound(&node(5), at(0), &mut Out::default());
    paths.remove_peer(&node(5));
    assert_eq!(paths.next_timeout(), None);
    assert_eq!(paths.best(&node(5)), Route::default());
    assert_eq!(handle(&mut paths, udp("198.51.100.7:7"), 5, &ping(5), at(2)), []);
}

#[test]
fn pings_by_people_say_why_they_cannot_be_sent_and_when_they_are_lost() {
    let mut unreachable = facts(6, 6, &[]);
    unreachable.home_region = None;
    let mut mute = facts(7, 7, &[]);
    mute.disco = None;
    let mut paths = paths(&[facts(5, 5, &[]), unreachable, mute]);
    let mut out = Out::default();
    assert_eq!(paths.ping(&node(9), at(0), &mut out), Err(PingError::UnknownPeer));
    assert_eq!(paths.ping(&node(7), at(0), &mut out), Err(PingError::NoDiscoKey));
    assert_eq!(paths.ping(&node(6), at(0), &mut out), Err(PingError::NoWay));
    let id = paths.ping(&node(5), at(0), &mut out).unwrap();
    let mut out = Out::default();
    paths.handle_timeout(at(5000), &mut out);
    assert_eq!(out.events, [Event::PingLost { id, peer: node(5) }]);
}

#[test]
fn a_peer_without_traffic_costs_a_few_hundred_bytes_and_no_timer() {
    assert!(size_of::<Peer>() <= 256, "{}", size_of::<Peer>());
    assert_eq!(paths(&[facts(5, 5, &["198.51.100.7:7"])]).next_timeout(), None);
}

/// Something that may happen.
#[derive(Clone, Debug)]
enum Input {
    Disco {
        from: Way,
        sender: u8,
        message: Message,
    },
    Bytes {
        from: Way,
        bytes: Vec<u8>,
    },
    Outbound(u8),
    Inbound(u8, Way),
    Unanswered(u8),
    Gone(u8),
    Person(u8),
    Map {
        number: u8,
        disco: u8,
        endpoints: Vec<SocketAddr>,
    },
    Tunnel {
        number: u8,
        disco: u8,
    },
    Removed(u8),
    Network,
    Own(Vec<SocketAddr>),
    AnswerAll,
    /// What the data path says, in milliseconds before now.
    Traffic {
        number: u8,
        sent: u64,
        burst: u64,
        direct: Option<u64>,
        large: Option<u64>,
    },
    /// Answers all sealed pings.
    ProveAll,
    Families(bool, bool),
    RelayLost,
}

/// What we sent and nobody has answered yet.
#[derive(Default)]
struct Pending {
    transmits: Vec<Transmit>,
    proofs: Vec<(NodePublic, ProofToken)>,
}

impl Pending {
    fn extend(&mut self, out: Out) {
        for event in out.events {
            if let Event::SendProof { peer, token, .. } = event {
                self.proofs.push((peer, token));
            }
        }
        self.transmits.extend(out.transmits);
        self.transmits.truncate(100);
        self.proofs.truncate(100);
    }
}

const PEERS: std::ops::Range<u8> = 3..6;

fn any_way() -> impl Strategy<Value = Way> {
    prop_oneof![
        any::<SocketAddr>().prop_map(Way::Udp),
        (0u8..4, 1u16..3).prop_map(|(host, port)| Way::Udp(SocketAddr::from(([198, 51, 100, host], port)))),
        (any::<u16>(), PEERS).prop_map(|(region, peer)| Way::Relay { region: RegionId(region), peer: node(peer) }),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let transaction = || any::<[u8; 12]>().prop_map(TransactionId);
    prop_oneof![
        (transaction(), prop::option::of(PEERS.prop_map(node))).prop_map(|(transaction, node)| Message::Ping(Ping {
            transaction,
            node,
            padding: 0
        })),
        (transaction(), any::<SocketAddr>())
            .prop_map(|(transaction, seen_from)| Message::Pong(Pong { transaction, seen_from })),
        prop::collection::vec(any::<SocketAddr>(), 0..80)
            .prop_map(|endpoints| Message::CallMeMaybe(CallMeMaybe { endpoints })),
    ]
}

fn any_input() -> impl Strategy<Value = Input> {
    let endpoints = || prop::collection::vec(any::<SocketAddr>(), 0..80);
    prop_oneof![
        4 => (any_way(), PEERS, any_message()).prop_map(|(from, sender, message)| Input::Disco { from, sender, message }),
        1 => (any_way(), any::<Vec<u8>>()).prop_map(|(from, bytes)| Input::Bytes { from, bytes }),
        3 => PEERS.prop_map(Input::Outbound),
        2 => (PEERS, any_way()).prop_map(|(number, way)| Input::Inbound(number, way)),
        1 => PEERS.prop_map(Input::Unanswered),
        1 => PEERS.prop_map(Input::Gone),
        1 => PEERS.prop_map(Input::Person),
        1 => (PEERS, PEERS, endpoints()).prop_map(|(number, disco, endpoints)| Input::Map { number, disco, endpoints }),
        1 => (PEERS, PEERS).prop_map(|(number, disco)| Input::Tunnel { number, disco }),
        1 => PEERS.prop_map(Input::Removed),
        1 => Just(Input::Network),
        1 => endpoints().prop_map(Input::Own),
        3 => Just(Input::AnswerAll),
        4 => (PEERS, 0u64..3000, 0u64..3000, prop::option::of(0u64..3000), prop::option::of(0u64..3000)).prop_map(
            |(number, sent, burst, direct, large)| Input::Traffic { number, sent, burst, direct, large }
        ),
        2 => Just(Input::ProveAll),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(v4, v6)| Input::Families(v4, v6)),
        1 => Just(Input::RelayLost),
    ]
}

fn apply(paths: &mut Paths, input: &Input, pending: &mut Pending, now: Instant) -> Out {
    let mut out = Out::default();
    match input {
        Input::Disco { from, sender, message } => {
            paths.handle_disco(*from, &sealed(*sender, message), now, &mut out);
        }
        Input::Bytes { from, bytes } => paths.handle_disco(*from, bytes, now, &mut out),
        Input::Outbound(number) => paths.note_outbound(&node(*number), now, &mut out),
        Input::Inbound(number, way) => paths.note_inbound(&node(*number), *way, now, &mut out),
        Input::Unanswered(number) => paths.note_unanswered(&node(*number), now, &mut out),
        Input::Gone(number) => paths.note_peer_gone(REGION, &node(*number), &mut out),
        Input::Person(number) => {
            let _refused = paths.ping(&node(*number), now, &mut out);
        }
        Input::Map { number, disco, endpoints } => {
            let facts = PeerFacts { endpoints: endpoints.clone(), ..facts(*number, *disco, &[]) };
            paths.upsert_peer(facts, now, &mut out);
        }
        Input::Tunnel { number, disco: key } => {
            paths.update_disco_key(&node(*number), disco(*key).public(), now, &mut out);
        }
        Input::Removed(number) => paths.remove_peer(&node(*number)),
        Input::Network => paths.handle_network_change(now, &mut out),
        Input::Traffic { number, sent, burst, direct, large } => {
            let before = |ms: u64| now - Duration::from_millis(ms);
            let traffic = Traffic {
                sent_at: Some(before(*sent)),
                burst_at: Some(before(*burst)),
                large_at: large.map(before),
                direct_at: direct.map(before),
            };
            paths.handle_traffic(&node(*number), traffic, now, &mut out);
        }
        Input::ProveAll => {
            for (peer, token) in std::mem::take(&mut pending.proofs) {
                paths.handle_proof(&peer, token, now, &mut out);
            }
        }
        Input::Families(v4, v6) => paths.set_families(Families { v4: *v4, v6: *v6 }, now, &mut out),
        Input::RelayLost => paths.note_relay_lost(REGION, &mut out),
        Input::Own(endpoints) => paths.set_own_endpoints(endpoints, now, &mut out),
        Input::AnswerAll => {
            for transmit in std::mem::take(&mut pending.transmits) {
                for number in PEERS {
                    let shared = disco(number).shared(&DiscoPrivate::from_bytes(OURS).public());
                    let opened = Envelope::parse(&transmit.packet).map(|envelope| envelope.open(&shared));
                    if let Some(Ok(Message::Ping(ping))) = opened {
                        let seen_from = SocketAddr::from(([192, 0, 2, 9], 9));
                        let pong = Message::Pong(Pong { transaction: ping.transaction, seen_from });
                        paths.handle_disco(transmit.to, &sealed(number, &pong), now, &mut out);
                    }
                }
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_comes_limits_hold_and_time_goes_on(inputs in prop::collection::vec((any_input(), 0u64..9000), 1..60)) {
        let mut paths = paths(&PEERS.map(|number| facts(number, number, &["198.51.100.1:1"])).collect::<Vec<_>>());
        let mut pending = Pending::default();
        let mut now = at(0);
        for (input, wait) in inputs {
            let out = apply(&mut paths, &input, &mut pending, now);
            prop_assert!(out.transmits.len() <= 3 * (PENDING_PINGS_MAX + 2) + 200, "{} packets", out.transmits.len());
            pending.extend(out);
            now = now + Duration::from_millis(wait);
            let mut out = Out::default();
            paths.handle_timeout(now, &mut out);
            pending.extend(out);
            for number in PEERS {
                if let Some(status) = paths.peer_status(&node(number), now) {
                    prop_assert!(status.candidates.len() <= CANDIDATES_MAX);
                }
            }
            prop_assert!(paths.next_timeout().is_none_or(|deadline| deadline.earliest > now), "a timer that is never done");
        }
        // Left alone, all of it ends.
        for _ in 0..20 {
            now = now + Duration::from_secs(300);
            paths.handle_timeout(now, &mut Out::default());
        }
        prop_assert_eq!(paths.next_timeout(), None);
    }

    #[test]
    fn of_a_long_list_of_endpoints_so_many_are_kept_as_may_be(count in 0usize..300) {
        let endpoints = (0..count).map(|index| SocketAddr::from(([9, 0, (index / 250) as u8, (index % 250) as u8], 1)));
        let facts = PeerFacts { endpoints: endpoints.collect(), ..facts(5, 5, &[]) };
        let candidates = paths(&[facts]).peer_status(&node(5), at(0)).unwrap().candidates;
        prop_assert_eq!(candidates.len(), count.min(ENDPOINTS_MAX));
    }
}
