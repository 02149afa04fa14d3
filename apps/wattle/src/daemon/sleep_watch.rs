//! Notices that the machine slept, or that this process did not run for a while.

use std::io::{self, ErrorKind};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::net::unix::pipe::Receiver;
use wattle_time::Instant;

/// Sleep shorter than this changes nothing: mappings and connections outlive it.
const SLEEP_MIN: Duration = Duration::from_secs(2);
/// A loop that comes so late to its own deadline did not run: the machine was paused, as virtual machines are. Load
/// alone makes it late by less.
const LATE_MIN: Duration = Duration::from_secs(5);
/// Far away: the timer is there to be cancelled.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Watches for sleep.
pub(super) struct SleepWatch {
    alarm: Option<Receiver>,
    slept: Duration,
    due: Option<Instant>,
}

impl SleepWatch {
    /// Needs a tokio runtime. Where the kernel has no such timer, sleep is noticed with the next event.
    pub(super) fn new() -> Self {
        let alarm = alarm().inspect_err(|error| tracing::debug!(%error, "nothing tells when the machine wakes"));
        Self { alarm: alarm.ok(), slept: wattle_clock::slept(), due: None }
    }

    /// Done when the wall clock was set or the machine woke, which the kernel tells of in one way: the timer is cancelled.
    /// Costs nothing until then.
    pub(super) async fn stirred(&self) {
        let Some(alarm) = &self.alarm else { return std::future::pending().await };
        loop {
            if alarm.readable().await.is_err() {
                return std::future::pending().await;
            }
            match alarm.try_read(&mut [0; 8]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // It was cancelled; reading that has set it again.
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Notes when the loop means to run next.
    pub(super) fn note_due(&mut self, due: Option<Instant>) {
        self.due = due;
    }

    /// Whether the machine slept, or stood still, since the last call.
    pub(super) fn woke(&mut self, now: Instant) -> bool {
        let slept = wattle_clock::slept();
        self.woke_after(slept, now)
    }

    fn woke_after(&mut self, slept: Duration, now: Instant) -> bool {
        let has_slept = slept.saturating_sub(self.slept) >= SLEEP_MIN;
        self.slept = slept;
        let is_late = self.due.take().is_some_and(|due| now.since(due) >= LATE_MIN);
        has_slept || is_late
    }
}

/// A timer that a change of the wall clock cancels. To tokio it looks like the end of a pipe: it becomes readable.
fn alarm() -> io::Result<Receiver> {
    let timer = TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    let far = wattle_clock::unix_now().plus(NEVER).since(wattle_time::UnixTime::EPOCH);
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    timer.set(Expiration::OneShot(TimeSpec::from_duration(far)), flags)?;
    Receiver::from_owned_fd_unchecked(timer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    #[tokio::test]
    async fn sleep_and_standstill_are_noticed_once_and_load_is_not() {
        let mut watch = SleepWatch::new();
        let base = watch.slept;
        assert!(!watch.woke_after(base + Duration::from_millis(10), START));
        assert!(watch.woke_after(base + Duration::from_secs(3600), START));
        assert!(!watch.woke_after(base + Duration::from_secs(3600), START));
        watch.note_due(Some(START));
        assert!(!watch.woke_after(base + Duration::from_secs(3600), START + Duration::from_secs(3)));
        watch.note_due(Some(START));
        assert!(watch.woke_after(base + Duration::from_secs(3600), START + Duration::from_secs(60)));
        assert!(!watch.woke_after(base + Duration::from_secs(3600), START + Duration::from_secs(90)));
    }

    #[tokio::test]
    async fn a_machine_that_does_not_sleep_does_not_stir() {
        let watch = SleepWatch::new();
        let stirred = tokio::time::timeout(Duration::from_millis(50), watch.stirred()).await;
        assert!(stirred.is_err());
    }
}
