//! Whether the other side is still there: keepalives, pings and pongs.

use super::frame::{FrameError, write_header};

/// Sent by a relay every minute. It asks for no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive;

impl KeepAlive {
    /// The byte that names this frame.
    pub const TYPE: u8 = 0x06;

    /// Reads a body: there is nothing in it.
    pub fn decode(_body: &[u8]) -> Result<Self, FrameError> {
        Ok(Self)
    }

    /// Appends header and body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_header(Self::TYPE, 0, out);
    }
}

macro_rules! token_frame {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            /// What tells pings apart.
            pub token: [u8; 8],
        }

        impl $name {
            /// The byte that names this frame.
            pub const TYPE: u8 = $kind;

            /// Reads a body. What follows the token is for future use and ignored.
            pub fn decode(body: &[u8]) -> Result<Self, FrameError> {
                let (token, _future) = body.split_first_chunk().ok_or(FrameError::Short { kind: Self::TYPE })?;
                Ok(Self { token: *token })
            }

            /// Appends header and body to `out`.
            pub fn encode(&self, out: &mut Vec<u8>) {
                write_header(Self::TYPE, self.token.len(), out);
                out.extend_from_slice(&self.token);
            }
        }
    };
}

token_frame! {
    /// Asks the other side for a [`Pong`] with the same token. Both sides may send it.
    Ping, 0x12
}
token_frame! {
    /// Answers a [`Ping`].
    Pong, 0x13
}
