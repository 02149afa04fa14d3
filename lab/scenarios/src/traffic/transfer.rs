//! A transfer that must arrive whole, as TCP does it: cumulative acknowledgements, a timer that doubles from 200 ms, and
//! a fast retransmission. It is paced like a stream that its program does not fill, so that a minute of it stays cheap.
//! What it measures is the longest time without progress.

use std::collections::BTreeSet;
use std::time::Duration;

use wattle_time::Instant;

/// Bytes in a segment.
const SEGMENT: u32 = 1000;
/// Between two new segments.
const PACE: Duration = Duration::from_millis(20);
/// Segments under way.
const WINDOW: u32 = 32;
/// The first timeout (Linux: `TCP_RTO_MIN`) ...
const RTO_MIN: Duration = Duration::from_millis(200);
/// ... and the longest, `TCP_RTO_MAX` being 120 s: beyond this nothing is learnt.
const RTO_MAX: Duration = Duration::from_secs(30);

/// Both ends of a transfer.
pub(crate) struct Transfer {
    pub(crate) from: usize,
    pub(crate) to: usize,
    segments: u32,
    // the sender
    next_new: u32,
    acknowledged: u32,
    duplicates: u32,
    new_at: Instant,
    retransmit_at: Option<Instant>,
    rto: Duration,
    given_up: bool,
    // the receiver
    expected: u32,
    early: BTreeSet<u32>,
    progress_at: Instant,
    /// The longest time without progress, and when it ended.
    pub(crate) longest: (Duration, Instant),
    /// When all was there.
    pub(crate) done_at: Option<Instant>,
    pub(crate) began_at: Instant,
}

impl Transfer {
    pub(crate) fn new(from: usize, to: usize, bytes: u32, now: Instant) -> Self {
        Self {
            from,
            to,
            segments: bytes.div_ceil(SEGMENT).max(1),
            next_new: 0,
            acknowledged: 0,
            duplicates: 0,
            new_at: now,
            retransmit_at: None,
            rto: RTO_MIN,
            given_up: false,
            expected: 0,
            early: BTreeSet::new(),
            progress_at: now,
            longest: (Duration::ZERO, now),
            done_at: None,
            began_at: now,
        }
    }

    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Whether all is there, or nobody waits for it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.given_up || self.done_at.is_some()
    }

    /// The longest time without progress up to now.
    pub(crate) fn longest_stall(&self, now: Instant) -> Duration {
        if self.is_over() { self.longest.0 } else { self.longest.0.max(now.since(self.progress_at)) }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        if self.given_up || self.acknowledged >= self.segments {
            return None;
        }
        let new = self.may_send_new().then_some(self.new_at);
        new.into_iter().chain(self.retransmit_at).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if self.given_up {
            return Vec::new();
        }
        let mut payloads = Vec::new();
        if self.retransmit_at.is_some_and(|at| at <= now) {
            payloads.extend((self.acknowledged..self.next_new).map(payload));
            self.rto = (self.rto * 2).min(RTO_MAX);
            self.retransmit_at = Some(now + self.rto);
        }
        if self.new_at <= now && self.may_send_new() {
            payloads.push(payload(self.next_new));
            self.next_new += 1;
            self.new_at = now + PACE;
            self.retransmit_at.get_or_insert(now + self.rto);
        }
        payloads
    }

    fn may_send_new(&self) -> bool {
        self.next_new < self.segments && self.next_new - self.acknowledged < WINDOW
    }

    /// At the receiver; the result is the acknowledgement.
    pub(crate) fn handle_segment(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
        let number = u32::from_be_bytes(*payload.first_chunk()?);
        if number >= self.expected && number < self.expected.saturating_add(WINDOW) {
            self.early.insert(number);
        }
        let before = self.expected;
        while self.early.remove(&self.expected) {
            self.expected += 1;
        }
        if self.expected > before && self.done_at.is_none() {
            let stall = now.since(self.progress_at);
            if stall > self.longest.0 {
                self.longest = (stall, now);
            }
            self.progress_at = now;
            if self.expected >= self.segments {
                self.done_at = Some(now);
            }
        }
        Some(self.expected.to_be_bytes().to_vec())
    }

    /// At the sender.
    pub(crate) fn handle_acknowledgement(&mut self, payload: &[u8], now: Instant) {
        let Some(number) = payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)) else { return };
        if number > self.acknowledged && number <= self.next_new {
            self.acknowledged = number;
            self.duplicates = 0;
            self.rto = RTO_MIN;
            self.retransmit_at = (self.acknowledged < self.next_new).then_some(now + self.rto);
        } else if number == self.acknowledged && number < self.next_new {
            self.duplicates += 1;
            if self.duplicates == 3 {
                self.retransmit_at = Some(now);
            }
        }
    }
}

fn payload(number: u32) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(SEGMENT as usize, 0);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a transfer over a way that is away for a while.
    fn run(away: std::ops::Range<u64>) -> Transfer {
        let start = Instant::from_nanos(1_000_000_000);
        let mut transfer = Transfer::new(0, 1, 100_000, start);
        for ms in 0..60_000 {
            let now = start + Duration::from_millis(ms);
            if transfer.next_timeout().is_none_or(|at| at > now) {
                continue;
            }
            for payload in transfer.handle_timeout(now) {
                if !away.contains(&ms) {
                    let answer = transfer.handle_segment(&payload, now).unwrap();
                    transfer.handle_acknowledgement(&answer, now);
                }
            }
        }
        transfer
    }

    #[test]
    fn all_arrives_and_the_longest_stall_is_that_of_the_way() {
        let whole = run(0..0);
        assert!(whole.done_at.is_some() && whole.longest.0 <= PACE * 2, "{:?}", whole.longest);
        let cut = run(500..1500);
        assert!(cut.done_at.is_some());
        let (stall, _) = cut.longest;
        assert!(stall >= Duration::from_secs(1) && stall < Duration::from_secs(2), "{stall:?}");
    }
}
