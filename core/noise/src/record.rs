//! Records: what flows once the handshake is done. The nonce counts big-endian, unlike Noise's own transport messages.

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use zeroize::Zeroizing;

use crate::limits::{RECORD_PLAIN_MAX, RECORD_SEALED_MAX, SEALED_OVERHEAD, TAG_LENGTH};
use crate::message::{HEADER_LENGTH, TYPE_RECORD, header, read_header};

/// Seals what leaves.
pub struct RecordSealer {
    cipher: ChaCha20Poly1305,
    counter: Counter,
}

impl RecordSealer {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { cipher: cipher(key), counter: Counter::default() }
    }

    /// Appends `plain` to `out` as as many records as it needs, so that one write can carry them all.
    /// Nothing gives nothing: the empty record is legal but useless.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        let records = plain.len().div_ceil(RECORD_PLAIN_MAX);
        out.reserve(plain.len() + records * SEALED_OVERHEAD);
        for plain in plain.chunks(RECORD_PLAIN_MAX) {
            let nonce = self.counter.next()?;
            // A chunk and its tag are at most RECORD_SEALED_MAX, which fits 16 bits.
            out.extend_from_slice(&header(TYPE_RECORD, (plain.len() + TAG_LENGTH) as u16));
            let text_at = out.len();
            out.extend_from_slice(plain);
            let tag = self
                .cipher
                .encrypt_in_place_detached(&nonce, &[], &mut out[text_at..])
                .map_err(|_| RecordError::Exhausted)?;
            out.extend_from_slice(&tag);
        }
        Ok(())
    }
}

/// Opens what arrives, in order.
pub struct RecordOpener {
    cipher: ChaCha20Poly1305,
    counter: Counter,
    /// The first error. It stays: after it nothing that arrives can be trusted.
    broken: Option<RecordError>,
}

impl RecordOpener {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { cipher: cipher(key), counter: Counter::default(), broken: None }
    }

    /// Opens all whole records at the start of `input`, appends their text to `plain` and says how many bytes of
    /// `input` it used. The rest is the start of a record, less than [`crate::FRAME_MAX`] bytes: hand it in again
    /// with what follows.
    pub fn open(&mut self, input: &[u8], plain: &mut Vec<u8>) -> Result<usize, RecordError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let mut used = 0;
        loop {
            match self.open_one(input.get(used..).unwrap_or_default(), plain) {
                Ok(0) => return Ok(used),
                Ok(length) => used += length,
                Err(error) => {
                    self.broken = Some(error);
                    return Err(error);
                }
            }
        }
    }

    fn open_one(&mut self, input: &[u8], plain: &mut Vec<u8>) -> Result<usize, RecordError> {
        let Some((kind, length)) = read_header(input) else { return Ok(0) };
        if kind != TYPE_RECORD {
            return Err(RecordError::NotARecord);
        }
        if !(TAG_LENGTH..=RECORD_SEALED_MAX).contains(&length) {
            return Err(RecordError::Length);
        }
        let Some(sealed) = input.get(HEADER_LENGTH..HEADER_LENGTH + length) else { return Ok(0) };
        let (text, tag) = sealed.split_at(length - TAG_LENGTH);
        let nonce = self.counter.next()?;
        let text_at = plain.len();
        plain.extend_from_slice(text);
        let opened = self.cipher.decrypt_in_place_detached(&nonce, &[], &mut plain[text_at..], Tag::from_slice(tag));
        if opened.is_err() {
            plain.truncate(text_at);
            return Err(RecordError::NotGenuine);
        }
        Ok(HEADER_LENGTH + length)
    }
}

/// Why a channel ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Another message where a record belongs.
    #[error("the peer sent something that is not a record")]
    NotARecord,
    /// A record that is longer than the protocol allows, or too short to be sealed.
    #[error("the peer sent a record of an impossible length")]
    Length,
    /// Changed, replayed, reordered or not from the peer.
    #[error("a record is not genuine: it was changed, repeated or made by somebody else")]
    NotGenuine,
    /// 2^64 records.
    #[error("the channel has sent all the records it can")]
    Exhausted,
}

/// Counts records; a counter value is used once.
#[derive(Default)]
struct Counter(u64);

impl Counter {
    fn next(&mut self) -> Result<Nonce, RecordError> {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.0.to_be_bytes());
        self.0 = self.0.checked_add(1).ok_or(RecordError::Exhausted)?;
        Ok(Nonce::from(nonce))
    }
}

fn cipher(key: [u8; 32]) -> ChaCha20Poly1305 {
    let key = Zeroizing::new(key);
    ChaCha20Poly1305::new(Key::from_slice(key.as_slice()))
}

impl std::fmt::Debug for RecordSealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordSealer({} records sealed)", self.counter.0)
    }
}

