//! A relay of UDP packets between two nodes that have no direct path, run by a third node of their network.
//!
//! Each allocation has a number (VNI) and two clients. A client shows by a handshake of three messages that it holds its
//! disco key and receives at its address; from then on what comes from the one address goes to the other, unread.
//!
//! What it is not: a socket, or the decision who may ask for an allocation (`wattle-node` has the packet filter). The
//! DERP relay is next door and has nothing in common with it but the floor.
//!
//! Source of the protocol's facts: tailscale `net/udprelay/server.go`.

mod allocated;
mod challenges;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_keys::{DiscoPrivate, DiscoPublic, NodePublic};
use wattle_time::{Deadline, Instant};
use wattle_wire::disco::{Allocation, Envelope, Message, in_order};
use wattle_wire::geneve::{Header, Payload, Vni};

use self::allocated::Allocated;
use self::challenges::Challenges;
use crate::bucket::TokenBucket;
use crate::limits::{
    ADDRESSES_TOLD, ALLOCATION_BURST, ALLOCATIONS, ALLOCATIONS_PER_ASKER, ALLOCATIONS_PER_SECOND, BIND_LIFETIME,
    EXPIRY_INTERVAL, STEADY_LIFETIME,
};

pub use self::allocated::{ClientStatus, SessionStatus};

/// The relay.
pub struct PeerRelay {
    private: DiscoPrivate,
    public: DiscoPublic,
    rng: ChaCha20Rng,
    challenges: Challenges,
    addresses: Vec<SocketAddr>,
    /// An allocation stands at its number modulo the length, so that finding it takes no search.
    table: Vec<Option<Box<Allocated>>>,
    by_pair: BTreeMap<[DiscoPublic; 2], Vni>,
    askers: BTreeMap<NodePublic, Account>,
    next_vni: Vni,
    lamport_id: u64,
    expiry_due: Option<Instant>,
    counters: PeerRelayCounters,
}

/// What to do with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Send it on as it is, to this address.
    Forward(SocketAddr),
    /// Send the reply that was written to where it came from.
    Reply,
    /// Nothing.
    Nothing,
}

/// Why nothing is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its own addresses are not known yet; ask again.
    #[error("the peer relay does not know its addresses yet")]
    NotReady,
    /// The clients are one and the same, or the relay itself.
    #[error("a peer relay is between two other keys")]
    BadPair,
    /// The asker asks too often, or has enough.
    #[error("the asker has enough allocations")]
    Enough,
    /// There is no room.
    #[error("the peer relay is full")]
    Full,
}

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerRelayCounters {
    /// Datagrams sent on.
    pub packets_forwarded: u64,
    /// Bytes of these.
    pub bytes_forwarded: u64,
    /// Datagrams that were dropped: no such allocation, not a client's address, not to be opened.
    pub packets_dropped: u64,
    /// Allocations made.
    pub allocations: u64,
}

struct Account {
    live: usize,
    bucket: TokenBucket,
}

