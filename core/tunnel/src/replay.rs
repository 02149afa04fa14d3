//! Which counters were seen: a replay window that needs no lock, even with several threads.
//!
//! A counter belongs to a block of 32 and a block to one of 256 slots. A slot is one atomic word: the number of the newest block it
//! was used for, and one bit per counter of it. A newer block replaces an older one; a counter of an older block than its
//! slot shows is refused. So there is no "newest counter" to agree on and nothing to clear.

use std::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 256;
const BITS: u64 = 32;

/// The counters of one session that were seen.
pub(crate) struct ReplayWindow {
    slots: [AtomicU64; SLOTS],
}

impl ReplayWindow {
    pub(crate) fn new() -> Self {
        Self { slots: [const { AtomicU64::new(0) }; SLOTS] }
    }

    /// Marks an authentic counter as seen. False when it was seen before or is too old.
    pub(crate) fn accept(&self, counter: u64) -> bool {
        let Some(place) = Place::of(counter) else { return false };
        // The slot is the whole state of its counters, so no order among slots matters.
        self.slots[place.slot].fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| merged(word, place)).is_ok()
    }
}

#[derive(Clone, Copy)]
struct Place {
    slot: usize,
    block: u64,
    bit: u64,
}

impl Place {
    fn of(counter: u64) -> Option<Self> {
        let block = counter / BITS;
        // The block number is the upper half of a word.
        (block <= u64::from(u32::MAX)).then_some(Self {
            slot: (block % SLOTS as u64) as usize,
            block,
            bit: 1 << (counter % BITS),
        })
    }
}

/// The word of a slot with the counter marked in it.
fn merged(word: u64, place: Place) -> Option<u64> {
    let (block, seen) = (word >> BITS, word & u64::from(u32::MAX));
    match block.cmp(&place.block) {
        std::cmp::Ordering::Less => Some(place.block << BITS | place.bit),
        std::cmp::Ordering::Equal if seen & place.bit == 0 => Some(word | place.bit),
        std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{REJECT_AFTER_MESSAGES, REPLAY_WINDOW};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_last_counter_of_the_window_is_accepted_and_what_is_far_behind_is_not() {
        for newest in [8_192, 8_191, 100_000, REJECT_AFTER_MESSAGES - 1] {
            let window = ReplayWindow::new();
            assert!(window.accept(newest));
            assert!(window.accept(newest - REPLAY_WINDOW));
            assert!(!window.accept(newest));
            // One turn of the slots behind: the slot of the newest shows a newer block.
            assert!(!window.accept(newest.wrapping_sub(8_192)));
        }
    }

    #[test]
    fn counters_past_the_limit_are_refused() {
        let window = ReplayWindow::new();
        assert!(!window.accept(REJECT_AFTER_MESSAGES));
        assert!(!window.accept(u64::MAX));
    }

    #[test]
    fn several_threads_accept_each_counter_once() {
        let window = ReplayWindow::new();
        let accepted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..8_000).filter(|&counter| window.accept(counter)).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // All that are within the window of each other: 8,000 fit whole.
        assert_eq!(accepted, 8_000);
    }

    proptest! {
        #[test]
        fn nothing_is_accepted_twice_and_nothing_within_the_window_is_refused(
            steps in proptest::collection::vec((0u64..20_000, 0u64..3), 1..400),
        ) {
            let window = ReplayWindow::new();
            let (mut seen, mut newest, mut base) = (BTreeSet::new(), 0u64, 0u64);
            for (offset, jump) in steps {
                base += jump * 5_000;
                let counter = base + offset;
                let fresh = !seen.contains(&counter);
                let within = counter + REPLAY_WINDOW >= newest;
                let accepted = window.accept(counter);
                prop_assert!(!accepted || fresh, "accepted twice");
                prop_assert!(accepted || !fresh || !within, "refused within the window");
                seen.insert(counter);
                newest = newest.max(counter);
            }
        }
    }
}
