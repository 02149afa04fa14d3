//! The control channel: how a node and its coordination server know each other and speak in secret.
//!
//! **What it is:** `Noise_IK_25519_ChaChaPoly_BLAKE2s` with Tailscale's framing: the two handshake messages
//! ([`Initiator`], [`respond`]), the records after them ([`RecordSealer`], [`RecordOpener`]) and the [`early`] payload.
//! **What it is not:** a transport. It reads no socket, holds no clock and makes no randomness.
//! **How to drive it:** hand fresh random bytes to [`Initiator::new`] or [`respond`], carry the messages, then pass what
//! arrives to the opener and what shall leave through the sealer.
//! **Invariants:** a record that does not open ends the channel for good; no message makes it panic or allocate more
//! than its own length; a peer whose key agreement gives zeros is refused.
//!
//! Sources: tailscale `control/controlbase/{handshake,messages,conn}.go`, `control/ts2021/conn.go`.
#![forbid(unsafe_code)]

pub mod early;
mod handshake;
mod limits;
mod message;
mod primitives;
mod record;

pub use handshake::{Accepted, Channel, HandshakeError, Initiator, respond};
pub use limits::{FRAME_MAX, RECORD_PLAIN_MAX, SEALED_OVERHEAD};
pub use message::{INITIATION_LENGTH, RESPONSE_LENGTH, error_message, response_length};
pub use record::{RecordError, RecordOpener, RecordSealer};
