//! What machines obey: packet rules, compiled by the coordination server from the policy that people write.

use std::net::IpAddr;

use crate::{Capability, PortRange, Prefix};

/// One rule of a packet filter: who may send what to where. What no rule allows is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterRule {
    /// Who.
    pub sources: Vec<RuleSource>,
    /// To where. Exclusive with `grants`.
    pub targets: Vec<RuleTarget>,
    /// IP protocol numbers; empty means TCP, UDP and ICMP.
    pub protocols: Vec<u8>,
    /// Capabilities that the sources have on destinations. Exclusive with `targets`.
    pub grants: Vec<CapGrant>,
}

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleSource {
    /// Everybody.
    Any,
    /// A prefix.
    Prefix(Prefix),
    /// Addresses from the first to the last, both included.
    Range(IpAddr, IpAddr),
    /// Every node that has this capability.
    HasCapability(String),
}

/// Where a rule allows packets to go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleTarget {
    /// Destination addresses ([`RuleSource::HasCapability`] never stands here).
    pub to: RuleSource,
    /// Destination ports.
    pub ports: PortRange,
}

/// Application capabilities on some destinations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapGrant {
    /// Destinations.
    pub to: Vec<Prefix>,
    /// What the sources may do there.
    pub capabilities: Vec<Capability>,
}
