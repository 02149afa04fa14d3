//! Which packets may come in.
//!
//! What it is: the packet filter of a node. [`Filter`] is compiled from the rules that control sends and never changes;
//! [`Flows`] remembers what this node has sent, so that replies come in; [`check_inbound`] decides over one packet.
//! What it is not: a connection tracker (only UDP and SCTP replies are remembered; a TCP segment that does not open a
//! connection passes, the host answers it) and not the check that a source address belongs to a peer (the node does it).
//! How to drive it: compile a filter when rules, addresses or preferences change and publish it; call
//! [`check_outbound`] and [`check_inbound`] for each packet, from as many threads as you like.
//! Invariants: a decision takes no lock, allocates nothing and looks up no text; what no rule allows is dropped.
//!
//! Source of the order of checks: tailscale `wgengine/filter/filter.go` (`pre`, `runIn4`, `runIn6`, `runOut`).
#![forbid(unsafe_code)]

mod capability_table;
mod check;
mod filter;
mod flows;
mod grants;
mod limits;
mod matcher;
mod ranges;
mod verdict;

pub use capability_table::CapabilityTable;
pub use check::{check_inbound, check_outbound};
pub use filter::{Facts, Filter};
pub use flows::Flows;
pub use verdict::{DropReason, Verdict};
