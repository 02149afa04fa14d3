//! The fast half that receives: one key, one replay window. It does not check whose packet it opened.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use wattle_keys::NodePublic;

use crate::message::{DATA, HEADER_LENGTH, OVERHEAD};
use crate::replay::ReplayWindow;
use crate::sealer::nonce;

/// Opens messages of one peer with the keys of one session. Any number of threads may use it.
pub struct Opener {
    key: LessSafeKey,
    peer: NodePublic,
    receiver_index: u32,
    window: ReplayWindow,
    closed: AtomicBool,
    received: AtomicU64,
    keepalives: AtomicU64,
    received_bytes: AtomicU64,
}

/// An opened message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Plain bytes, padding included, that now stand behind the header. Zero: a keepalive.
    pub length: usize,
    /// Nothing came with these keys before. Call [`crate::Tunnels::note_traffic`] at once: a responder may send from now on.
    pub first: bool,
}

/// Why a message was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a data message for this opener.
    #[error("not a data message for this session")]
    Malformed,
    /// The tag is wrong.
    #[error("the message does not authenticate")]
    Forged,
    /// The message is authentic, but its counter was seen before or is too far behind.
    #[error("the message is a replay or too old")]
    Replayed,
    /// The session is over.
    #[error("the session is over")]
    Expired,
}

impl Opener {
    pub(crate) fn new(key: &[u8; 32], peer: NodePublic, receiver_index: u32) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
        Some(Self {
            key,
            peer,
            receiver_index,
            window: ReplayWindow::new(),
            closed: AtomicBool::new(false),
            received: AtomicU64::new(0),
            keepalives: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
        })
    }

    /// Who sealed what this opens.
    pub fn peer(&self) -> &NodePublic {
        &self.peer
    }

    /// Opens a whole data message in place: the plain text stands behind its first [`HEADER_LENGTH`] bytes.
    pub fn open(&self, message: &mut [u8]) -> Result<Opened, OpenError> {
        if message.len() < OVERHEAD {
            return Err(OpenError::Malformed);
        }
        let message_length = message.len();
        let (header, sealed) = message.split_first_chunk_mut::<HEADER_LENGTH>().ok_or(OpenError::Malformed)?;
        let [t0, t1, t2, t3, i0, i1, i2, i3, counter @ ..] = *header;
        if [t0, t1, t2, t3] != DATA || u32::from_le_bytes([i0, i1, i2, i3]) != self.receiver_index {
            return Err(OpenError::Malformed);
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(OpenError::Expired);
        }
        let number = u64::from_le_bytes(counter);
        // A copy is opened too before it is refused: it proves the way it came, and costs no more than a forgery would.
        let plain = self.key.open_in_place(nonce(&counter), Aad::empty(), sealed).map_err(|_| OpenError::Forged)?;
        let length = plain.len();
        if !self.window.accept(number) {
            return Err(OpenError::Replayed);
        }
        if length == 0 {
            self.keepalives.fetch_add(1, Ordering::Relaxed);
        }
        self.received_bytes.fetch_add(message_length as u64, Ordering::Relaxed);
        Ok(Opened { length, first: self.received.fetch_add(1, Ordering::Relaxed) == 0 })
    }

    /// How many messages were opened.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How many of them were keepalives.
    pub(crate) fn keepalives(&self) -> u64 {
        self.keepalives.load(Ordering::Relaxed)
    }

    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    /// From now on nothing is opened.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener(from {}, index {:08x}, received {})", self.peer.short(), self.receiver_index, self.received())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SealError, Sealer, sealed_length};
    use proptest::prelude::*;

    fn pair() -> (Sealer, Opener) {
        let peer = NodePublic::from_bytes([1; 32]);
        (Sealer::new(&[7; 32], peer, 42).unwrap(), Opener::new(&[7; 32], peer, 42).unwrap())
    }

    fn sealed(sealer: &Sealer, plain: &[u8]) -> Vec<u8> {
        let mut message = vec![0xaa; sealed_length(plain.len())];
        message[HEADER_LENGTH..][..plain.len()].copy_from_slice(plain);
        let length = sealer.seal(&mut message, plain.len()).unwrap();
        assert_eq!(length, message.len());
        message
    }

    #[test]
    fn only_the_first_message_is_the_first() {
        let (sealer, opener) = pair();
        let opened = |plain| opener.open(&mut sealed(&sealer, plain)).unwrap();
        assert_eq!(opened(b"data"), Opened { length: 16, first: true });
        assert_eq!(opened(b""), Opened { length: 0, first: false });
        assert_eq!((opener.received(), opener.keepalives()), (2, 1));
        assert_eq!(opener.received_bytes(), sealer.sent_bytes());
    }

    #[test]
    fn a_closed_pair_does_nothing() {
        let (sealer, opener) = pair();
        let mut message = sealed(&sealer, b"late");
        sealer.close();
        opener.close();
        assert_eq!(opener.open(&mut message), Err(OpenError::Expired));
        assert_eq!(sealer.seal(&mut [0; 64], 4), Err(SealError::Expired));
    }

    #[test]
    fn a_run_seals_what_it_reserved_and_no_more() {
        let (sealer, opener) = pair();
        let mut run = sealer.run(2).unwrap();
        let other = sealed(&sealer, b"between");
        let mut messages = vec![other];
        for _ in 0..2 {
            let mut message = [0; 64];
            let length = run.seal(&mut message, 5).unwrap();
            messages.push(message[..length].to_vec());
        }
        assert_eq!(run.seal(&mut [0; 64], 5), Err(SealError::Expired));
        assert!(messages.iter_mut().all(|message| opener.open(message).is_ok()), "every counter is used once");
    }

    #[test]
    fn a_buffer_without_room_is_refused() {
        let (sealer, _) = pair();
        assert_eq!(sealer.seal(&mut [0; 63], 17), Err(SealError::NoRoom));
        assert_eq!(sealer.seal(&mut [], 0), Err(SealError::NoRoom));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_once(plain in proptest::collection::vec(any::<u8>(), 0..1500)) {
            let (sealer, opener) = pair();
            let message = sealed(&sealer, &plain);
            let mut copy = message.clone();
            let opened = opener.open(&mut copy).unwrap();
            let text = &copy[HEADER_LENGTH..][..opened.length];
            prop_assert_eq!(&text[..plain.len()], &plain[..]);
            prop_assert!(text[plain.len()..].iter().all(|&byte| byte == 0));
            prop_assert_eq!(opener.open(&mut message.clone()), Err(OpenError::Replayed));
        }

        #[test]
        fn every_flipped_bit_and_every_truncation_is_refused(plain in proptest::collection::vec(any::<u8>(), 0..100), flip: proptest::sample::Index) {
            let (sealer, opener) = pair();
            let message = sealed(&sealer, &plain);
            let mut bent = message.clone();
            let bit = flip.index(bent.len() * 8);
            bent[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(opener.open(&mut bent).is_err());
            for length in 0..message.len() {
                prop_assert!(opener.open(&mut message[..length].to_vec()).is_err());
            }
            prop_assert!(opener.open(&mut message.clone()).is_ok());
        }
    }
}
