//! Drives a relay.
//!
//! **What it is.** [`RelayHandle`] holds the machine of `wattle-relay-core` behind one short lock; `serve_client` runs one
//! stream after its HTTP upgrade, [`serve_stun`] a UDP socket, and [`http::router`] the HTTP endpoints of a relay, so that
//! `wattle-relay` and `wattle-control` serve the same.
//! **What it is not.** Listening, TLS or process life: the programs do that.
//!
//! **How to drive it.** Make a handle, spawn [`RelayHandle::run_timers`], mount the router, spawn [`serve_stun`].
//!
//! **Invariants.** The lock is held for one batch of frames and never across an await. Each connection is one task; an
//! idle one keeps a small read buffer and no write buffer. A slow, silent or hostile client costs only itself.
#![forbid(unsafe_code)]

mod client;
mod handle;
pub mod http;
pub mod limits;
mod metrics;
mod place;
mod stun;
#[cfg(test)]
mod tests;

pub use handle::{RelayHandle, Verify};
pub use place::Place;
pub use stun::serve_stun;
pub use wattle_relay_core::{Admission, Config, Counters, CutReason, Rate};
