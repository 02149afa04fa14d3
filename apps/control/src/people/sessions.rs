//! Who is signed in, in which browser. In memory: after a restart people sign in again, devices stay in.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wattle_netmap::UserId;
use wattle_time::{Instant, UnixTime};

use super::secret::{Fingerprint, Secret};
use crate::limits::{SESSION_IDLE, SESSION_LIFETIME, SESSIONS_MAX, SESSIONS_OF_USER_MAX};

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<BTreeMap<Fingerprint, Session>>);

#[derive(Debug)]
struct Session {
    visit: Visit,
    begun: Instant,
    seen: Instant,
}

/// A person who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) user: UserId,
    /// The provider that vouched for them.
    pub(super) provider: String,
    /// When keys of devices that they let in now end, if the provider says.
    pub(super) key_expiry: Option<UnixTime>,
    /// What forms of this session carry.
    pub(super) form: Secret,
}

impl Sessions {
    /// A new session, whose secret goes to the browser.
    pub(super) fn begin(
        &self,
        user: UserId,
        provider: String,
        key_expiry: Option<UnixTime>,
        now: Instant,
    ) -> Result<Secret, wattle_clock::NoRandomness> {
        let (secret, form) = (Secret::new()?, Secret::new()?);
        let mut sessions = self.living(now);
        let own = sessions.values().filter(|session| session.visit.user == user).count();
        let make_room = |sessions: &mut BTreeMap<Fingerprint, Session>, of: Option<UserId>| {
            let candidates = sessions.iter().filter(|(_, session)| of.is_none_or(|user| session.visit.user == user));
            let oldest = candidates.min_by_key(|(_, session)| session.seen).map(|(id, _)| *id);
            oldest.and_then(|id| sessions.remove(&id));
        };
        if own >= SESSIONS_OF_USER_MAX {
            make_room(&mut sessions, Some(user));
        } else if sessions.len() >= SESSIONS_MAX {
            make_room(&mut sessions, None);
        }
        let visit = Visit { user, provider, key_expiry, form };
        sessions.insert(Fingerprint::of(secret.text()), Session { visit, begun: now, seen: now });
        Ok(secret)
    }

    /// The session of a browser that shows this secret.
    pub(super) fn visit(&self, secret: &str, now: Instant) -> Option<Visit> {
        let mut sessions = self.lock();
        let session = sessions.get_mut(&Fingerprint::of(secret)).filter(|session| session.lives(now))?;
        session.seen = now;
        Some(session.visit.clone())
    }

    pub(super) fn end(&self, secret: &str) {
        self.lock().remove(&Fingerprint::of(secret));
    }

    fn living(&self, now: Instant) -> MutexGuard<'_, BTreeMap<Fingerprint, Session>> {
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.lives(now));
        sessions
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Fingerprint, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.since(self.begun) < SESSION_LIFETIME && now.since(self.seen) < SESSION_IDLE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn begin(sessions: &Sessions, user: u64, now: Instant) -> Secret {
        sessions.begin(UserId(user), "corp".to_owned(), None, now).unwrap()
    }

    #[test]
    fn a_session_ends_when_it_is_old_or_nobody_comes() {
        let sessions = Sessions::default();
        let start = Instant::ORIGIN;
        let secret = begin(&sessions, 1, start);
        assert!(sessions.visit("", start).is_none());
        let mut now = start;
        while now.since(start) < SESSION_LIFETIME {
            assert_eq!(sessions.visit(secret.text(), now).unwrap().user, UserId(1));
            now = now + Duration::from_secs(6 * 3_600);
        }
        assert!(sessions.visit(secret.text(), now).is_none(), "too old");
        let idle = begin(&sessions, 1, start);
        assert!(sessions.visit(idle.text(), start + SESSION_IDLE).is_none());
    }

    #[test]
    fn who_signs_in_often_takes_no_room_from_others() {
        let sessions = Sessions::default();
        let other = begin(&sessions, 2, Instant::ORIGIN);
        let first = begin(&sessions, 1, Instant::ORIGIN);
        let later = Instant::ORIGIN + Duration::from_secs(1);
        for _ in 0..SESSIONS_OF_USER_MAX {
            begin(&sessions, 1, later);
        }
        assert!(sessions.visit(first.text(), later).is_none() && sessions.visit(other.text(), later).is_some());
        assert_eq!(sessions.lock().len(), SESSIONS_OF_USER_MAX + 1);
    }

    #[test]
    fn what_is_kept_does_not_let_anybody_in() {
        let sessions = Sessions::default();
        let secret = begin(&sessions, 1, Instant::ORIGIN);
        assert!(!format!("{sessions:?}").contains(secret.text()));
        sessions.end(secret.text());
        assert!(sessions.visit(secret.text(), Instant::ORIGIN).is_none());
    }
}
