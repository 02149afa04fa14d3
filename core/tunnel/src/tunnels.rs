//! The slow half: all peers, one owner. It decides who has which keys; the fast halves use them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_keys::{NodePrivate, NodePublic};
use wattle_time::{Deadline, Instant, UnixTime};

use crate::admission::{Admission, Ruling};
use crate::cookie::CookieIssuer;
use crate::indices::Indices;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::mac::ReceiverKeys;
use crate::message::{self, Kind, MACS_LENGTH, OVERHEAD};
use crate::noise::{Psk, Responder};
use crate::peer::Peer;
use crate::{Counts, Event, Out, PeerStatus, SendError, Transmit, Way, classify};

/// The handshakes and timers of all peers.
pub struct Tunnels {
    ours: Ours,
    peers: BTreeMap<NodePublic, Peer>,
    /// Who wants to be looked at, and when: one entry per peer at most.
    schedule: BTreeSet<(Instant, NodePublic)>,
    admission: Admission,
    issuer: CookieIssuer,
}

/// What belongs to us and not to a peer; peers borrow it.
pub(crate) struct Ours {
    pub(crate) private: NodePrivate,
    public: NodePublic,
    receiver_keys: ReceiverKeys,
    pub(crate) rng: ChaCha20Rng,
    wall: (Instant, UnixTime),
    pub(crate) indices: Indices,
    pub(crate) staged_bytes: usize,
    pub(crate) counts: Counts,
}

impl Ours {
    pub(crate) fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    pub(crate) fn wall(&self, now: Instant) -> UnixTime {
        let (then, wall) = self.wall;
        wall.plus(now.since(then))
    }
}

impl Tunnels {
    /// No peers yet. `wall` goes into the stamps of initiations, which a peer wants to grow over our restarts.
    pub fn new(private: NodePrivate, seed: [u8; 32], now: Instant, wall: UnixTime) -> Self {
        let public = private.public();
        let mut ours = Ours {
            private,
            public,
            receiver_keys: ReceiverKeys::new(&public),
            rng: ChaCha20Rng::from_seed(seed),
            wall: (now, wall),
            indices: Indices::default(),
            staged_bytes: 0,
            counts: Counts::default(),
        };
        let issuer = CookieIssuer::new(ours.seed(), now);
        Self { ours, peers: BTreeMap::new(), schedule: BTreeSet::new(), admission: Admission::default(), issuer }
    }

    /// The wall clock was set, or the machine slept.
    pub fn set_wall_clock(&mut self, now: Instant, wall: UnixTime) {
        self.ours.wall = (now, wall);
    }

    /// Our key was renewed: every session and handshake with the old one ends. Peers with waiting packets are asked at once.
    pub fn set_private(&mut self, private: NodePrivate, now: Instant, out: &mut Out) {
        self.ours.public = private.public();
        self.ours.receiver_keys = ReceiverKeys::new(&self.ours.public);
        self.ours.private = private;
        let public = self.ours.public;
        self.remove_peer(&public, out);
        for peer in self.peers.values_mut() {
            peer.abandon_attempt(&mut self.ours);
            peer.drop_sessions(&mut self.ours, out);
            peer.cookie = None;
            peer.last_asked = None;
            if peer.is_waiting() {
                peer.begin_handshake(&mut self.ours, now, out);
            }
            reschedule(peer, &mut self.schedule);
        }
    }

    /// Our public key.
    pub const fn public(&self) -> NodePublic {
        self.ours.public
    }

    /// Adds a peer, or changes its preshared key (for the next handshake). Our own key is no peer.
    pub fn upsert_peer(&mut self, key: NodePublic, psk: Option<[u8; 32]>) {
        if key != self.ours.public {
            self.peers.entry(key).or_insert_with(|| Peer::new(key)).psk = Psk::new(psk.unwrap_or_default());
        }
    }

    /// Forgets a peer and its keys.
    pub fn remove_peer(&mut self, key: &NodePublic, out: &mut Out) {
        if let Some(mut peer) = self.peers.remove(key) {
            if let Some((when, _)) = peer.scheduled {
                self.schedule.remove(&(when, *key));
            }
            peer.drop_everything(&mut self.ours, out);
        }
    }

    /// Whether the key is a peer.
    pub fn has_peer(&self, key: &NodePublic) -> bool {
        self.peers.contains_key(key)
    }

    /// Takes a handshake message. `source` names where it came from, in bytes that differ for different senders.
    pub fn handle_message(&mut self, source: &[u8], message: &[u8], now: Instant, out: &mut Out) {
        match classify(message) {
            Some(Kind::Initiation) if self.admit(source, message, now, out) => {
                self.handle_initiation(message, now, out)
            }
            Some(Kind::Response) if self.admit(source, message, now, out) => {
                self.with_receiver(message, 8, out, |peer, ours, out| peer.take_response(message, ours, now, out));
            }
            Some(Kind::CookieReply) => {
                self.with_receiver(message, 4, out, |peer, ours, _| peer.take_cookie(message, ours, now));
            }
            Some(Kind::Initiation | Kind::Response) => {}
            Some(Kind::Data) | None => self.ours.counts.malformed += 1,
        }
    }

