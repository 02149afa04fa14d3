//! How much may be done at once and in the long run: a bucket of tokens that is full at first.

use std::time::Duration;

use wattle_time::Instant;

/// What a bucket holds and how it fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Tokens of a full bucket.
    pub(crate) at_once: u32,
    /// One comes back in this time.
    pub(crate) every: Duration,
}

/// Full at first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    /// Used tokens come back one after the other, the last of them then.
    whole_at: Option<Instant>,
}

impl Allowance {
    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let whole_at = self.whole_at.map_or(now, |whole| whole.max(now)) + rate.every;
        let may = whole_at.since(now) <= rate.every * rate.at_once;
        if may {
            self.whole_at = Some(whole_at);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CALLS;

    #[test]
    fn a_few_at_once_and_then_one_a_second() {
        let mut allowance = Allowance::default();
        let now = Instant::ORIGIN + Duration::from_secs(9);
        let at_once = (0..100).filter(|_| allowance.take(CALLS, now)).count();
        assert_eq!(at_once, CALLS.at_once as usize);
        let later = (1..=1000).filter(|ms| allowance.take(CALLS, now + Duration::from_millis(*ms * 10))).count();
        assert_eq!(later, 10);
    }
}
