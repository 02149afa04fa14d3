//! A relay as a machine.
//!
//! **What it is.** The DERP server, protocol version 2: logins, forwarding between clients by node key, bounded queues,
//! keepalives, peer-gone hints, admission; and a STUN responder. One region, one process: no mesh. Beside it
//! [`PeerRelay`], by which a node relays UDP for others of its network.
//! **What it is not.** HTTP, TLS, sockets, tasks or clocks: `wattle-relay-io` drives it.
//!
//! **How to drive it.** [`Relay::connect`] for a new stream; read into the stream's `FrameDecoder`, then
//! [`Relay::handle_stream`] and do what [`Next`] says; for every id in [`Out::wake`], [`Relay::drain`] and write until
//! it is empty; [`Relay::disconnect`] when the stream ends. Call [`Relay::handle_timeout`] by [`Relay::next_timeout`].
//!
//! **Invariants.** Nothing is forwarded from or to a connection that has not proved its key and been admitted. What one
//! client sends can cut only itself. No queue passes its limit in [`limits`]; a client that does not read
//! loses its oldest packets. Equal inputs and seed give equal outputs.
//!
//! Source of the protocol's facts: tailscale `derp/derp.go` and `derp/derpserver/derpserver.go`.
#![forbid(unsafe_code)]

mod admission;
mod bucket;
mod clients;
mod counters;
mod forward;
pub mod limits;
mod login;
mod peer_relay;
mod queue;
mod server;
pub mod stun;

pub use admission::{Admission, Question};
pub use clients::ClientId;
pub use counters::Counters;
pub use peer_relay::{ClientStatus, Pass, PeerRelay, PeerRelayCounters, Refusal, SessionStatus};
pub use server::{Config, CutReason, Drain, Full, Next, Out, Rate, Relay};
