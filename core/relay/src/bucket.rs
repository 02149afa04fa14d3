//! A token bucket that may go into debt: what was already read is let through, and the debt is waited for.

use std::time::Duration;

use wattle_time::Instant;

const NANOS: u128 = 1_000_000_000;

/// Tokens that come back at a steady rate.
pub(crate) struct TokenBucket {
    per_second: u64,
    burst: u64,
    /// When the bucket would have been empty: tokens are what has come back since, at most `burst`.
    empty_at: Instant,
}

impl TokenBucket {
    /// A full bucket. A rate of zero is taken as one.
    pub(crate) fn full(per_second: u64, burst: u64, now: Instant) -> Self {
        let mut bucket = Self { per_second: per_second.max(1), burst, empty_at: now };
        bucket.empty_at = now - bucket.time_for(burst);
        bucket
    }

    /// Takes one token if there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        self.settle(now);
        let after = self.empty_at + self.time_for(1);
        let there = after <= now;
        if there {
            self.empty_at = after;
        }
        there
    }

    /// Takes `tokens` in any case. Returns when the debt is paid back, if there is one.
    pub(crate) fn charge(&mut self, tokens: u64, now: Instant) -> Option<Instant> {
        self.settle(now);
        self.empty_at = self.empty_at + self.time_for(tokens);
        (self.empty_at > now).then_some(self.empty_at)
    }

    fn settle(&mut self, now: Instant) {
        self.empty_at = self.empty_at.max(now - self.time_for(self.burst));
    }

    fn time_for(&self, tokens: u64) -> Duration {
        let nanos = u128::from(tokens) * NANOS / u128::from(self.per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(100_000_000_000);

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = TokenBucket::full(1, 3, START);
        let taken = (0..5).filter(|_| bucket.try_take(START)).count();
        assert_eq!(taken, 3);
        assert!(!bucket.try_take(START + Duration::from_millis(900)));
        assert!(bucket.try_take(START + Duration::from_millis(1000)));
    }

    #[test]
    fn a_debt_is_waited_for() {
        let mut bucket = TokenBucket::full(1000, 500, START);
        assert_eq!(bucket.charge(500, START), None);
        assert_eq!(bucket.charge(250, START), Some(START + Duration::from_millis(250)));
        assert_eq!(bucket.charge(0, START + Duration::from_secs(9)), None);
    }

    #[test]
    fn rest_never_saves_more_than_the_burst() {
        let mut bucket = TokenBucket::full(1000, 500, START);
        let later = START + Duration::from_secs(3600);
        assert_eq!(bucket.charge(1000, later), Some(later + Duration::from_millis(500)));
    }
}
