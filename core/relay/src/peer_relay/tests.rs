//! Clients and strangers at a peer relay.

use std::time::Duration;

use proptest::prelude::*;
use wattle_wire::disco::Handshake;

use super::*;
use crate::limits::BIND_BURST;

const START: Instant = Instant::from_nanos(1_000_000_000_000);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(number: u8) -> SocketAddr {
    ([192, 0, 2, number], 1000 + u16::from(number)).into()
}

fn asker(number: u8) -> NodePublic {
    NodePublic::from_bytes([number; 32])
}

fn relay() -> PeerRelay {
    let mut relay = PeerRelay::new([9; 32], START);
    relay.set_addresses(&[([198, 51, 100, 1], 7).into()]);
    relay
}

struct Client {
    private: DiscoPrivate,
    other: DiscoPublic,
}

impl Client {
    fn pair() -> [Self; 2] {
        let [a, b] = [1, 2].map(|byte| DiscoPrivate::from_bytes([byte; 32]));
        let (other_a, other_b) = (b.public(), a.public());
        [Self { private: a, other: other_a }, Self { private: b, other: other_b }]
    }

    fn key(&self) -> DiscoPublic {
        self.private.public()
    }

    fn handshake(&self, vni: Vni, generation: u32) -> Handshake {
        Handshake { vni, generation, remote: self.other, challenge: [0; 32] }
    }

    fn packet(&self, relay: &PeerRelay, vni: Vni, message: &Message) -> Vec<u8> {
        let mut packet = Header { payload: Payload::Control, vni }.encode().to_vec();
        message.seal(&self.key(), &self.private.shared(&relay.key()), &[5; 24], &mut packet);
        packet
    }

    fn read_challenge(&self, relay: &PeerRelay, reply: &[u8]) -> Handshake {
        let (header, sealed) = Header::split(reply).unwrap();
        assert_eq!(header.payload, Payload::Control);
        let envelope = Envelope::parse(sealed).unwrap();
        assert_eq!(envelope.sender, relay.key());
        match envelope.open(&self.private.shared(&relay.key())) {
            Ok(Message::Challenge(challenge)) => challenge,
            other => panic!("no challenge: {other:?}"),
        }
    }

    /// Sends a bind; the challenge if there is one.
    fn bind(&self, relay: &mut PeerRelay, handshake: Handshake, from: SocketAddr, now: Instant) -> Option<Handshake> {
        let (packet, mut reply) = (self.packet(relay, handshake.vni, &Message::Bind(handshake)), Vec::new());
        let pass = relay.handle_datagram(from, &packet, now, &mut reply);
        assert!(reply.len() <= packet.len(), "the relay amplifies");
        (pass == Pass::Reply).then(|| self.read_challenge(relay, &reply))
    }

    fn answer(&self, relay: &mut PeerRelay, handshake: Handshake, from: SocketAddr, now: Instant) {
        let packet = self.packet(relay, handshake.vni, &Message::Answer(handshake));
        let mut reply = Vec::new();
        assert_eq!(relay.handle_datagram(from, &packet, now, &mut reply), Pass::Nothing);
    }

    fn join(&self, relay: &mut PeerRelay, vni: Vni, generation: u32, from: SocketAddr, now: Instant) {
        let challenge = self.bind(relay, self.handshake(vni, generation), from, now).unwrap();
        self.answer(relay, challenge, from, now);
    }
}

fn traffic(vni: Vni) -> Vec<u8> {
    [&Header { payload: Payload::WireGuard, vni }.encode()[..], b"sealed"].concat()
}

fn send(relay: &mut PeerRelay, vni: Vni, from: SocketAddr, now: Instant) -> Option<SocketAddr> {
    let mut reply = Vec::new();
    match relay.handle_datagram(from, &traffic(vni), now, &mut reply) {
        Pass::Forward(to) => Some(to),
        Pass::Nothing => None,
        Pass::Reply => panic!("traffic was answered"),
    }
}

