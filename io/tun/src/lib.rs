//! The TUN device.
//!
//! What it is: one network interface of the host whose other end is this program: IP packets in, IP packets out.
//! What it is not: its addresses and routes (`wattle-host`), nor any thought about a packet.
//! How to drive it: [`Tun::create`], share it in an `Arc`. A reading thread calls [`Tun::recv`] once and then
//! [`Tun::try_recv`] until nothing waits: that is a batch, laid out in the caller's own buffer. [`Tun::send`] takes
//! one packet, from any thread.
//! Invariants: a read or write is one whole IP packet. After [`Tun::stop`] no thread stays blocked in [`Tun::recv`].
//! The interface vanishes when the last owner drops it, and its addresses and routes with it.
#![forbid(unsafe_code)]

mod error;
mod tun;

pub use error::TunError;
pub use tun::{MTU, Tun};
