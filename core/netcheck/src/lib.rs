//! What our own network is like: reachability, mapped addresses, nearest relay region.
//!
//! What it is: a STUN prober (RFC 8489 binding requests, in the dialect that DERP relays insist on) that asks relays of
//! several regions from the data socket, and from their answers knows our [`Report`], our own endpoints, and the home
//! region.
//! What it is not: a socket, a name resolver or an HTTP client. It asks the driver for those.
//!
//! How to drive it: call [`Netcheck::set_derp_map`] and [`Netcheck::set_local`], hand in answers, send
//! [`Out::transmits`] *from the socket that carries data* (the mapping learnt is that socket's), carry out
//! [`Out::events`], and call `handle_timeout` when `next_timeout` says so.
//!
//! Invariants: no timer runs while there is no traffic and a home region is known; the home region does not flap between
//! regions that are about as near; overlay addresses are never endpoints.
//!
//! Source of constants: tailscale `net/netcheck/netcheck.go`, `wgengine/magicsock/{magicsock,derp,endpoint_tracker}.go`.
#![forbid(unsafe_code)]

mod endpoints;
mod home;
pub mod limits;
mod netcheck;
mod out;
mod plan;
mod report;
mod resolved;
mod run;
pub mod timing;

pub use endpoints::LocalNetwork;
pub use netcheck::Netcheck;
pub use out::{Event, Out, Transmit};
pub use report::{PortMapping, Report};
