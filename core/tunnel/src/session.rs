//! Sessions of one peer: what is sent with, what may still arrive, and what waits for its first message.
//!
//! The paper 6.3 and wireguard-go `device/keypair.go` have the same three places. An initiator sends with a new session at once. A
//! responder keeps it as `next` until the first message proves that the initiator has the keys too.

use std::sync::Arc;

use wattle_keys::NodePublic;
use wattle_time::Instant;

use crate::limits::{REJECT_AFTER_MESSAGES, REJECT_AFTER_TIME};
use crate::noise::SessionKeys;
use crate::{Opener, Sealer};

/// One pair of keys.
pub(crate) struct Session {
    /// Our index: what messages to us carry.
    pub(crate) index: u32,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) opener: Arc<Opener>,
    /// Whether we asked for it: only the initiator renews by age, else both would.
    pub(crate) initiator: bool,
    pub(crate) born: Instant,
    keepalives_sent: u64,
    seen: Totals,
}

/// What a session carried, or what it carried since somebody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) sent: u64,
    pub(crate) sent_data: u64,
    pub(crate) received: u64,
    pub(crate) received_data: u64,
}

impl Session {
    /// `None` is excluded by the types of the keys.
    pub(crate) fn new(
        keys: &SessionKeys,
        peer: NodePublic,
        index: u32,
        their_index: u32,
        initiator: bool,
        now: Instant,
    ) -> Option<Self> {
        Some(Self {
            index,
            sealer: Arc::new(Sealer::new(&keys.seal, peer, their_index)?),
            opener: Arc::new(Opener::new(&keys.open, peer, index)?),
            initiator,
            born: now,
            keepalives_sent: 0,
            seen: Totals::default(),
        })
    }

    pub(crate) fn expires(&self) -> Instant {
        self.born + REJECT_AFTER_TIME
    }

    /// An empty message, or `None` when the session is over.
    pub(crate) fn keepalive(&mut self) -> Option<Vec<u8>> {
        let message = sealed(&self.sealer, &[])?;
        self.keepalives_sent += 1;
        Some(message)
    }

    /// What happened since the last look.
    pub(crate) fn look(&mut self) -> Totals {
        let sent = self.sealer.used().min(REJECT_AFTER_MESSAGES);
        // Keepalives first: one that arrives in between must not make data of nothing.
        let keepalives = self.opener.keepalives();
        let received = self.opener.received();
        let now = Totals {
            sent,
            sent_data: sent.saturating_sub(self.keepalives_sent),
            received,
            received_data: received.saturating_sub(keepalives),
        };
        let since = now.minus(self.seen);
        self.seen = now;
        since
    }

    /// Both halves stop.
    pub(crate) fn close(&self) {
        self.sealer.close();
        self.opener.close();
    }
}

impl Totals {
    fn minus(self, earlier: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(earlier.sent),
            sent_data: self.sent_data.saturating_sub(earlier.sent_data),
            received: self.received.saturating_sub(earlier.received),
            received_data: self.received_data.saturating_sub(earlier.received_data),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent.saturating_add(other.sent),
            sent_data: self.sent_data.saturating_add(other.sent_data),
            received: self.received.saturating_add(other.received),
            received_data: self.received_data.saturating_add(other.received_data),
        }
    }
}

/// A whole data message that carries `packet`, made by the slow half.
pub(crate) fn sealed(sealer: &Sealer, packet: &[u8]) -> Option<Vec<u8>> {
    let mut message = vec![0; crate::sealed_length(packet.len())];
    message.get_mut(crate::HEADER_LENGTH..)?.get_mut(..packet.len())?.copy_from_slice(packet);
    sealer.seal(&mut message, packet.len()).ok()?;
    Some(message)
}

/// The sessions of one peer.
#[derive(Default)]
pub(crate) struct Sessions {
    previous: Option<Session>,
    current: Option<Session>,
    next: Option<Session>,
}

/// Sessions that were replaced: at most two.
pub(crate) type Retired = [Option<Session>; 2];

impl Sessions {
    /// What is sent with.
    pub(crate) fn current(&mut self) -> Option<&mut Session> {
        self.current.as_mut()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Session> {
        [&self.previous, &self.current, &self.next].into_iter().flatten()
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        [&mut self.previous, &mut self.current, &mut self.next].into_iter().flatten()
    }

    /// We asked and were answered: send with it from now on.
    pub(crate) fn begin_as_initiator(&mut self, session: Session) -> Retired {
        let replaced = self.current.replace(session);
        match self.next.take() {
            // The peer asked at the same time. What it sends with those keys must still be opened.
            Some(next) => [self.previous.replace(next), replaced],
            None => [std::mem::replace(&mut self.previous, replaced), None],
        }
    }

    /// We answered: open with it, and wait for proof.
    pub(crate) fn begin_as_responder(&mut self, session: Session) -> Retired {
        [self.next.replace(session), self.previous.take()]
    }

    /// Moves the next session to the front if its first message has arrived.
    pub(crate) fn confirm(&mut self) -> Option<Retired> {
        let confirmed = self.next.take_if(|next| next.opener.received() > 0)?;
        let replaced = self.current.replace(confirmed);
        Some([std::mem::replace(&mut self.previous, replaced), None])
    }

    /// Takes out one session that is too old.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<Session> {
        let expired = |session: &mut Session| now >= session.expires();
        self.previous.take_if(expired).or_else(|| self.current.take_if(expired)).or_else(|| self.next.take_if(expired))
    }

    /// Takes out all sessions.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = Session> + use<> {
        [self.previous.take(), self.current.take(), self.next.take()].into_iter().flatten()
    }
}