fn allocate(relay: &mut PeerRelay, [a, b]: &[Client; 2], now: Instant) -> Vni {
    relay.allocate(asker(1), [a.key(), b.key()], now).unwrap().vni
}

/// Two clients that have bound addresses 1 and 2.
fn joined() -> (PeerRelay, [Client; 2], Vni) {
    let (mut relay, clients) = (relay(), Client::pair());
    let vni = allocate(&mut relay, &clients, START);
    clients[0].join(&mut relay, vni, 1, address(1), START);
    clients[1].join(&mut relay, vni, 1, address(2), START);
    (relay, clients, vni)
}

#[test]
fn two_clients_that_have_bound_reach_each_other_and_nobody_else() {
    let (mut relay, _, vni) = joined();
    assert_eq!(send(&mut relay, vni, address(1), START), Some(address(2)));
    assert_eq!(send(&mut relay, vni, address(2), START), Some(address(1)));
    assert_eq!(send(&mut relay, vni, address(3), START), None);
    assert_eq!(send(&mut relay, vni.next(), address(1), START), None);
    let sent = relay.sessions().next().unwrap().clients.map(|client| (client.address, client.packets));
    assert_eq!(sent.map(|(address, packets)| (address.is_some(), packets)), [(true, 1), (true, 1)]);
    assert_eq!(relay.counters().packets_forwarded, 2);
}

#[test]
fn nothing_is_forwarded_before_both_have_bound() {
    let (mut relay, clients) = (relay(), Client::pair());
    let vni = allocate(&mut relay, &clients, START);
    assert_eq!(send(&mut relay, vni, address(1), START), None);
    clients[0].join(&mut relay, vni, 1, address(1), START);
    assert_eq!(send(&mut relay, vni, address(1), START), None);
    let challenge = clients[1].bind(&mut relay, clients[1].handshake(vni, 1), address(2), START).unwrap();
    assert_eq!(send(&mut relay, vni, address(2), START), None);
    clients[1].answer(&mut relay, challenge, address(2), START);
    assert_eq!(send(&mut relay, vni, address(2), START), Some(address(1)));
}

#[test]
fn a_pair_shares_one_allocation_whoever_asks() {
    let (mut relay, [a, b]) = (relay(), Client::pair());
    let first = relay.allocate(asker(1), [a.key(), b.key()], START).unwrap();
    let second = relay.allocate(asker(2), [b.key(), a.key()], START + secs(10)).unwrap();
    assert_eq!(first, second);
    assert_eq!(first.clients, in_order(a.key(), b.key()));
}

#[test]
fn a_later_allocation_has_another_number_and_a_larger_lamport_id() {
    let (mut relay, clients) = (relay(), Client::pair());
    let first = relay.allocate(asker(1), [clients[0].key(), clients[1].key()], START).unwrap();
    let later = START + secs(61);
    let second = relay.allocate(asker(1), [clients[0].key(), clients[1].key()], later).unwrap();
    assert!(second.lamport_id > first.lamport_id && second.vni != first.vni);
}

#[test]
fn an_answer_from_another_address_binds_nothing() {
    let (mut relay, clients) = (relay(), Client::pair());
    let vni = allocate(&mut relay, &clients, START);
    clients[1].join(&mut relay, vni, 1, address(2), START);
    let challenge = clients[0].bind(&mut relay, clients[0].handshake(vni, 1), address(1), START).unwrap();
    clients[0].answer(&mut relay, challenge, address(3), START);
    assert_eq!(send(&mut relay, vni, address(3), START), None);
    clients[0].answer(&mut relay, challenge, address(1), START);
    assert_eq!(send(&mut relay, vni, address(1), START), Some(address(2)));
}

