//! The ways to a peer: candidates, checks, the best one, and the relay until there is one.
//!
//! What it is: ICE (RFC 8445) as Tailscale spells it. Each peer has candidates (from the map, from its calls, from where
//! it was heard), which are checked with disco pings; the best that answers is nominated. Until a nominated path has
//! *carried authenticated bytes* the relay stays in the [`Route`] beside it: an answered ping proves that pings pass, not
//! that data does (tailscale issue 19457).
//!
//! What it is not: a socket, a clock, a relay connection, or the finder of our own candidates (`wattle-netcheck`).
//! WireGuard sessions know nothing of paths: a route may change under them at any time.
//!
//! How to drive it: feed [`Paths`] with peers of the map, with disco packets, and with what the data path saw
//! (`note_outbound`, `note_inbound`); after each call send [`Out::transmits`] and publish each
//! [`Event::RouteChanged`]. Call `handle_timeout` when `next_timeout` says so.
//!
//! Invariants: a peer without traffic has no timers and no candidate state; a path that does not answer for
//! [`timing::TRUST`] has the relay beside it again; nothing a peer sends makes a table grow past [`limits`]; one seed
//! and one order of calls give the same bytes.
//!
//! Source of constants: tailscale `wgengine/magicsock/{magicsock,endpoint}.go`.
#![forbid(unsafe_code)]

mod address;
mod allowance;
mod best;
mod candidate;
mod challenger;
mod disco;
mod discovery;
mod explain;
mod families;
pub mod limits;
mod mtu;
mod out;
mod paths;
mod peer;
mod peer_relay;
mod relay;
mod score;
mod sealed;
pub mod timing;
mod way;

pub use explain::{BestExplanation, CandidateExplanation, Nets, PathExplanation, RelayExplanation};
pub use families::Families;
pub use mtu::SURE as MESSAGE_SURE;
pub use out::{Event, Out, PingError, PingId, ProofToken, Traffic, Transmit};
pub use paths::{Config, Paths, PeerRelays};
pub use peer::{CandidateStatus, PeerFacts, PeerStatus};
pub use way::{Destination, Hop, Large, Route, Source, Way};
