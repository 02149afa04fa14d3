//! One address where a peer may be, and all candidates of a peer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use wattle_time::Instant;

use crate::limits::CANDIDATES_MAX;
use crate::score::Quality;
use crate::timing::{HEARD, PING_INTERVAL_MIN, REFUSAL, REFUSAL_MAX, SMOOTHED};

/// What we know of one address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidate {
    /// The map names it.
    pub(crate) in_map: bool,
    /// The peer's last call named it.
    pub(crate) called: bool,
    /// A ping or data came from it.
    pub(crate) heard_at: Option<Instant>,
    pub(crate) pinged_at: Option<Instant>,
    pinged_back_at: Option<Instant>,
    pub(crate) answered_at: Option<Instant>,
    /// Of the last answers, smoothed; `None` until there is one, and again after a network change.
    pub(crate) latency: Option<Duration>,
    /// Where its last answer came from. A peer with several interfaces may answer from another address of its own.
    pub(crate) answers_from: Option<SocketAddr>,
    refusal: Option<Refusal>,
}

/// It answered pings and carried no data.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    until: Instant,
    wait: Duration,
}

impl Candidate {
    /// Whether a round may ping it again.
    pub(crate) fn may_ping(&self, now: Instant) -> bool {
        self.pinged_at.is_none_or(|pinged| now.since(pinged) >= PING_INTERVAL_MIN)
    }

    /// Whether a ping that came from it may be answered with one of ours, beside the pong. A ping that comes in shows
    /// that ours will get through now, though an earlier one may not have; but two nodes must not keep that up.
    pub(crate) fn take_ping_back(&mut self, now: Instant) -> bool {
        let may = self.pinged_back_at.is_none_or(|pinged| now.since(pinged) >= PING_INTERVAL_MIN);
        if may {
            self.pinged_back_at = Some(now);
        }
        may
    }

    pub(crate) fn note_ping(&mut self, now: Instant) {
        self.pinged_at = Some(now);
    }

    pub(crate) fn note_pong(&mut self, latency: Duration, from: SocketAddr, now: Instant) {
        self.answers_from = Some(from);
        self.note_answer(latency, now);
    }

    /// A sealed ping that went there alone was answered.
    pub(crate) fn note_passed(&mut self, latency: Duration, now: Instant) {
        self.refusal = None;
        self.note_answer(latency, now);
    }

    fn note_answer(&mut self, latency: Duration, now: Instant) {
        // What was measured long ago says nothing of now.
        let lately = self.latency.filter(|_| self.answered_since(now - SMOOTHED));
        self.latency = Some(lately.map_or(latency, |smoothed| (smoothed * 3 + latency) / 4));
        self.answered_at = Some(now);
    }

    /// It may be pinged at once.
    pub(crate) fn hurry(&mut self) {
        self.pinged_at = None;
    }

    /// Authenticated data came from it: whatever was held against it is disproved.
    pub(crate) fn note_data(&mut self) {
        self.refusal = None;
    }

    /// It failed its trial: leave it alone for a while, longer each time.
    pub(crate) fn refuse(&mut self, now: Instant) {
        let wait = self.refusal.map_or(REFUSAL, |refusal| (refusal.wait * 2).min(REFUSAL_MAX));
        self.refusal = Some(Refusal { until: now + wait, wait });
    }

    pub(crate) fn is_refused(&self, now: Instant) -> bool {
        self.refused_until(now).is_some()
    }

    pub(crate) fn refused_until(&self, now: Instant) -> Option<Instant> {
        self.refusal.map(|refusal| refusal.until).filter(|until| now < *until)
    }

    /// Everything measured belongs to a network, or a run of the peer, that is gone.
    pub(crate) fn reset(&mut self) {
        *self = Self { in_map: self.in_map, called: self.called, heard_at: self.heard_at, ..Self::default() };
    }

    /// Whether it has answered at that time or later.
    pub(crate) fn answered_since(&self, time: Instant) -> bool {
        self.answered_at.is_some_and(|answered| answered >= time)
    }

    fn last_sign(&self) -> Option<Instant> {
        self.heard_at.max(self.answered_at)
    }

