//! 256 random bits: what a browser holds, and the hash that we keep of it.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// In hex. It does not print.
#[derive(Clone)]
pub(super) struct Secret(String);

/// What is kept of a secret: who reads it cannot come back with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint([u8; 32]);

impl Secret {
    pub(super) fn new() -> Result<Self, wattle_clock::NoRandomness> {
        Ok(Self(hex(&wattle_clock::seed()?)))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Compares without telling by the time it takes where the texts differ.
    pub(super) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Fingerprint {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Its beginning, to tell things apart that are few.
    pub(super) fn short(&self) -> String {
        hex(self.0.first_chunk::<6>().unwrap_or(&[0; 6]))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
