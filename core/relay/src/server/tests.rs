//! The relay driven by hand: clients log in, send, and read what was drained for them.

use super::*;
use proptest::prelude::*;
use wattle_wire::derp::{LoginFacts, PeerGone, PeerGoneReason, RecvPacket, SendPacket, ServerWelcome};

const START: Instant = Instant::from_nanos(1_000_000_000_000);
/// A packet that looks like disco: the magic, and enough for a key and a nonce.
fn disco_packet() -> Vec<u8> {
    let mut packet = wattle_wire::disco::MAGIC.to_vec();
    packet.resize(100, 1);
    packet
}

fn key(number: u8) -> NodePrivate {
    NodePrivate::from_bytes([number; 32])
}

/// One connection with its side of the stream.
struct Conn {
    id: ClientId,
    key: NodePrivate,
    to_relay: FrameDecoder,
}

struct Lab {
    relay: Relay,
    now: Instant,
    out: Out,
}

/// What a client read, in order.
#[derive(Debug, PartialEq)]
enum Got {
    Packet(NodePublic, Vec<u8>),
    Gone(NodePublic, PeerGoneReason),
    Other(String),
}

impl Lab {
    fn new(admission: Admission) -> Self {
        let config = Config { key: key(99), admission, rate: None };
        Self { relay: Relay::new(config, [5; 32]), now: START, out: Out::default() }
    }

    fn open() -> Self {
        Self::new(Admission::Open)
    }

    fn connect(&mut self, number: u8) -> Conn {
        let source = ([192, 0, 2, number], 1000).into();
        let id = self.relay.connect(source, self.now, &mut self.out).unwrap();
        Conn { id, key: key(number), to_relay: FrameDecoder::for_server() }
    }

    fn login(&mut self, conn: &mut Conn) -> Next {
        let login = LoginFacts::default().seal(&conn.key, &self.relay.public_key(), &[3; 24]);
        self.push(conn, &login)
    }

    fn join(&mut self, number: u8) -> Conn {
        let mut conn = self.connect(number);
        assert_eq!(self.login(&mut conn), Next::Read);
        self.read(&conn);
        conn
    }

    fn push(&mut self, conn: &mut Conn, bytes: &[u8]) -> Next {
        conn.to_relay.push(bytes);
        self.relay.handle_stream(conn.id, &mut conn.to_relay, self.now, &mut self.out)
    }

    fn send(&mut self, conn: &mut Conn, to: u8, packet: &[u8]) -> Next {
        let mut frame = Vec::new();
        SendPacket { to: key(to).public(), packet }.encode(&mut frame);
        self.push(conn, &frame)
    }

    fn read(&mut self, conn: &Conn) -> Vec<Got> {
        let mut bytes = Vec::new();
        while self.relay.drain(conn.id, &mut bytes) == Drain::Bytes {}
        let (mut stream, mut got) = (FrameDecoder::for_client(), Vec::new());
        stream.push(&bytes);
        while let Some(frame) = stream.next_frame().unwrap() {
            got.push(match frame {
                Frame::RecvPacket(RecvPacket { from, packet }) => Got::Packet(from, packet.to_vec()),
                Frame::PeerGone(PeerGone { peer, reason }) => Got::Gone(peer, reason),
                Frame::ServerWelcome(ServerWelcome { sealed }) => {
                    let facts = ServerWelcome { sealed }.open(&conn.key, &self.relay.public_key()).unwrap();
                    Got::Other(format!("welcome, version {}", facts.version))
                }
                other => Got::Other(format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned()),
            });
        }
        got
    }
}

#[test]
fn a_login_is_greeted_and_welcomed() {
    let mut lab = Lab::open();
    let mut conn = lab.connect(1);
    assert_eq!(lab.read(&conn), [Got::Other("ServerKey".to_owned())]);
    assert_eq!(lab.login(&mut conn), Next::Read);
    assert_eq!(lab.read(&conn), [Got::Other("welcome, version 2".to_owned())]);
    assert_eq!(lab.relay.counters().clients, 1);
}

