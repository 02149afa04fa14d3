//! How many handshake messages are worth our CPU: whether we are under load, and how much one source may have.
//! Counted in whole seconds: coarse, but bounded and without a timer.

use std::collections::BTreeMap;

use wattle_time::Instant;

use crate::limits::{
    HANDSHAKES_PER_SECOND_PER_SOURCE, HANDSHAKES_PER_SECOND_TOTAL, HANDSHAKES_PER_SECOND_UNLOADED, SOURCES_COUNTED,
};

const SECOND: u64 = 1_000_000_000;

/// What happened in the current second.
#[derive(Default)]
pub(crate) struct Admission {
    second: u64,
    messages: u32,
    by_source: BTreeMap<Box<[u8]>, u32>,
}

/// What to do with a handshake message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Work on it.
    Admit,
    /// Answer it with a cookie.
    AskForCookie,
    /// Drop it.
    Refuse,
}

impl Admission {
    /// Rules on one message whose first MAC is right. `has_cookie` is asked only under load.
    pub(crate) fn rule(&mut self, source: &[u8], now: Instant, has_cookie: impl FnOnce() -> bool) -> Ruling {
        let second = now.as_nanos() / SECOND;
        if second != self.second {
            self.second = second;
            self.messages = 0;
            self.by_source.clear();
        }
        self.messages = self.messages.saturating_add(1);
        if self.messages > HANDSHAKES_PER_SECOND_TOTAL {
            return Ruling::Refuse;
        }
        if self.messages > HANDSHAKES_PER_SECOND_UNLOADED && !has_cookie() {
            return Ruling::AskForCookie;
        }
        if self.by_source.len() >= SOURCES_COUNTED && !self.by_source.contains_key(source) {
            return Ruling::Refuse;
        }
        let count = self.by_source.entry(source.into()).or_insert(0);
        *count += 1;
        if *count > HANDSHAKES_PER_SECOND_PER_SOURCE { Ruling::Refuse } else { Ruling::Admit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_source_gets_its_share_of_each_second() {
        let mut admission = Admission::default();
        for second in 0..3 {
            let now = Instant::ORIGIN + Duration::from_secs(second);
            let admitted = (0..100).filter(|_| admission.rule(b"a", now, || false) == Ruling::Admit).count();
            assert_eq!(admitted, HANDSHAKES_PER_SECOND_PER_SOURCE as usize);
            assert_eq!(admission.rule(b"b", now, || false), Ruling::Admit);
        }
    }

    #[test]
    fn under_load_a_cookie_is_asked_for_and_in_the_end_all_is_refused() {
        let mut admission = Admission::default();
        let rulings: Vec<Ruling> = (0..HANDSHAKES_PER_SECOND_TOTAL + 10)
            .map(|number| admission.rule(&number.to_be_bytes(), Instant::ORIGIN, || number % 2 == 0))
            .collect();
        let (calm, rest) = rulings.split_at(HANDSHAKES_PER_SECOND_UNLOADED as usize);
        assert!(calm.iter().all(|ruling| *ruling == Ruling::Admit));
        assert_eq!(&rest[..2], &[Ruling::Admit, Ruling::AskForCookie]);
        assert_eq!(rulings.last(), Some(&Ruling::Refuse));
    }
}
