//! Keyed and plain BLAKE2s as WireGuard uses it outside the handshake: the two MACs at the end of its messages.

use blake2::digest::{Digest, KeyInit, Mac, consts::U16};
use blake2::{Blake2s256, Blake2sMac};
use subtle::ConstantTimeEq;
use wattle_keys::NodePublic;

use crate::message::MACS_LENGTH;

pub(crate) type Tag = [u8; 16];

const LABEL_MAC1: &[u8; 8] = b"mac1----";
const LABEL_COOKIE: &[u8; 8] = b"cookie--";

/// `MAC(key, parts...)` of the paper: keyed BLAKE2s with 16 bytes of output.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> Tag {
    // Keys here have 16 or 32 bytes; BLAKE2s takes up to 32. A longer one would be a bug, and gives a tag nobody accepts.
    let Ok(mut state) = <Blake2sMac<U16> as KeyInit>::new_from_slice(key) else { return [0; 16] };
    for part in parts {
        state.update(part);
    }
    state.finalize().into_bytes().into()
}

/// The two keys that follow from the public key of a receiver. Kept, because they are asked for on every message.
#[derive(Clone)]
pub(crate) struct ReceiverKeys {
    mac1: [u8; 32],
    /// Seals cookies.
    pub(crate) cookie: [u8; 32],
}

impl ReceiverKeys {
    pub(crate) fn new(receiver: &NodePublic) -> Self {
        let labelled =
            |label: &[u8]| Blake2s256::new().chain_update(label).chain_update(receiver.as_bytes()).finalize().into();
        Self { mac1: labelled(LABEL_MAC1), cookie: labelled(LABEL_COOKIE) }
    }

    /// Ends a message with its MACs and returns the first, by which a cookie reply names it.
    pub(crate) fn finish(&self, message: &mut Vec<u8>, cookie: Option<&Tag>) -> Tag {
        let mac1 = mac(&self.mac1, &[message]);
        message.extend_from_slice(&mac1);
        let mac2 = cookie.map_or([0; 16], |cookie| mac(cookie, &[message]));
        message.extend_from_slice(&mac2);
        mac1
    }

    /// Whether the first MAC of a whole message is right.
    pub(crate) fn verify(&self, message: &[u8]) -> bool {
        Macs::of(message).is_some_and(|macs| mac(&self.mac1, &[macs.before_mac1]).ct_eq(macs.mac1).into())
    }
}

/// Whether the second MAC of a whole message was made with this cookie.
pub(crate) fn verify_mac2(cookie: &Tag, message: &[u8]) -> bool {
    Macs::of(message).is_some_and(|macs| mac(cookie, &[macs.before_mac1, macs.mac1]).ct_eq(macs.mac2).into())
}

/// A message, cut at its MACs.
pub(crate) struct Macs<'a> {
    before_mac1: &'a [u8],
    pub(crate) mac1: &'a Tag,
    mac2: &'a Tag,
}

impl<'a> Macs<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Option<Self> {
        let (before_mac1, macs) = message.split_last_chunk::<MACS_LENGTH>()?;
        let (mac1, mac2) = macs.split_first_chunk::<16>()?;
        Some(Self { before_mac1, mac1, mac2: mac2.first_chunk()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_hold_for_their_receiver_and_their_cookie_only() {
        let keys = ReceiverKeys::new(&NodePublic::from_bytes([1; 32]));
        let other = ReceiverKeys::new(&NodePublic::from_bytes([2; 32]));
        let mut message = b"a handshake message".to_vec();
        keys.finish(&mut message, Some(&[9; 16]));
        assert!(keys.verify(&message) && !other.verify(&message));
        assert!(verify_mac2(&[9; 16], &message) && !verify_mac2(&[8; 16], &message));
        for at in 0..message.len() - 16 {
            let mut bent = message.clone();
            bent[at] ^= 1;
            assert!(!keys.verify(&bent) && !verify_mac2(&[9; 16], &bent));
        }
        assert!(!keys.verify(&message[..31]));
    }
}
