//! The nominated UDP path: whether it still answers (trust), and whether it carries data (proof).
//!
//! Two things prove it: authenticated bytes that came by it, and, stronger, the answer to a sealed ping that went by it
//! alone: that one shows that *ours* arrive. From a peer that answers sealed pings nothing less counts after a doubt.

use std::net::SocketAddr;
use std::time::Duration;

use wattle_time::Instant;

use crate::Way;
use crate::score::Quality;
use crate::timing::{SETTLED, TRIAL, TRIAL_QUESTIONS, TRIAL_SHORT, TRUST};

/// The path that data takes. The relay runs beside it unless it is trusted, proven and not under suspicion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    pub(crate) address: SocketAddr,
    pub(crate) latency: Duration,
    /// When it was nominated.
    pub(crate) since: Instant,
    pub(crate) won: Won,
    /// Until when its last answer counts; `None`: it does not any more.
    trusted_until: Option<Instant>,
    proof: Proof,
    /// Something looks wrong, and a sealed ping that will tell is under way.
    suspected: bool,
    /// Another direct path of the peer that counts as this one: it sends that way, we send this way.
    twin: Option<SocketAddr>,
}

/// Why a path was nominated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Won {
    /// It answered and there was none.
    FirstToAnswer,
    /// It answered and the former one did not any more.
    FormerSilent(SocketAddr),
    /// Its data arrived and the former one's did not.
    FormerCarriedNothing(SocketAddr),
    /// It was better than the former one, of this latency.
    Better(SocketAddr, Duration),
    /// The peer sends by it.
    PeerChose,
}

/// Whether authenticated bytes pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Nothing shows that they do since the nomination, or since doubt arose.
    Awaited {
        /// The peer's data comes, but another way, and since when it does.
        elsewhere: Option<(Way, Instant)>,
        /// Sealed pings in a row that were not answered.
        failed: u32,
    },
    /// They do.
    Carried,
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Only the relay carries data.
    OnlyRelay,
    /// Another direct path carries the peer's data.
    OtherPath(SocketAddr),
}

const UNPROVEN: Proof = Proof::Awaited { elsewhere: None, failed: 0 };

impl Best {
    /// Nominates a path that has just answered.
    pub(crate) fn nominated(quality: Quality, won: Won, now: Instant) -> Self {
        Self {
            address: quality.address,
            latency: quality.latency,
            since: now,
            won,
            trusted_until: Some(now + TRUST),
            proof: UNPROVEN,
            suspected: false,
            twin: None,
        }
    }

    /// Nominates a path by which a sealed ping has just been answered.
    pub(crate) fn proven(quality: Quality, won: Won, now: Instant) -> Self {
        Self { proof: Proof::Carried, ..Self::nominated(quality, won, now) }
    }

    /// Adopts the path by which the peer's data already comes; its answer is still to come.
    pub(crate) fn adopted(quality: Quality, now: Instant) -> Self {
        Self { trusted_until: None, ..Self::proven(quality, Won::PeerChose, now) }
    }

    /// A ping was answered.
    pub(crate) fn note_pong(&mut self, latency: Duration, now: Instant) {
        self.latency = latency;
        self.trusted_until = Some(now + TRUST);
    }

    /// A sealed ping that went this way alone was answered: data passes.
    pub(crate) fn note_passed(&mut self, now: Instant) {
        self.proof = Proof::Carried;
        self.suspected = false;
        self.trusted_until = Some(now + TRUST);
    }

    /// A sealed ping was not answered in time.
    pub(crate) fn note_unanswered(&mut self) {
        self.suspected = false;
        match &mut self.proof {
            Proof::Awaited { failed, .. } => *failed = failed.saturating_add(1),
            Proof::Carried => self.proof = Proof::Awaited { elsewhere: None, failed: 1 },
        }
    }

