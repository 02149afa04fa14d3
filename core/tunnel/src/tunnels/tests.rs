//! Two or three of us over a network that loses, repeats and reorders, on virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limits::{HANDSHAKES_PER_SECOND_UNLOADED, REJECT_AFTER_TIME, REKEY_AFTER_TIME, STAGED_PACKETS_PER_PEER};
use crate::{HEADER_LENGTH, OpenError, Opener, Sealer, receiver_index, sealed_length};

const SECOND: Duration = Duration::from_secs(1);

/// One host: the slow half, and the tables that a node would publish.
struct Host {
    tunnels: Tunnels,
    openers: BTreeMap<u32, Arc<Opener>>,
    sealers: BTreeMap<NodePublic, Arc<Sealer>>,
    delivered: Vec<(NodePublic, Vec<u8>)>,
    failed: Vec<NodePublic>,
    unknown: Vec<NodePublic>,
    refused: Vec<OpenError>,
}

impl Host {
    fn new(id: u8, now: Instant) -> Self {
        Self {
            tunnels: Tunnels::new(
                NodePrivate::from_bytes([id; 32]),
                [id ^ 0x55; 32],
                now,
                UnixTime::from_secs(1_700_000_000),
            ),
            openers: BTreeMap::new(),
            sealers: BTreeMap::new(),
            delivered: Vec::new(),
            failed: Vec::new(),
            unknown: Vec::new(),
            refused: Vec::new(),
        }
    }

    fn key(&self) -> NodePublic {
        self.tunnels.public()
    }

    /// What a node does with `out`: the messages it returns are to be carried.
    fn settle(&mut self, out: Out) -> Vec<Transmit> {
        for event in out.events {
            match event {
                Event::OpenerReady { receiver_index, opener, .. } => {
                    assert!(self.openers.insert(receiver_index, opener).is_none())
                }
                Event::OpenerGone { receiver_index, .. } => assert!(self.openers.remove(&receiver_index).is_some()),
                Event::SealerReady { peer, sealer } => drop(self.sealers.insert(peer, sealer)),
                Event::SealerGone { peer } => assert!(self.sealers.remove(&peer).is_some()),
                Event::UnknownPeer { key } => self.unknown.push(key),
                Event::HandshakeFailed { peer } => self.failed.push(peer),
            }
        }
        out.transmits
    }

    /// Sends as a node does: by the fast half if there is one.
    fn send(&mut self, to: NodePublic, packet: &[u8], now: Instant) -> Vec<Transmit> {
        let mut out = Out::default();
        if let Some(sealer) = self.sealers.get(&to) {
            let mut message = vec![0; sealed_length(packet.len())];
            message[HEADER_LENGTH..][..packet.len()].copy_from_slice(packet);
            if sealer.seal(&mut message, packet.len()).is_ok() {
                out.transmits.push(Transmit { way: Way::Peer(to), message });
                self.tunnels.note_traffic(&to, now, &mut out);
                return self.settle(out);
            }
        }
        // A full stage is the network's business: the packet is lost.
        let _staged = self.tunnels.send(&to, packet, now, &mut out);
        self.settle(out)
    }

    fn receive(&mut self, source: &[u8], mut message: Vec<u8>, now: Instant) -> Vec<Transmit> {
        let mut out = Out::default();
        match receiver_index(&message) {
            None => self.tunnels.handle_message(source, &message, now, &mut out),
            Some(index) => {
                let Some(opener) = self.openers.get(&index).cloned() else { return Vec::new() };
                match opener.open(&mut message) {
                    Ok(opened) => {
                        if opened.length > 0 {
                            self.delivered.push((*opener.peer(), message[HEADER_LENGTH..][..opened.length].to_vec()));
                        }
                        self.tunnels.note_traffic(opener.peer(), now, &mut out);
                    }
                    Err(error) => self.refused.push(error),
                }
            }
        }
        self.settle(out)
    }

    fn tick(&mut self, now: Instant) -> Vec<Transmit> {
        let mut out = Out::default();
        self.tunnels.handle_timeout(now, &mut out);
        let later = self.tunnels.next_timeout();
        assert!(later.is_none_or(|deadline| deadline.latest > now), "{later:?} at {now:?}");
        self.settle(out)
    }
}

/// What becomes of a message.
type Judge = Box<dyn FnMut(&[u8]) -> Fate>;

/// Two hosts and what is on the wire between them.
struct World {
    now: Instant,
    hosts: [Host; 2],
    wire: VecDeque<(usize, Vec<u8>)>,
    /// Decides the fate of each message; what it returns are the copies to deliver.
    fate: Judge,
    carried: Vec<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Arrive,
    Lose,
    Repeat,
    /// Behind everything that is on the wire.
    Delay,
}

