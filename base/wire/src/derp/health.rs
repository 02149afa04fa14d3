//! What a relay thinks is wrong with a connection, such as another one with the same key.

use super::frame::{FrameError, write_header};

/// Sent by a relay when the state of a connection changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health<'a> {
    /// What is wrong, for people; empty: nothing any more.
    pub problem: &'a str,
}

impl<'a> Health<'a> {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x14;

    /// Reads a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, FrameError> {
        let problem = std::str::from_utf8(body).map_err(|_| FrameError::NotText { kind: Self::TYPE })?;
        Ok(Self { problem })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, self.problem.len(), out);
        out.extend_from_slice(self.problem.as_bytes());
    }
}
