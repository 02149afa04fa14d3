//! Connections to coordination servers and relays, and the serving of them.
//!
//! **What it is:** dialling with TLS and without, the control channel as a byte stream on both sides ([`NoiseStream`],
//! [`accept_control`], [`serve_control`]), an HTTP server for axum routers ([`Server`]), and the client of a relay.
//! **What it is not:** a decision about what to say. `wattle-session` decides for a node, `wattle-coordinator` for a server.
//! **How to drive it:** everything is an async function or a stream; drop it to cut the connection.
//! **Invariants:** every wait has a limit and every buffer too, named in `limits.rs`; a peer that stalls, floods or talks
//! nonsense loses its own connection and nothing else.
#![forbid(unsafe_code)]

mod accept;
mod captive;
mod control;
mod dialer;
mod duplex;
mod error;
mod limits;
mod noise_stream;
mod random;
mod relay;
mod request;
mod serve;
mod server;
mod skip_head;
mod task;
mod tls;
mod url;
mod websocket;

pub use accept::{ControlStream, Refusal, Upgrade, accept_control};
pub use captive::{Witness, is_captive};
pub use control::{ControlClient, MapFrames, StreamReply};
pub use dialer::Dialer;
pub use duplex::{BoxedStream, Duplex};
pub use error::{DialError, RequestError};
pub use noise_stream::NoiseStream;
pub use relay::{RelayConnection, RelayError, RelayEvent, RelayOptions, RelayReader, RelayWriter, https_latency};
pub use request::Reply;
pub use serve::{Peer, serve_control};
pub use server::{ListenError, Server};
pub use tls::{ClientTls, SelfSignedPem, ServerIdentity, TlsError, Trust};
pub use url::ControlUrl;

#[cfg(test)]
mod tests;