impl World {
    fn new(fate: impl FnMut(&[u8]) -> Fate + 'static) -> Self {
        let now = Instant::ORIGIN + SECOND;
        let mut hosts = [Host::new(1, now), Host::new(2, now)];
        let keys = [hosts[0].key(), hosts[1].key()];
        hosts[0].tunnels.upsert_peer(keys[1], None);
        hosts[1].tunnels.upsert_peer(keys[0], None);
        Self { now, hosts, wire: VecDeque::new(), fate: Box::new(fate), carried: Vec::new() }
    }

    fn key(&self, host: usize) -> NodePublic {
        self.hosts[host].key()
    }

    fn post(&mut self, from: usize, transmits: Vec<Transmit>) {
        for transmit in transmits {
            self.carried.push(classify(&transmit.message).unwrap());
            let message = (1 - from, transmit.message);
            match (self.fate)(&message.1) {
                Fate::Lose => {}
                Fate::Arrive => self.wire.push_front(message),
                Fate::Repeat => {
                    self.wire.push_back(message.clone());
                    self.wire.push_front(message);
                }
                Fate::Delay => self.wire.push_back(message),
            }
        }
    }

    /// Delivers until the wire is empty.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let Some((to, message)) = self.wire.pop_front() else { return };
            let replies = self.hosts[to].receive(&[1 - to as u8], message, self.now);
            self.post(to, replies);
        }
        panic!("the wire does not become quiet");
    }

    fn send(&mut self, from: usize, packet: &[u8]) {
        let to = self.key(1 - from);
        let transmits = self.hosts[from].send(to, packet, self.now);
        self.post(from, transmits);
    }

    /// Lets time pass, stopping at every deadline.
    fn pass(&mut self, wait: Duration) {
        let until = self.now + wait;
        loop {
            let deadlines = self.hosts.iter().filter_map(|host| host.tunnels.next_timeout());
            let next = deadlines.map(|deadline| deadline.latest).min().filter(|when| *when <= until);
            self.now = next.unwrap_or(until).max(self.now);
            for host in 0..2 {
                let transmits = self.hosts[host].tick(self.now);
                self.post(host, transmits);
            }
            self.settle();
            if next.is_none() {
                return;
            }
        }
    }

    fn exchange(&mut self, from: usize, packet: &[u8]) {
        self.send(from, packet);
        self.settle();
    }

    fn delivered(&self, host: usize) -> usize {
        self.hosts[host].delivered.len()
    }

    fn initiations(&self) -> usize {
        self.carried.iter().filter(|kind| **kind == Kind::Initiation).count()
    }
}

fn perfect() -> World {
    World::new(|_| Fate::Arrive)
}

#[test]
fn the_first_packet_waits_for_the_handshake_and_arrives() {
    let mut world = perfect();
    world.exchange(0, b"hello");
    assert_eq!(world.hosts[1].delivered, [(world.key(0), b"hello\0\0\0\0\0\0\0\0\0\0\0".to_vec())]);
    assert_eq!(world.carried, [Kind::Initiation, Kind::Response, Kind::Data]);
    world.exchange(1, b"answer");
    assert_eq!(world.delivered(0), 1);
    let status = world.hosts[0].tunnels.status(&world.key(1)).unwrap();
    assert_eq!((status.last_handshake, status.sent_bytes, status.received_bytes), (Some(world.now), 48, 48));
}

#[test]
fn a_responder_does_not_send_before_the_first_message() {
    let mut world = World::new(|message| if classify(message) == Some(Kind::Data) { Fate::Lose } else { Fate::Arrive });
    world.exchange(0, b"lost");
    assert_eq!(world.hosts[1].openers.len(), 1);
    assert!(world.hosts[1].sealers.is_empty());
}

#[test]
fn both_asking_at_once_end_with_sessions_that_work() {
    let mut world = perfect();
    // Both initiations are on the wire before either arrives.
    let (a, b) = (world.key(0), world.key(1));
    let now = world.now;
    let from_a = world.hosts[0].send(b, b"from a", now);
    let from_b = world.hosts[1].send(a, b"from b", now);
    world.post(0, from_a);
    world.post(1, from_b);
    world.settle();
    assert_eq!((world.delivered(0), world.delivered(1)), (1, 1));
    for round in 0..5u8 {
        world.exchange(0, &[round; 20]);
        world.exchange(1, &[round; 20]);
    }
    assert_eq!((world.delivered(0), world.delivered(1)), (6, 6));
}

