//! Randomness from one seed: identifiers that nobody can guess, and that a repeated run makes again.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::record::AuthId;

/// The source of everything that must not be guessed.
#[derive(Debug)]
pub struct Dice(ChaCha20Rng);

/// 32 letters and digits that are hard to take for one another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyzACEF23479";

impl Dice {
    /// From a seed, which a server takes from the system.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A random text, five bits a character.
    pub(crate) fn text(&mut self, length: usize) -> String {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|byte| char::from(*byte)).collect()
    }

    /// A new name for a registration.
    pub(crate) fn auth_id(&mut self) -> AuthId {
        AuthId::from_random(self.text(AuthId::LENGTH))
    }
}
