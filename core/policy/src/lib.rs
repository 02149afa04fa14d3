//! Who may reach whom.
//!
//! **What it is.** The policy that people write, in the hosted service's language (HuJSON), checked with line and column
//! ([`language`]), and compiled over *classes* of nodes: a node's class says for each rule whether the node is one of its
//! sources and one of its targets. Two nodes see each other when some rule joins their classes: a few words of bits,
//! never a scan of rules. [`Roster`] keeps the nodes in the light of one policy and answers what each must obey and may
//! know: packet rules, SSH permits, capabilities, routes.
//!
//! **What it is not.** A store of nodes or users, and no opinion on how answers reach anybody (`wattle-coordinator`).
//!
//! **How to drive it.** [`Policy::parse`] or [`Policy::allow_all`], then [`Roster::with_nodes`]; [`Roster::insert`] and
//! [`Roster::remove`] as nodes come, change and go, which tell what that means to others ([`Shift`]); [`Class::sees`],
//! [`Roster::chunks_for`], [`Roster::routes_through`], [`Roster::ssh_for`] and [`Roster::attributes`] whenever asked. For
//! people: [`Roster::explain`], [`Roster::matrix`], [`difference`], [`Roster::run_tests`].
//!
//! **Invariants.** A policy never changes once made. Unknown users in rules match nobody and break nothing. Changing a
//! roster is like making it anew. Whoever is let in is visible.
#![forbid(unsafe_code)]

mod access;
mod address_set;
mod bits;
mod class;
mod explain;
pub mod hujson;
mod ip_set;
pub mod language;
pub mod limits;
mod matrix;
mod packets;
mod policy;
mod posture;
mod ranges;
mod roster;
mod routes;
mod rule;
mod selector;
mod ssh;
mod subject;
mod tag_owners;
#[cfg(test)]
mod tests;
mod trial;
mod words;

pub use access::{Access, RuleName};
pub use address_set::AddressSet;
pub use class::{Class, Shift};
pub use explain::{Explanation, Reason};
pub use language::{Problem, Problems};
pub use matrix::{Cell, Gain, Party, difference};
pub use packets::{Chunk, PacketCache, PacketRule, SourceList};
pub use policy::Policy;
pub use roster::Roster;
pub use ssh::SshPermit;
pub use subject::{Person, Subject, is_exit_route};
pub use trial::Failure;
