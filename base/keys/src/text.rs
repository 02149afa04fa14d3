//! Prefix and hex: how keys are written.

use std::fmt;

/// A text that is not the key it should be. It never quotes the text, which may be a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeyError {
    /// The text starts with another prefix.
    #[error("a key here starts with \"{expected}\"")]
    Prefix {
        /// The prefix that belongs here.
        expected: &'static str,
    },
    /// What follows the prefix is not 64 hex digits.
    #[error("a key is 64 hex digits after its prefix")]
    Hex,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(crate) fn write_hex(bytes: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

pub(crate) fn parse(text: &str, prefix: &'static str) -> Result<[u8; 32], ParseKeyError> {
    let hex = text.strip_prefix(prefix).ok_or(ParseKeyError::Prefix { expected: prefix })?;
    parse_hex(hex)
}

pub(crate) fn parse_hex(hex: &str) -> Result<[u8; 32], ParseKeyError> {
    let hex = hex.as_bytes();
    if hex.len() != 64 {
        return Err(ParseKeyError::Hex);
    }
    let mut bytes = [0u8; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

fn digit(byte: u8) -> Result<u8, ParseKeyError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(ParseKeyError::Hex),
    }
}
