//! The node as one machine.
//!
//! What it is: everything that a node decides, without IO: its standing with the coordination server (`wattle-session`),
//! its sessions (`wattle-tunnel`), the ways to its peers (`wattle-path`), its own network (`wattle-netcheck`), its relay
//! links, names and packet filter; and the two functions that the packet path runs on, [`outbound`] and [`inbound`].
//!
//! What it is not: a daemon. It has no socket, thread or clock.
//!
//! How to drive it: one owner, the slow half, calls [`Node`]'s methods and carries out what stands in [`Out`]. It
//! publishes [`Out::tables`] to the data threads, which run [`outbound`] on packets from the host and [`inbound`] on
//! datagrams, and hand what is not plain traffic back as [`Handoff`]s.
//!
//! Invariants: a change of the map touches only what it is about, and never drops a working session; tables are built
//! when something changed, never per packet; a peer costs a table entry until there is traffic with it.
#![forbid(unsafe_code)]

mod drops;
mod engine;
mod handoff;
mod inbound;
#[cfg(test)]
mod journeys;
mod limits;
mod node;
mod out;
mod outbound;
mod pings;
mod relays;
mod route;
mod service;
mod slots;
mod tables;

pub use drops::{DropReason, Drops};
pub use handoff::Handoff;
pub use inbound::{Origin, inbound};
pub use node::{Node, Now, PeerView, Preferences};
pub use out::{Event, Out, PingAnswer, PingFailure, PingKind, PingToken, SelfStatus};
pub use outbound::{Outgoing, outbound};
pub use route::Routes;
pub use slots::Slot;
pub use tables::{Activity, OpenerEntry, PeerEntry, Tables};
