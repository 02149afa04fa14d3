//! A node's standing with its coordination server.
//!
//! What it is: signing in and out, keys that expire and are renewed, the map stream, and the reports of what changed on
//! our side; what to do when the server refuses, is slow, goes away or talks nonsense.
//!
//! What it is not: a connection. It says when one is wanted and what to ask; a driver dials, sends and brings answers.
//!
//! How to drive it: [`Session::start`] once, then every input as it comes. Carry out [`Out`] after each call. Dial once
//! for every [`Event::Connect`] and answer with [`Session::handle_connected`] or [`Session::handle_disconnected`].
//!
//! Invariants: a machine key never changes here; a node key becomes ours only when the server took it; at most one
//! stream, one registration and one report are on their way; losing the server loses nothing that we know.
//!
//! Source: tailscale `control/controlclient/{direct,auto,map}.go`.
#![forbid(unsafe_code)]

mod backoff;
mod feed;
mod limits;
mod login;
mod message;
mod out;
mod report;
mod session;

pub use login::{LoginOptions, Standing};
pub use out::{Event, Kind, Out, Request, RequestId, Response};
pub use report::HostReport;
pub use session::{Config, Session};