    pub(crate) fn quality(&self) -> Quality {
        Quality { address: self.address, latency: self.latency }
    }

    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted_until.is_some()
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.proof == Proof::Carried
    }

    /// Whether data goes by it alone.
    pub(crate) fn is_certain(&self) -> bool {
        self.is_trusted() && self.is_proven() && !self.suspected
    }

    /// Whether it is left only for what stays better for a while.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        self.is_proven() && now.since(self.since) >= SETTLED
    }

    /// Sealed pings in a row that were not answered.
    pub(crate) fn failed(&self) -> u32 {
        match self.proof {
            Proof::Awaited { failed, .. } => failed,
            Proof::Carried => 0,
        }
    }

    /// The relay runs beside it until a sealed ping is answered.
    pub(crate) fn suspect(&mut self) {
        self.suspected = true;
    }

    /// There was nothing in it.
    pub(crate) fn clear_suspicion(&mut self) {
        self.suspected = false;
    }

    /// Authenticated bytes came this way. `answers_sealed`: the peer answers sealed pings, so one has to tell whether ours
    /// arrive too. While nothing is wrong they keep the path trusted as a pong does.
    pub(crate) fn note_data(&mut self, answers_sealed: bool, now: Instant) {
        match self.proof {
            Proof::Carried if !self.suspected => self.trusted_until = Some(now + TRUST),
            Proof::Awaited { .. } if !answers_sealed => self.proof = Proof::Carried,
            Proof::Carried | Proof::Awaited { .. } => {}
        }
    }

    /// Authenticated bytes came another way. A direct one says more than the relay, beside which it may run.
    pub(crate) fn note_data_elsewhere(&mut self, way: Way, now: Instant) {
        if let Proof::Awaited { elsewhere, .. } = &mut self.proof {
            let since = elsewhere.map_or(now, |(_, since)| since);
            match (*elsewhere, way) {
                (Some((Way::Udp(_), _)), Way::Relay { .. } | Way::PeerRelay { .. }) => {}
                _ => *elsewhere = Some((way, since)),
            }
        }
    }

    /// The pings pass but data may not: it has to prove itself again.
    pub(crate) fn doubt(&mut self) {
        self.suspected = false;
        self.proof = UNPROVEN;
    }

    /// The peer insists on sending by another direct path: from now on its data there proves this one.
    pub(crate) fn pair_with(&mut self, twin: SocketAddr) {
        self.twin = Some(twin);
        self.proof = Proof::Carried;
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
            Proof::Awaited { elsewhere: Some((_, since)), failed } => Some((since + trial(failed), "path trial ends")),
            Proof::Awaited { .. } | Proof::Carried => None,
        };
        [trust, proof].into_iter().flatten().min()
    }

    /// Lets time pass. Returns whether trust has just ended, and the verdict if a trial has.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> (bool, Option<Verdict>) {
        let lapsed = self.trusted_until.take_if(|until| *until <= now).is_some();
        let verdict = match self.proof {
            Proof::Awaited { elsewhere: Some((way, since)), failed } if now >= since + trial(failed) => {
                self.doubt();
                match way {
                    Way::Udp(address) => Some(Verdict::OtherPath(address)),
                    // One that does not answer pings either is just dead, and may come back.
                    Way::Relay { .. } | Way::PeerRelay { .. } => self.is_trusted().then_some(Verdict::OnlyRelay),
                }
            }
            Proof::Carried | Proof::Awaited { .. } => None,
        };
        (lapsed, verdict)
    }
}

/// How long the peer's data may come another way before the path has failed.
fn trial(failed: u32) -> Duration {
    if failed >= TRIAL_QUESTIONS { TRIAL_SHORT } else { TRIAL }
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
        Best::nominated(Quality { address, latency: Duration::from_millis(9) }, Won::FirstToAnswer, at(0))
    }

    /// As it is while heartbeats are answered.
    fn answering(mut best: Best, now: Instant) -> Best {
        best.note_pong(Duration::from_millis(9), now);
        best
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
        best = answering(best, at(13));
        assert_eq!(best.handle_timeout(at(15)).1, None);
        assert_eq!(best.handle_timeout(at(16)).1, Some(Verdict::OnlyRelay));
    }

    #[test]
    fn a_path_fails_sooner_when_sealed_pings_are_not_answered() {
        let mut best = best();
        best.note_data_elsewhere(RELAY, at(0));
        for _ in 0..TRIAL_QUESTIONS {
            assert_eq!(best.handle_timeout(at(3)).1, None);
            best.note_unanswered();
        }
        assert_eq!(best.handle_timeout(at(1)).1, None, "a little time it has");
        assert_eq!(best.handle_timeout(at(2)).1, Some(Verdict::OnlyRelay));
    }

    #[test]
    fn a_path_that_answers_no_pings_either_is_not_held_to_have_failed() {
        let mut best = best();
        best.note_data_elsewhere(RELAY, at(1));
        best.distrust();
        assert_eq!(best.handle_timeout(at(100)).1, None);
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
    fn data_that_arrives_keeps_a_path_trusted_unless_it_is_under_suspicion() {
        let mut best = best();
        best.note_data(false, at(1));
        assert!(best.is_certain());
        best.note_data(false, at(6));
        assert_eq!(best.handle_timeout(at(8)), (false, None));
        best.suspect();
        assert!(!best.is_certain());
        best.note_data(true, at(12));
        assert_eq!(best.handle_timeout(at(13)), (true, None));
    }

    #[test]
    fn after_a_doubt_only_a_sealed_answer_convinces_where_the_peer_gives_them() {
        let mut best = best();
        best.note_passed(at(1));
        best.note_unanswered();
        assert!(!best.is_proven());
        best.note_data(true, at(2));
        assert!(!best.is_proven(), "its data arrives; that says nothing about ours");
        best.note_passed(at(3));
        assert!(best.is_certain());
        best.note_unanswered();
        best.note_data(false, at(4));
        assert!(best.is_proven());
    }

    #[test]
    fn silence_fails_no_trial() {
        let mut best = best();
        best.note_unanswered();
        assert_eq!(best.handle_timeout(at(500)).1, None);
    }
}
