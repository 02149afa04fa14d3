//! How a NAT behaves, in the words of RFC 4787.

use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::NAT_MAPPINGS;

/// On what of the other end a behaviour depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependence {
    /// Nothing: any other end will do.
    EndpointIndependent,
    /// Its address.
    AddressDependent,
    /// Its address and port.
    AddressAndPortDependent,
}

impl Dependence {
    /// What of the other end counts.
    pub(crate) fn reduce(self, end: SocketAddr) -> Option<SocketAddr> {
        match self {
            Self::EndpointIndependent => None,
            Self::AddressDependent => Some(SocketAddr::new(end.ip(), 0)),
            Self::AddressAndPortDependent => Some(end),
        }
    }
}

/// How a NAT behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// When the same inside endpoint gets the same outside port (section 4.1).
    pub mapping: Dependence,
    /// From whom packets are let in (section 5).
    pub filtering: Dependence,
    /// Whether and how hosts inside reach each other by outside addresses (section 6).
    pub hairpinning: Hairpinning,
    /// Which outside port a new mapping gets (section 4.2).
    pub ports: Ports,
    /// How long a mapping lives without packets (section 4.3). RFC 4787 wants 2 minutes at least; many give 30 seconds.
    pub lifetime: Duration,
    /// How long an end that was sent to is let in.
    pub filter_lifetime: Duration,
    /// Which packets make mappings live longer (section 4.3).
    pub refresh: Refresh,
    /// How many mappings there may be; more are refused.
    pub mappings_max: usize,
}

impl Behaviour {
    /// A behaviour without hairpinning that keeps mappings for 30 seconds after what goes out.
    pub const fn new(mapping: Dependence, filtering: Dependence) -> Self {
        let lifetime = Duration::from_secs(30);
        Self {
            mapping,
            filtering,
            hairpinning: Hairpinning::Off,
            ports: Ports::Scattered,
            lifetime,
            filter_lifetime: lifetime,
            refresh: Refresh::Outbound,
            mappings_max: NAT_MAPPINGS,
        }
    }
}

/// What becomes of packets from inside to an outside address of the same NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hairpinning {
    /// They are dropped.
    Off,
    /// They are turned around and come from the sender's outside endpoint, as RFC 4787 wants.
    ExternalSource,
    /// They are turned around and come from the sender's inside endpoint.
    InternalSource,
}

/// Which outside port a new mapping gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// The inside port where it is free; else a random one.
    Preserving,
    /// The inside port, although others use it, as long as they send to others ("port overloading").
    Overloading,
    /// Any.
    Random,
    /// The next after the last one.
    Sequential,
    /// Far from the last one, in an order that does not depend on chance.
    Scattered,
}

/// Which packets make mappings live longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// What goes out.
    Outbound,
    /// What goes out, and what is let in.
    Both,
}
