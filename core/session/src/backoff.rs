//! Waits that grow, with jitter so that a thousand nodes do not return at once.

use std::time::Duration;

use rand_core::RngCore;

use crate::limits::BACKOFF;

/// How long to wait next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: BACKOFF.0 }
    }
}

impl Backoff {
    /// A wait between half of and the whole step; the step doubles.
    pub(crate) fn wait(&mut self, rng: &mut impl RngCore) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(BACKOFF.1);
        between(step / 2, step, rng)
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

pub(crate) fn between(low: Duration, high: Duration, rng: &mut impl RngCore) -> Duration {
    let span = u64::try_from((high - low).as_micros()).unwrap_or(u64::MAX - 1);
    low + Duration::from_micros(rng.next_u64() % (span + 1))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_start_again() {
        let (mut backoff, mut rng) = (Backoff::default(), ChaCha8Rng::from_seed([1; 32]));
        let waits: Vec<Duration> = (0..12).map(|_| backoff.wait(&mut rng)).collect();
        assert!(waits.first().unwrap() <= &BACKOFF.0);
        assert!(waits.iter().all(|wait| *wait <= BACKOFF.1));
        assert!(*waits.last().unwrap() >= BACKOFF.1 / 2);
        backoff.reset();
        assert!(backoff.wait(&mut rng) <= BACKOFF.0);
    }
}
