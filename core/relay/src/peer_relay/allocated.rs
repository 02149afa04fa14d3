//! One allocation: two clients, their handshakes, and the addresses that these have bound.

use std::net::SocketAddr;

use wattle_keys::{DiscoPublic, DiscoShared, NodePublic};
use wattle_time::Instant;
use wattle_wire::disco::{Envelope, Handshake, Message};
use wattle_wire::geneve::Vni;

use super::challenges::Challenges;
use crate::bucket::TokenBucket;
use crate::limits::{BIND_BURST, BIND_LIFETIME, BINDS_PER_SECOND, STEADY_LIFETIME};

/// What is set aside for a pair of clients.
pub(super) struct Allocated {
    pub(super) vni: Vni,
    pub(super) lamport_id: u64,
    /// Who asked for it first.
    pub(super) asker: NodePublic,
    pub(super) clients: [DiscoPublic; 2],
    sides: [Side; 2],
    asked_at: Instant,
}

/// One client.
struct Side {
    shared: DiscoShared,
    /// The generation of the handshake under way.
    generation: Option<u32>,
    bound: Option<SocketAddr>,
    seen_at: Instant,
    binds: TokenBucket,
    packets: u64,
    bytes: u64,
}

/// An allocation, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// Its number.
    pub vni: Vni,
    /// Its clients.
    pub clients: [ClientStatus; 2],
}

/// A client of an allocation, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// Its disco key.
    pub key: DiscoPublic,
    /// The address that it has bound.
    pub address: Option<SocketAddr>,
    /// Datagrams of it that were sent on.
    pub packets: u64,
    /// Bytes of these.
    pub bytes: u64,
}

impl Allocated {
    pub(super) fn new(
        vni: Vni,
        lamport_id: u64,
        asker: NodePublic,
        clients: [DiscoPublic; 2],
        shared: [DiscoShared; 2],
        now: Instant,
    ) -> Self {
        let sides = shared.map(|shared| Side {
            shared,
            generation: None,
            bound: None,
            seen_at: now,
            binds: TokenBucket::full(BINDS_PER_SECOND, BIND_BURST, now),
            packets: 0,
            bytes: 0,
        });
        Self { vni, lamport_id, asker, clients, sides, asked_at: now }
    }

    /// A client asks for it (again): it has the whole time to bind.
    pub(super) fn note_asked(&mut self, now: Instant) {
        self.asked_at = now;
    }

    /// Opens what one of the clients sealed, and says which.
    pub(super) fn open(&self, envelope: &Envelope<'_>) -> Option<(usize, Message)> {
        let side = self.clients.iter().position(|client| *client == envelope.sender)?;
        Some((side, envelope.open(&self.sides[side].shared).ok()?))
    }

    pub(super) fn shared(&self, side: usize) -> &DiscoShared {
        &self.sides[side].shared
    }

    /// A client wants to bind the address it sends from. Returns the challenge, if it gets one.
    pub(super) fn handle_bind(
        &mut self,
        side: usize,
        handshake: &Handshake,
        from: SocketAddr,
        challenges: &Challenges,
        now: Instant,
    ) -> Option<Handshake> {
        if !self.is_about_us(side, handshake) || handshake.generation == 0 || !self.sides[side].binds.try_take(now) {
            return None;
        }
        self.sides[side].generation = Some(handshake.generation);
        Some(Handshake { challenge: challenges.challenge(handshake, from), ..*handshake })
    }

    /// A client shows that the challenge has reached it: its address is bound.
    pub(super) fn handle_answer(
        &mut self,
        side: usize,
        handshake: &Handshake,
        from: SocketAddr,
        challenges: &Challenges,
        now: Instant,
    ) {
        let expected = self.sides[side].generation == Some(handshake.generation);
        if expected && self.is_about_us(side, handshake) && challenges.recognise(handshake, from) {
            let side = &mut self.sides[side];
            side.bound = Some(from);
            side.seen_at = now;
            // An answer counts once: repeated by somebody else later, it must not bind an old address again.
            side.generation = None;
        }
    }

    /// Where packets from this address go: to the other client, once both are bound.
    pub(super) fn pass(&mut self, from: SocketAddr, packets: u64, bytes: usize, now: Instant) -> Option<SocketAddr> {
        let [one, other] = &mut self.sides;
        let (from_one, from_other) = (one.bound == Some(from), other.bound == Some(from));
        let (sender, receiver) = if from_one {
            (one, other)
        } else if from_other {
            (other, one)
        } else {
            return None;
        };
        let to = receiver.bound?;
        sender.seen_at = now;
        sender.packets += packets;
        sender.bytes += bytes as u64;
        Some(to)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        if self.sides.iter().all(|side| side.bound.is_some()) {
            self.sides.iter().any(|side| now.since(side.seen_at) > STEADY_LIFETIME)
        } else {
            now.since(self.asked_at) > BIND_LIFETIME
        }
    }

    pub(super) fn status(&self, vni: Vni) -> SessionStatus {
        let client = |side: usize| ClientStatus {
            key: self.clients[side],
            address: self.sides[side].bound,
            packets: self.sides[side].packets,
            bytes: self.sides[side].bytes,
        };
        SessionStatus { vni, clients: [client(0), client(1)] }
    }

    /// The Geneve header is not sealed: what it says must stand in the box as well.
    fn is_about_us(&self, side: usize, handshake: &Handshake) -> bool {
        handshake.vni == self.vni && handshake.remote == self.clients[1 - side]
    }
}
