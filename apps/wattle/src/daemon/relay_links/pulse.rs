//! Whether a relay connection still lives: when to ask, and when to give it up.
//!
//! A TCP connection whose other end is unreachable looks like a quiet one. A relay that was not heard for a while is
//! therefore asked, sooner when there is traffic for it, and at once when the network changed.

use std::time::Duration;

use wattle_time::Instant;

/// Relays write a keepalive every 60 to 65 s; one is missed.
const QUIET_MAX: Duration = Duration::from_secs(70);
/// A relay that was not heard for so long is asked before it gets more traffic.
const QUIET_UNDER_TRAFFIC_MAX: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How long it may take after a network change, when people wait for their connections to go on.
const ANSWER_AFTER_CHANGE_MAX: Duration = Duration::from_secs(2);

/// The life of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    heard: Instant,
    question: Question,
    asked: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    None,
    /// To be asked with the next beat.
    Due {
        patience: Duration,
    },
    Open {
        since: Instant,
        patience: Duration,
    },
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Send a ping with this token.
    Ask([u8; 8]),
    /// Give the connection up.
    Dead,
    /// Nothing.
    Rest,
}

impl Pulse {
    /// Of a connection that was made now.
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, question: Question::None, asked: 0 }
    }

    /// The network changed: ask.
    pub(super) fn check(&mut self, _now: Instant) {
        self.question = Question::Due { patience: ANSWER_AFTER_CHANGE_MAX };
    }

    /// Any frame came.
    pub(super) fn note_heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// An answer came. Only that of the last question ends it: older ones may have waited in a buffer.
    pub(super) fn note_pong(&mut self, token: [u8; 8]) {
        if token == self.asked.to_be_bytes() && matches!(self.question, Question::Open { .. }) {
            self.question = Question::None;
        }
    }

    /// A packet goes out.
    pub(super) fn note_sent(&mut self, now: Instant) {
        if self.question == Question::None && now.since(self.heard) >= QUIET_UNDER_TRAFFIC_MAX {
            self.question = Question::Due { patience: ANSWER_MAX };
        }
    }

    /// When to call [`Self::beat`].
    pub(super) fn next(&self) -> Instant {
        match self.question {
            Question::None => self.heard + QUIET_MAX,
            Question::Due { .. } => self.heard,
            // Whatever else comes puts the end off: the answer may stand in a queue behind it.
            Question::Open { since, patience } => since.max(self.heard) + patience,
        }
    }

    /// What to do.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if self.question == Question::None && now.since(self.heard) >= QUIET_MAX {
            self.question = Question::Due { patience: ANSWER_MAX };
        }
        match self.question {
            Question::Due { patience } => {
                self.asked += 1;
                self.question = Question::Open { since: now, patience };
                Beat::Ask(self.asked.to_be_bytes())
            }
            Question::Open { .. } if self.next() <= now => Beat::Dead,
            Question::Open { .. } | Question::None => Beat::Rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    #[test]
    fn a_relay_that_keeps_alive_is_never_asked() {
        let (mut pulse, mut now) = (Pulse::new(START), START);
        for _ in 0..10 {
            now = now + Duration::from_secs(65);
            assert_eq!(pulse.beat(now), Beat::Rest);
            pulse.note_heard(now);
        }
    }

    #[test]
    fn a_silent_relay_is_asked_and_given_up_before_its_second_keepalive_is_due() {
        let mut pulse = Pulse::new(START);
        let asked_at = pulse.next();
        assert!(matches!(pulse.beat(asked_at), Beat::Ask(_)));
        let end = pulse.next();
        assert_eq!(pulse.beat(end), Beat::Dead);
        assert!(end.since(START) < Duration::from_secs(120));
    }

    #[test]
    fn after_a_network_change_a_dead_connection_is_known_within_two_seconds() {
        let mut pulse = Pulse::new(START);
        pulse.check(START);
        let Beat::Ask(token) = pulse.beat(START) else { panic!("not asked") };
        assert_eq!(pulse.beat(START + Duration::from_millis(1999)), Beat::Rest);
        assert_eq!(pulse.next(), START + Duration::from_secs(2));
        pulse.note_heard(START + Duration::from_secs(1));
        assert_eq!(pulse.next(), START + Duration::from_secs(3), "what comes before the answer buys time");
        pulse.note_pong([7; 8]);
        assert_eq!(pulse.beat(START + Duration::from_secs(3)), Beat::Dead, "an answer to nothing does not count");
        let mut living = Pulse::new(START);
        living.check(START);
        assert_eq!(living.beat(START), Beat::Ask(token));
        living.note_pong(token);
        assert_eq!(living.beat(START + Duration::from_secs(60)), Beat::Rest);
    }

    #[test]
    fn traffic_into_silence_asks_early_and_once() {
        let mut pulse = Pulse::new(START);
        pulse.note_sent(START + Duration::from_secs(1));
        assert_eq!(pulse.beat(START + Duration::from_secs(1)), Beat::Rest);
        let later = START + Duration::from_secs(6);
        pulse.note_sent(later);
        assert!(matches!(pulse.beat(later), Beat::Ask(_)));
        pulse.note_sent(later);
        assert_eq!(pulse.beat(later), Beat::Rest);
        assert_eq!(pulse.beat(later + Duration::from_secs(5)), Beat::Dead);
    }
}
