//! The search for paths to one peer that is in use: rounds of pings, heartbeats, nomination.
//!
//! It exists from the first traffic or message on, until the peer has been quiet for long ([`FORGET`]).

use std::net::SocketAddr;

use wattle_keys::NodePublic;
use wattle_netmap::RegionId;
use wattle_time::Instant;
use wattle_wire::disco::TransactionId;

use crate::allowance::Allowance;
use crate::best::{Best, Verdict};
use crate::candidate::Candidates;
use crate::disco::Pen;
use crate::limits::PENDING_PINGS_MAX;
use crate::score::Quality;
use crate::timing::{
    ENDPOINTS_FRESH, FORGET, GOOD_ENOUGH_LATENCY, HEARTBEAT, PING_TIMEOUT, RETRIES, SESSION_ACTIVE, UPGRADE_INTERVAL,
};
use crate::{Event, PingId, Way};

/// What is known and under way about the paths to one peer.
#[derive(Debug)]
pub(crate) struct Discovery {
    pub(crate) candidates: Candidates,
    pub(crate) best: Option<Best>,
    pings: Vec<SentPing>,
    outbound_at: Option<Instant>,
    used_at: Instant,
    heartbeat_due: Option<Instant>,
    round_at: Option<Instant>,
    /// Rounds since the last new fact, without a trusted path.
    fruitless: usize,
    calls: Allowance,
    /// The last call told old endpoints: call again when there are fresh ones.
    pub(crate) owes_call: bool,
}

#[derive(Clone, Copy, Debug)]
struct SentPing {
    transaction: TransactionId,
    to: Way,
    sent_at: Instant,
    /// A person waits for the answer.
    asked: Option<PingId>,
}

/// Our own endpoints, as peers are told them.
#[derive(Debug, Default)]
pub(crate) struct OwnEndpoints {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) found_at: Option<Instant>,
}

/// What a call needs from around the peer.
pub(crate) struct Surroundings<'a> {
    pub(crate) pen: Pen<'a>,
    pub(crate) peer: NodePublic,
    pub(crate) relay: Option<RegionId>,
    pub(crate) own: &'a OwnEndpoints,
    /// When both ends insist on different paths, this one gives in.
    pub(crate) yields: bool,
    pub(crate) now: Instant,
}

impl Surroundings<'_> {
    fn relay_way(&self) -> Option<Way> {
        self.relay.map(|region| Way::Relay { region, peer: self.peer })
    }
}

impl Discovery {
    pub(crate) fn new(endpoints: &[SocketAddr], now: Instant) -> Self {
        let mut candidates = Candidates::default();
        candidates.set_map(endpoints, None);
        Self {
            candidates,
            best: None,
            pings: Vec::new(),
            outbound_at: None,
            used_at: now,
            heartbeat_due: None,
            round_at: None,
            fruitless: 0,
            calls: Allowance::default(),
            owes_call: false,
        }
    }

    /// Whether data has gone out lately.
    pub(crate) fn is_active(&self, now: Instant) -> bool {
        self.outbound_at.is_some_and(|outbound| now.since(outbound) < SESSION_ACTIVE)
    }

    pub(crate) fn best_address(&self) -> Option<SocketAddr> {
        self.best.map(|best| best.address)
    }

    pub(crate) fn has_trusted_best(&self) -> bool {
        self.best.is_some_and(|best| best.is_trusted())
    }

    /// Data went to the peer.
    pub(crate) fn note_outbound(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        if !self.is_active(now) {
            self.heartbeat_due = Some(now + HEARTBEAT);
            self.start_over();
        }
        self.outbound_at = Some(now);
        self.used_at = now;
        if let Some(best) = &mut self.best {
            best.note_outbound(now);
        }
        self.run_round_if_due(around);
    }

    /// Authenticated bytes came from the peer.
    pub(crate) fn note_inbound(&mut self, way: Way, around: &mut Surroundings<'_>) {
        let now = around.now;
        self.used_at = now;
        let Way::Udp(source) = way else {
            if let Some(best) = &mut self.best {
                best.note_data_elsewhere(way, now);
            }
            return;
        };
        let is_new = self.candidates.note_heard(source, self.best_address(), now);
        if let Some(candidate) = self.candidates.find(&source) {
            candidate.note_data();
        }
        if let Some(best) = &mut self.best {
            let answers_from = self.candidates.find(&best.address).and_then(|candidate| candidate.answers_from);
            if best.is_proven_by(&source) || answers_from == Some(source) {
                best.note_data();
            } else {
                best.note_data_elsewhere(way, now);
            }
        }
        if is_new && !self.has_trusted_best() {
            self.ping_candidate(source, around);
        }
    }

