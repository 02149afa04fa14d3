//! A way through a relay that works: whether it still answers (trust), and whether it carries data (proof).

use std::net::SocketAddr;
use std::time::Duration;

use wattle_keys::DiscoPublic;
use wattle_time::Instant;
use wattle_wire::disco::TransactionId;
use wattle_wire::geneve::Vni;

use super::Around;
use crate::limits::PASSAGE_PINGS_MAX;
use crate::timing::{
    PASSAGE_GAIN_MIN, PASSAGE_KEPT, PASSAGE_PING_AGAIN, PASSAGE_PING_LATE, PING_TIMEOUT, TRIAL, TRUST, UNANSWERED,
};
use crate::{Hop, PingId, Way};

/// A passage.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub(crate) server: SocketAddr,
    pub(crate) vni: Vni,
    /// The relay's own key: tells its runs apart.
    pub(super) server_key: DiscoPublic,
    pub(crate) latency: Duration,
    answered_at: Instant,
    trusted_until: Option<Instant>,
    proof: Proof,
    pings: Vec<SentPing>,
}

/// A ping that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentPing {
    transaction: TransactionId,
    pub(super) sent_at: Instant,
    /// A person waits for the answer.
    pub(super) asked: Option<PingId>,
}

/// Whether authenticated bytes pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// None have come since it began to answer, or since doubt arose.
    Awaited {
        /// Since when they come by DERP.
        by_derp_since: Option<Instant>,
    },
    /// They have.
    Carried {
        /// Our first data since the peer's last.
        unanswered_since: Option<Instant>,
    },
}

/// What time has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays.
    Stays,
    /// It does not answer any more.
    Dead,
    /// It answers pings, and only DERP carries data.
    CarriesNothing,
}

impl Passage {
    pub(super) fn new(server: SocketAddr, vni: Vni, server_key: DiscoPublic, latency: Duration, now: Instant) -> Self {
        Self {
            server,
            vni,
            server_key,
            latency,
            answered_at: now,
            trusted_until: Some(now + TRUST),
            proof: Proof::Awaited { by_derp_since: None },
            pings: Vec::new(),
        }
    }

    pub(crate) fn hop(&self) -> Hop {
        Hop { to: self.server, vni: Some(self.vni), mtu: u16::MAX }
    }

    pub(super) fn way(&self) -> Way {
        Way::PeerRelay { server: self.server, vni: self.vni }
    }

