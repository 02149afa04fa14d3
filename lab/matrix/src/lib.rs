//! Real nodes behind real NATs.
//!
//! What it is: the measurements behind `cargo xtask nat-matrix` (every pair of kinds of network: do they get through, how,
//! after how long) and `cargo xtask disturb` (what roaming, sleep, a rebooted router or a dead relay costs a transfer), on the
//! lab's networks, with our programs and the official client side by side.
//! What it is not: a simulation (that is `lab/world`); and it does not judge by what a client says of itself, but by what
//! its host's cable carries.
//!
//! How to drive it: [`Programs`], then [`matrix::run`] or [`disturb::run`].
//!
//! Invariants: traffic stays in the namespaces of the lab; every process ends with its guard; pairs are measured one after
//! the other, and whoever is not measured is idle.
#![forbid(unsafe_code)]

mod certificate;
pub mod disturb;
mod kind;
mod limits;
mod local_api;
pub mod matrix;
mod node;
mod pinger;
mod programs;
mod site;
mod transfer;

pub use kind::{Kind, kinds};
pub use node::{Client, Node};
pub use pinger::Pinger;
pub use programs::Programs;
pub use site::{Relays, Site};
pub use transfer::Transfer;