    fn is_named(&self) -> bool {
        self.in_map || self.called
    }
}

/// What a call has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Called {
    /// It names addresses that were no candidates.
    pub(crate) names_new: bool,
    /// The peer used to call from the nominated address and does not any more: it has moved.
    pub(crate) left_best: bool,
}

/// The candidates of one peer.
#[derive(Debug, Default)]
pub(crate) struct Candidates(BTreeMap<SocketAddr, Candidate>);

impl Candidates {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SocketAddr, &Candidate)> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&SocketAddr, &mut Candidate)> {
        self.0.iter_mut()
    }

    pub(crate) fn find(&mut self, address: &SocketAddr) -> Option<&mut Candidate> {
        self.0.get_mut(address)
    }

    /// The map names these now. Returns whether any is new.
    pub(crate) fn set_map(&mut self, endpoints: &[SocketAddr], best: Option<SocketAddr>) -> bool {
        self.0.values_mut().for_each(|candidate| candidate.in_map = false);
        let fresh = endpoints.iter().filter(|address| !self.0.contains_key(address)).count() > 0;
        for address in endpoints {
            self.insert(*address, best).in_map = true;
        }
        self.drop_unsupported(best);
        fresh
    }

    /// The peer calls from these now; an earlier call counts no more. They may be pinged at once: the peer has just
    /// opened its firewall for us.
    pub(crate) fn set_called(&mut self, endpoints: &[SocketAddr], best: Option<SocketAddr>) -> Called {
        let names_new = endpoints.iter().any(|address| !self.0.contains_key(address));
        let called_best = best.and_then(|best| self.0.get(&best)).is_some_and(|candidate| candidate.called);
        self.0.values_mut().for_each(|candidate| candidate.called = false);
        for address in endpoints {
            let candidate = self.insert(*address, best);
            candidate.called = true;
            candidate.hurry();
        }
        self.drop_unsupported(best);
        let left_best = called_best && best.is_some_and(|best| !endpoints.contains(&best));
        Called { names_new, left_best }
    }

    /// Something of the peer came from this address. Returns whether it is new.
    pub(crate) fn note_heard(&mut self, address: SocketAddr, best: Option<SocketAddr>, now: Instant) -> bool {
        let fresh = !self.0.contains_key(&address);
        self.insert(address, best).heard_at = Some(now);
        fresh
    }

    /// Forgets those that nobody names and that have been silent for long.
    pub(crate) fn drop_silent(&mut self, best: Option<SocketAddr>, now: Instant) {
        self.0.retain(|address, candidate| {
            candidate.is_named()
                || Some(*address) == best
                || candidate.last_sign().is_some_and(|sign| now.since(sign) < HEARD)
        });
    }

    /// How good the path to this address was when it last answered.
    pub(crate) fn quality(&self, address: &SocketAddr) -> Option<Quality> {
        let latency = self.0.get(address)?.latency?;
        Some(Quality { address: *address, latency })
    }

    /// Where the address's last answer came from.
    pub(crate) fn answers_from(&self, address: &SocketAddr) -> Option<SocketAddr> {
        self.0.get(address)?.answers_from
    }

    pub(crate) fn get(&self, address: &SocketAddr) -> Option<&Candidate> {
        self.0.get(address)
    }

    fn drop_unsupported(&mut self, best: Option<SocketAddr>) {
        self.0.retain(|address, candidate| {
            candidate.is_named() || candidate.last_sign().is_some() || Some(*address) == best
        });
    }

    /// The candidate, made if there is none. When full, the least promising other one makes room.
    fn insert(&mut self, address: SocketAddr, best: Option<SocketAddr>) -> &mut Candidate {
        if self.0.len() >= CANDIDATES_MAX && !self.0.contains_key(&address) {
            let worst = self
                .0
                .iter()
                .filter(|(address, _)| Some(**address) != best)
                .min_by_key(|(_, candidate)| (candidate.is_named(), candidate.last_sign()))
                .map(|(address, _)| *address);
            if let Some(worst) = worst {
                self.0.remove(&worst);
            }
        }
        self.0.entry(address).or_default()
    }
}
