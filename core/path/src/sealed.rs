//! Sealed pings that wait for their answers: TSMP pings inside the tunnel, each sent by one way alone. Whoever answers has
//! the peer's session keys, so the answer proves that data passes by that way, whatever way the answer takes itself.

use wattle_time::Instant;

use crate::limits::SEALED_PINGS_MAX;
use crate::timing::PING_TIMEOUT;
use crate::{ProofToken, Way};

/// The pending ones of one peer.
#[derive(Debug, Default)]
pub(crate) struct SealedPings(Vec<SealedPing>);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedPing {
    pub(crate) token: ProofToken,
    pub(crate) to: Way,
    pub(crate) sent_at: Instant,
}

impl SealedPings {
    /// Remembers one. The oldest gives way.
    pub(crate) fn note_sent(&mut self, token: ProofToken, to: Way, now: Instant) {
        self.0.retain(|ping| now.since(ping.sent_at) < PING_TIMEOUT);
        if self.0.len() >= SEALED_PINGS_MAX {
            self.0.remove(0);
        }
        self.0.push(SealedPing { token, to, sent_at: now });
    }

    /// Takes the one that this answers.
    pub(crate) fn take(&mut self, token: ProofToken, now: Instant) -> Option<SealedPing> {
        let at = self.0.iter().position(|ping| ping.token == token)?;
        let ping = self.0.remove(at);
        (now.since(ping.sent_at) < PING_TIMEOUT).then_some(ping)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_and_in_time_and_few_are_remembered() {
        let mut pings = SealedPings::default();
        let way = Way::Udp("192.0.2.1:1".parse().unwrap());
        let at = |ms| Instant::ORIGIN + std::time::Duration::from_millis(ms);
        for number in 0..100 {
            pings.note_sent(ProofToken([number; 8]), way, at(0));
        }
        assert_eq!(pings.0.len(), SEALED_PINGS_MAX);
        assert!(pings.take(ProofToken([0; 8]), at(1)).is_none(), "it gave way");
        assert!(pings.take(ProofToken([99; 8]), at(1)).is_some());
        assert!(pings.take(ProofToken([99; 8]), at(2)).is_none());
        assert!(pings.take(ProofToken([98; 8]), at(5000)).is_none(), "too late");
    }
}