#[test]
fn a_login_with_a_key_that_is_not_held_is_cut() {
    let mut lab = Lab::open();
    let mut conn = lab.connect(1);
    let mut login = LoginFacts::default().seal(&conn.key, &lab.relay.public_key(), &[3; 24]);
    login[5..37].copy_from_slice(key(2).public().as_bytes());
    assert_eq!(lab.push(&mut conn, &login), Next::Cut(CutReason::BadLogin));
    assert_eq!(lab.relay.counters().malformed_total, 1);
}

#[test]
fn a_packet_before_the_login_is_cut() {
    let mut lab = Lab::open();
    let mut conn = lab.connect(1);
    assert_eq!(lab.send(&mut conn, 2, b"early"), Next::Cut(CutReason::Malformed));
    assert_eq!(lab.relay.drain(conn.id, &mut Vec::new()), Drain::Cut(CutReason::Malformed));
}

#[test]
fn a_packet_reaches_its_receiver_and_wakes_it_once() {
    let mut lab = Lab::open();
    let (mut a, b) = (lab.join(1), lab.join(2));
    lab.out.wake.clear();
    assert_eq!(lab.send(&mut a, 2, b"one"), Next::Read);
    assert_eq!(lab.send(&mut a, 2, b"two"), Next::Read);
    assert_eq!(lab.out.wake, [b.id]);
    let from = a.key.public();
    assert_eq!(lab.read(&b), [Got::Packet(from, b"one".to_vec()), Got::Packet(from, b"two".to_vec())]);
    assert_eq!(lab.relay.counters().packets_forwarded_total, 2);
}

#[test]
fn a_full_data_queue_drops_its_oldest_and_spares_disco() {
    let mut lab = Lab::open();
    let (mut a, b) = (lab.join(1), lab.join(2));
    lab.send(&mut a, 2, &disco_packet());
    for number in 0..40u8 {
        lab.send(&mut a, 2, &[number]);
    }
    let got = lab.read(&b);
    let from = a.key.public();
    assert_eq!(got.len(), 33);
    assert_eq!(got[0], Got::Packet(from, disco_packet()));
    assert_eq!(got[1], Got::Packet(from, vec![8]));
    assert_eq!(lab.relay.counters().dropped_queue_full_total, 8);
}

#[test]
fn an_absent_peer_is_told_of_for_disco_only_and_at_a_limited_rate() {
    let mut lab = Lab::open();
    let mut a = lab.join(1);
    lab.send(&mut a, 9, b"data");
    assert_eq!(lab.read(&a), []);
    for _ in 0..10 {
        lab.send(&mut a, 9, &disco_packet());
    }
    let gone = || Got::Gone(key(9).public(), PeerGoneReason::NotHere);
    assert_eq!(lab.read(&a), [gone(), gone(), gone()]);
    lab.now = lab.now + Duration::from_secs(1);
    lab.send(&mut a, 9, &disco_packet());
    assert_eq!(lab.read(&a), [gone()]);
}

#[test]
fn whoever_heard_from_a_leaver_is_told() {
    let mut lab = Lab::open();
    let (mut a, b, c) = (lab.join(1), lab.join(2), lab.join(3));
    lab.send(&mut a, 2, b"hello");
    lab.read(&b);
    lab.relay.disconnect(a.id, &mut lab.out);
    assert_eq!(lab.read(&b), [Got::Gone(a.key.public(), PeerGoneReason::Disconnected)]);
    assert_eq!(lab.read(&c), []);
}

#[test]
fn a_leaver_that_is_still_here_by_another_connection_is_not_gone() {
    let mut lab = Lab::open();
    let (mut first, second, b) = (lab.join(1), lab.join(1), lab.join(2));
    lab.send(&mut first, 2, b"hello");
    lab.read(&b);
    lab.relay.disconnect(first.id, &mut lab.out);
    assert_eq!(lab.read(&b), []);
    lab.relay.disconnect(second.id, &mut lab.out);
    assert_eq!(lab.read(&b), [Got::Gone(second.key.public(), PeerGoneReason::Disconnected)]);
}