impl std::fmt::Debug for RecordOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordOpener({} records opened)", self.counter.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (RecordSealer, RecordOpener) {
        (RecordSealer::new([7; 32]), RecordOpener::new([7; 32]))
    }

    fn sealed(sealer: &mut RecordSealer, plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        sealer.seal(plain, &mut out).unwrap();
        out
    }

    #[test]
    fn nonces_count_big_endian() {
        let (mut sealer, _) = pair();
        sealed(&mut sealer, b"first");
        let second = sealed(&mut sealer, b"second");
        let mut nonce = [0; 12];
        nonce[11] = 1;
        let cipher = ChaCha20Poly1305::new(&Key::from([7; 32]));
        let mut expected = b"second".to_vec();
        let tag = cipher.encrypt_in_place_detached(&Nonce::from(nonce), &[], &mut expected).unwrap();
        assert_eq!(second[HEADER_LENGTH..], [expected.as_slice(), tag.as_slice()].concat());
    }

    #[test]
    fn long_text_becomes_full_frames_in_one_buffer() {
        let (mut sealer, _) = pair();
        let out = sealed(&mut sealer, &vec![1; RECORD_PLAIN_MAX * 2 + 1]);
        assert_eq!(out.len(), 2 * crate::FRAME_MAX + SEALED_OVERHEAD + 1);
        assert_eq!(out[..3], header(TYPE_RECORD, 4093));
    }

    #[test]
    fn a_replayed_record_breaks_the_channel_for_good() {
        let (mut sealer, mut opener) = pair();
        let (first, second) = (sealed(&mut sealer, b"one"), sealed(&mut sealer, b"two"));
        let mut plain = Vec::new();
        assert_eq!(opener.open(&first, &mut plain), Ok(first.len()));
        assert_eq!(opener.open(&first, &mut plain), Err(RecordError::NotGenuine));
        assert_eq!(opener.open(&second, &mut plain), Err(RecordError::NotGenuine));
        assert_eq!(plain, b"one");
    }

    #[test]
    fn impossible_lengths_and_other_messages_are_refused_at_their_header() {
        for (start, expected) in [
            ([4, 0x0f, 0xfe], RecordError::Length),
            ([4, 0xff, 0xff], RecordError::Length),
            ([4, 0, 15], RecordError::Length),
            ([3, 0, 20], RecordError::NotARecord),
        ] {
            assert_eq!(pair().1.open(&start, &mut Vec::new()), Err(expected));
        }
    }

    #[test]
    fn an_empty_record_is_legal() {
        let (mut sealer, mut opener) = pair();
        let nonce = sealer.counter.next().unwrap();
        let tag = sealer.cipher.encrypt_in_place_detached(&nonce, &[], &mut []).unwrap();
        let record = [&header(TYPE_RECORD, 16)[..], &tag].concat();
        let mut plain = Vec::new();
        assert_eq!(opener.open(&record, &mut plain), Ok(record.len()));
        assert!(plain.is_empty());
    }

    #[test]
    fn the_counter_ends_rather_than_wraps() {
        let (mut sealer, _) = pair();
        sealer.counter.0 = u64::MAX;
        assert_eq!(sealer.seal(b"x", &mut Vec::new()), Err(RecordError::Exhausted));
    }

    proptest! {
        #[test]
        fn any_text_in_any_pieces_arrives(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9000), 0..4), piece in 1usize..5000) {
            let (mut sealer, mut opener) = pair();
            let mut wire = Vec::new();
            for text in &texts {
                sealer.seal(text, &mut wire).unwrap();
            }
            let (mut plain, mut pending) = (Vec::new(), Vec::new());
            for piece in wire.chunks(piece) {
                pending.extend_from_slice(piece);
                let used = opener.open(&pending, &mut plain).unwrap();
                pending.drain(..used);
                prop_assert!(pending.len() < crate::FRAME_MAX);
            }
            prop_assert!(pending.is_empty());
            prop_assert_eq!(plain, texts.concat());
        }

        #[test]
        fn a_changed_bit_never_opens(text in prop::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0u8..8) {
            let (mut sealer, mut opener) = pair();
            let mut wire = sealed(&mut sealer, &text);
            let at = at.index(wire.len());
            wire[at] ^= 1 << bit;
            let mut plain = Vec::new();
            // A longer length makes it wait for more; everything else is an error. Nothing comes out of either.
            prop_assert!(matches!(opener.open(&wire, &mut plain), Ok(0) | Err(_)));
            prop_assert!(plain.is_empty());
        }

        #[test]
        fn random_bytes_never_open(noise: Vec<u8>) {
            let mut plain = Vec::new();
            let _fails_or_waits = pair().1.open(&noise, &mut plain);
            prop_assert!(plain.is_empty());
        }
    }
}