#[test]
fn keys_are_renewed_under_traffic_without_losing_a_packet() {
    let mut world = perfect();
    for second in 0..400u32 {
        world.exchange(0, &second.to_be_bytes());
        world.exchange(1, &second.to_be_bytes());
        world.pass(SECOND);
    }
    assert_eq!((world.delivered(0), world.delivered(1)), (400, 400));
    let expected = 400 / REKEY_AFTER_TIME.as_secs() as usize + 1;
    assert_eq!(world.initiations(), expected);
    assert!(world.hosts.iter().all(|host| host.openers.len() <= 3));
}

#[test]
fn after_the_last_packet_there_is_one_keepalive_and_then_silence() {
    let mut world = perfect();
    world.exchange(0, b"one way");
    world.carried.clear();
    world.pass(Duration::from_secs(600));
    assert_eq!(world.carried, [Kind::Data]);
    // All keys are gone with time, and nothing is scheduled.
    assert!(world.hosts.iter().all(|host| host.openers.is_empty() && host.sealers.is_empty()));
    assert!(world.hosts.iter().all(|host| host.tunnels.next_timeout().is_none()));
    assert!(world.hosts.iter().all(|host| host.tunnels.ours.indices.len() == 0));
}

#[test]
fn a_keepalive_does_not_renew_keys_when_older_ones_expire() {
    let mut world = perfect();
    world.exchange(0, b"first keys");
    world.pass(SECOND * 18);
    let (b, now) = (world.key(1), world.now);
    let mut out = Out::default();
    world.hosts[0].tunnels.renew(&b, now, &mut out);
    let transmits = world.hosts[0].settle(out);
    world.post(0, transmits);
    world.settle();
    world.pass(SECOND * 82);
    world.exchange(1, b"a keepalive will follow");
    world.carried.clear();
    world.pass(Duration::from_secs(600));
    assert_eq!(world.carried, [Kind::Data]);
}

#[test]
fn packets_that_were_never_reported_renew_no_keys_long_after() {
    let mut world = perfect();
    world.exchange(0, b"first keys");
    world.pass(SECOND * 18);
    let (b, now) = (world.key(1), world.now);
    let mut out = Out::default();
    world.hosts[0].tunnels.renew(&b, now, &mut out);
    let transmits = world.hosts[0].settle(out);
    world.post(0, transmits);
    world.settle();
    world.pass(SECOND * 30);
    // The last packet of a conversation, less than a second after the one that was reported.
    let mut last = vec![0; sealed_length(0)];
    world.hosts[0].sealers[&b].seal(&mut last, 0).unwrap();
    world.carried.clear();
    world.pass(Duration::from_secs(600));
    assert_eq!(world.initiations(), 0);
}

#[test]
fn old_keys_neither_seal_nor_open() {
    let mut world = perfect();
    world.exchange(0, b"hello");
    let sealer = world.hosts[0].sealers.values().next().unwrap().clone();
    let opener = world.hosts[1].openers.values().next().unwrap().clone();
    let mut late = vec![0; sealed_length(0)];
    sealer.seal(&mut late, 0).unwrap();
    world.pass(REJECT_AFTER_TIME);
    assert_eq!(opener.open(&mut late), Err(OpenError::Expired));
    assert_eq!(sealer.seal(&mut late, 0), Err(crate::SealError::Expired));
}

#[test]
fn a_peer_that_forgot_its_keys_is_asked_again_after_15_seconds() {
    let mut world = perfect();
    world.exchange(0, b"hello");
    // The other side restarts, with a later clock.
    let (a, now) = (world.key(0), world.now);
    world.hosts[1] = Host::new(2, now);
    world.hosts[1].tunnels.set_wall_clock(now, UnixTime::from_secs(1_700_000_100));
    world.hosts[1].tunnels.upsert_peer(a, None);
    world.carried.clear();
    world.exchange(0, b"into the void");
    world.pass(Duration::from_secs(14));
    assert_eq!(world.initiations(), 0);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.initiations(), 1);
    world.exchange(0, b"again");
    assert_eq!(world.delivered(1), 1);
}

#[test]
fn a_peer_that_is_known_to_have_forgotten_its_keys_is_asked_at_once() {
    let mut world = perfect();
    world.exchange(0, b"hello");
    let (a, b, now) = (world.key(0), world.key(1), world.now + Duration::from_secs(6));
    world.pass(Duration::from_secs(6));
    world.hosts[1] = Host::new(2, now);
    world.hosts[1].tunnels.set_wall_clock(now, UnixTime::from_secs(1_700_000_100));
    world.hosts[1].tunnels.upsert_peer(a, None);
    world.carried.clear();
    let mut out = Out::default();
    world.hosts[0].tunnels.renew(&b, now, &mut out);
    let transmits = world.hosts[0].settle(out);
    world.post(0, transmits);
    world.settle();
    assert_eq!(world.initiations(), 1);
    world.exchange(0, b"again");
    assert_eq!(world.delivered(1), 1);
}

