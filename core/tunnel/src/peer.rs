//! One peer as the slow half sees it: sessions, the handshake under way, packets that wait, and when to look again.

use std::collections::VecDeque;

use wattle_keys::NodePublic;
use wattle_time::Instant;

use crate::cookie::Cookie;
use crate::handshake::Attempt;
use crate::limits::{
    REKEY_AFTER_MESSAGES, REKEY_AFTER_TIME, REKEY_ATTEMPT_TIME, REKEY_ON_RECEIVE_AFTER, STAGED_BYTES_TOTAL,
    STAGED_PACKETS_PER_PEER, UNANSWERED_TIMEOUT,
};
use crate::mac::{ReceiverKeys, Tag};
use crate::noise::Psk;
use crate::session::{Retired, Session, Sessions, Totals, sealed};
use crate::timers::Timers;
use crate::timestamp::Timestamp;
use crate::tunnels::Ours;
use crate::{Event, Out, PeerStatus, SendError, Transmit, Way};

/// One peer.
pub(crate) struct Peer {
    pub(crate) key: NodePublic,
    pub(crate) psk: Psk,
    pub(crate) receiver_keys: ReceiverKeys,
    pub(crate) cookie: Option<Cookie>,
    /// Of the last handshake message we sent: a cookie reply must be to it.
    pub(crate) last_mac1: Option<Tag>,
    /// The newest stamp of an initiation that was answered.
    pub(crate) newest_stamp: Timestamp,
    pub(crate) last_stamp_sent: Timestamp,
    pub(crate) last_answered: Option<Instant>,
    pub(crate) last_asked: Option<Instant>,
    pub(crate) last_handshake: Option<Instant>,
    pub(crate) attempt: Option<Attempt>,
    sessions: Sessions,
    staged: VecDeque<Vec<u8>>,
    timers: Timers,
    /// When the counters of the fast halves were last read.
    counted_at: Option<Instant>,
    /// Bytes of sessions that are gone.
    sent_bytes: u64,
    received_bytes: u64,
    /// Where the peer stands in the schedule.
    pub(crate) scheduled: Option<(Instant, &'static str)>,
}

impl Peer {
    pub(crate) fn new(key: NodePublic) -> Self {
        Self {
            key,
            psk: Psk::new([0; 32]),
            receiver_keys: ReceiverKeys::new(&key),
            cookie: None,
            last_mac1: None,
            newest_stamp: Timestamp::OLDEST,
            last_stamp_sent: Timestamp::OLDEST,
            last_answered: None,
            last_asked: None,
            last_handshake: None,
            attempt: None,
            sessions: Sessions::default(),
            staged: VecDeque::new(),
            timers: Timers::default(),
            counted_at: None,
            sent_bytes: 0,
            received_bytes: 0,
            scheduled: None,
        }
    }

    /// Seals a packet now, or keeps it until there is a session.
    pub(crate) fn send(
        &mut self,
        packet: &[u8],
        ours: &mut Ours,
        now: Instant,
        out: &mut Out,
    ) -> Result<(), SendError> {
        self.look(ours, now, out);
        if let Some(message) = self.sessions.current().and_then(|session| sealed(&session.sealer, packet)) {
            out.transmits.push(Transmit { way: Way::Peer(self.key), message });
            self.look(ours, now, out);
            return Ok(());
        }
        let staged =
            if self.staged.len() >= STAGED_PACKETS_PER_PEER || ours.staged_bytes + packet.len() > STAGED_BYTES_TOTAL {
                Err(SendError::StagingFull)
            } else {
                ours.staged_bytes += packet.len();
                self.staged.push_back(packet.to_vec());
                Ok(())
            };
        self.begin_handshake(ours, now, out);
        staged
    }

    /// Looks at what the fast halves did and at the time, and does what follows.
    pub(crate) fn look(&mut self, ours: &mut Ours, now: Instant, out: &mut Out) {
        if let Some(retired) = self.sessions.confirm() {
            self.retire(retired, ours, out);
            self.abandon_attempt(ours);
            self.last_handshake = Some(now);
            self.announce_sealer(out);
            self.flush(ours, out);
        }
        let mut since = self.count(now);
        self.expire(ours, now, out);
        if self.timers.keepalive_due(now) {
            self.keepalive(out);
            // Counted now: at a later look it would pass for fresh traffic, and renew keys that nobody needs.
            since = since.plus(self.count(now));
        }
        let unanswered = self.timers.take_unanswered(now);
        if unanswered || self.should_renew(since, now) {
            self.begin_handshake(ours, now, out);
        }
        self.continue_handshake(ours, now, out);
    }

    /// Looks because something is due, not because of traffic. What the fast halves did within the second after their last
    /// report is still uncounted; when that is long ago it must not pass for traffic of now, and renew keys that nobody uses.
    pub(crate) fn look_when_due(&mut self, ours: &mut Ours, now: Instant, out: &mut Out) {
        if self.counted_at.is_some_and(|counted| now.since(counted) >= UNANSWERED_TIMEOUT) {
            let Totals { received, .. } = self.take_counts();
            // An answer is one, however late it is read.
            self.timers.observe(Totals { received, ..Totals::default() }, now);
        }
        self.look(ours, now, out);
    }

    /// Takes in what the fast halves did since the last time.
    fn count(&mut self, now: Instant) -> Totals {
        self.counted_at = Some(now);
        let since = self.take_counts();
        self.timers.observe(since, now);
        since
    }

    fn take_counts(&mut self) -> Totals {
        self.sessions.all_mut().map(Session::look).fold(Totals::default(), Totals::plus)
    }

