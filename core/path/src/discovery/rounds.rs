//! Which candidates are pinged when, and the pings that wait for an answer.

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::time::Duration;

use wattle_time::Instant;
use wattle_wire::disco::TransactionId;

use super::{Discovery, Surroundings};
use crate::limits::{PEER_PINGS, PENDING_PINGS_MAX, SEALED_PER_ROUND_MAX};
use crate::mtu::FULL;
use crate::timing::{GOOD_ENOUGH_LATENCY, PING_TIMEOUT, RETRIES, UPGRADE_INTERVAL};
use crate::{Event, PingId, Way};

#[derive(Clone, Copy, Debug)]
pub(super) struct SentPing {
    pub(super) transaction: TransactionId,
    pub(super) to: Way,
    pub(super) sent_at: Instant,
    /// A person waits for the answer.
    pub(super) asked: Option<PingId>,
    /// It is longer than it need be, and its absence may mean just that.
    padded: bool,
}

impl Discovery {
    pub(super) fn start_over(&mut self) {
        self.fruitless = 0;
        self.round_at = None;
    }

    pub(super) fn round_due(&self) -> Option<Instant> {
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

    pub(super) fn run_round_if_due(&mut self, around: &mut Surroundings<'_>) {
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
    pub(super) fn ping_candidates(&mut self, around: &mut Surroundings<'_>) {
        let now = around.now;
        let due: Vec<SocketAddr> = self
            .candidates
            .iter()
            .filter(|(_, candidate)| candidate.may_ping(now))
            .map(|(address, _)| *address)
            .collect();
        // Nobody answered the first round: something may stop disco and let WireGuard pass.
        if self.fruitless > 1 && !self.has_trusted_best() {
            self.seal_to_candidates(&due, around);
        }
        for address in due {
            self.ping_candidate(address, around);
        }
    }

    /// Tries a few of these with sealed pings, the likely ones first.
    fn seal_to_candidates(&mut self, due: &[SocketAddr], around: &mut Surroundings<'_>) {
        let now = around.now;
        let mut likely: Vec<_> = self
            .candidates
            .iter()
            .filter(|(address, candidate)| {
                due.contains(address) && !candidate.is_refused(now) && around.obstacle(address).is_none()
            })
            .map(|(address, candidate)| (Reverse(candidate.heard_at), !candidate.called, *address))
            .collect();
        likely.sort();
        for (.., address) in likely.into_iter().take(SEALED_PER_ROUND_MAX) {
            self.send_sealed(Way::Udp(address), around);
        }
    }

    /// Pings an address that somebody named, if that leads anywhere and there is no need to save pings.
    pub(super) fn ping_candidate(&mut self, address: SocketAddr, around: &mut Surroundings<'_>) {
        if around.obstacle(&address).is_none() && self.budget.take(PEER_PINGS, around.now) && around.afford_ping() {
            self.send_ping(Way::Udp(address), None, around);
        }
    }

    pub(super) fn send_ping(
        &mut self,
        to: Way,
        asked: Option<PingId>,
        around: &mut Surroundings<'_>,
    ) -> Option<TransactionId> {
        self.note_ping(to, around.now)?;
        let transaction = around.pen.ping(to);
        self.pings.push(SentPing { transaction, to, sent_at: around.now, asked, padded: false });
        Some(transaction)
    }

    /// Sends a ping that is `length` bytes long.
    pub(super) fn send_padded_ping(
        &mut self,
        to: Way,
        length: u16,
        around: &mut Surroundings<'_>,
    ) -> Option<TransactionId> {
        self.note_ping(to, around.now)?;
        let transaction = around.pen.padded_ping(to, length);
        self.pings.push(SentPing { transaction, to, sent_at: around.now, asked: None, padded: true });
        Some(transaction)
    }

    /// Sends a ping as long as our longest message.
    pub(super) fn send_full_ping(&mut self, address: SocketAddr, around: &mut Surroundings<'_>) {
        self.send_padded_ping(Way::Udp(address), FULL, around);
    }

    fn note_ping(&mut self, to: Way, now: Instant) -> Option<()> {
        if self.pings.len() >= PENDING_PINGS_MAX {
            return None;
        }
        if let Way::Udp(address) = to
            && let Some(candidate) = self.candidates.find(&address)
        {
            candidate.note_ping(now);
        }
        Some(())
    }

    /// Whether a ping to the address has been waiting for so long, and no later one was answered.
    pub(super) fn heartbeat_is_late(&self, address: &SocketAddr, patience: Duration, now: Instant) -> bool {
        let answered = self.candidates.get(address).and_then(|candidate| candidate.answered_at);
        self.pings.iter().any(|ping| {
            ping.to == Way::Udp(*address)
                && !ping.padded
                && now.since(ping.sent_at) >= patience
                && answered.is_none_or(|answered| answered < ping.sent_at)
        })
    }

    /// Gives up pings that nobody answered. A nominated path that is not trusted any more and does not answer is none.
    pub(super) fn expire_pings(&mut self, around: &mut Surroundings<'_>) {
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
            && late.iter().any(|ping| ping.to == Way::Udp(best.address) && !ping.padded)
        {
            self.best = None;
        }
    }
}
