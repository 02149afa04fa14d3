//! The handshake with one relay: bind at all its addresses, answer the first challenge, then ping the peer through it
//! until a pong shows that the peer has done the same.

use std::net::SocketAddr;

use wattle_keys::{DiscoPublic, DiscoShared};
use wattle_time::Instant;
use wattle_wire::disco::{Allocation, CHALLENGE_LENGTH, Envelope, Handshake, Message, TransactionId};
use wattle_wire::geneve::{Header, Payload, Vni};

use super::{Around, Passage};
use crate::limits::{HANDSHAKE_PINGS_MAX, PEER_RELAY_ADDRESSES_MAX};
use crate::timing::{BIND_REPEATS, HANDSHAKE_MAX, HANDSHAKE_PING_INTERVAL};
use crate::{Way, address};

/// A handshake under way.
#[derive(Debug)]
pub(crate) struct Handshaking {
    allocation: Allocation,
    shared: DiscoShared,
    handshake: Handshake,
    started_at: Instant,
    ends_at: Instant,
    /// How often the binds were repeated.
    repeats: usize,
    /// Where the relay answered from.
    answered: Option<SocketAddr>,
    /// The peer's ping has come: the relay has had our answer.
    heard: bool,
    pings: Vec<(TransactionId, Instant)>,
    data_came: bool,
}

impl Handshaking {
    /// Binds at all addresses of the relay. `None` when it has none that we may send to.
    pub(super) fn begin(allocation: &Allocation, around: &mut Around<'_>) -> Option<Self> {
        let mut addresses: Vec<SocketAddr> =
            allocation.addresses.iter().filter_map(|one| address::candidate(*one)).collect();
        addresses.retain(|one| !address::is_ipv6_link_local(one));
        addresses.truncate(PEER_RELAY_ADDRESSES_MAX);
        if addresses.is_empty() {
            return None;
        }
        let handshake = Handshake {
            vni: allocation.vni,
            generation: around.disco.fresh_number(),
            remote: around.theirs,
            challenge: [0; CHALLENGE_LENGTH],
        };
        let lasts = allocation.bind_lifetime.min(HANDSHAKE_MAX);
        let this = Self {
            shared: around.disco.shared_with(&allocation.server),
            allocation: Allocation { addresses, ..allocation.clone() },
            handshake,
            started_at: around.now,
            ends_at: around.now + lasts,
            repeats: 0,
            answered: None,
            heard: false,
            pings: Vec::new(),
            data_came: false,
        };
        this.bind(around);
        Some(this)
    }

    pub(super) fn server(&self) -> DiscoPublic {
        self.allocation.server
    }

    pub(super) fn lamport_id(&self) -> u64 {
        self.allocation.lamport_id
    }

    pub(super) fn is_with(&self, server: &DiscoPublic, vni: Vni) -> bool {
        self.allocation.server == *server && self.allocation.vni == vni
    }

    /// Whether it has come so far that this will be its passage.
    pub(super) fn is(&self, server: SocketAddr, vni: Vni) -> bool {
        self.answered == Some(server) && self.allocation.vni == vni
    }

    /// Opens what the relay sealed.
    pub(crate) fn open(&self, envelope: &Envelope<'_>) -> Option<Message> {
        envelope.open(&self.shared).ok()
    }

    /// The first challenge is answered, and the peer pinged behind the answer.
    pub(super) fn handle_challenge(&mut self, from: SocketAddr, challenge: &Handshake, around: &mut Around<'_>) {
        let ours = Handshake { challenge: challenge.challenge, ..self.handshake };
        if self.answered.is_some() || *challenge != ours || !self.allocation.addresses.contains(&from) {
            return;
        }
        self.handshake = ours;
        self.answered = Some(from);
        self.ping(around);
    }

    /// The peer's ping came through the relay.
    pub(super) fn note_ping(&mut self, around: &mut Around<'_>) {
        self.heard = true;
        self.ping(around);
    }

    /// Authenticated bytes came through the relay.
    pub(super) fn note_data(&mut self) {
        self.data_came = true;
    }

    pub(super) fn sent_at(&self, transaction: TransactionId) -> Option<Instant> {
        self.pings.iter().find(|(sent, _)| *sent == transaction).map(|(_, at)| *at)
    }

    /// The peer has answered: the passage works.
    pub(super) fn conclude(self, transaction: TransactionId, now: Instant) -> Option<Passage> {
        let latency = now.since(self.sent_at(transaction)?);
        let server = self.answered?;
        let mut passage = Passage::new(server, self.allocation.vni, self.allocation.server, latency, now);
        if self.data_came {
            passage.note_data();
        }
        Some(passage)
    }

    /// Lets time pass. Returns whether there is still hope.
    pub(super) fn handle_timeout(&mut self, around: &mut Around<'_>) -> bool {
        if around.now >= self.ends_at {
            return false;
        }
        if around.now >= self.repeat_due() {
            if self.answered.is_some() {
                self.ping(around);
            } else {
                self.repeats += 1;
                self.bind(around);
            }
        }
        true
    }

    pub(super) fn next_due(&self) -> (Instant, &'static str) {
        (self.repeat_due().min(self.ends_at), "handshake with a peer relay")
    }

    /// When what was sent last is sent again; the end when it is not.
    fn repeat_due(&self) -> Instant {
        match self.pings.last() {
            Some((_, last)) if self.pings.len() < HANDSHAKE_PINGS_MAX => *last + HANDSHAKE_PING_INTERVAL,
            Some(_) => self.ends_at,
            None => BIND_REPEATS.get(self.repeats).map_or(self.ends_at, |after| self.started_at + *after),
        }
    }

    fn bind(&self, around: &mut Around<'_>) {
        for to in &self.allocation.addresses {
            self.write(*to, &Message::Bind(self.handshake), around);
        }
    }

    /// Pings the peer through the relay, behind our answer unless the relay is known to have it.
    fn ping(&mut self, around: &mut Around<'_>) {
        let Some(server) = self.answered.filter(|_| self.pings.len() < HANDSHAKE_PINGS_MAX) else { return };
        if !self.heard {
            self.write(server, &Message::Answer(self.handshake), around);
        }
        if let Some(transaction) = around.ping_peer(Way::PeerRelay { server, vni: self.allocation.vni }) {
            self.pings.push((transaction, around.now));
        }
    }

    fn write(&self, to: SocketAddr, message: &Message, around: &mut Around<'_>) {
        let header = Header { payload: Payload::Control, vni: self.allocation.vni };
        around.disco.write_to_server(&self.shared, header, Way::Udp(to), message, around.out);
    }
}
