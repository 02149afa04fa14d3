//! The map of the network.
//!
//! What it is: plain values for everything a node is told about its network: itself, its peers, users, relays, names
//! and packet rules ([`Netmap`]), and what changed between two maps ([`Delta`]).
//! What it is not: a wire format (`wattle-wire` converts) or a decision about who may see whom (`wattle-policy`).
#![forbid(unsafe_code)]

mod delta;
mod derp;
mod dns;
mod map;
mod node;
mod prefix;
mod rules;
mod user;

pub use delta::{Delta, NodePatch};
pub use derp::{DerpMap, DerpNode, DerpRegion, RegionId, Score};
pub use dns::{DnsConfig, ExtraRecord, Resolver};
pub use map::Netmap;
pub use node::{Capability, Endpoint, EndpointKind, HostFacts, NetFacts, Node, NodeId, Service, StableId};
pub use prefix::{PortRange, Prefix, TAILNET_V4, TAILNET_V6, is_tailnet_address};
pub use rules::{CapGrant, FilterRule, RuleSource, RuleTarget};
pub use user::{User, UserId};
