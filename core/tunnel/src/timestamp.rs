//! TAI64N: the stamp of an initiation. Only its order means something, and only among stamps of one sender.

use wattle_time::UnixTime;

/// TAI64 label of 1970-01-01, with the ten seconds that TAI was ahead then (as wireguard-go `tai64n` writes it).
const TAI64_EPOCH: u64 = 0x4000_0000_0000_000a;
/// Low bits of the nanoseconds that are cut off: no peer needs our clock finer than 16 ms (wireguard-go `whitenerMask`).
const COARSE_NANOS: u32 = 1 << 24;

/// Twelve big-endian bytes: seconds, nanoseconds. Compares as the bytes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp([u8; Self::LENGTH]);

impl Timestamp {
    pub(crate) const LENGTH: usize = 12;
    /// Older than every stamp that is sent.
    pub(crate) const OLDEST: Self = Self([0; Self::LENGTH]);

    pub(crate) const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The coarse stamp of `wall`, or the next after `last` if that is not newer: the peer would take it for a replay.
    pub(crate) fn newer_than(last: Self, wall: UnixTime) -> Self {
        let micros = wall.as_micros().max(0).unsigned_abs();
        let nanos = (micros % 1_000_000 * 1_000) as u32;
        let coarse = Self::new(micros / 1_000_000 + TAI64_EPOCH, nanos & !(COARSE_NANOS - 1));
        if coarse > last { coarse } else { last.next() }
    }

    fn new(secs: u64, nanos: u32) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&secs.to_be_bytes());
        bytes[8..].copy_from_slice(&nanos.to_be_bytes());
        Self(bytes)
    }

    fn next(self) -> Self {
        let [s0, s1, s2, s3, s4, s5, s6, s7, n0, n1, n2, n3] = self.0;
        let secs = u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let nanos = u32::from_be_bytes([n0, n1, n2, n3]).saturating_add(COARSE_NANOS);
        if nanos < 1_000_000_000 { Self::new(secs, nanos) } else { Self::new(secs.saturating_add(1), 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_epoch_has_its_label() {
        let stamp = Timestamp::newer_than(Timestamp::OLDEST, UnixTime::from_secs(0));
        assert_eq!(stamp.as_bytes(), &[0x40, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn stamps_grow_even_when_the_clock_stands_or_steps_back(walls in proptest::collection::vec(-5_000_000i64..5_000_000, 1..50)) {
            let mut last = Timestamp::OLDEST;
            for wall in walls {
                let stamp = Timestamp::newer_than(last, UnixTime::from_micros(1_700_000_000_000_000 + wall));
                prop_assert!(stamp > last);
                last = stamp;
            }
        }
    }
}