#[test]
fn an_answer_counts_once_and_only_for_its_generation() {
    let (mut relay, clients, vni) = joined();
    let old = clients[0].bind(&mut relay, clients[0].handshake(vni, 2), address(1), START).unwrap();
    let new = clients[0].bind(&mut relay, clients[0].handshake(vni, 3), address(4), START).unwrap();
    clients[0].answer(&mut relay, new, address(4), START);
    for _ in 0..2 {
        clients[0].answer(&mut relay, old, address(1), START);
        assert_eq!(send(&mut relay, vni, address(1), START), None);
        assert_eq!(send(&mut relay, vni, address(4), START), Some(address(2)));
    }
}

#[test]
fn challenges_are_recognised_until_their_secret_is_gone() {
    for (late, binds) in [(119, true), (239, true), (242, false)] {
        let (mut relay, clients, vni) = joined();
        let challenge = clients[0].bind(&mut relay, clients[0].handshake(vni, 2), address(5), START).unwrap();
        relay.handle_timeout(START + secs(late.min(121)));
        clients[0].answer(&mut relay, challenge, address(5), START + secs(late));
        assert_eq!(send(&mut relay, vni, address(5), START + secs(late)).is_some(), binds, "after {late} s");
    }
}

#[test]
fn handshakes_that_do_not_fit_the_allocation_are_not_answered() {
    let (mut relay, [a, b]) = (relay(), Client::pair());
    let vni = relay.allocate(asker(1), [a.key(), b.key()], START).unwrap().vni;
    let good = a.handshake(vni, 1);
    let stranger = Client { private: DiscoPrivate::from_bytes([3; 32]), other: b.key() };
    assert_eq!(a.bind(&mut relay, Handshake { generation: 0, ..good }, address(1), START), None);
    assert_eq!(a.bind(&mut relay, Handshake { remote: a.key(), ..good }, address(1), START), None);
    assert_eq!(stranger.bind(&mut relay, good, address(1), START), None);
    let mut reply = Vec::new();
    // The header says another number than the box.
    let packet = a.packet(&relay, vni, &Message::Bind(Handshake { vni: vni.next(), ..good }));
    assert_eq!(relay.handle_datagram(address(1), &packet, START, &mut reply), Pass::Nothing);
    assert!(a.bind(&mut relay, good, address(1), START).is_some());
}

#[test]
fn what_is_not_bound_or_not_used_is_taken_back() {
    let (mut idle, clients) = (relay(), Client::pair());
    let vni = allocate(&mut idle, &clients, START);
    clients[0].join(&mut idle, vni, 1, address(1), START);
    let due = idle.next_timeout().unwrap();
    idle.handle_timeout(START + secs(30));
    assert!(idle.is_in_use() && due.latest >= START + secs(31));
    idle.handle_timeout(START + secs(61));
    assert!(!idle.is_in_use() && idle.next_timeout().is_none());

    let (mut used, _, vni) = joined();
    for minute in 1..=10 {
        let now = START + secs(60 * minute);
        used.handle_timeout(now);
        assert!(send(&mut used, vni, address(1), now).is_some() || minute > 5);
        // The other one is silent: after five minutes it is over.
        assert_eq!(used.is_in_use(), minute <= 5, "minute {minute}");
    }
}

#[test]
fn a_run_of_one_allocation_passes_as_one_and_no_other_does() {
    let (mut relay, clients, vni) = joined();
    let one = traffic(vni);
    let run = [&one[..], &one, &one[..10]].concat();
    assert_eq!(relay.handle_run(address(1), &run, one.len(), START), Some(address(2)));
    assert_eq!(relay.counters().packets_forwarded, 3);
    assert_eq!(relay.handle_run(address(3), &run, one.len(), START), None);
    let mixed = [one.clone(), traffic(vni.next())].concat();
    assert_eq!(relay.handle_run(address(1), &mixed, one.len(), START), None);
    let control = clients[0].packet(&relay, vni, &Message::Bind(clients[0].handshake(vni, 2)));
    assert_eq!(relay.handle_run(address(1), &control, control.len(), START), None);
    assert_eq!(relay.handle_run(address(1), &[], 0, START), None);
}

