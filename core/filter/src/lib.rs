//! Which packets may come in.
//!
//! What it is: the packet filter of a node. [`Filter`] is compiled from the rules that control sends and never changes;
//! [`Flows`] remembers what this node has sent, so that replies come in; [`check_inbound`] decides over one packet.
//! What it is not: a connection tracker (only UDP and SCTP replies are remembered; a TCP segment that does not open a
//! connection passes, the host answers it) and not the check that a source address belongs to a peer (the node does it).
//! How to drive it: compile a filter when rules, addresses or preferences change, or the map's nodes if a rule
//! [is about capabilities](Filter::is_about_capabilities), and publish it; call [`check_outbound`] and [`check_inbound`]
//! for each packet, from as many threads as you like.
//! Invariants: a decision takes no lock, allocates nothing, looks up no text, and costs a few searches however many
//! rules there are (`matcher` says which); memory grows with the rules, never with sources times targets; what no rule
//! allows is dropped; remembered flows take fixed memory, in which no peer displaces what peers with fewer flows use.
//!
//! Source of the order of checks: tailscale `wgengine/filter/filter.go` (`pre`, `runIn4`, `runIn6`, `runOut`).
#![forbid(unsafe_code)]

mod capability_table;
mod check;
mod filter;
mod flows;
mod grants;
mod known;
mod limits;
mod matcher;
mod nest;
mod packed;
mod ranges;
mod services;
mod sets;
mod sources;
mod steps;
mod verdict;

pub use capability_table::CapabilityTable;
pub use check::{check_inbound, check_outbound};
pub use filter::{Facts, Filter, FilterSize};
pub use flows::Flows;
pub use verdict::{DropReason, Verdict};
