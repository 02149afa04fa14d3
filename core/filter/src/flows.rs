//! What this node has sent, so that the answers are let in. Shared by all data threads without a lock.
//!
//! A set-associative cache of fingerprints. The hash is seeded, so that nobody outside can make flows collide; two flows
//! with one 64-bit fingerprint are too rare to matter. Races between threads can lose an insertion: the flow's next
//! packet makes it again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use wattle_packet::Flow;

use crate::limits::{FLOW_SETS, FLOW_WAYS};

/// Remembered flows, the least recently used forgotten first (within a set).
pub struct Flows {
    /// Has eaten the seed.
    hasher: DefaultHasher,
    sets: Box<[Set]>,
    /// Counts insertions: the clock of "recently".
    clock: AtomicU32,
}

#[derive(Default)]
struct Set {
    /// Zero: free.
    fingerprints: [AtomicU64; FLOW_WAYS],
    used: [AtomicU32; FLOW_WAYS],
}

impl Flows {
    /// Nothing remembered. The seed keeps others from guessing which flows collide.
    pub fn new(seed: [u8; 32]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(&seed);
        let sets = std::iter::repeat_with(Set::default).take(FLOW_SETS).collect();
        Self { hasher, sets, clock: AtomicU32::new(0) }
    }

    /// A packet of this flow went out.
    pub fn remember(&self, flow: &Flow) {
        let (set, fingerprint) = self.place(flow);
        let now = self.clock.load(Ordering::Relaxed);
        if let Some(way) = set.find(fingerprint) {
            // Only a store when something changed: threads would fight for the cache line.
            if set.used[way].load(Ordering::Relaxed) != now {
                set.used[way].store(now, Ordering::Relaxed);
            }
            return;
        }
        let way = set.oldest(now);
        set.fingerprints[way].store(fingerprint, Ordering::Relaxed);
        set.used[way].store(self.clock.fetch_add(1, Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether a packet of this flow answers one that went out.
    pub fn expects(&self, flow: &Flow) -> bool {
        let (set, fingerprint) = self.place(&flow.reversed());
        set.find(fingerprint).is_some()
    }

    fn place(&self, flow: &Flow) -> (&Set, u64) {
        let mut hasher = self.hasher.clone();
        flow.hash(&mut hasher);
        let hash = hasher.finish();
        // The set's number comes from bits that the fingerprint has too: that costs nothing, they only agree.
        (&self.sets[hash as usize % FLOW_SETS], hash.max(1))
    }
}

impl Set {
    fn find(&self, fingerprint: u64) -> Option<usize> {
        self.fingerprints.iter().position(|known| known.load(Ordering::Relaxed) == fingerprint)
    }

    fn oldest(&self, now: u32) -> usize {
        let age = |way: &usize| match self.fingerprints[*way].load(Ordering::Relaxed) {
            0 => u32::MAX,
            _ => now.wrapping_sub(self.used[*way].load(Ordering::Relaxed)),
        };
        (0..FLOW_WAYS).max_by_key(age).unwrap_or_default()
    }
}

impl std::fmt::Debug for Flows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flows").field("inserted", &self.clock).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u16) -> Flow {
        Flow { protocol: 17, source: ([100, 64, 0, 1], port).into(), destination: ([100, 64, 0, 2], 53).into() }
    }

    #[test]
    fn only_the_other_direction_is_expected() {
        let flows = Flows::new([1; 32]);
        flows.remember(&flow(1));
        assert!(flows.expects(&flow(1).reversed()));
        assert!(!flows.expects(&flow(1)));
        assert!(!flows.expects(&flow(2).reversed()));
        assert!(!flows.expects(&Flow { protocol: 132, ..flow(1).reversed() }));
    }

    #[test]
    fn a_flow_in_use_outlives_a_flood_of_others() {
        let flows = Flows::new([2; 32]);
        for port in 1..=u16::MAX {
            flows.remember(&flow(port));
            flows.remember(&flow(0));
        }
        assert!(flows.expects(&flow(0).reversed()));
        let remembered = (1..=u16::MAX).filter(|port| flows.expects(&flow(*port).reversed())).count();
        assert!((3000..=FLOW_SETS * FLOW_WAYS).contains(&remembered), "{remembered}");
    }

    #[test]
    fn the_last_five_hundred_flows_are_nearly_all_known() {
        // The official node remembers 512; here two flows in one set may push a third out.
        let flows = Flows::new([3; 32]);
        (0..10_000).for_each(|port| flows.remember(&flow(port)));
        let known = (9_488..10_000).filter(|port| flows.expects(&flow(*port).reversed())).count();
        assert!(known >= 510, "{known}");
    }

    #[test]
    fn seeds_place_flows_apart() {
        let hash = |seed| Flows::new([seed; 32]).place(&flow(1)).1;
        assert_ne!(hash(1), hash(2));
    }
}
