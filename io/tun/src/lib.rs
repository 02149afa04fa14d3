//! The TUN device.
//!
//! What it is: one network interface of the host whose other end is this program: IP packets in, IP packets out, with
//! the kernel's offloads: one read or write may be many packets of one flow.
//! What it is not: its addresses and routes (`wattle-host`), nor any thought about a packet.
//! How to drive it: [`Tun::create`], share it in an `Arc`. A reading thread calls [`Tun::recv`] once and then
//! [`Tun::try_recv`] until nothing waits, and cuts each read with `wattle_packet::SuperPacket`. [`Tun::send`] takes one
//! packet and [`Tun::send_run`] many, from any thread.
//! Invariants: a write is one or more whole IP packets. After [`Tun::stop`] no thread stays blocked in [`Tun::recv`].
//! The interface vanishes when the last owner drops it, and its addresses and routes with it.
#![forbid(unsafe_code)]

mod error;
mod tun;

pub use error::TunError;
pub use tun::{MTU, READ_BYTES_MAX, Tun};
