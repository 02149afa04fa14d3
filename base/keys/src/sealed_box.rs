//! NaCl box (X25519, XSalsa20-Poly1305) with the nonce in front: how disco messages and the DERP login are sealed.

use crypto_box::SalsaBox;
use crypto_box::aead::{AeadInPlace, generic_array::GenericArray};

/// Bytes of the nonce that stands before the box.
pub const NONCE_LENGTH: usize = 24;
/// Bytes that sealing adds: the nonce and the tag.
pub const BOX_OVERHEAD: usize = NONCE_LENGTH + TAG_LENGTH;
const TAG_LENGTH: usize = 16;

/// The box was not made for us by the key it claims, or was changed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed box does not open with this pair of keys")]
pub struct OpenError;

/// Appends nonce, tag and ciphertext of `plain` to `out`.
pub(crate) fn seal(shared: &SalsaBox, nonce: &[u8; NONCE_LENGTH], plain: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(nonce);
    let tag_at = out.len();
    out.extend_from_slice(&[0; TAG_LENGTH]);
    let text_at = out.len();
    out.extend_from_slice(plain);
    let nonce = GenericArray::from_slice(nonce);
    // XSalsa20-Poly1305 fails only for messages that could not be held in memory.
    if let Ok(tag) = shared.encrypt_in_place_detached(nonce, &[], &mut out[text_at..]) {
        out[tag_at..text_at].copy_from_slice(&tag);
    }
}

/// Opens what [`seal`] made.
pub(crate) fn open(shared: &SalsaBox, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let (nonce, rest) = sealed.split_at_checked(NONCE_LENGTH).ok_or(OpenError)?;
    let (tag, text) = rest.split_at_checked(TAG_LENGTH).ok_or(OpenError)?;
    let mut plain = text.to_vec();
    shared
        .decrypt_in_place_detached(GenericArray::from_slice(nonce), &[], &mut plain, GenericArray::from_slice(tag))
        .map_err(|_| OpenError)?;
    Ok(plain)
}
