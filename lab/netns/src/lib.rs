//! A small internet on one machine.
//!
//! What it is: hosts, routers and NATs in Linux network namespaces, on the real kernel, for tests and the demo:
//! a [`Lab`] has one public network; a [`Host`] stands on it or behind a [`Nat`]; programs run in a host as a
//! [`Process`] that ends with its guard.
//! What it is not: a simulation. Nothing here has virtual time, and it needs root, `ip` and `nft`.
//!
//! How to drive it: [`Lab::new`], then [`Lab::public_host`] and [`Lab::host_behind`], then [`Host::spawn`] and
//! [`Host::run`].
//!
//! Invariants: every namespace it makes is named after the process that made it and written down before it is made;
//! dropping the lab, also by a panic, removes them; a lab that was killed is swept up by the next one. It touches no
//! other namespace, and nothing in the machine's own.
#![forbid(unsafe_code)]

mod conditions;
mod error;
mod host;
mod lab;
mod nat;
mod port_mapping;
mod process;
mod registry;
mod router;
mod tools;
mod underlay;
mod wire;

pub use conditions::{Conditions, Direction, Traffic};
pub use error::LabError;
pub use host::{Host, Inside};
pub use lab::{Families, Lab};
pub use nat::{Nat, Six};
pub use port_mapping::PortMapping;
pub use process::Process;
pub use router::Router;
pub use underlay::{Seen, Underlay};
pub use wire::{Wire, WireConditions};
