//! Pings that people asked for and that wait for their answers.

use std::collections::BTreeMap;

use wattle_keys::NodePublic;
use wattle_path::{PingId, Way};
use wattle_time::{Deadline, Instant, earliest};

use crate::limits::{PING_PATIENCE, PINGS_WAITING_MAX};
use crate::out::{Event, PingAnswer, PingFailure, PingToken};

/// The waiting pings.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    waiting: BTreeMap<PingToken, Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    peer: NodePublic,
    mark: Mark,
    sent: Instant,
}

/// How an answer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Disco(PingId),
    Tsmp([u8; 8]),
    Icmp(u16),
}

impl Pings {
    /// A name for a new ping; `None` when too many wait.
    pub(crate) fn token(&mut self) -> Option<PingToken> {
        if self.waiting.len() >= PINGS_WAITING_MAX {
            return None;
        }
        self.next += 1;
        Some(PingToken(self.next))
    }

    pub(crate) fn wait(&mut self, token: PingToken, peer: NodePublic, mark: Mark, sent: Instant) {
        self.waiting.insert(token, Waiting { peer, mark, sent });
    }

    /// An answer came. Inner answers count only from the peer that was asked.
    pub(crate) fn answered(
        &mut self,
        peer: NodePublic,
        mark: Mark,
        facts: Facts,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let Some(token) = self.find(mark, Some(peer)) else { return };
        let Some(waiting) = self.waiting.remove(&token) else { return };
        let latency = facts.latency.unwrap_or_else(|| now.since(waiting.sent));
        let answer = PingAnswer { peer, latency, way: facts.way, peerapi_port: facts.peerapi_port };
        events.push(Event::PingDone { token, outcome: Ok(answer) });
    }

    /// The machine that sent it gave it up.
    pub(crate) fn lost(&mut self, mark: Mark, events: &mut Vec<Event>) {
        if let Some(token) = self.find(mark, None) {
            self.waiting.remove(&token);
            events.push(Event::PingDone { token, outcome: Err(PingFailure::TimedOut) });
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.waiting.retain(|token, waiting| {
            let patient = now.since(waiting.sent) < PING_PATIENCE;
            if !patient {
                events.push(Event::PingDone { token: *token, outcome: Err(PingFailure::TimedOut) });
            }
            patient
        });
    }

    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        earliest(
            self.waiting.values().map(|waiting| Some(Deadline::at(waiting.sent + PING_PATIENCE, "ping to give up"))),
        )
    }

    fn find(&self, mark: Mark, peer: Option<NodePublic>) -> Option<PingToken> {
        let fits = |waiting: &Waiting| waiting.mark == mark && peer.is_none_or(|peer| peer == waiting.peer);
        self.waiting.iter().find(|(_, waiting)| fits(waiting)).map(|(token, _)| *token)
    }
}

/// What is known of an answer beside that it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) latency: Option<std::time::Duration>,
    pub(crate) way: Option<Way>,
    pub(crate) peerapi_port: Option<u16>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Instant = Instant::from_nanos(1_000_000);

    fn key(byte: u8) -> NodePublic {
        NodePublic::from_bytes([byte; 32])
    }

    #[test]
    fn an_answer_counts_only_from_the_peer_that_was_asked() {
        let (mut pings, mut events) = (Pings::default(), Vec::new());
        let token = pings.token().unwrap();
        pings.wait(token, key(1), Mark::Tsmp([7; 8]), START);
        let later = START + Duration::from_millis(20);
        pings.answered(key(2), Mark::Tsmp([7; 8]), Facts::default(), later, &mut events);
        pings.answered(key(1), Mark::Tsmp([8; 8]), Facts::default(), later, &mut events);
        assert!(events.is_empty());
        pings.answered(key(1), Mark::Tsmp([7; 8]), Facts::default(), later, &mut events);
        assert!(
            matches!(&events[..], [Event::PingDone { outcome: Ok(answer), .. }] if answer.latency == Duration::from_millis(20))
        );
    }

    #[test]
    fn a_ping_without_answer_ends_and_the_number_is_bounded() {
        let (mut pings, mut events) = (Pings::default(), Vec::new());
        for sequence in 0..PINGS_WAITING_MAX as u16 {
            let token = pings.token().unwrap();
            pings.wait(token, key(1), Mark::Icmp(sequence), START);
        }
        assert!(pings.token().is_none());
        pings.handle_timeout(START + PING_PATIENCE, &mut events);
        assert_eq!(events.len(), PINGS_WAITING_MAX);
        assert!(pings.token().is_some() && pings.next_timeout().is_none());
    }
}