    /// The peer pinged us from this address, so packets from there reach us; find out whether ours reach it.
    pub(crate) fn note_ping_from(&mut self, source: SocketAddr, around: &mut Surroundings<'_>) {
        self.used_at = around.now;
        self.candidates.note_heard(source, self.best_address(), around.now);
        if !self.has_trusted_best()
            && self.candidates.find(&source).is_some_and(|candidate| candidate.take_ping_back(around.now))
        {
            self.ping_candidate(source, around);
        }
    }

    /// The peer has opened its firewall for us and says where it may be.
    pub(crate) fn handle_call(&mut self, endpoints: &[SocketAddr], around: &mut Surroundings<'_>) {
        let now = around.now;
        if !self.calls.take(now) {
            return;
        }
        self.used_at = now;
        let called = self.candidates.set_called(endpoints, self.best_address());
        if called.left_best
            && let Some(best) = &mut self.best
        {
            best.distrust();
        }
        if called.names_new {
            self.fruitless = 0;
        }
        // No call back: the peer's pings are on their way, and two nodes that call each other would never stop.
        self.ping_candidates(around);
    }

    /// An answer came. Returns whether it was one of ours.
    pub(crate) fn handle_pong(
        &mut self,
        transaction: TransactionId,
        source: Way,
        around: &mut Surroundings<'_>,
    ) -> bool {
        let Some(index) = self.pings.iter().position(|ping| ping.transaction == transaction) else { return false };
        let now = around.now;
        let ping = self.pings.swap_remove(index);
        let latency = now.since(ping.sent_at);
        self.used_at = now;
        if let Some(id) = ping.asked {
            // The first answer is the answer: the other ways of the same question are not asked any more.
            self.pings.iter_mut().filter(|other| other.asked == Some(id)).for_each(|other| other.asked = None);
            around.pen.out.events.push(Event::PingAnswered { id, peer: around.peer, way: ping.to, latency });
        }
        let (Way::Udp(address), Way::Udp(from)) = (ping.to, source) else { return true };
        let Some(candidate) = self.candidates.find(&address) else { return true };
        candidate.note_pong(latency, from, now);
        let refused = candidate.is_refused(now);
        let quality = Quality { address, latency };
        match &mut self.best {
            Some(best) if best.address == address => best.note_pong(latency, now),
            _ if refused => {}
            Some(best) if best.is_trusted() && !quality.is_better_than(&best.quality()) => {}
            _ => self.best = Some(Best::nominated(quality, now)),
        }
        true
    }

    /// A person wants to know which way answers first. Asks on every way, however lately it was asked; returns whether
    /// it could on any.
    pub(crate) fn ask(&mut self, id: PingId, around: &mut Surroundings<'_>) -> bool {
        self.used_at = around.now;
        if let Some(relay) = around.relay_way() {
            self.send_ping(relay, Some(id), around);
        }
        let ways: Vec<SocketAddr> = match self.best {
            Some(best) if best.is_trusted() => vec![best.address],
            _ => self.candidates.iter().map(|(address, _)| *address).collect(),
        };
        for address in ways {
            self.send_ping(Way::Udp(address), Some(id), around);
        }
        if !self.has_trusted_best() {
            self.call(around);
        }
        self.pings.iter().any(|ping| ping.asked == Some(id))
    }

    /// The tunnel doubts that its packets arrive.
    pub(crate) fn doubt(&mut self) {
        if let Some(best) = &mut self.best {
            best.doubt();
        }
    }

    /// The peer, or our own network, is not what it was: nothing measured counts, and the search starts over. The
    /// nominated path stays in the route, beside the relay.
    pub(crate) fn reset(&mut self, around: &mut Surroundings<'_>) {
        self.candidates.iter_mut().for_each(|(_, candidate)| candidate.reset());
        self.pings.retain(|ping| ping.asked.is_some());
        if let Some(best) = &mut self.best {
            best.distrust();
            best.doubt();
        }
        self.start_over();
        self.run_round_if_due(around);
    }

    /// There may be a way now where there was none. Does nothing while all is well.
    pub(crate) fn retry(&mut self, around: &mut Surroundings<'_>) {
        if !self.has_trusted_best() {
            self.start_over();
            self.run_round_if_due(around);
        }
    }

    /// Tells the peer our endpoints.
    pub(crate) fn call(&mut self, around: &mut Surroundings<'_>) {
        let Some(relay) = around.relay_way() else { return };
        let now = around.now;
        self.owes_call = around.own.found_at.is_none_or(|found| now.since(found) > ENDPOINTS_FRESH);
        if self.owes_call {
            around.pen.out.events.push(Event::WantFreshEndpoints);
        }
        around.pen.call_me_maybe(relay, &around.own.addresses);
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        if let Some(best) = &mut self.best {
            let (lapsed, verdict) = best.handle_timeout(now);
            if lapsed {
                self.start_over();
            }
            if let Some(verdict) = verdict {
                self.conclude(verdict, around);
            }
        }
        self.expire_pings(around);
        if !self.is_active(now) {
            self.heartbeat_due = None;
            return;
        }
        if self.heartbeat_due.is_some_and(|due| due <= now) {
            self.heartbeat_due = Some(now + HEARTBEAT);
            if let Some(address) = self.best_address() {
                self.ping_candidate(address, around);
            }
        }
        self.run_round_if_due(around);
    }