    /// Seals a packet for a peer, or keeps it and asks the peer for a session.
    pub fn send(&mut self, key: &NodePublic, packet: &[u8], now: Instant, out: &mut Out) -> Result<(), SendError> {
        if packet.len() + OVERHEAD > MESSAGE_BYTES_MAX {
            return Err(SendError::TooLarge);
        }
        let peer = self.peers.get_mut(key).ok_or(SendError::NoSuchPeer)?;
        let sent = peer.send(packet, &mut self.ours, now, out);
        reschedule(peer, &mut self.schedule);
        sent
    }

    /// There is news that the peer may have lost its keys: if we have a session with it, a new one is asked for at once,
    /// and the old one serves until it is there.
    pub fn renew(&mut self, key: &NodePublic, now: Instant, out: &mut Out) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.renew(&mut self.ours, now, out);
            reschedule(peer, &mut self.schedule);
        }
    }

    /// The fast halves carried something to or from this peer.
    pub fn note_traffic(&mut self, key: &NodePublic, now: Instant, out: &mut Out) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.look(&mut self.ours, now, out);
            reschedule(peer, &mut self.schedule);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Out) {
        // A look always moves its peer past `now`, so each is seen once.
        while let Some((_, key)) = self.schedule.first().copied().filter(|(when, _)| *when <= now) {
            self.schedule.pop_first();
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.scheduled = None;
                peer.look_when_due(&mut self.ours, now, out);
                reschedule(peer, &mut self.schedule);
            }
        }
    }

    /// When something is due next.
    pub fn next_timeout(&self) -> Option<Deadline> {
        let (_, key) = self.schedule.first()?;
        let (when, why) = self.peers.get(key)?.scheduled?;
        Some(Deadline::at(when, why))
    }

    /// One peer, for people.
    pub fn status(&self, key: &NodePublic) -> Option<PeerStatus> {
        self.peers.get(key).map(Peer::status)
    }

    /// What was refused.
    pub const fn counts(&self) -> &Counts {
        &self.ours.counts
    }

    /// Whether a handshake message is worth curve arithmetic; under load its sender is asked for a cookie.
    fn admit(&mut self, source: &[u8], message: &[u8], now: Instant, out: &mut Out) -> bool {
        if !self.ours.receiver_keys.verify(message) {
            self.ours.counts.wrong_mac += 1;
            return false;
        }
        if self.issuer.is_stale(now) {
            self.issuer = CookieIssuer::new(self.ours.seed(), now);
        }
        match self.admission.rule(source, now, || self.issuer.admits(source, message)) {
            Ruling::Admit => true,
            Ruling::AskForCookie => {
                let mut nonce = [0; 24];
                self.ours.rng.fill_bytes(&mut nonce);
                let reply = self.issuer.reply(source, message, &self.ours.receiver_keys.cookie, &nonce);
                out.transmits.extend(reply.map(|message| Transmit { way: Way::Back(None), message }));
                self.ours.counts.cookies_sent += 1;
                false
            }
            Ruling::Refuse => {
                self.ours.counts.over_limit += 1;
                false
            }
        }
    }

    fn handle_initiation(&mut self, initiation: &[u8], now: Instant, out: &mut Out) {
        let noise = initiation.get(8..).and_then(|rest| rest.split_last_chunk::<MACS_LENGTH>());
        let (Some(their_index), Some((noise, _))) = (message::index_at(initiation, 4), noise) else { return };
        let seed = self.ours.seed();
        let Ok(asked) = Responder::read(&self.ours.private, noise, seed) else {
            self.ours.counts.forged += 1;
            return;
        };
        let key = asked.peer;
        let Some(peer) = self.peers.get_mut(&key) else {
            self.ours.counts.unknown_peer += 1;
            out.events.push(Event::UnknownPeer { key });
            return;
        };
        peer.answer(asked, their_index, &mut self.ours, now, out);
        reschedule(peer, &mut self.schedule);
    }

    /// Finds the peer whose index a message carries at `at`.
    fn with_receiver(
        &mut self,
        message: &[u8],
        at: usize,
        out: &mut Out,
        take: impl FnOnce(&mut Peer, &mut Ours, &mut Out),
    ) {
        let key = message::index_at(message, at).and_then(|index| self.ours.indices.peer(index));
        match key.and_then(|key| self.peers.get_mut(&key)) {
            Some(peer) => {
                take(peer, &mut self.ours, out);
                reschedule(peer, &mut self.schedule);
            }
            None => self.ours.counts.unasked += 1,
        }
    }
}

impl fmt::Debug for Tunnels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tunnels(of {}, {} peers, {:?})", self.ours.public.short(), self.peers.len(), self.ours.counts)
    }
}

/// Moves a peer to its new place in the schedule.
fn reschedule(peer: &mut Peer, schedule: &mut BTreeSet<(Instant, NodePublic)>) {
    let next = peer.next_look();
    if peer.scheduled != next {
        if let Some((when, _)) = peer.scheduled {
            schedule.remove(&(when, peer.key));
        }
        if let Some((when, _)) = next {
            schedule.insert((when, peer.key));
        }
        peer.scheduled = next;
    }
}

#[cfg(test)]
mod tests;
