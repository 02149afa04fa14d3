//! Who somebody is, as their identity provider says, and who is let in.
//!
//! **What it is:** the words in which providers, pages and the coordinator speak of people: [`IdentityKey`], [`Profile`];
//! the rules of a provider, [`Rules`]; the code that terminal and page both show, [`short_code`]; and a [`RateLimit`].
//! **What it is not:** a client of any provider (that is `wattle-provider`), nor a list of users (the coordinator's).
//! **How to drive it:** plain values and functions; time is handed in.
//! **Invariants:** a person is known by issuer and subject, never by e-mail; what a provider says is bounded before it is
//! kept; a rule that names nothing lets everybody in, one that names something lets in only that.
#![forbid(unsafe_code)]

mod code;
mod identity;
pub mod limits;
mod rate;
mod rules;

pub use code::short_code;
pub use identity::{IdentityKey, Profile};
pub use rate::RateLimit;
pub use rules::{NotAdmitted, Rules};
