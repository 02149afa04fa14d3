//! What two disco keys share, computed once per peer: doing it per packet would cost a curve multiplication each.

use crypto_box::SalsaBox;

use crate::sealed_box::{self, NONCE_LENGTH, OpenError};
use crate::{DiscoPrivate, DiscoPublic};

/// The precomputed box between our disco key and a peer's.
pub struct DiscoShared(SalsaBox);

impl DiscoShared {
    pub(crate) fn new(ours: &DiscoPrivate, theirs: &DiscoPublic) -> Self {
        Self(ours.boxed_with(theirs.as_bytes()))
    }

    /// Appends the sealed form of `plain` to `out`. The nonce must never repeat: hand in fresh random bytes.
    pub fn seal(&self, nonce: &[u8; NONCE_LENGTH], plain: &[u8], out: &mut Vec<u8>) {
        sealed_box::seal(&self.0, nonce, plain, out);
    }

    /// Opens what the peer sealed.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        sealed_box::open(&self.0, sealed)
    }
}

impl std::fmt::Debug for DiscoShared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DiscoShared(..)")
    }
}