#[test]
fn news_of_a_peer_without_a_session_cause_nothing() {
    let mut world = perfect();
    let b = world.key(1);
    let mut out = Out::default();
    world.hosts[0].tunnels.renew(&b, world.now, &mut out);
    assert!(out.transmits.is_empty() && out.events.is_empty());
}

#[test]
fn nobody_there_is_noticed_after_90_seconds() {
    let mut world = World::new(|_| Fate::Lose);
    let key = world.key(1);
    for _ in 0..2 * STAGED_PACKETS_PER_PEER {
        world.send(0, &[0; 100]);
    }
    assert_eq!(world.hosts[0].tunnels.ours.staged_bytes, STAGED_PACKETS_PER_PEER * 100);
    world.pass(Duration::from_secs(89));
    assert!((15..=18).contains(&world.initiations()), "{}", world.initiations());
    assert!(world.hosts[0].failed.is_empty());
    world.pass(SECOND * 2);
    assert_eq!(world.hosts[0].failed, [key]);
    assert_eq!(world.hosts[0].tunnels.ours.staged_bytes, 0);
    assert!(world.hosts[0].tunnels.next_timeout().is_none());
}

#[test]
fn a_replayed_initiation_is_not_answered() {
    let mut world = perfect();
    let (b, now) = (world.key(1), world.now);
    let transmits = world.hosts[0].send(b, b"x", now);
    let message = transmits[0].message.clone();
    assert_eq!(world.hosts[1].receive(b"a", message.clone(), now).len(), 1);
    let later = now + SECOND;
    assert!(world.hosts[1].receive(b"a", message, later).is_empty());
    assert_eq!(world.hosts[1].tunnels.counts().replayed, 1);
}

#[test]
fn a_stranger_is_reported_and_answered_once_it_is_a_peer() {
    let mut world = perfect();
    let (a, b, now) = (world.key(0), world.key(1), world.now);
    let mut out = Out::default();
    world.hosts[1].tunnels.remove_peer(&a, &mut out);
    let message = world.hosts[0].send(b, b"x", now).remove(0).message;
    assert!(world.hosts[1].receive(b"a", message.clone(), now).is_empty());
    assert_eq!(world.hosts[1].unknown, [a]);
    world.hosts[1].tunnels.upsert_peer(a, None);
    let replies = world.hosts[1].receive(b"a", message, now);
    assert_eq!(replies.iter().map(|reply| reply.way).collect::<Vec<_>>(), [Way::Back(Some(a))]);
}

#[test]
fn a_renewed_node_key_ends_sessions_and_the_new_one_works() {
    let mut world = perfect();
    world.exchange(0, b"hello");
    let (old, now) = (world.key(0), world.now);
    let mut out = Out::default();
    world.hosts[0].tunnels.set_private(NodePrivate::from_bytes([9; 32]), now, &mut out);
    let transmits = world.hosts[0].settle(out);
    assert!(transmits.is_empty() && world.hosts[0].sealers.is_empty() && world.hosts[0].openers.is_empty());
    let mut out = Out::default();
    world.hosts[1].tunnels.remove_peer(&old, &mut out);
    world.hosts[1].settle(out);
    let new = world.key(0);
    world.hosts[1].tunnels.upsert_peer(new, None);
    world.exchange(0, b"with the new key");
    assert_eq!(world.delivered(1), 2);
}