    /// Whether traffic is on keys that should be replaced while they still work.
    fn should_renew(&mut self, since: Totals, now: Instant) -> bool {
        let Some(session) = self.sessions.current() else { return false };
        let age = now.since(session.born);
        let by_age = session.initiator
            && (since.sent > 0 && age >= REKEY_AFTER_TIME || since.received > 0 && age >= REKEY_ON_RECEIVE_AFTER);
        by_age || since.sent > 0 && session.sealer.used() > REKEY_AFTER_MESSAGES
    }

    /// Asks for a session in place of the one that there is.
    pub(crate) fn renew(&mut self, ours: &mut Ours, now: Instant, out: &mut Out) {
        self.look(ours, now, out);
        if self.sessions.current().is_some() {
            self.begin_handshake(ours, now, out);
        }
    }

    /// A session we asked for is complete.
    pub(crate) fn begin_session(&mut self, session: Session, ours: &mut Ours, now: Instant, out: &mut Out) {
        let opener =
            Event::OpenerReady { peer: self.key, receiver_index: session.index, opener: session.opener.clone() };
        let retired = if session.initiator {
            self.last_handshake = Some(now);
            self.sessions.begin_as_initiator(session)
        } else {
            self.sessions.begin_as_responder(session)
        };
        out.events.push(opener);
        self.retire(retired, ours, out);
    }

    /// The initiator's first message with a new session: it proves that the keys work, so there is always one.
    pub(crate) fn open_with_first_message(&mut self, ours: &mut Ours, out: &mut Out) {
        self.announce_sealer(out);
        if self.staged.is_empty() {
            self.keepalive(out);
        } else {
            self.flush(ours, out);
        }
    }

    fn announce_sealer(&mut self, out: &mut Out) {
        if let Some(session) = self.sessions.current() {
            out.events.push(Event::SealerReady { peer: self.key, sealer: session.sealer.clone() });
        }
    }

    fn keepalive(&mut self, out: &mut Out) {
        // Without a session there is nothing to keep alive, and no debt either.
        self.timers.settle();
        if let Some(message) = self.sessions.current().and_then(Session::keepalive) {
            out.transmits.push(Transmit { way: Way::Peer(self.key), message });
        }
    }

    fn flush(&mut self, ours: &mut Ours, out: &mut Out) {
        while let Some(packet) = self.staged.pop_front() {
            ours.staged_bytes = ours.staged_bytes.saturating_sub(packet.len());
            if let Some(message) = self.sessions.current().and_then(|session| sealed(&session.sealer, &packet)) {
                out.transmits.push(Transmit { way: Way::Peer(self.key), message });
            }
        }
    }

    /// Whether packets wait for a session.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.staged.is_empty()
    }

    /// The handshake had its time.
    pub(crate) fn give_up(&mut self, ours: &mut Ours, out: &mut Out) {
        self.abandon_attempt(ours);
        self.drop_staged(ours);
        out.events.push(Event::HandshakeFailed { peer: self.key });
    }

    fn drop_staged(&mut self, ours: &mut Ours) {
        for packet in self.staged.drain(..) {
            ours.staged_bytes = ours.staged_bytes.saturating_sub(packet.len());
        }
    }

    fn expire(&mut self, ours: &mut Ours, now: Instant, out: &mut Out) {
        let could_send = self.sessions.current().is_some();
        while let Some(session) = self.sessions.take_expired(now) {
            self.retire_one(session, ours, out);
        }
        if could_send && self.sessions.current().is_none() {
            out.events.push(Event::SealerGone { peer: self.key });
        }
    }

    /// Forgets all keys with the peer; what is staged stays.
    pub(crate) fn drop_sessions(&mut self, ours: &mut Ours, out: &mut Out) {
        if self.sessions.current().is_some() {
            out.events.push(Event::SealerGone { peer: self.key });
        }
        for session in self.sessions.take_all() {
            self.retire_one(session, ours, out);
        }
        self.timers = Timers::default();
    }

    /// The peer is removed.
    pub(crate) fn drop_everything(&mut self, ours: &mut Ours, out: &mut Out) {
        self.abandon_attempt(ours);
        self.drop_staged(ours);
        self.drop_sessions(ours, out);
    }

    fn retire(&mut self, retired: Retired, ours: &mut Ours, out: &mut Out) {
        for session in retired.into_iter().flatten() {
            self.retire_one(session, ours, out);
        }
    }

    fn retire_one(&mut self, session: Session, ours: &mut Ours, out: &mut Out) {
        session.close();
        ours.indices.free(session.index);
        self.sent_bytes = self.sent_bytes.saturating_add(session.sealer.sent_bytes());
        self.received_bytes = self.received_bytes.saturating_add(session.opener.received_bytes());
        out.events.push(Event::OpenerGone { peer: self.key, receiver_index: session.index });
    }

    /// When to look again, and why.
    pub(crate) fn next_look(&self) -> Option<(Instant, &'static str)> {
        let attempt = self
            .attempt
            .as_ref()
            .map(|attempt| (attempt.next_try.min(attempt.began + REKEY_ATTEMPT_TIME), "tunnel: handshake unanswered"));
        let expiry = self.sessions.all().map(|session| (session.expires(), "tunnel: session expires")).min();
        self.timers.next().into_iter().chain([attempt, expiry]).flatten().min()
    }

    pub(crate) fn status(&self) -> PeerStatus {
        let sent: u64 = self.sessions.all().map(|session| session.sealer.sent_bytes()).sum();
        let received: u64 = self.sessions.all().map(|session| session.opener.received_bytes()).sum();
        PeerStatus {
            last_handshake: self.last_handshake,
            sent_bytes: self.sent_bytes.saturating_add(sent),
            received_bytes: self.received_bytes.saturating_add(received),
        }
    }
}
