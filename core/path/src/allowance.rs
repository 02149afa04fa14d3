//! How many calls of a peer are heeded: a bucket of tokens.

use wattle_time::Instant;

use crate::limits::{CALL_INTERVAL_MIN, CALLS_AT_ONCE_MAX};

/// Full at first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    /// Used tokens come back one after the other, the last of them then.
    whole_at: Option<Instant>,
}

impl Allowance {
    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let whole_at = self.whole_at.map_or(now, |whole| whole.max(now)) + CALL_INTERVAL_MIN;
        let may = whole_at.since(now) <= CALL_INTERVAL_MIN * CALLS_AT_ONCE_MAX;
        if may {
            self.whole_at = Some(whole_at);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_few_at_once_and_then_one_a_second() {
        let mut allowance = Allowance::default();
        let now = Instant::ORIGIN + Duration::from_secs(9);
        let at_once = (0..100).filter(|_| allowance.take(now)).count();
        assert_eq!(at_once, CALLS_AT_ONCE_MAX as usize);
        let later = (1..=1000).filter(|ms| allowance.take(now + Duration::from_millis(*ms * 10))).count();
        assert_eq!(later, 10);
    }
}