#[test]
fn under_load_a_cookie_is_asked_for_and_then_the_handshake_works() {
    let mut world = perfect();
    let (a, b, now) = (world.key(0), world.key(1), world.now);
    // A crowd of initiations with right first MACs from many sources.
    let keys = ReceiverKeys::new(&b);
    for number in 0..HANDSHAKES_PER_SECOND_UNLOADED {
        let mut message = message::initiation(number, &[0; 108]);
        keys.finish(&mut message, None);
        assert!(world.hosts[1].receive(&number.to_be_bytes(), message, now).is_empty());
    }
    assert_eq!(world.hosts[1].tunnels.counts().forged, u64::from(HANDSHAKES_PER_SECOND_UNLOADED));
    world.exchange(0, b"hello");
    assert_eq!((world.delivered(1), world.hosts[1].tunnels.counts().cookies_sent), (0, 1));
    // The load goes on in the second of the retry: the cookie gets it through.
    world.pass(SECOND * 4);
    let retry = world.hosts[0].tunnels.next_timeout().unwrap().latest;
    let second = retry.as_nanos() / 1_000_000_000 * 1_000_000_000;
    for number in 0..HANDSHAKES_PER_SECOND_UNLOADED {
        let mut message = message::initiation(number, &[0; 108]);
        keys.finish(&mut message, None);
        world.hosts[1].receive(&number.to_be_bytes(), message, Instant::from_nanos(second));
    }
    world.pass(SECOND * 2);
    assert_eq!(world.delivered(1), 1);
    assert!(world.hosts[1].sealers.contains_key(&a));
}

#[test]
fn a_preshared_key_is_needed_on_both_sides() {
    let mut world = perfect();
    let (a, b) = (world.key(0), world.key(1));
    world.hosts[0].tunnels.upsert_peer(b, Some([7; 32]));
    world.exchange(0, b"alone");
    assert_eq!(world.delivered(1), 0);
    world.hosts[1].tunnels.upsert_peer(a, Some([7; 32]));
    world.pass(SECOND * 6);
    assert_eq!(world.delivered(1), 1);
}

#[test]
fn our_own_key_is_no_peer() {
    let mut world = perfect();
    let own = world.key(0);
    world.hosts[0].tunnels.upsert_peer(own, None);
    assert!(!world.hosts[0].tunnels.has_peer(&own));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bad_network_that_gets_better_ends_in_working_sessions(
        fates in proptest::collection::vec(prop_oneof![Just(Fate::Arrive), Just(Fate::Lose), Just(Fate::Repeat), Just(Fate::Delay)], 0..60),
        sends in proptest::collection::vec((0usize..2, 0u64..40), 1..40),
    ) {
        let mut fates = fates.into_iter();
        let mut world = World::new(move |_| fates.next().unwrap_or(Fate::Arrive));
        for (number, (from, wait)) in sends.into_iter().enumerate() {
            world.send(from, &[number as u8; 32]);
            world.settle();
            world.pass(SECOND * wait as u32);
        }
        // From here on the network is good: whatever was left undone, a minute of trying ends it.
        world.fate = Box::new(|_| Fate::Arrive);
        world.pass(Duration::from_secs(60));
        for round in 0..20u8 {
            world.exchange(0, &[100, round]);
            world.exchange(1, &[101, round]);
            world.pass(SECOND);
        }
        let before = (world.delivered(0), world.delivered(1));
        world.exchange(0, b"now");
        world.exchange(1, b"now");
        prop_assert_eq!((world.delivered(0), world.delivered(1)), (before.0 + 1, before.1 + 1));
        for host in &world.hosts {
            // Packets are unique, so one delivered twice would be an accepted replay.
            let mut packets: Vec<_> = host.delivered.iter().filter(|(_, packet)| !packet.starts_with(b"now")).collect();
            packets.sort();
            let all = packets.len();
            packets.dedup();
            prop_assert_eq!(packets.len(), all);
            prop_assert!(host.tunnels.ours.indices.len() <= 4);
        }
    }

    #[test]
    fn random_and_truncated_messages_change_nothing(kind in 1u8..4, body in proptest::collection::vec(any::<u8>(), 0..160)) {
        let mut world = perfect();
        let now = world.now;
        let mut message = vec![kind, 0, 0, 0];
        message.extend_from_slice(&body);
        let initiation = world.hosts[0].send(world.key(1), b"x", now).remove(0).message;
        let truncated = initiation[..body.len().min(147)].to_vec();
        for message in [message, truncated, body] {
            let transmits = world.hosts[1].receive(b"s", message, now);
            prop_assert!(transmits.is_empty() && world.hosts[1].openers.is_empty());
        }
        prop_assert_eq!(world.hosts[1].receive(b"s", initiation, now).len(), 1);
    }

    #[test]
    fn one_seed_gives_one_run(seed: [u8; 32]) {
        let run = || {
            let mut tunnels = Tunnels::new(NodePrivate::from_bytes([1; 32]), seed, Instant::ORIGIN, UnixTime::EPOCH);
            let peer = NodePrivate::from_bytes([2; 32]).public();
            tunnels.upsert_peer(peer, None);
            let mut out = Out::default();
            tunnels.send(&peer, b"x", Instant::ORIGIN, &mut out).unwrap();
            out.transmits.remove(0).message
        };
        prop_assert_eq!(run(), run());
    }
}
