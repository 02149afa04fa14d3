//! DERP: the relay protocol. Every frame is a type of its own; [`FrameDecoder`] cuts a byte stream into them.
//!
//! What it is not: a relay or a client. Neither knows here whether a frame may come at this moment.
//! Source: tailscale `derp/derp.go` (frame types and layouts).

mod decoder;
mod forward_packet;
mod frame;
mod health;
pub mod limits;
mod login;
mod mesh;
mod peer_gone;
mod peer_present;
mod ping;
mod preferred;
mod recv_packet;
mod restarting;
mod send_packet;
mod server_key;
mod welcome;

pub use decoder::FrameDecoder;
pub use forward_packet::ForwardPacket;
pub use frame::{Frame, FrameError, HEADER_LENGTH};
pub use health::Health;
pub use login::{ClientLogin, LoginError, LoginFacts};
pub use mesh::{ClosePeer, WatchConns};
pub use peer_gone::{PeerGone, PeerGoneReason};
pub use peer_present::{PeerPresent, PeerPresentFlags};
pub use ping::{KeepAlive, Ping, Pong};
pub use preferred::NotePreferred;
pub use recv_packet::{RecvPacket, recv_packet_header};
pub use restarting::Restarting;
pub use send_packet::{SendPacket, send_packet_header};
pub use server_key::{MAGIC, ServerKey};
pub use welcome::{ServerWelcome, WelcomeFacts};

/// The version that this crate speaks: received packets name their sender.
pub const PROTOCOL_VERSION: u32 = 2;

#[cfg(test)]
mod tests;
