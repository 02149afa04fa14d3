//! Address prefixes and port ranges, and the ranges that tailnet addresses come from.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An IPv4 or IPv6 prefix.
pub type Prefix = IpNet;

/// Where IPv4 tailnet addresses come from (RFC 6598 space; tailscale `net/tsaddr`).
pub const TAILNET_V4: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::new(100, 64, 0, 0), 10);
/// Where IPv6 tailnet addresses come from (tailscale `net/tsaddr`).
pub const TAILNET_V6: Ipv6Net = Ipv6Net::new_assert(std::net::Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0), 48);

/// Whether an address lies in the ranges that tailnets use.
pub fn is_tailnet_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => TAILNET_V4.contains(&address),
        IpAddr::V6(address) => TAILNET_V6.contains(&address),
    }
}

/// Ports `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// Every port.
    pub const ANY: Self = Self { first: 0, last: u16::MAX };

    /// One port.
    pub const fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// Whether the port lies in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}
