//! What this node has sent, so that the answers are let in. Shared by all data threads without a lock, in memory that is
//! fixed whatever the number of peers.
//!
//! A set-associative cache of fingerprints. The hash is seeded, so that nobody outside can make flows collide; two flows
//! of a set with one 50-bit fingerprint are too rare to matter. Each flow has an owner, the peer it goes to, and places
//! are shared out fairly: a flow in use gives way only to a flow of a peer that has no more places than its owner. So
//! one peer can fill what others leave free, and never pushes out what others use. Races between threads can lose an
//! insertion: the flow's next packet makes it again.

use std::hash::{DefaultHasher, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use wattle_packet::Flow;
use wattle_time::Instant;

use crate::limits::{FLOW_IDLE, FLOW_OWNERS, FLOW_SETS, FLOW_WAYS, FLOW_WAYS_PER_PEER_MAX};

/// Remembered flows.
pub struct Flows {
    /// Has eaten the seed.
    hasher: DefaultHasher,
    sets: Box<[Set]>,
    /// How many places each owner has.
    held: Box<[AtomicU32]>,
}

#[derive(Default)]
struct Set {
    /// A fingerprint and its owner; zero: free.
    names: [AtomicU64; FLOW_WAYS],
    /// When it was last used, in milliseconds.
    used: [AtomicU32; FLOW_WAYS],
}

const OWNER_BITS: u32 = FLOW_OWNERS.ilog2();

impl Flows {
    /// Nothing remembered. The seed keeps others from guessing which flows collide.
    pub fn new(seed: [u8; 32]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&seed);
        let sets = std::iter::repeat_with(Set::default).take(FLOW_SETS).collect();
        let held = std::iter::repeat_with(AtomicU32::default).take(FLOW_OWNERS).collect();
        Self { hasher, sets, held }
    }

    /// A packet of this flow went out to a peer, which has a number of its own.
    pub fn remember(&self, flow: &Flow, peer: u32, now: Instant) {
        let (set, fingerprint) = self.place(flow);
        let name = (fingerprint << OWNER_BITS) | (u64::from(peer) % FLOW_OWNERS as u64);
        let now = milliseconds(now);
        let way = match set.find(fingerprint) {
            Some(way) if set.names[way].load(Ordering::Relaxed) == name => return set.touch(way, now),
            Some(way) => way,
            None => match self.way_for(owner(name), set, now) {
                Some(way) => way,
                None => return,
            },
        };
        let former = set.names[way].swap(name, Ordering::Relaxed);
        set.used[way].store(now, Ordering::Relaxed);
        if former != 0 {
            self.held[owner(former)].fetch_sub(1, Ordering::Relaxed);
        }
        self.held[owner(name)].fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a packet of this flow answers one that went out.
    pub fn expects(&self, flow: &Flow, now: Instant) -> bool {
        let (set, fingerprint) = self.place(&flow.reversed());
        let way = set.find(fingerprint);
        if let Some(way) = way {
            set.touch(way, milliseconds(now));
        }
        way.is_some()
    }

    fn place(&self, flow: &Flow) -> (&Set, u64) {
        let mut hasher = self.hasher.clone();
        hasher.write(&bytes(flow));
        let hash = hasher.finish();
        // The set's number and the fingerprint are of different bits.
        (&self.sets[hash as usize % FLOW_SETS], (hash >> OWNER_BITS).max(1))
    }

    /// Which way of a full or half-empty set a flow of this owner may have, if any.
    fn way_for(&self, own: usize, set: &Set, now: u32) -> Option<usize> {
        let names = set.names.each_ref().map(|name| name.load(Ordering::Relaxed));
        let is_own = |way: &usize| names[*way] != 0 && owner(names[*way]) == own;
        let idle_ms = FLOW_IDLE.as_millis() as u32;
        if (0..FLOW_WAYS).filter(is_own).count() >= FLOW_WAYS_PER_PEER_MAX {
            return (0..FLOW_WAYS).filter(is_own).max_by_key(|way| set.age(*way, now));
        }
        // The free one, or else the longest idle, or else the oldest of the owner that has the most.
        let claim = |way: &usize| match (names[*way], set.age(*way, now)) {
            (0, _) => (2, 0, 0),
            (_, age) if age >= idle_ms => (1, 0, age),
            (name, age) => (0, self.held[owner(name)].load(Ordering::Relaxed), age),
        };
        let way = (0..FLOW_WAYS).max_by_key(claim)?;
        let (ease, held, _) = claim(&way);
        (ease > 0 || held >= self.held[own].load(Ordering::Relaxed)).then_some(way)
    }
}

impl Set {
    fn find(&self, fingerprint: u64) -> Option<usize> {
        self.names.iter().position(|name| name.load(Ordering::Relaxed) >> OWNER_BITS == fingerprint)
    }

    /// Notes that a flow is in use; only when that is news, or threads would fight for the cache line.
    fn touch(&self, way: usize, now: u32) {
        if self.used[way].load(Ordering::Relaxed) != now {
            self.used[way].store(now, Ordering::Relaxed);
        }
    }

    /// For how long a flow was not used. Another thread's clock may be ahead of ours.
    fn age(&self, way: usize, now: u32) -> u32 {
        let age = now.wrapping_sub(self.used[way].load(Ordering::Relaxed));
        if age > u32::MAX / 2 { 0 } else { age }
    }
}

fn owner(name: u64) -> usize {
    name as usize % FLOW_OWNERS
}

/// What an age is reckoned from; begins anew every 49 days, which makes one flow look younger than it is.
fn milliseconds(now: Instant) -> u32 {
    (now.as_nanos() / 1_000_000) as u32
}

/// A flow, said in bytes.
fn bytes(flow: &Flow) -> [u8; 38] {
    let mut bytes = [0; 38];
    let mut rest = &mut bytes[..];
    let mut put = |part: &[u8]| {
        if let Some((here, after)) = std::mem::take(&mut rest).split_at_mut_checked(part.len()) {
            here.copy_from_slice(part);
            rest = after;
        }
    };
    for end in [flow.source, flow.destination] {
        put(&end.port().to_be_bytes());
        match end.ip() {
            IpAddr::V4(address) => put(&address.to_ipv6_mapped().octets()),
            IpAddr::V6(address) => put(&address.octets()),
        }
    }
    put(&[flow.protocol, u8::from(flow.source.is_ipv4())]);
    bytes
}

impl std::fmt::Debug for Flows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held: u32 = self.held.iter().map(|held| held.load(Ordering::Relaxed)).sum();
        f.debug_struct("Flows").field("held", &held).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
