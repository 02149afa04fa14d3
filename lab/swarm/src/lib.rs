//! Many nodes against one coordination server.
//!
//! What it is: members of a tailnet that sign in, hold a map stream and report endpoints as a node does, with the same
//! session machine, but without tunnels: hundreds fit into one process. And a server of the project to try them on.
//! What it is not: a load generator for data, or a judge of times; its tests judge what every member sees in the end.
#![forbid(unsafe_code)]

mod member;
mod server;
mod swarm;

pub use member::{Frame, Member, View};
pub use server::Server;
pub use swarm::Swarm;