    /// When the next thing is due, and what.
    pub(crate) fn next_due(&self) -> (Instant, &'static str) {
        let ping = self.pings.iter().map(|ping| ping.sent_at).min().map(|sent| (sent + PING_TIMEOUT, "ping times out"));
        let beat = self.heartbeat_due.map(|due| (due, "heartbeat"));
        let round = self.heartbeat_due.and(self.round_due()).map(|due| (due, "round of pings"));
        let best = self.best.and_then(|best| best.due());
        let forget = (self.used_at + FORGET, "paths of an unused peer");
        [ping, beat, round, best].into_iter().flatten().fold(forget, Ord::min)
    }

    /// Whether nothing here is worth its memory any more.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        now.since(self.used_at) >= FORGET
    }

    /// What a trial showed about the nominated path.
    fn conclude(&mut self, verdict: Verdict, around: &mut Surroundings<'_>) {
        let Some(best) = &mut self.best else { return };
        let refused = |candidates: &mut Candidates| {
            if let Some(candidate) = candidates.find(&best.address) {
                candidate.refuse(around.now);
            }
        };
        match verdict {
            Verdict::OnlyRelay => {
                refused(&mut self.candidates);
                self.best = None;
            }
            Verdict::OtherPath(other) => match self.candidates.quality(&other) {
                Some(quality) if around.yields => {
                    refused(&mut self.candidates);
                    self.best = Some(Best::adopted(quality));
                    self.ping_candidate(other, around);
                }
                _ => best.pair_with(other),
            },
        }
    }

    fn start_over(&mut self) {
        self.fruitless = 0;
        self.round_at = None;
    }

    fn round_due(&self) -> Option<Instant> {
        let Some(last) = self.round_at else {
            let satisfied = self.best.is_some_and(|best| best.is_trusted() && best.latency <= GOOD_ENOUGH_LATENCY);
            return (!satisfied).then_some(Instant::ORIGIN);
        };
        match self.best {
            Some(best) if best.is_trusted() => (best.latency > GOOD_ENOUGH_LATENCY).then_some(last + UPGRADE_INTERVAL),
            _ => {
                let wait = RETRIES.get(self.fruitless.saturating_sub(1)).or(RETRIES.last());
                Some(last + wait.copied().unwrap_or(UPGRADE_INTERVAL))
            }
        }
    }

    fn run_round_if_due(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        if !self.is_active(now) || self.round_due().is_none_or(|due| now < due) {
            return;
        }
        self.round_at = Some(now);
        self.fruitless = self.fruitless.saturating_add(1);
        self.candidates.drop_silent(self.best_address(), now);
        self.ping_candidates(around);
        self.call(around);
    }

    /// Pings every candidate that has not been pinged lately.
    fn ping_candidates(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        let due: Vec<SocketAddr> = self
            .candidates
            .iter()
            .filter(|(_, candidate)| candidate.may_ping(now))
            .map(|(address, _)| *address)
            .collect();
        for address in due {
            self.ping_candidate(address, around);
        }
    }

    fn ping_candidate(&mut self, address: SocketAddr, around: &mut Surroundings<'_>) {
        self.send_ping(Way::Udp(address), None, around);
    }

    fn send_ping(&mut self, to: Way, asked: Option<PingId>, around: &mut Surroundings<'_>) {
        if self.pings.len() >= PENDING_PINGS_MAX {
            return;
        }
        if let Way::Udp(address) = to
            && let Some(candidate) = self.candidates.find(&address)
        {
            candidate.note_ping(around.now);
        }
        let transaction = around.pen.ping(to);
        self.pings.push(SentPing { transaction, to, sent_at: around.now, asked });
    }

    /// Gives up pings that nobody answered. A nominated path that is not trusted any more and does not answer is none.
    fn expire_pings(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        let (late, pending): (Vec<SentPing>, Vec<SentPing>) =
            self.pings.iter().partition(|ping| now.since(ping.sent_at) >= PING_TIMEOUT);
        self.pings = pending;
        let mut lost: Vec<PingId> = late.iter().filter_map(|ping| ping.asked).collect();
        lost.dedup();
        for id in lost {
            if !self.pings.iter().any(|ping| ping.asked == Some(id)) {
                around.pen.out.events.push(Event::PingLost { id, peer: around.peer });
            }
        }
        if let Some(best) = self.best
            && !best.is_trusted()
            && late.iter().any(|ping| ping.to == Way::Udp(best.address))
        {
            self.best = None;
        }
    }
}
