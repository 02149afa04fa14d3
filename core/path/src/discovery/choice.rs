//! Which of the paths that answer is used, and until when.

use std::net::SocketAddr;

use wattle_wire::disco::TransactionId;

use super::{Discovery, Surroundings};
use crate::best::{Best, Verdict, Won};
use crate::challenger::Challenger;
use crate::mtu::PathMtu;
use crate::timing::PING_TIMEOUT;
use crate::{Event, Way};

impl Discovery {
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
        let smoothed = candidate.latency.unwrap_or(latency);
        match &mut self.best {
            Some(best) if best.address == address => {
                best.note_pong(smoothed, now);
                self.mtu.note_pong(transaction, now);
            }
            _ => self.consider(address, false, around),
        }
        true
    }

    /// Another path than the nominated one has answered; `passed`: a sealed ping, so that it carries data.
    pub(super) fn consider(&mut self, address: SocketAddr, passed: bool, around: &mut Surroundings<'_>) {
        let now = around.now;
        let is_refused = self.candidates.find(&address).is_none_or(|candidate| candidate.is_refused(now));
        let Some(quality) = self.candidates.quality(&address).filter(|_| !is_refused) else { return };
        let won = match self.best {
            None => Won::FirstToAnswer,
            Some(best) if !best.is_trusted() => Won::FormerSilent(best.address),
            Some(best) if passed && !best.is_proven() && best.failed() > 0 => Won::FormerCarriedNothing(best.address),
            Some(best) if !quality.is_better_than(&best.quality()) => {
                self.challenger.take_if(|challenger| challenger.address == address);
                return;
            }
            Some(best) => {
                if best.is_settled(now) && !self.outlasts(address, passed, around) {
                    return;
                }
                Won::Better(best.address, best.latency)
            }
        };
        let best = if passed { Best::proven(quality, won, now) } else { Best::nominated(quality, won, now) };
        self.nominate(best, around);
    }

    /// A path was better than a settled one. Whether it has been for long enough, and carries data.
    fn outlasts(&mut self, address: SocketAddr, passed: bool, around: &mut Surroundings<'_>) -> bool {
        let now = around.now;
        let Some(challenger) = self.challenger.as_mut().filter(|challenger| challenger.address == address) else {
            let rival = self.challenger.and_then(|challenger| self.candidates.quality(&challenger.address));
            let quality = self.candidates.quality(&address);
            if rival.is_none_or(|rival| quality.is_some_and(|quality| quality.is_better_than(&rival))) {
                self.challenger = Some(Challenger::new(address, now));
            }
            return false;
        };
        if passed && challenger.is_ready(now) {
            return true;
        }
        if !challenger.note_better(now) {
            return false;
        }
        if !self.watch.answers_sealed {
            return true;
        }
        if challenger.ask() {
            self.send_sealed(Way::Udp(address), around);
        } else {
            self.challenger = None;
            if let Some(candidate) = self.candidates.find(&address) {
                candidate.refuse(now);
            }
        }
        false
    }

    /// The ping between rounds: to the path in use, and to one that may replace it. That one must pass full-size packets.
    pub(super) fn beat(&mut self, around: &mut Surroundings<'_>) {
        if let Some(address) = self.best_address() {
            self.send_ping(Way::Udp(address), None, around);
        }
        let now = around.now;
        if let Some(challenger) = self.challenger {
            let speaks = self.candidates.find(&challenger.address);
            if speaks.is_some_and(|candidate| candidate.answered_since(now - PING_TIMEOUT * 2)) {
                self.send_full_ping(challenger.address, around);
            } else {
                self.challenger = None;
            }
        }
    }

    pub(super) fn nominate(&mut self, best: Best, around: &mut Surroundings<'_>) {
        self.best = Some(best);
        self.challenger = None;
        self.mtu = PathMtu::default();
        self.watch.forget();
        if self.is_active(around.now) {
            self.watch.wake(around.now);
            if !best.is_proven() {
                self.question(around);
            }
            self.measure_mtu(around);
        }
    }

    /// What a trial showed about the nominated path.
    pub(super) fn conclude(&mut self, verdict: Verdict, around: &mut Surroundings<'_>) {
        let Some(best) = &mut self.best else { return };
        let address = best.address;
        match verdict {
            Verdict::OnlyRelay => {
                self.refuse(address, around);
                self.best = None;
                self.nominate_next_best(address, around);
            }
            Verdict::OtherPath(other) => match self.candidates.quality(&other) {
                Some(quality) if around.yields => {
                    self.refuse(address, around);
                    self.nominate(Best::adopted(quality, around.now), around);
                    self.ping_candidate(other, around);
                }
                _ => best.pair_with(other),
            },
        }
    }

    fn refuse(&mut self, address: SocketAddr, around: &Surroundings<'_>) {
        if let Some(candidate) = self.candidates.find(&address) {
            candidate.refuse(around.now);
        }
    }

    /// The best of those that have answered lately takes the place of one that failed.
    fn nominate_next_best(&mut self, former: SocketAddr, around: &mut Surroundings<'_>) {
        let now = around.now;
        let lately = self
            .candidates
            .iter()
            .filter(|(_, candidate)| !candidate.is_refused(now) && candidate.answered_since(now - PING_TIMEOUT * 2))
            .filter_map(|(address, _)| self.candidates.quality(address))
            .reduce(|best, other| if other.is_better_than(&best) { other } else { best });
        match lately {
            Some(quality) => {
                let won = Won::FormerCarriedNothing(former);
                self.nominate(Best::nominated(quality, won, now), around);
            }
            None => {
                self.start_over();
                self.run_round_if_due(around);
            }
        }
    }

    /// Whether the MTU of the path may be looked for now.
    pub(super) fn measures_mtu(&self) -> bool {
        self.heartbeat_due.is_some() && self.has_trusted_best()
    }

    /// Finds out what passes, while there is traffic.
    pub(super) fn measure_mtu(&mut self, around: &mut Surroundings<'_>) {
        let Some(best) = self.best.filter(|_| self.measures_mtu()) else { return };
        self.mtu.start_if_due(around.now);
        if let Some(size) = self.mtu.wants_pair() {
            let to = Way::Udp(best.address);
            let small = self.send_ping(to, None, around);
            let padded = self.send_padded_ping(to, size, around);
            if let (Some(small), Some(padded)) = (small, padded) {
                self.mtu.note_pair(small, padded, best.latency, around.now);
            }
        }
    }
}
