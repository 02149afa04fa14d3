//! Random bytes from the system: cores are handed theirs from here.

use std::io;

/// 32 bytes that nobody can guess.
pub(crate) fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(seed)
}
