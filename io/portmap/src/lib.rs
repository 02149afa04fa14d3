//! Keeps a UDP port mapped at the home router.
//!
//! **What it is.** The sockets, timers and HTTP of `wattle_portmap_core::Mapper`, in a task of its own.
//! **What it is not.** A decision about what to ask, or whom to believe: that is the machine's.
//!
//! **How to drive it.** [`Portmap::start`], then [`Portmap::set_gateway`] at each change of the network; read what becomes
//! of it from the receiver. [`Portmap::release`] at the end gives the mapping back.
//!
//! **Invariants.** All packets carry the mark that keeps them out of the tunnel. Every exchange with the router has a limit
//! in bytes and in time. Where sockets cannot be had there is no mapping, and nothing else suffers.
#![forbid(unsafe_code)]

mod exchange;
mod limits;
mod portmap;
mod sockets;
mod worker;

pub use portmap::{Portmap, Status};
pub use wattle_portmap_core::{Gateway, Mapping, Protocol, Protocols, Seen};