    pub(super) fn is(&self, server: SocketAddr, vni: Vni) -> bool {
        self.server == server && self.vni == vni
    }

    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted_until.is_some()
    }

    pub(crate) fn is_proven(&self) -> bool {
        matches!(self.proof, Proof::Carried { .. })
    }

    /// Whether its last answer is so fresh that another handshake would show nothing new.
    pub(super) fn has_answered_lately(&self, now: Instant) -> bool {
        now.since(self.answered_at) < TRUST
    }

    /// By a fifth and by some milliseconds: relays that are as good as equal do not take turns.
    pub(super) fn is_clearly_better_than(&self, other: &Self) -> bool {
        self.latency + PASSAGE_GAIN_MIN <= other.latency && self.latency * 5 <= other.latency * 4
    }

    /// A spare that nobody has used for so long that the relay has forgotten it.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.since(self.answered_at) >= PASSAGE_KEPT
    }

    pub(super) fn note_outbound(&mut self, now: Instant) {
        if let Proof::Carried { unanswered_since } = &mut self.proof {
            unanswered_since.get_or_insert(now);
        }
    }

    pub(super) fn note_data(&mut self) {
        self.proof = Proof::Carried { unanswered_since: None };
    }

    pub(super) fn note_data_elsewhere(&mut self, now: Instant) {
        if let Proof::Awaited { by_derp_since } = &mut self.proof {
            by_derp_since.get_or_insert(now);
        }
    }

    pub(super) fn doubt(&mut self) {
        self.proof = Proof::Awaited { by_derp_since: None };
    }

    pub(super) fn distrust(&mut self) {
        self.trusted_until = None;
    }

    /// Pings the peer by it.
    pub(super) fn ping(&mut self, asked: Option<PingId>, around: &mut Around<'_>) {
        if self.pings.len() < PASSAGE_PINGS_MAX
            && let Some(transaction) = around.ping_peer(self.way())
        {
            self.pings.push(SentPing { transaction, sent_at: around.now, asked });
        }
    }

    /// Pings unless it was pinged just now.
    pub(super) fn ping_again(&mut self, around: &mut Around<'_>) {
        let due = self.pings.last().is_none_or(|ping| around.now.since(ping.sent_at) >= PASSAGE_PING_AGAIN);
        if due {
            self.ping(None, around);
        }
    }

    /// An answer came; the ping if it is of this passage.
    pub(super) fn note_pong(&mut self, transaction: TransactionId, now: Instant) -> Option<SentPing> {
        let at = self.pings.iter().position(|ping| ping.transaction == transaction)?;
        let ping = self.pings.swap_remove(at);
        // What was sent before an answered ping tells nothing any more.
        self.pings.retain(|other| other.sent_at > ping.sent_at || other.asked.is_some());
        self.latency = now.since(ping.sent_at);
        self.answered_at = now;
        self.trusted_until = Some(now + TRUST);
        Some(ping)
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, around: &mut Around<'_>) -> Verdict {
        let now = around.now;
        self.trusted_until.take_if(|until| *until <= now);
        if self.late_at().is_some_and(|late| late <= now) {
            self.distrust();
        }
        let lost = self.pings.iter().any(|ping| now.since(ping.sent_at) >= PING_TIMEOUT);
        self.pings.retain(|ping| now.since(ping.sent_at) < PING_TIMEOUT);
        if lost && !self.is_trusted() {
            return Verdict::Dead;
        }
        if self.again_at().is_some_and(|again| again <= now) {
            self.ping(None, around);
        }
        match self.proof {
            Proof::Carried { unanswered_since: Some(since) } if now >= since + UNANSWERED => self.doubt(),
            Proof::Awaited { by_derp_since: Some(since) } if now >= since + TRIAL => return Verdict::CarriesNothing,
            Proof::Carried { .. } | Proof::Awaited { .. } => {}
        }
        Verdict::Stays
    }

    /// When the next of its deadlines is, and which.
    pub(super) fn next_due(&self) -> Option<(Instant, &'static str)> {
        let late = self.late_at().map(|at| (at, "ping through a peer relay is late"));
        let again = self.again_at().map(|at| (at, "peer relay is pinged again"));
        let lost = self.pings.iter().map(|ping| ping.sent_at).min().map(|at| (at + PING_TIMEOUT, "ping times out"));
        let trust = self.trusted_until.map(|until| (until, "trust in a peer relay ends"));
        let proof = match self.proof {
            Proof::Awaited { by_derp_since } => {
                by_derp_since.map(|since| (since + TRIAL, "trial of a peer relay ends"))
            }
            Proof::Carried { unanswered_since } => {
                unanswered_since.map(|since| (since + UNANSWERED, "data through a peer relay is unanswered"))
            }
        };
        [late, again, lost, trust, proof].into_iter().flatten().min()
    }

    /// When the oldest unanswered ping makes a trusted passage untrusted.
    fn late_at(&self) -> Option<Instant> {
        self.trusted_until?;
        let oldest = self.pings.iter().map(|ping| ping.sent_at).min()?;
        Some(oldest + PASSAGE_PING_LATE.max(self.latency * 4))
    }

    /// When an untrusted passage with pings under way is pinged once more.
    fn again_at(&self) -> Option<Instant> {
        if self.trusted_until.is_some() || self.pings.len() >= PASSAGE_PINGS_MAX {
            return None;
        }
        self.pings.last().map(|ping| ping.sent_at + PASSAGE_PING_AGAIN)
    }
}
