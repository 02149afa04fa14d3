//! The fast half that sends: one key, one atomic counter. It does not know when it gets too old; the slow half closes it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use wattle_keys::NodePublic;

use crate::limits::REJECT_AFTER_MESSAGES;
use crate::message::{DATA, HEADER_LENGTH, TAG_LENGTH, sealed_length};

/// Seals packets to one peer with the keys of one session. Any number of threads may use it.
pub struct Sealer {
    key: LessSafeKey,
    peer: NodePublic,
    /// The index the peer chose: it finds its opener by it.
    receiver_index: u32,
    /// The next unused counter. Closing moves it to the limit, so one load answers both questions.
    counter: AtomicU64,
    sent_bytes: AtomicU64,
}

/// Why a packet was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The session is over: the packet belongs to [`crate::Tunnels::send`].
    #[error("the session is over")]
    Expired,
    /// The buffer has no room for header, padding and tag.
    #[error("no room for header, padding and tag")]
    NoRoom,
}

impl Sealer {
    /// `None` when the key has not 32 bytes, which the caller's type excludes.
    pub(crate) fn new(key: &[u8; 32], peer: NodePublic, receiver_index: u32) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
        Some(Self { key, peer, receiver_index, counter: AtomicU64::new(0), sent_bytes: AtomicU64::new(0) })
    }

    /// To whom.
    pub fn peer(&self) -> &NodePublic {
        &self.peer
    }

    /// Seals the packet that stands behind a gap of [`HEADER_LENGTH`] bytes, in place, and returns how much of `message` to
    /// send. There must be room for [`sealed_length`] bytes.
    pub fn seal(&self, message: &mut [u8], plain_length: usize) -> Result<usize, SealError> {
        self.run(1)?.seal(message, plain_length)
    }

    /// Reserves counters for `count` packets at once: for the segments of a super-packet.
    pub fn run(&self, count: usize) -> Result<Run<'_>, SealError> {
        let count = count as u64;
        let next = self.counter.fetch_add(count, Ordering::Relaxed);
        let end = next.saturating_add(count);
        if end > REJECT_AFTER_MESSAGES {
            return Err(SealError::Expired);
        }
        Ok(Run { sealer: self, next, end, bytes: 0 })
    }

    /// How many counters were used.
    pub(crate) fn used(&self) -> u64 {
        self.counter.load(Ordering::Relaxed)
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// From now on nothing is sealed. A packet being sealed at this moment still goes out.
    pub(crate) fn close(&self) {
        self.counter.fetch_max(REJECT_AFTER_MESSAGES, Ordering::Relaxed);
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(to {}, index {:08x}, used {})", self.peer.short(), self.receiver_index, self.used())
    }
}

/// Counters reserved for a run of packets; those not used are never used.
#[derive(Debug)]
pub struct Run<'a> {
    sealer: &'a Sealer,
    next: u64,
    end: u64,
    bytes: u64,
}

impl Run<'_> {
    /// As [`Sealer::seal`], with the next counter of the run.
    pub fn seal(&mut self, message: &mut [u8], plain_length: usize) -> Result<usize, SealError> {
        if self.next == self.end {
            return Err(SealError::Expired);
        }
        let length = sealed_length(plain_length);
        let (header, rest) = message
            .get_mut(..length)
            .and_then(<[u8]>::split_first_chunk_mut::<HEADER_LENGTH>)
            .ok_or(SealError::NoRoom)?;
        let (text, tag_room) = rest.split_last_chunk_mut::<TAG_LENGTH>().ok_or(SealError::NoRoom)?;
        text.get_mut(plain_length..).ok_or(SealError::NoRoom)?.fill(0);
        let counter = self.next.to_le_bytes();
        let tag = self
            .sealer
            .key
            .seal_in_place_separate_tag(nonce(&counter), Aad::empty(), text)
            .map_err(|_| SealError::NoRoom)?;
        tag_room.copy_from_slice(tag.as_ref());
        header[..4].copy_from_slice(&DATA);
        header[4..8].copy_from_slice(&self.sealer.receiver_index.to_le_bytes());
        header[8..].copy_from_slice(&counter);
        self.next += 1;
        self.bytes += length as u64;
        Ok(length)
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // Once per run, not per packet.
        self.sealer.sent_bytes.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Four zero bytes, then the counter (paper 5.4.6).
pub(crate) fn nonce(counter: &[u8; 8]) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(counter);
    Nonce::assume_unique_for_key(bytes)
}
