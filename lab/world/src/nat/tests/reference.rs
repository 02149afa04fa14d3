//! A NAT that searches a list, and random packets that must fare the same through both.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use wattle_time::Instant;

use super::{NOW, nat, rng};
use crate::Fate;
use crate::nat::{Behaviour, Dependence, Ports, Refresh};

/// All that was ever sent out and let in.
#[derive(Default)]
struct Reference {
    sent: Vec<Sent>,
    let_in: Vec<LetIn>,
}

struct Sent {
    at: Instant,
    from: SocketAddr,
    to: SocketAddr,
    outside: SocketAddr,
    /// The mapping was new: it shares nothing with what had the endpoint before.
    is_first: bool,
}

struct LetIn {
    at: Instant,
    outside: SocketAddr,
    from: SocketAddr,
}

impl Reference {
    /// What went by the mapping that has an endpoint now, or had it last.
    fn by(&self, outside: SocketAddr) -> impl Iterator<Item = &Sent> {
        let mut ended = false;
        let alike = self.sent.iter().rev().filter(move |sent| sent.outside == outside);
        alike.take_while(move |sent| !std::mem::replace(&mut ended, sent.is_first))
    }

    fn came_by(&self, outside: SocketAddr) -> impl Iterator<Item = &LetIn> {
        let since = self.by(outside).last().map(|sent| sent.at);
        self.let_in.iter().filter(move |came| came.outside == outside && Some(came.at) >= since)
    }

    fn is_alive(&self, outside: SocketAddr, now: Instant, behaviour: &Behaviour) -> bool {
        let sent = self.by(outside).map(|sent| sent.at).max();
        let came = self.came_by(outside).map(|came| came.at).max().filter(|_| behaviour.refresh == Refresh::Both);
        sent.max(came).is_some_and(|used_at| now.since(used_at) < behaviour.lifetime)
    }

    /// The outside endpoint that a packet must leave by, unless it needs a new one.
    fn outside(&self, from: SocketAddr, to: SocketAddr, now: Instant, behaviour: &Behaviour) -> Option<SocketAddr> {
        let mapping = behaviour.mapping;
        let alike = |sent: &&Sent| sent.from == from && mapping.reduce(sent.to) == mapping.reduce(to);
        let outside = self.sent.iter().rev().find(alike)?.outside;
        // Another may have got the endpoint since.
        let is_still_his = self.by(outside).any(|sent| alike(&sent));
        (is_still_his && self.is_alive(outside, now, behaviour)).then_some(outside)
    }

    fn inbound(
        &self,
        from: SocketAddr,
        to: SocketAddr,
        now: Instant,
        behaviour: &Behaviour,
    ) -> Result<SocketAddr, Fate> {
        if !self.is_alive(to, now, behaviour) {
            return Err(Fate::NoMapping);
        }
        let inside = self.by(to).next().ok_or(Fate::NoMapping)?.from;
        let remembers = |at: Instant| now.since(at) < behaviour.filter_lifetime;
        let alike = |other: SocketAddr| behaviour.filtering.reduce(other) == behaviour.filtering.reduce(from);
        let sent = self.by(to).any(|sent| remembers(sent.at) && alike(sent.to));
        let came = self.came_by(to).any(|came| remembers(came.at) && alike(came.from));
        let is_let_in = sent || (came && behaviour.refresh == Refresh::Both);
        if is_let_in { Ok(inside) } else { Err(Fate::Filtered) }
    }
}

#[derive(Clone, Copy, Debug)]
enum Packet {
    Out { from: u8, to: u8 },
    In { from: u8, mapping: u8 },
    Wait { seconds: u8 },
}

fn packet() -> impl Strategy<Value = Packet> {
    prop_oneof![
        4 => (0..4u8, 0..6u8).prop_map(|(from, to)| Packet::Out { from, to }),
        4 => (0..6u8, any::<u8>()).prop_map(|(from, mapping)| Packet::In { from, mapping }),
        1 => (0..25u8).prop_map(|seconds| Packet::Wait { seconds }),
    ]
}

fn dependence() -> impl Strategy<Value = Dependence> {
    use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
    prop_oneof![Just(EndpointIndependent), Just(AddressDependent), Just(AddressAndPortDependent)]
}

fn behaviours() -> impl Strategy<Value = Behaviour> {
    let ports =
        prop_oneof![Just(Ports::Preserving), Just(Ports::Random), Just(Ports::Sequential), Just(Ports::Scattered)];
    let refresh = prop_oneof![Just(Refresh::Outbound), Just(Refresh::Both)];
    (dependence(), dependence(), ports, refresh, 5..40u64).prop_map(|(mapping, filtering, ports, refresh, seconds)| {
        let filter_lifetime = Duration::from_secs(seconds);
        Behaviour { ports, refresh, filter_lifetime, ..Behaviour::new(mapping, filtering) }
    })
}

fn inside(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2 + number / 2], 1000 + u16::from(number % 2)))
}

fn remote(number: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1 + number / 2], 1 + u16::from(number % 2)))
}

proptest! {
    #[test]
    fn any_packets_fare_as_through_a_nat_that_searches_a_list(
        behaviour in behaviours(),
        packets in prop::collection::vec(packet(), 1..120),
    ) {
        let (mut nat, mut rng, mut reference) = (nat(behaviour), rng(), Reference::default());
        let mut now = NOW;
        for packet in packets {
            match packet {
                Packet::Wait { seconds } => now = now + Duration::from_secs(seconds.into()),
                Packet::Out { from, to } => {
                    let (from, to) = (inside(from), remote(to));
                    let outside = nat.outbound(from, to, now, &mut rng).unwrap();
                    let expected = reference.outside(from, to, now, &behaviour);
                    match expected {
                        Some(expected) => prop_assert_eq!(outside, expected),
                        // Another's endpoint is never given away while it lives.
                        None => prop_assert!(!reference.is_alive(outside, now, &behaviour)),
                    }
                    reference.sent.push(Sent { at: now, from, to, outside, is_first: expected.is_none() });
                }
                Packet::In { from, mapping } => {
                    let from = remote(from);
                    let known = reference.sent.get(usize::from(mapping) % reference.sent.len().max(1));
                    let outside = known.map_or(SocketAddr::from(([192, 0, 2, 1], 9)), |sent| sent.outside);
                    let expected = reference.inbound(from, outside, now, &behaviour);
                    prop_assert_eq!(nat.inbound(from, outside, now), expected);
                    if expected.is_ok() {
                        reference.let_in.push(LetIn { at: now, outside, from });
                    }
                }
            }
        }
    }
}