#[test]
fn one_asker_gets_so_many_and_the_relay_has_so_many() {
    let mut relay = relay();
    let pair = |number: usize| {
        let key = |side: u8| {
            let mut bytes = [side; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            DiscoPublic::from_bytes(bytes)
        };
        [key(1), key(2)]
    };
    let burst = (0..ALLOCATIONS).filter(|number| relay.allocate(asker(1), pair(*number), START).is_ok()).count();
    assert_eq!(burst, ALLOCATION_BURST as usize);
    let mut now = START;
    for number in burst..ALLOCATIONS_PER_ASKER + 100 {
        // Kept from expiring by asking again is not possible for so many: they are all made within the bind time.
        now = now + Duration::from_millis(63);
        let outcome = relay.allocate(asker(1), pair(number), now);
        assert_eq!(outcome.is_ok(), number < ALLOCATIONS_PER_ASKER, "{number} {outcome:?}");
    }
    let mut number = ALLOCATIONS_PER_ASKER + 100;
    let mut refusals = 0;
    for other in 2..=30 {
        for _ in 0..ALLOCATION_BURST {
            number += 1;
            match relay.allocate(asker(other), pair(number), now) {
                Ok(_) => {}
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::Full);
                    refusals += 1;
                }
            }
        }
    }
    assert_eq!(relay.by_pair.len(), ALLOCATIONS);
    assert!(refusals > 0 && relay.askers.len() <= ALLOCATIONS);
    relay.handle_timeout(now + secs(100));
    assert!(!relay.is_in_use() && relay.askers.is_empty());
}

#[test]
fn binds_of_one_client_are_answered_at_a_limited_rate() {
    let (mut relay, clients) = (relay(), Client::pair());
    let vni = allocate(&mut relay, &clients, START);
    let answered = (1..=500)
        .filter(|generation| {
            clients[0].bind(&mut relay, clients[0].handshake(vni, *generation), address(1), START).is_some()
        })
        .count();
    assert_eq!(answered, BIND_BURST as usize);
    assert!(clients[1].bind(&mut relay, clients[1].handshake(vni, 1), address(2), START).is_some());
}

#[test]
fn without_addresses_nothing_is_set_aside() {
    let (mut relay, [a, b]) = (PeerRelay::new([9; 32], START), Client::pair());
    assert_eq!(relay.allocate(asker(1), [a.key(), b.key()], START), Err(Refusal::NotReady));
    relay.set_addresses(&[address(1)]);
    assert_eq!(relay.allocate(asker(1), [a.key(), a.key()], START), Err(Refusal::BadPair));
    let own = relay.key();
    assert_eq!(relay.allocate(asker(1), [a.key(), own], START), Err(Refusal::BadPair));
}

proptest! {
    #[test]
    fn strangers_get_nothing_out_of_it(
        packets in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..300), any::<u8>()), 0..50),
    ) {
        let (mut relay, clients, vni) = joined();
        let good = clients[0].packet(&relay, vni, &Message::Bind(clients[0].handshake(vni, 9)));
        for (number, bytes, how) in packets {
            let mut packet = match how % 4 {
                0 => bytes,
                1 => [&Header { payload: Payload::Control, vni }.encode()[..], &bytes].concat(),
                2 => [&Header { payload: Payload::Disco, vni }.encode()[..], &bytes].concat(),
                _ => good.clone(),
            };
            if how % 4 == 3 {
                // A good packet that was tampered with.
                let at = 8 + usize::from(number) % (packet.len() - 8);
                packet[at] ^= how | 1;
            }
            let mut reply = Vec::new();
            let from = SocketAddr::from(([203, 0, 113, number], 1));
            prop_assert_eq!(relay.handle_datagram(from, &packet, START, &mut reply), Pass::Nothing);
            prop_assert!(reply.is_empty());
            prop_assert_eq!(relay.handle_run(from, &packet, usize::from(how), START), None);
        }
        prop_assert_eq!(send(&mut relay, vni, address(1), START), Some(address(2)));
    }
}