impl PeerRelay {
    /// A relay without allocations and addresses. `seed` must be random: the key and all secrets come from it.
    pub fn new(seed: [u8; 32], now: Instant) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut fresh = || {
            let mut bytes = [0; 32];
            rng.fill_bytes(&mut bytes);
            bytes
        };
        let private = DiscoPrivate::from_bytes(fresh());
        let challenges = Challenges::new(fresh(), now);
        Self {
            public: private.public(),
            private,
            rng,
            challenges,
            addresses: Vec::new(),
            table: (0..ALLOCATIONS).map(|_| None).collect(),
            by_pair: BTreeMap::new(),
            askers: BTreeMap::new(),
            next_vni: Vni::MIN,
            lamport_id: 0,
            expiry_due: None,
            counters: PeerRelayCounters::default(),
        }
    }

    /// The key that handshakes are sealed with. It is not the node's.
    pub fn key(&self) -> DiscoPublic {
        self.public
    }

    /// Where clients may reach the relay, best first.
    pub fn set_addresses(&mut self, addresses: &[SocketAddr]) {
        self.addresses.clear();
        self.addresses.extend(addresses.iter().take(ADDRESSES_TOLD));
    }

    /// Sets something aside for a pair of clients, or says what is already set aside for it. `asker` answers for it in
    /// the limits.
    pub fn allocate(
        &mut self,
        asker: NodePublic,
        clients: [DiscoPublic; 2],
        now: Instant,
    ) -> Result<Allocation, Refusal> {
        let [a, b] = clients;
        let pair = in_order(a, b);
        if a == b || pair.contains(&self.public) {
            return Err(Refusal::BadPair);
        }
        if self.addresses.is_empty() {
            return Err(Refusal::NotReady);
        }
        self.expire(now);
        let account = self.askers.entry(asker).or_insert_with(|| Account {
            live: 0,
            bucket: TokenBucket::full(ALLOCATIONS_PER_SECOND, ALLOCATION_BURST, now),
        });
        let may_ask = account.bucket.try_take(now);
        let may_have = account.live < ALLOCATIONS_PER_ASKER;
        let known = self.by_pair.get(&pair).copied();
        let outcome = match known {
            _ if !may_ask => Err(Refusal::Enough),
            Some(vni) => Ok(vni),
            None if !may_have => Err(Refusal::Enough),
            None => self.set_aside(asker, pair, now).ok_or(Refusal::Full),
        };
        if outcome.is_err() {
            self.forget_idle_asker(&asker);
        }
        let vni = outcome?;
        let allocated = self.find_mut(vni).ok_or(Refusal::Full)?;
        allocated.note_asked(now);
        let lamport_id = allocated.lamport_id;
        self.forget_idle_asker(&asker);
        Ok(Allocation {
            server: self.public,
            clients: pair,
            lamport_id,
            vni,
            bind_lifetime: BIND_LIFETIME,
            steady_lifetime: STEADY_LIFETIME,
            addresses: self.addresses.clone(),
        })
    }

    /// Takes a datagram. Allocates nothing for those that are sent on; a reply is never longer than the datagram.
    pub fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, reply: &mut Vec<u8>) -> Pass {
        let pass = match Header::split(datagram) {
            Some((Header { payload: Payload::Control, vni }, sealed)) => {
                self.handle_control(from, vni, sealed, now, reply)
            }
            Some((Header { payload: Payload::Disco | Payload::WireGuard, vni }, _)) => {
                match self.find_mut(vni).and_then(|allocated| allocated.pass(from, 1, datagram.len(), now)) {
                    Some(to) => {
                        self.counters.packets_forwarded += 1;
                        self.counters.bytes_forwarded += datagram.len() as u64;
                        Pass::Forward(to)
                    }
                    None => Pass::Nothing,
                }
            }
            None => Pass::Nothing,
        };
        if pass == Pass::Nothing {
            self.counters.packets_dropped += 1;
        }
        pass
    }

    /// Takes datagrams of `stride` bytes that came together from one address (the last may be shorter), when all of them
    /// are traffic of one allocation: where they go, as one run. `None`: they must be taken one by one.
    pub fn handle_run(&mut self, from: SocketAddr, run: &[u8], stride: usize, now: Instant) -> Option<SocketAddr> {
        let mut datagrams = run.chunks(stride.max(1));
        let (first, _) = Header::split(datagrams.next()?)?;
        let alike = |datagram: &[u8]| {
            Header::split(datagram).is_some_and(|(header, _)| header.vni == first.vni && is_traffic(header.payload))
        };
        if !is_traffic(first.payload) || !datagrams.all(alike) {
            return None;
        }
        let count = run.len().div_ceil(stride.max(1)) as u64;
        let to = self.find_mut(first.vni)?.pass(from, count, run.len(), now)?;
        self.counters.packets_forwarded += count;
        self.counters.bytes_forwarded += run.len() as u64;
        Some(to)
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.challenges.rotate_if_due(&mut self.rng, now);
        self.expire(now);
    }

    /// When to call [`Self::handle_timeout`]; never while nothing is set aside.
    pub fn next_timeout(&self) -> Option<Deadline> {
        self.expiry_due.map(|due| Deadline::between(due, due + EXPIRY_INTERVAL, "allocations of the peer relay"))
    }

    /// Whether something is set aside.
    pub fn is_in_use(&self) -> bool {
        !self.by_pair.is_empty()
    }

    /// What is set aside now, for people.
    pub fn sessions(&self) -> impl Iterator<Item = SessionStatus> {
        self.by_pair.values().filter_map(|vni| Some(self.find(*vni)?.status(*vni)))
    }

    /// Totals.
    pub fn counters(&self) -> PeerRelayCounters {
        self.counters
    }

    fn handle_control(&mut self, from: SocketAddr, vni: Vni, sealed: &[u8], now: Instant, reply: &mut Vec<u8>) -> Pass {
        let Some(envelope) = Envelope::parse(sealed) else { return Pass::Nothing };
        self.challenges.rotate_if_due(&mut self.rng, now);
        let (challenges, public) = (&self.challenges, &self.public);
        let Some(allocated) = self.table.get_mut(place(vni)).and_then(Option::as_mut).filter(|one| one.vni == vni)
        else {
            return Pass::Nothing;
        };
        match allocated.open(&envelope) {
            Some((side, Message::Bind(handshake))) => {
                let Some(challenge) = allocated.handle_bind(side, &handshake, from, challenges, now) else {
                    return Pass::Nothing;
                };
                reply.clear();
                reply.extend_from_slice(&Header { payload: Payload::Control, vni }.encode());
                let mut nonce = [0; wattle_keys::NONCE_LENGTH];
                self.rng.fill_bytes(&mut nonce);
                Message::Challenge(challenge).seal(public, allocated.shared(side), &nonce, reply);
                Pass::Reply
            }
            Some((side, Message::Answer(handshake))) => {
                allocated.handle_answer(side, &handshake, from, challenges, now);
                Pass::Nothing
            }
            _ => Pass::Nothing,
        }
    }

    /// Makes an allocation at the next free number. Numbers are not used again soon, so that late packets of an old
    /// allocation meet nobody.
    fn set_aside(&mut self, asker: NodePublic, pair: [DiscoPublic; 2], now: Instant) -> Option<Vni> {
        for _ in 0..self.table.len() {
            let vni = self.next_vni;
            self.next_vni = vni.next();
            let Some(free) = self.table.get_mut(place(vni)).filter(|place| place.is_none()) else { continue };
            self.lamport_id += 1;
            self.counters.allocations += 1;
            let shared = pair.map(|key| self.private.shared(&key));
            *free = Some(Box::new(Allocated::new(vni, self.lamport_id, asker, pair, shared, now)));
            self.by_pair.insert(pair, vni);
            if let Some(account) = self.askers.get_mut(&asker) {
                account.live += 1;
            }
            self.expiry_due.get_or_insert(now + EXPIRY_INTERVAL);
            return Some(vni);
        }
        None
    }

    /// Takes back what nobody bound or used for long.
    fn expire(&mut self, now: Instant) {
        if self.expiry_due.is_none_or(|due| now < due) {
            return;
        }
        for place in &mut self.table {
            let Some(gone) = place.take_if(|allocated| allocated.is_over(now)) else { continue };
            self.by_pair.remove(&gone.clients);
            if let Some(account) = self.askers.get_mut(&gone.asker) {
                account.live = account.live.saturating_sub(1);
            }
        }
        self.askers.retain(|_, account| account.live > 0);
        self.expiry_due = (!self.by_pair.is_empty()).then_some(now + EXPIRY_INTERVAL);
    }

    /// Accounts are kept only for those who have something, so there are never more of them than allocations.
    fn forget_idle_asker(&mut self, asker: &NodePublic) {
        if self.askers.get(asker).is_some_and(|account| account.live == 0) {
            self.askers.remove(asker);
        }
    }

    fn find(&self, vni: Vni) -> Option<&Allocated> {
        self.table.get(place(vni))?.as_deref().filter(|allocated| allocated.vni == vni)
    }

    fn find_mut(&mut self, vni: Vni) -> Option<&mut Allocated> {
        self.table.get_mut(place(vni))?.as_deref_mut().filter(|allocated| allocated.vni == vni)
    }
}

fn is_traffic(payload: Payload) -> bool {
    matches!(payload, Payload::Disco | Payload::WireGuard)
}

fn place(vni: Vni) -> usize {
    vni.as_u32() as usize % ALLOCATIONS
}

#[cfg(test)]
mod tests;
