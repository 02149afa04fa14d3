//! JSON in and out, for floors that know the messages but not serde.

use serde::{Deserialize, Serialize};

/// A text that is not the JSON it should be, or a value that JSON cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("not the expected JSON: {0}")]
pub struct JsonError(#[from] serde_json::Error);

/// Encodes a message.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, JsonError> {
    Ok(serde_json::to_vec(message)?)
}

/// Decodes a message.
pub fn decode<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, JsonError> {
    Ok(serde_json::from_slice(text)?)
}