#[test]
fn of_two_connections_with_one_key_the_last_that_sent_receives() {
    let mut lab = Lab::open();
    let (mut old, mut new, mut b) = (lab.join(1), lab.join(1), lab.join(2));
    let from = b.key.public();
    lab.send(&mut b, 1, b"to the newest");
    assert_eq!(lab.read(&new), [Got::Packet(from, b"to the newest".to_vec())]);
    lab.send(&mut old, 2, b"i am here");
    lab.send(&mut b, 1, b"to the writer");
    assert_eq!(lab.read(&old), [Got::Packet(from, b"to the writer".to_vec())]);
    lab.send(&mut new, 2, b"no, here");
    lab.send(&mut b, 1, b"back");
    assert_eq!(lab.read(&new), [Got::Packet(from, b"back".to_vec())]);
}

#[test]
fn the_oldest_of_too_many_connections_with_one_key_is_cut() {
    let mut lab = Lab::open();
    let first = lab.join(1);
    for _ in 0..limits::CONNECTIONS_PER_KEY {
        lab.join(1);
    }
    assert_eq!(lab.relay.drain(first.id, &mut Vec::new()), Drain::Cut(CutReason::Replaced));
}

#[test]
fn only_members_come_in_and_who_is_no_longer_one_is_cut() {
    let mut lab = Lab::new(Admission::Members([key(1).public(), key(2).public()].into()));
    let a = lab.join(1);
    let b = lab.join(2);
    let mut stranger = lab.connect(3);
    assert_eq!(lab.login(&mut stranger), Next::Cut(CutReason::Refused));
    lab.relay.revoke(&key(1).public(), &mut lab.out);
    assert_eq!(lab.relay.drain(a.id, &mut Vec::new()), Drain::Cut(CutReason::Revoked));
    lab.relay.allow(key(3).public());
    lab.join(3);
    lab.relay.set_members([key(3).public()].into(), &mut lab.out);
    assert_eq!(lab.relay.drain(b.id, &mut Vec::new()), Drain::Cut(CutReason::Revoked));
}

#[test]
fn an_asked_for_client_waits_for_the_answer() {
    let mut lab = Lab::new(Admission::Ask);
    let mut a = lab.connect(1);
    let question = Next::Ask(Question { key: a.key.public(), source: [192, 0, 2, 1].into() });
    assert_eq!(lab.login(&mut a), question);
    // A client does not wait for the welcome before it goes on.
    assert_eq!(lab.send(&mut a, 1, b"to myself"), question);
    lab.relay.admit(a.id, true, lab.now, &mut lab.out);
    assert_eq!(lab.relay.handle_stream(a.id, &mut a.to_relay, lab.now, &mut lab.out), Next::Read);
    assert_eq!(lab.read(&a).last(), Some(&Got::Packet(a.key.public(), b"to myself".to_vec())));

    let mut b = lab.connect(2);
    lab.login(&mut b);
    lab.relay.admit(b.id, false, lab.now, &mut lab.out);
    assert_eq!(lab.relay.drain(b.id, &mut Vec::new()), Drain::Cut(CutReason::Refused));
}

#[test]
fn a_silent_connection_is_cut_and_a_client_is_kept_alive() {
    let mut lab = Lab::open();
    let (silent, a) = (lab.connect(1), lab.join(2));
    lab.now = lab.now + limits::LOGIN_TIME;
    lab.relay.handle_timeout(lab.now, &mut lab.out);
    assert_eq!(lab.relay.drain(silent.id, &mut Vec::new()), Drain::Cut(CutReason::LoginTimeout));
    let due = lab.relay.next_timeout().unwrap().earliest;
    assert!(due.since(START) >= limits::KEEP_ALIVE);
    assert!(due.since(START) <= limits::KEEP_ALIVE + limits::KEEP_ALIVE_JITTER);
    lab.relay.handle_timeout(due, &mut lab.out);
    assert_eq!(lab.read(&a), [Got::Other("KeepAlive".to_owned())]);
    assert!(lab.relay.next_timeout().unwrap().earliest > due);
}

