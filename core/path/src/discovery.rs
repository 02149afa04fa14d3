//! The search for paths to one peer that is in use. What comes in and when things are due stands here; the parts are in
//! `rounds` (which candidates are pinged when), `choice` (which of those that answer is used) and `watch` (whether data
//! passes there).
//!
//! It exists from the first traffic or message on, until the peer has been quiet for long ([`FORGET`]).

mod choice;
mod rounds;
mod watch;

use std::net::SocketAddr;

use wattle_keys::NodePublic;
use wattle_netmap::RegionId;
use wattle_time::Instant;

use crate::allowance::Allowance;
use crate::best::Best;
use crate::candidate::Candidates;
use crate::challenger::Challenger;
use crate::disco::Pen;
use crate::limits::{ALL_PINGS, CALLS};
use crate::mtu::PathMtu;
use crate::sealed::SealedPings;
use crate::timing::{ENDPOINTS_FRESH, FORGET, HEARTBEAT, PING_TIMEOUT, SESSION_ACTIVE};
use crate::{Event, Families, PingId, Way};
use rounds::SentPing;
use watch::Watch;

/// What is known and under way about the paths to one peer.
#[derive(Debug)]
pub(crate) struct Discovery {
    pub(crate) candidates: Candidates,
    pub(crate) best: Option<Best>,
    pub(crate) mtu: PathMtu,
    challenger: Option<Challenger>,
    watch: Watch,
    pings: Vec<SentPing>,
    sealed: SealedPings,
    outbound_at: Option<Instant>,
    used_at: Instant,
    heartbeat_due: Option<Instant>,
    round_at: Option<Instant>,
    /// Rounds since the last new fact, without a trusted path.
    fruitless: usize,
    calls: Allowance,
    budget: Allowance,
    /// The last call told old endpoints: call again when there are fresh ones.
    pub(crate) owes_call: bool,
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
    pub(crate) families: Families,
    /// Of all peers together.
    pub(crate) budget: &'a mut Allowance,
    /// When both ends insist on different paths, this one gives in.
    pub(crate) yields: bool,
    pub(crate) now: Instant,
}

impl Surroundings<'_> {
    fn relay_way(&self) -> Option<Way> {
        self.relay.map(|region| Way::Relay { region, peer: self.peer })
    }

    /// Why an address is not tried, if it is not.
    fn obstacle(&self, address: &SocketAddr) -> Option<&'static str> {
        self.families.obstacle(address, &self.own.addresses)
    }

    fn afford_ping(&mut self) -> bool {
        self.budget.take(ALL_PINGS, self.now)
    }
}

impl Discovery {
    pub(crate) fn new(endpoints: &[SocketAddr], now: Instant) -> Self {
        let mut candidates = Candidates::default();
        candidates.set_map(endpoints, None);
        Self {
            candidates,
            best: None,
            mtu: PathMtu::default(),
            challenger: None,
            watch: Watch::default(),
            pings: Vec::new(),
            sealed: SealedPings::default(),
            outbound_at: None,
            used_at: now,
            heartbeat_due: None,
            round_at: None,
            fruitless: 0,
            calls: Allowance::default(),
            budget: Allowance::default(),
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
        if let Some(best) = self.best {
            self.watch.wake(now);
            if best.is_trusted() && !best.is_proven() && best.failed() == 0 {
                self.question(around);
            }
        }
        self.run_round_if_due(around);
        self.measure_mtu(around);
    }

    /// Authenticated bytes came from the peer.
    pub(crate) fn note_inbound(&mut self, way: Way, around: &mut Surroundings<'_>) {
        let now = around.now;
        self.used_at = now;
        let Way::Udp(source) = way else {
            if let Some(best) = &mut self.best {
                best.note_data_elsewhere(way, now);
                self.suspect_since_peer_does(around);
            }
            return;
        };
        let answers_sealed = self.watch.answers_sealed;
        let is_new = self.candidates.note_heard(source, self.best_address(), now);
        if !answers_sealed && let Some(candidate) = self.candidates.find(&source) {
            candidate.note_data();
        }
        let has_moved = self.watch.source.replace(source) != Some(source);
        let carries = self.carries(source);
        match &mut self.best {
            Some(best) if carries => best.note_data(answers_sealed, now),
            Some(best) => best.note_data_elsewhere(way, now),
            None => {}
        }
        if !carries && (is_new || has_moved) {
            // Perhaps the peer has moved, and what we send goes to where it was.
            self.question(around);
            if self.candidates.find(&source).is_some_and(|candidate| candidate.take_ping_back(now)) {
                self.ping_candidate(source, around);
                if self.is_active(now) {
                    self.send_sealed(Way::Udp(source), around);
                }
            }
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
        if !self.calls.take(CALLS, now) {
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
            if around.obstacle(&address).is_none() {
                self.send_ping(Way::Udp(address), Some(id), around);
            }
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
        self.sealed.clear();
        self.watch.forget();
        self.challenger = None;
        self.mtu = PathMtu::default();
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
        self.mtu.handle_timeout(now);
        self.judge_question(around);
        if !self.is_active(now) {
            self.heartbeat_due = None;
            self.watch.rest();
            return;
        }
        if self.watch.take_look(now) {
            around.pen.out.events.push(Event::WantTraffic { peer: around.peer });
        }
        if self.heartbeat_due.is_some_and(|due| due <= now) {
            self.heartbeat_due = Some(now + HEARTBEAT);
            self.beat(around);
        }
        self.run_round_if_due(around);
        self.measure_mtu(around);
    }

    /// When the next thing is due, and what.
    pub(crate) fn next_due(&self) -> (Instant, &'static str) {
        let ping = self.pings.iter().map(|ping| ping.sent_at).min().map(|sent| (sent + PING_TIMEOUT, "ping times out"));
        let beat = self.heartbeat_due.map(|due| (due, "heartbeat"));
        let round = self.heartbeat_due.and(self.round_due()).map(|due| (due, "round of pings"));
        let best = self.best.and_then(|best| best.due());
        let mtu = self.mtu.due().filter(|_| self.mtu.is_searching() || self.measures_mtu());
        let forget = (self.used_at + FORGET, "paths of an unused peer");
        let watch = self.watch.due(self.heartbeat_due.is_some());
        [ping, beat, round, best, mtu, watch].into_iter().flatten().fold(forget, Ord::min)
    }

    /// Whether nothing here is worth its memory any more.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        now.since(self.used_at) >= FORGET
    }
}
