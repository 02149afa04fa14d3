//! How a peer gets a session: asking, asking again, being answered, answering. Every message here costs curve
//! arithmetic, so it runs in the slow half only and behind [`crate::admission`].

use std::time::Duration;

use rand_core::RngCore;
use wattle_time::Instant;

use crate::cookie::Cookie;
use crate::limits::{INITIATION_INTERVAL, REKEY_ATTEMPT_TIME, REKEY_JITTER_MS_MAX, REKEY_TIMEOUT};
use crate::message::{self, MACS_LENGTH};
use crate::noise::{Initiator, Responder};
use crate::peer::Peer;
use crate::session::Session;
use crate::timestamp::Timestamp;
use crate::tunnels::Ours;
use crate::{Out, Transmit, Way};

/// We are asking for a session.
pub(crate) struct Attempt {
    pub(crate) began: Instant,
    pub(crate) next_try: Instant,
    /// The initiation that is out, under our index.
    asked: Option<(u32, Initiator)>,
}

impl Peer {
    /// Asks for a session, unless that is already under way.
    pub(crate) fn begin_handshake(&mut self, ours: &mut Ours, now: Instant, out: &mut Out) {
        if self.attempt.is_some() {
            return;
        }
        // However often something asks for a handshake, initiations keep their distance.
        let next_try = self.last_asked.map_or(now, |last| now.max(last + REKEY_TIMEOUT));
        self.attempt = Some(Attempt { began: now, next_try, asked: None });
        self.continue_handshake(ours, now, out);
    }

    /// Sends the next initiation if it is time, or gives up.
    pub(crate) fn continue_handshake(&mut self, ours: &mut Ours, now: Instant, out: &mut Out) {
        let Some(attempt) = &self.attempt else { return };
        if now >= attempt.began + REKEY_ATTEMPT_TIME {
            self.give_up(ours, out);
        } else if now >= attempt.next_try && self.send_initiation(ours, now, out).is_none() {
            // Only a public key of small order gets here: no handshake with it can succeed.
            self.give_up(ours, out);
        }
    }

    fn send_initiation(&mut self, ours: &mut Ours, now: Instant, out: &mut Out) -> Option<()> {
        self.forget_asked(ours);
        let stamp = Timestamp::newer_than(self.last_stamp_sent, ours.wall(now));
        let seed = ours.seed();
        let (initiator, noise) = Initiator::begin(&ours.private, &self.key, &self.psk, &stamp, seed).ok()?;
        let index = ours.indices.allot(self.key, &mut ours.rng);
        let mut message = message::initiation(index, &noise);
        self.finish_message(&mut message, now);
        self.last_stamp_sent = stamp;
        self.last_asked = Some(now);
        let jitter = Duration::from_millis(ours.rng.next_u64() % REKEY_JITTER_MS_MAX);
        let attempt = self.attempt.as_mut()?;
        attempt.next_try = now + REKEY_TIMEOUT + jitter;
        attempt.asked = Some((index, initiator));
        out.transmits.push(Transmit { way: Way::Peer(self.key), message });
        Some(())
    }

    fn finish_message(&mut self, message: &mut Vec<u8>, now: Instant) {
        let cookie = self.cookie.as_ref().and_then(|cookie| cookie.valid(now));
        self.last_mac1 = Some(self.receiver_keys.finish(message, cookie));
    }

    /// Stops asking.
    pub(crate) fn abandon_attempt(&mut self, ours: &mut Ours) {
        self.forget_asked(ours);
        self.attempt = None;
    }

    fn forget_asked(&mut self, ours: &mut Ours) {
        if let Some((index, _)) = self.attempt.as_mut().and_then(|attempt| attempt.asked.take()) {
            ours.indices.free(index);
        }
    }

    /// Answers an initiation of this peer, which was read and is authentic.
    pub(crate) fn answer(&mut self, asked: Responder, their_index: u32, ours: &mut Ours, now: Instant, out: &mut Out) {
        if asked.timestamp <= self.newest_stamp {
            ours.counts.replayed += 1;
            return;
        }
        if self.last_answered.is_some_and(|last| now.since(last) < INITIATION_INTERVAL) {
            ours.counts.flooded += 1;
            return;
        }
        let stamp = asked.timestamp;
        let Ok((noise, keys)) = asked.answer(&self.psk) else {
            ours.counts.forged += 1;
            return;
        };
        let index = ours.indices.allot(self.key, &mut ours.rng);
        let Some(session) = Session::new(&keys, self.key, index, their_index, false, now) else { return };
        self.newest_stamp = stamp;
        self.last_answered = Some(now);
        let mut message = message::response(index, their_index, &noise);
        self.finish_message(&mut message, now);
        self.begin_session(session, ours, now, out);
        out.transmits.push(Transmit { way: Way::Back(Some(self.key)), message });
    }

    /// Takes the answer to our initiation.
    pub(crate) fn take_response(&mut self, response: &[u8], ours: &mut Ours, now: Instant, out: &mut Out) {
        let (their_index, our_index) = (message::index_at(response, 4), message::index_at(response, 8));
        let noise = response.get(12..).and_then(|rest| rest.split_last_chunk::<MACS_LENGTH>());
        let asked = self.attempt.as_mut().and_then(|attempt| attempt.asked.as_mut());
        let (Some(their_index), Some((noise, _)), Some((index, initiator))) = (their_index, noise, asked) else {
            ours.counts.unasked += 1;
            return;
        };
        if our_index != Some(*index) {
            ours.counts.unasked += 1;
            return;
        }
        let Ok(keys) = initiator.finish(noise) else {
            ours.counts.forged += 1;
            return;
        };
        let Some(session) = Session::new(&keys, self.key, *index, their_index, true, now) else { return };
        // The index lives on as the session's.
        self.attempt = None;
        self.begin_session(session, ours, now, out);
        self.open_with_first_message(ours, out);
    }

    /// Takes a cookie. The next initiation carries its MAC; it is not sent earlier, for the peer is under load.
    pub(crate) fn take_cookie(&mut self, reply: &[u8], ours: &mut Ours, now: Instant) {
        let cookie = self.last_mac1.and_then(|mac1| Cookie::open(reply, &mac1, &self.receiver_keys.cookie, now));
        match cookie {
            Some(cookie) => self.cookie = Some(cookie),
            None => ours.counts.forged += 1,
        }
    }
}