#[test]
fn a_client_over_its_rate_is_read_later() {
    let mut lab = Lab::open();
    lab.relay.rate = Some(Rate { bytes_per_second: 10_000, burst_bytes: 0 });
    let mut a = lab.join(1);
    let mut last = Next::Read;
    for _ in 0..8 {
        last = lab.send(&mut a, 2, &[0; 10_000]);
    }
    let Next::ReadAfter(when) = last else { panic!("{last:?}") };
    // 80,000 bytes less the smallest burst, at 10,000 a second.
    let wait = when.since(lab.now);
    assert!(wait > Duration::from_secs(1) && wait < Duration::from_secs(2), "{wait:?}");
}

#[test]
fn problems_and_restarts_are_announced() {
    let mut lab = Lab::open();
    let a = lab.join(1);
    lab.relay.set_health("disk full", &mut lab.out);
    lab.relay.restart(Duration::from_secs(1), Duration::from_secs(30), &mut lab.out);
    assert_eq!(lab.read(&a), [Got::Other("Health".to_owned()), Got::Other("Restarting".to_owned())]);
    let mut late = lab.connect(2);
    lab.login(&mut late);
    assert_eq!(lab.read(&late).last(), Some(&Got::Other("Health".to_owned())));
}

#[test]
fn a_ping_is_answered_and_an_unknown_frame_skipped() {
    let mut lab = Lab::open();
    let mut a = lab.join(1);
    let mut frames = vec![0x77, 0, 0, 0, 3, 1, 2, 3];
    Ping { token: [4; 8] }.encode(&mut frames);
    assert_eq!(lab.push(&mut a, &frames), Next::Read);
    assert_eq!(lab.read(&a), [Got::Other("Pong".to_owned())]);
    assert_eq!(lab.relay.counters().unknown_frames_total, 1);
}

proptest! {
    /// Whatever one connection sends, another pair goes on talking.
    #[test]
    fn garbage_cuts_only_its_sender(garbage in proptest::collection::vec(any::<u8>(), 0..400), after_login: bool) {
        let mut lab = Lab::open();
        let (mut a, b) = (lab.join(1), lab.join(2));
        let mut rude = lab.connect(3);
        if after_login {
            lab.login(&mut rude);
        }
        lab.push(&mut rude, &garbage);
        lab.read(&b);
        lab.send(&mut a, 2, b"still here");
        prop_assert_eq!(lab.read(&b), [Got::Packet(a.key.public(), b"still here".to_vec())]);
        lab.relay.disconnect(rude.id, &mut lab.out);
        prop_assert_eq!(lab.relay.counters().connections, 2);
        prop_assert_eq!(lab.relay.counters().clients, 2);
    }

    /// Any sequence of joins, sends and leaves keeps counts true and queues bounded.
    #[test]
    fn counts_stay_true(steps in proptest::collection::vec((0u8..3, 1u8..5, 1u8..5), 0..120)) {
        let mut lab = Lab::open();
        let mut conns: Vec<Conn> = Vec::new();
        for (step, who, to) in steps {
            match step {
                0 => { let conn = lab.join(who); conns.push(conn); }
                1 => {
                    if let Some(at) = conns.iter().position(|conn| conn.key == key(who)) {
                        let gone = conns.remove(at);
                        lab.relay.disconnect(gone.id, &mut lab.out);
                    }
                }
                _ => {
                    if let Some(mut conn) = conns.pop() {
                        let next = lab.send(&mut conn, to, b"x");
                        prop_assert!(matches!(next, Next::Read | Next::Cut(CutReason::Replaced)));
                        conns.push(conn);
                    }
                }
            }
        }
        prop_assert_eq!(lab.relay.counters().connections, conns.len() as u64);
        prop_assert_eq!(lab.relay.counters().clients, conns.len() as u64);
        for conn in conns {
            lab.relay.disconnect(conn.id, &mut lab.out);
        }
        prop_assert_eq!(lab.relay.counters(), Counters { connections: 0, clients: 0, ..lab.relay.counters() });
        prop_assert_eq!(lab.relay.next_timeout(), None);
    }
}
