//! Which relay is a client's home.

use super::frame::{FrameError, write_header};

/// Sent by a client: whether this relay is its home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotePreferred {
    /// Whether it is.
    pub preferred: bool,
}

impl NotePreferred {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x07;

    /// Reads a body.
    pub fn decode(body: &[u8]) -> Result<Self, FrameError> {
        let first = body.first().ok_or(FrameError::Short { kind: Self::TYPE })?;
        Ok(Self { preferred: *first != 0 })
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 1, out);
        out.push(u8::from(self.preferred));
    }
}
