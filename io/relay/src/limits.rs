//! Every bound of the relay's drivers, with its reason.

use std::time::Duration;

/// What a reader asks for while a client is quiet: a login or some disco packets.
pub const READ_BYTES_IDLE: usize = 2 << 10;
/// What a reader asks for while a client is busy: many packets with one read and one lock.
pub const READ_BYTES_BUSY: usize = 64 << 10;
/// After this pause buffers are given back.
pub const IDLE: Duration = Duration::from_secs(5);
/// A client that takes not one byte for so long is cut. The official relay waits 2 s for a packet; we write in larger
/// pieces.
pub const WRITE_STALL: Duration = Duration::from_secs(5);
/// How long admission may take (`derpserver.go verifyClient`).
pub const VERIFY_TIME: Duration = Duration::from_secs(5);
/// Largest STUN packet looked at; official requests are 40 bytes.
pub const STUN_BYTES: usize = 1500;
/// Names answered by `/bootstrap-dns`.
pub const BOOTSTRAP_NAMES: usize = 64;
/// How long their addresses are kept.
pub const BOOTSTRAP_AGE: Duration = Duration::from_secs(600);
/// How long all of them may take to be looked up.
pub const BOOTSTRAP_TIME: Duration = Duration::from_secs(5);
/// Longest challenge that `/generate_204` echoes (`derpserver/handler.go ServeNoContent`).
pub const CHALLENGE_BYTES: usize = 64;
/// Largest WebSocket message: some frames of the largest size.
pub const WEBSOCKET_MESSAGE_BYTES: usize = 1 << 20;
