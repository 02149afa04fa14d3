//! When a peer is owed a keepalive, and when it should have answered. Decided from what the fast halves counted since the last look.
//!
//! Looks are about a second apart, so the order of messages between two looks is not known. Where it matters, the
//! cheap mistake is made: one keepalive too many rather than a handshake too many.

use wattle_time::Instant;

use crate::limits::{KEEPALIVE_TIMEOUT, UNANSWERED_TIMEOUT};
use crate::session::Totals;

/// The two silences that need attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timers {
    /// Data came, and nothing was sent since.
    owed_since: Option<Instant>,
    /// Data was sent, and nothing came since.
    unanswered_since: Option<Instant>,
}

impl Timers {
    /// Takes in what happened since the last look.
    pub(crate) fn observe(&mut self, since: Totals, now: Instant) {
        if since.sent > 0 {
            self.owed_since = None;
        }
        if since.received_data > 0 {
            self.owed_since.get_or_insert(now);
        }
        if since.received > 0 {
            self.unanswered_since = None;
        } else if since.sent_data > 0 {
            self.unanswered_since.get_or_insert(now);
        }
    }

    /// Something was sent, or cannot be: nothing is owed.
    pub(crate) const fn settle(&mut self) {
        self.owed_since = None;
    }

    /// Whether a keepalive is due.
    pub(crate) fn keepalive_due(&self, now: Instant) -> bool {
        self.owed_since.is_some_and(|since| now >= since + KEEPALIVE_TIMEOUT)
    }

    /// Whether the peer seems to have lost its keys; asked once, then forgotten until data is sent again.
    pub(crate) fn take_unanswered(&mut self, now: Instant) -> bool {
        self.unanswered_since.take_if(|since| now >= *since + UNANSWERED_TIMEOUT).is_some()
    }

    /// When either is due.
    pub(crate) fn next(&self) -> [Option<(Instant, &'static str)>; 2] {
        [
            self.owed_since.map(|since| (since + KEEPALIVE_TIMEOUT, "tunnel: keepalive owed")),
            self.unanswered_since.map(|since| (since + UNANSWERED_TIMEOUT, "tunnel: answer missing")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(secs: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(secs)
    }

    const SENT: Totals = Totals { sent: 1, sent_data: 1, received: 0, received_data: 0 };
    const RECEIVED: Totals = Totals { sent: 0, sent_data: 0, received: 1, received_data: 1 };
    const GOT_KEEPALIVE: Totals = Totals { sent: 0, sent_data: 0, received: 1, received_data: 0 };

    #[test]
    fn data_that_nobody_answered_is_noticed_once() {
        let mut timers = Timers::default();
        timers.observe(SENT, at(1));
        timers.observe(SENT, at(8));
        assert!(!timers.take_unanswered(at(15)));
        assert!(timers.take_unanswered(at(16)));
        assert!(!timers.take_unanswered(at(17)));
        assert_eq!(timers, Timers::default());
    }

    #[test]
    fn a_keepalive_is_an_answer_and_needs_none() {
        let mut timers = Timers::default();
        timers.observe(SENT, at(1));
        timers.observe(GOT_KEEPALIVE, at(10));
        assert_eq!(timers, Timers::default());
    }

    #[test]
    fn received_data_is_owed_a_keepalive_until_something_is_sent() {
        let mut timers = Timers::default();
        timers.observe(RECEIVED, at(1));
        timers.observe(RECEIVED, at(5));
        assert!(!timers.keepalive_due(at(10)) && timers.keepalive_due(at(11)));
        timers.observe(Totals { sent: 1, ..Totals::default() }, at(11));
        assert!(!timers.keepalive_due(at(30)));
    }
}
