//! Official clients against our programs.
//!
//! What it is: what the tests of this crate need to run our built programs and clients that nobody here wrote inside a
//! lab of network namespaces: [`Control`] and [`Member`] are ours, [`tools`] finds or builds theirs.
//! What it is not: a test of any crate from inside. Everything here is a process that is talked to as a person or another
//! machine would.
//! How to drive it: `cargo test -p wattle-interop`, as root. Programs of ours are taken from `WATTLE_PROGRAMS` or from
//! beside the test; clients from `WATTLE_TOOLS` (see [`tools`]). What is missing is said on standard error, and the
//! test that needs it passes without having tested anything.
//! Invariants: nothing leaves the lab's namespaces; every process ends with its guard.
#![forbid(unsafe_code)]

mod control;
mod logged;
mod member;
pub mod names;
mod patience;
mod talker;
pub mod tools;
pub mod web;

pub use control::Control;
pub use logged::{Logged, spawn_logged};
pub use member::Member;
pub use patience::eventually;
pub use talker::Talker;
pub use tools::have;
