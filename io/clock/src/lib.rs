//! The clocks and the randomness of the operating system.
//!
//! What it is: the one place that knows what time it is, for the drivers and programs that hand it to the cores.
//! What it is not: a timer. Waiting is the event loop's; [`until`] tells it how long.
//! How to drive it: free functions, from any thread; there is nothing to set up.
//! Invariants: [`now`] never goes back, and goes on while the machine sleeps, so that a session that was left alone
//! for a night is old in the morning.
#![forbid(unsafe_code)]

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use wattle_time::{Instant, UnixTime};

/// The operating system gave no random bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes: {0}")]
pub struct NoRandomness(String);

/// The monotonic clock. Linux has one that counts sleep (`CLOCK_BOOTTIME`), read without a system call.
#[cfg(target_os = "linux")]
const MONOTONIC: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const MONOTONIC: ClockId = ClockId::CLOCK_MONOTONIC;

/// The point at which we are. The origin is that of the machine's clock, so points of two processes may be compared.
pub fn now() -> Instant {
    Instant::from_nanos(u64::try_from(read(MONOTONIC).as_nanos()).unwrap_or(u64::MAX))
}

/// How long the machine has slept since it was started. It grows while the machine sleeps and at no other time; zero where
/// the system does not say.
pub fn slept() -> Duration {
    // Read first, so that what passes in between makes it no longer.
    let with_sleep = read(MONOTONIC);
    with_sleep.saturating_sub(read(ClockId::CLOCK_MONOTONIC))
}

/// What the wall clock shows. It may jump; for how long something took, use [`now`].
pub fn unix_now() -> UnixTime {
    UnixTime::EPOCH.plus(read(ClockId::CLOCK_REALTIME))
}

/// How long to wait until `when`; zero when it has passed.
pub fn until(when: Instant) -> Duration {
    when.since(now())
}

/// Bytes nobody can guess, to start a core or to make a key from.
pub fn seed() -> Result<[u8; 32], NoRandomness> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// Reading a clock that every kernel we run on has cannot fail; were it missing, time would stand still at zero.
fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_runs_and_never_goes_back() {
        let mut last = now();
        assert!(last > Instant::ORIGIN);
        for _ in 0..1000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
    }

    #[test]
    fn the_wall_clock_shows_a_year_after_this_was_written() {
        let written: UnixTime = "2026-01-01T00:00:00Z".parse().unwrap();
        assert!(unix_now() > written);
    }

    #[test]
    fn the_wait_for_the_past_is_nothing_and_for_the_future_is_at_most_the_gap() {
        assert_eq!(until(Instant::ORIGIN), Duration::ZERO);
        let gap = Duration::from_secs(60);
        let wait = until(now() + gap);
        assert!(wait <= gap && wait > Duration::from_secs(50));
    }

    #[test]
    fn nobody_sleeps_while_this_test_runs() {
        let before = slept();
        assert!(slept().abs_diff(before) < Duration::from_millis(500));
    }

    #[test]
    fn two_seeds_differ() {
        assert_ne!(seed().unwrap(), seed().unwrap());
    }
}
