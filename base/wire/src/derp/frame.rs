//! Any frame, and how its header is written: one byte of type, four of body length.

use wattle_keys::NodePublic;

use crate::derp::{
    ClientLogin, ClosePeer, ForwardPacket, Health, KeepAlive, NotePreferred, PeerGone, PeerPresent, Ping, Pong,
    RecvPacket, Restarting, SendPacket, ServerKey, ServerWelcome, WatchConns,
};

/// Bytes before a frame's body.
pub const HEADER_LENGTH: usize = 5;
const KEY_LENGTH: usize = 32;

/// A stream that is not DERP, or not within its limits. The connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame says that it is longer than we take.
    #[error("a relay frame of type {kind:#04x} is {length} bytes long, and {limit} is the limit")]
    TooLong {
        /// Its type.
        kind: u8,
        /// What it says.
        length: usize,
        /// What we take.
        limit: usize,
    },
    /// A frame ends before what belongs into it.
    #[error("a relay frame of type {kind:#04x} is too short")]
    Short {
        /// Its type.
        kind: u8,
    },
    /// The first frame of a relay does not say that it is one.
    #[error("the other side does not speak DERP")]
    BadMagic,
    /// A text frame is not UTF-8.
    #[error("a relay frame of type {kind:#04x} is not text")]
    NotText {
        /// Its type.
        kind: u8,
    },
    /// A type that we do not know. [`crate::derp::FrameDecoder`] skips these.
    #[error("unknown type of relay frame {0:#04x}")]
    UnknownType(u8),
}

/// Declares [`Frame`]: one variant per frame type, and the way from a type byte to it.
macro_rules! frames {
    ($($(#[$doc:meta])* $name:ident $(<$life:lifetime>)?),+ $(,)?) => {
        /// Any frame of a known type. Packets and texts borrow from the buffer that was decoded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Frame<'a> {
            $($(#[$doc])* $name($name$(<$life>)?),)+
        }

        impl<'a> Frame<'a> {
            /// Reads a body whose header said that it is of type `kind`.
            pub fn decode(kind: u8, body: &'a [u8]) -> Result<Self, FrameError> {
                match kind {
                    $($name::TYPE => $name::decode(body).map(Self::$name),)+
                    unknown => Err(FrameError::UnknownType(unknown)),
                }
            }

            /// Whether a type byte is one of ours.
            pub const fn is_known(kind: u8) -> bool {
                matches!(kind, $($name::TYPE)|+)
            }

            /// Appends header and body to `out`.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$name(frame) => frame.encode(out),)+
                }
            }
        }

        $(impl<'a> From<$name$(<$life>)?> for Frame<'a> {
            fn from(frame: $name$(<$life>)?) -> Self {
                Self::$name(frame)
            }
        })+
    };
}

frames! {
    /// The relay's key.
    ServerKey,
    /// The client's key and sealed facts.
    ClientLogin<'a>,
    /// The relay's sealed facts.
    ServerWelcome<'a>,
    /// A packet to be relayed.
    SendPacket<'a>,
    /// A packet that was relayed.
    RecvPacket<'a>,
    /// The relay is still there.
    KeepAlive,
    /// Whether this relay is the client's home.
    NotePreferred,
    /// A peer cannot be reached here.
    PeerGone,
    /// A peer is connected here.
    PeerPresent,
    /// A packet from another relay of the region.
    ForwardPacket<'a>,
    /// A relay wants to be told who is connected.
    WatchConns,
    /// Close a peer's connection.
    ClosePeer,
    /// A question that a pong answers.
    Ping,
    /// The answer.
    Pong,
    /// What is wrong with this connection.
    Health<'a>,
    /// The relay goes down and comes back.
    Restarting,
}

/// Appends a header. Bodies beyond four GiB do not exist here: every caller's body is far below.
pub(super) fn write_header(kind: u8, length: usize, out: &mut Vec<u8>) {
    out.reserve(HEADER_LENGTH.saturating_add(length));
    out.extend_from_slice(&header(kind, length));
}

pub(super) fn header(kind: u8, length: usize) -> [u8; HEADER_LENGTH] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [kind, a, b, c, d]
}

/// Splits a header into type and body length.
pub(super) fn read_header(header: &[u8; HEADER_LENGTH]) -> (u8, usize) {
    let [kind, a, b, c, d] = *header;
    (kind, u32::from_be_bytes([a, b, c, d]) as usize)
}

/// Splits a key off the front of a body.
pub(super) fn split_key(kind: u8, body: &[u8]) -> Result<(NodePublic, &[u8]), FrameError> {
    let (key, rest) = body.split_first_chunk::<KEY_LENGTH>().ok_or(FrameError::Short { kind })?;
    Ok((NodePublic::from_bytes(*key), rest))
}
