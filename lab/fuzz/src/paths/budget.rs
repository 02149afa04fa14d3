//! How many packets we may send for what has come in, and for the time that has passed.

use std::time::Duration;

use wattle_path::limits::{CANDIDATES_MAX, PEER_RELAY_ADDRESSES_MAX, SEALED_PER_ROUND_MAX};
use wattle_time::Instant;

use super::outside::PEERS;

/// A round over all candidates, with sealed pings to some, and a call.
const ROUND: u64 = CANDIDATES_MAX as u64 + SEALED_PER_ROUND_MAX as u64 + 2;
/// A handshake with a peer relay: each message of it by all of its addresses, tried a few times.
const PASSAGE: u64 = PEER_RELAY_ADDRESSES_MAX as u64 * 6;
/// Calls of one peer that are heeded at once, and how often after that.
const CALLS_AT_ONCE_MAX: u32 = 4;
const CALL_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// What a message may cause at most: its answer, and a question back.
const ANSWER: u64 = 2;
/// While a peer is in use: every candidate once in five seconds, heartbeats, questions whether data passes, sizes.
const PER_SECOND: u64 = ROUND / 5 + 10;

pub(super) struct Budget {
    allowed: u64,
    sent: u64,
    grown_at: Instant,
    calls: [Calls; PEERS],
}

#[derive(Clone, Copy, Default)]
struct Calls {
    left: u32,
    refilled_at: Option<Instant>,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self { allowed: 0, sent: 0, grown_at: now, calls: [Calls::default(); PEERS] }
    }

    pub(super) fn allow_answer(&mut self) {
        self.allowed += ANSWER;
    }

    /// We have a reason of our own to look for a peer.
    pub(super) fn allow_round(&mut self) {
        self.allowed += ROUND;
    }

    /// The peer calls: a few calls at once are heeded, and then one a second.
    pub(super) fn allow_call(&mut self, peer: usize, now: Instant) {
        let calls = &mut self.calls[peer];
        let Some(refilled_at) = calls.refilled_at else {
            *calls = Calls { left: CALLS_AT_ONCE_MAX - 1, refilled_at: Some(now) };
            self.allowed += ROUND;
            return;
        };
        let more = now.since(refilled_at).as_millis() / CALL_INTERVAL_MIN.as_millis();
        let more = u32::try_from(more).unwrap_or(u32::MAX).min(CALLS_AT_ONCE_MAX);
        if more > 0 {
            calls.left = (calls.left + more).min(CALLS_AT_ONCE_MAX);
            calls.refilled_at = Some(now);
        }
        if calls.left > 0 {
            calls.left -= 1;
            self.allowed += ROUND;
        }
    }

    /// The peer names a peer relay, or one says something.
    pub(super) fn allow_passage(&mut self) {
        self.allowed += PASSAGE;
    }

    pub(super) fn spend(&mut self, packets: u64, now: Instant, used_at: [Option<Instant>; PEERS]) {
        let active = |used: &&Option<Instant>| used.is_some_and(|used| self.grown_at.since(used) < super::ACTIVE);
        let peers = used_at.iter().filter(active).count() as u64;
        let passed = now.since(self.grown_at);
        if passed >= Duration::from_secs(1) {
            // A jump of the clock is no reason to make up for what was not sent.
            self.allowed += peers * PER_SECOND * passed.min(super::ACTIVE).as_secs();
            self.grown_at = now;
        }
        self.sent += packets;
        assert!(
            self.sent <= self.allowed + ROUND * PEERS as u64,
            "{} packets were sent where {} were due",
            self.sent,
            self.allowed
        );
    }
}
