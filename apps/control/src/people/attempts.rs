//! Sign-ins that have begun: each is for the browser that began it, works once, and not for long.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use wattle_time::Instant;

use super::secret::Fingerprint;
use super::vouching::Finish;
use crate::limits::{ATTEMPT_LIFETIME, ATTEMPTS_MAX};

/// All of them, by the hash of their `state`.
#[derive(Default)]
pub(super) struct Attempts(Mutex<BTreeMap<Fingerprint, Attempt>>);

/// One of them.
pub(super) struct Attempt {
    pub(super) provider: String,
    /// The cookie of the browser that began it.
    pub(super) browser: Fingerprint,
    /// Where it goes on afterwards: a path of ours.
    pub(super) back: String,
    pub(super) until: Instant,
    pub(super) finish: Finish,
}

/// Why there is nothing to finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAttempt {
    /// It never was, is over, or has taken too long.
    Unknown,
    /// It is another browser's: somebody may be trying to have us signed in as them.
    OtherBrowser,
}

impl Attempts {
    pub(super) fn keep(&self, state: &str, attempt: Attempt, now: Instant) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, attempt| attempt.until > now);
        if attempts.len() >= ATTEMPTS_MAX {
            let oldest = attempts.iter().min_by_key(|(_, attempt)| attempt.until).map(|(state, _)| *state);
            oldest.and_then(|state| attempts.remove(&state));
        }
        attempts.insert(Fingerprint::of(state), attempt);
    }

    /// Takes the attempt with this state at this provider for a browser with one of these cookies. Of another browser
    /// it stays.
    pub(super) fn take<'a>(
        &self,
        state: &str,
        provider: &str,
        mut cookies: impl Iterator<Item = &'a str>,
        now: Instant,
    ) -> Result<Attempt, NoAttempt> {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = Fingerprint::of(state);
        // Another provider's answer is as good as none: it must not be taken for this one's (mix-up).
        let found = attempts.get(&state).filter(|attempt| attempt.until > now && attempt.provider == provider);
        let found = found.ok_or(NoAttempt::Unknown)?;
        if !cookies.any(|cookie| Fingerprint::of(cookie) == found.browser) {
            return Err(NoAttempt::OtherBrowser);
        }
        attempts.remove(&state).ok_or(NoAttempt::Unknown)
    }
}

/// When an attempt that begins now is over.
pub(super) fn until(now: Instant) -> Instant {
    now + ATTEMPT_LIFETIME
}

#[cfg(test)]
mod tests {
    use super::super::vouching::Failure;
    use super::*;

    fn attempt(until: Instant) -> Attempt {
        let finish: Finish = Box::new(|_, _| Box::pin(async { Err(Failure::unreachable("no")) }));
        Attempt { provider: "corp".to_owned(), browser: Fingerprint::of("cookie"), back: String::new(), until, finish }
    }

    #[test]
    fn an_attempt_is_for_its_browser_and_provider_and_works_once() {
        let attempts = Attempts::default();
        let now = Instant::ORIGIN;
        attempts.keep("state", attempt(until(now)), now);
        let take = |state, provider, cookie: &'static str, now| {
            attempts.take(state, provider, std::iter::once(cookie), now).map(|_| ())
        };
        assert_eq!(take("state", "corp", "other", now), Err(NoAttempt::OtherBrowser));
        assert_eq!(take("state", "github", "cookie", now), Err(NoAttempt::Unknown));
        assert_eq!(take("stat", "corp", "cookie", now), Err(NoAttempt::Unknown));
        assert_eq!(take("state", "corp", "cookie", now + ATTEMPT_LIFETIME), Err(NoAttempt::Unknown));
        assert_eq!(take("state", "corp", "cookie", now), Ok(()));
        assert_eq!(take("state", "corp", "cookie", now), Err(NoAttempt::Unknown), "replayed");
    }

    #[test]
    fn only_so_many_are_kept() {
        let attempts = Attempts::default();
        for number in 0..=ATTEMPTS_MAX as u64 {
            let begun = Instant::from_nanos(number);
            attempts.keep(&number.to_string(), attempt(until(begun)), begun);
        }
        assert_eq!(attempts.0.lock().unwrap().len(), ATTEMPTS_MAX);
        assert!(attempts.take("0", "corp", std::iter::once("cookie"), Instant::ORIGIN).is_err());
    }
}
