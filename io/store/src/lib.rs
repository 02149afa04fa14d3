//! The coordinator's durable state.
//!
//! **What it is.** The durable [`wattle_coordinator::Change`]s in an SQLite file, and the server's machine key beside it.
//!
//! **What it is not.** A place of decisions, or of anything hot: those changes are skipped.
//!
//! **How to drive it.** [`Store::open`], [`Store::load`] once, then [`Store::commit`] for each batch of changes before
//! they are applied. [`Store::policy_history`] reads former policies. [`load_or_create_machine_key`] at the start.
//!
//! **Invariants.** A batch is committed whole or not at all, and when `commit` returns it survives the process and the
//! power. What `load` gives is what was committed. One process at a time holds the file.
#![forbid(unsafe_code)]

mod codec;
mod error;
mod history;
pub mod limits;
mod machine_key;
mod store;

pub use error::StoreError;
pub use history::{PolicyHistory, RevisionHead};
pub use machine_key::load_or_create_machine_key;
pub use store::Store;
