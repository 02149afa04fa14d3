//! An internet in virtual time.
//!
//! What it is: hosts on the open internet or behind NATs (in the words of RFC 4787), datagrams between them with latency,
//! loss and blockades, reliable messages (what a relay connection gives), a clock that jumps from one event to the next,
//! and a [`Trace`] of all that happened. One seed gives one run.
//! What it is not: a kernel, or an emulation of bandwidth, queues and MTUs.
//!
//! How to drive it: make hosts, [`World::send`], and take arrivals out with [`World::next_arrival`], which moves the
//! clock.
//!
//! Invariants: the clock never goes back; arrivals of the same moment come in the order of their sending.
#![forbid(unsafe_code)]

mod conditions;
mod nat;
mod trace;
mod world;

pub use conditions::{Blockade, Conditions};
pub use nat::{Behaviour, Dependence, Nat};
pub use trace::{Fate, Trace};
pub use world::{Arrival, Cargo, HostId, SiteId, World};
