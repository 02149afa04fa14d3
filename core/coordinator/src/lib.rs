//! The state of a tailnet.
//!
//! **What it is.** The coordination server's decisions, without IO: a [`Command`] is *decided* against the state
//! ([`Coordinator::decide`], which alters nothing and may refuse), the resulting [`Change`]s are committed by whoever
//! keeps them, then *applied* ([`Coordinator::apply`], which cannot fail); after that [`Coordinator::catch_up`] tells each
//! map stream what it has missed.
//!
//! **What it is not.** A server, a store or a wire format. It keeps nothing about a stream but its number: what a stream was
//! told ([`Told`]) is kept by the stream.
//!
//! **How to drive it.** Decide, commit what [`Change::is_durable`], apply, wake the streams. Call with [`Command::Tick`]
//! when [`Coordinator::next_timeout`] comes. For a group commit keep a clone and put it back when the commit fails.
//!
//! **Invariants.** What was refused changed nothing. A policy whose tests fail never comes into force. After a reload the state is the one before, but for what is hot
//! (who is connected, waiting registrations). Addresses, node numbers and names are unique; a number is never used again.
//! What a stream was told, taken together, is what a fresh map would say.
#![forbid(unsafe_code)]

mod addresses;
mod alarms;
mod apply;
mod capabilities;
mod change;
mod command;
mod config;
mod decide;
mod dice;
mod feed;
pub mod limits;
mod names;
mod record;
mod refusal;
mod routes;
mod snapshot;
mod state;
mod subject;
#[cfg(test)]
mod tests;
mod view;

pub use change::Change;
pub use command::{Command, Decision, NewAuthKey, NewPolicy, Register, Reply, Report, SshQuestion};
pub use config::{Config, Now};
pub use dice::Dice;
pub use feed::{FeedCache, Revision, Told, Update};
pub use record::{
    AuthId, AuthKey, AuthKeyId, NodeRecord, Pending, PolicyRevision, Presence, Reach, Settings, SshApproval, SshCheck,
    SshVerdict, Standing, StreamId, UserRecord,
};
pub use refusal::{Refusal, RefusalKind};
pub use routes::NodeRoutes;
pub use snapshot::{NextNumbers, Snapshot};
pub use state::{Coordinator, Entry};
pub use view::{PeerView, ShownPeer, TAGGED_DEVICES};
pub use wattle_policy::language::document::Role;
