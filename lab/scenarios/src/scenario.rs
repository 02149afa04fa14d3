//! A scenario: what the world looks like, who is in it, and what happens when. Plain values; `text` reads and writes
//! them, `generate` makes them from a seed.

mod generate;
mod text;

use std::time::Duration;

use wattle_world::Dependence;

pub use crate::transition::{Block, Direction, Expectation, RelayState, Spot, Step};
pub use text::ParseError;

/// A whole scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// What all chance comes from.
    pub seed: u64,
    /// Networks behind a NAT or a firewall, outer ones first.
    pub sites: Vec<Site>,
    /// The nodes, all of one tailnet.
    pub nodes: Vec<NodeSpec>,
    /// Relay regions, each with one relay that also answers STUN.
    pub relays: Vec<u16>,
    /// Who may reach whom at the start.
    pub policy: Access,
    /// Peers that are in the map and never run: they cost table entries only.
    pub idle_peers: usize,
    /// What happens, in order of time.
    pub steps: Vec<(Duration, Step)>,
    /// When it ends.
    pub until: Duration,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// For people.
    pub name: String,
    /// What stands between it and what it is in.
    pub edge: Edge,
    /// Whether IPv6 is routed, behind a firewall that lets only answers in.
    pub v6: bool,
    /// The site that it is in; `None`: the open internet.
    pub inside: Option<usize>,
}

/// What stands at the edge of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Addresses are translated.
    Nat(NatSpec),
    /// No translation; only answers come in.
    Firewall,
    /// No translation; UDP does not pass, relay connections do.
    Only443,
    /// IPv6 alone, without translation; only answers come in.
    Ipv6,
}

impl Site {
    /// Whether its hosts have IPv4 addresses, and whether they have IPv6 addresses.
    pub fn families(&self) -> (bool, bool) {
        (self.edge != Edge::Ipv6, self.v6 || self.edge == Edge::Ipv6)
    }
}

/// A NAT in the words of RFC 4787.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatSpec {
    /// When the same inside endpoint gets the same outside port.
    pub mapping: Dependence,
    /// From whom packets are let in.
    pub filtering: Dependence,
    /// How outside ports are chosen.
    pub ports: Ports,
    /// Whether hosts inside can reach each other by outside addresses.
    pub hairpin: bool,
    /// Whether it maps ports for those who ask.
    pub portmap: bool,
    /// How long a mapping lives without outbound packets.
    pub lifetime: Duration,
}

/// How a NAT chooses outside ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ports {
    /// The inside port where it is free.
    Keep,
    /// Any.
    #[default]
    Random,
    /// One after the other.
    Sequential,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// For people, and its host name.
    pub name: String,
    /// Where it is at the start.
    pub place: Place,
}

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the open internet.
    Open,
    /// In this site.
    In(usize),
}

/// Who may reach whom, by the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody everybody.
    #[default]
    All,
    /// These pairs, each from the first to the second.
    Pairs(Vec<(usize, usize)>),
}

impl Access {
    /// Whether one may send to the other unasked.
    pub fn allows(&self, from: usize, to: usize) -> bool {
        match self {
            Self::All => true,
            Self::Pairs(pairs) => pairs.contains(&(from, to)),
        }
    }
}

impl NatSpec {
    /// What most homes have.
    pub const HOME: Self = Self {
        mapping: Dependence::EndpointIndependent,
        filtering: Dependence::AddressAndPortDependent,
        ports: Ports::Random,
        hairpin: false,
        portmap: false,
        lifetime: Duration::from_secs(30),
    };
}
