//! The nominated UDP path: whether it still answers (trust), and whether it carries data (proof).

use std::net::SocketAddr;
use std::time::Duration;

use wattle_time::Instant;

use crate::Way;
use crate::score::Quality;
use crate::timing::{TRIAL, TRUST, UNANSWERED};

/// The path that data takes. The relay runs beside it unless it is both trusted and proven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    pub(crate) address: SocketAddr,
    pub(crate) latency: Duration,
    /// Until when its last answer counts; `None`: it does not any more.
    trusted_until: Option<Instant>,
    proof: Proof,
    /// Another direct path of the peer that counts as this one: it sends that way, we send this way.
    twin: Option<SocketAddr>,
}

/// Whether authenticated bytes pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// None have come this way since the nomination, or since doubt arose.
    Awaited {
        /// The peer's data comes, but another way, and since when it does.
        elsewhere: Option<(Way, Instant)>,
    },
    /// They have.
    Carried {
        /// Our first data since the peer's last.
        unanswered_since: Option<Instant>,
    },
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Only the relay carries data.
    OnlyRelay,
    /// Another direct path carries the peer's data.
    OtherPath(SocketAddr),
}

impl Best {
    /// Nominates a path that has just answered.
    pub(crate) fn nominated(quality: Quality, now: Instant) -> Self {
        Self {
            address: quality.address,
            latency: quality.latency,
            trusted_until: Some(now + TRUST),
            proof: Proof::Awaited { elsewhere: None },
            twin: None,
        }
    }

    /// Adopts the path by which the peer's data already comes; its answer is still to come.
    pub(crate) fn adopted(quality: Quality) -> Self {
        let proof = Proof::Carried { unanswered_since: None };
        Self { address: quality.address, latency: quality.latency, trusted_until: None, proof, twin: None }
    }

    pub(crate) fn note_pong(&mut self, latency: Duration, now: Instant) {
        self.latency = latency;
        self.trusted_until = Some(now + TRUST);
    }

    pub(crate) fn quality(&self) -> Quality {
        Quality { address: self.address, latency: self.latency }
    }

    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted_until.is_some()
    }

    pub(crate) fn is_proven(&self) -> bool {
        matches!(self.proof, Proof::Carried { .. })
    }

    /// We sent data.
    pub(crate) fn note_outbound(&mut self, now: Instant) {
        if let Proof::Carried { unanswered_since } = &mut self.proof {
            unanswered_since.get_or_insert(now);
        }
    }

    /// Authenticated bytes came this way.
    pub(crate) fn note_data(&mut self) {
        self.proof = Proof::Carried { unanswered_since: None };
    }

    /// Authenticated bytes came another way. A direct one says more than the relay, beside which it may run.
    pub(crate) fn note_data_elsewhere(&mut self, way: Way, now: Instant) {
        if let Proof::Awaited { elsewhere } = &mut self.proof {
            let since = elsewhere.map_or(now, |(_, since)| since);
            match (*elsewhere, way) {
                (Some((Way::Udp(_), _)), Way::Relay { .. } | Way::PeerRelay { .. }) => {}
                _ => *elsewhere = Some((way, since)),
            }
        }
    }

    /// The pings pass but data may not: it has to prove itself again.
    pub(crate) fn doubt(&mut self) {
        self.proof = Proof::Awaited { elsewhere: None };
    }

    /// The peer insists on sending by another direct path: from now on its data there proves this one.
    pub(crate) fn pair_with(&mut self, twin: SocketAddr) {
        self.twin = Some(twin);
        self.note_data();
    }

    /// Whether data from this address proves the path.
    pub(crate) fn is_proven_by(&self, source: &SocketAddr) -> bool {
        self.address == *source || self.twin == Some(*source)
    }

    /// No answer of it counts any more.
    pub(crate) fn distrust(&mut self) {
        self.trusted_until = None;
    }

    /// When the next of its deadlines is, and which.
    pub(crate) fn due(&self) -> Option<(Instant, &'static str)> {
        let trust = self.trusted_until.map(|until| (until, "path trust ends"));
        let proof = match self.proof {
            Proof::Awaited { elsewhere } => elsewhere.map(|(_, since)| (since + TRIAL, "path trial ends")),
            Proof::Carried { unanswered_since } => {
                unanswered_since.map(|since| (since + UNANSWERED, "data is unanswered"))
            }
        };
        [trust, proof].into_iter().flatten().min()
    }

    /// Lets time pass. Returns whether trust has just ended, and the verdict if a trial has.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> (bool, Option<Verdict>) {
        let lapsed = self.trusted_until.take_if(|until| *until <= now).is_some();
        let verdict = match self.proof {
            Proof::Carried { unanswered_since: Some(since) } if now >= since + UNANSWERED => {
                self.doubt();
                None
            }
            Proof::Awaited { elsewhere: Some((way, since)) } if now >= since + TRIAL => {
                self.doubt();
                Some(match way {
                    Way::Udp(address) => Verdict::OtherPath(address),
                    Way::Relay { .. } | Way::PeerRelay { .. } => Verdict::OnlyRelay,
                })
            }
            Proof::Carried { .. } | Proof::Awaited { .. } => None,
        };
        (lapsed, verdict)
    }
}

#[cfg(test)]
mod tests {
    use wattle_keys::NodePublic;
    use wattle_netmap::RegionId;

    use super::*;

    const RELAY: Way = Way::Relay { region: RegionId(1), peer: NodePublic::from_bytes([1; 32]) };

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn best() -> Best {
        let address = "192.0.2.1:1".parse().unwrap();
        Best::nominated(Quality { address, latency: Duration::from_millis(9) }, at(0))
    }

    #[test]
    fn trust_ends_once_when_no_answer_comes() {
        let mut best = best();
        assert_eq!(best.handle_timeout(at(6)), (false, None));
        assert_eq!(best.handle_timeout(at(7)), (true, None));
        assert_eq!(best.handle_timeout(at(8)), (false, None));
        assert!(!best.is_trusted());
        assert_eq!(best.due(), None);
    }

    #[test]
    fn a_path_beside_which_data_comes_by_relay_fails_its_trial() {
        let mut best = best();
        best.note_data_elsewhere(RELAY, at(1));
        best.note_data_elsewhere(RELAY, at(12));
        assert_eq!(best.handle_timeout(at(15)).1, None);
        assert_eq!(best.handle_timeout(at(16)).1, Some(Verdict::OnlyRelay));
    }

    #[test]
    fn data_on_another_path_outweighs_data_by_relay() {
        let mut best = best();
        let other = "192.0.2.2:1".parse().unwrap();
        best.note_data_elsewhere(Way::Udp(other), at(1));
        best.note_data_elsewhere(RELAY, at(2));
        assert_eq!(best.handle_timeout(at(16)).1, Some(Verdict::OtherPath(other)));
    }

    #[test]
    fn proof_is_doubted_when_data_stays_unanswered() {
        let mut best = best();
        best.note_data();
        best.note_outbound(at(1));
        best.note_outbound(at(9));
        assert_eq!(best.due(), Some((at(0) + TRUST, "path trust ends")));
        best.handle_timeout(at(15));
        assert!(best.is_proven());
        best.handle_timeout(at(16));
        assert!(!best.is_proven());
        best.note_data();
        assert!(best.is_proven());
    }

    #[test]
    fn silence_fails_no_trial() {
        let mut best = best();
        best.note_outbound(at(1));
        assert_eq!(best.handle_timeout(at(500)).1, None);
    }
}
