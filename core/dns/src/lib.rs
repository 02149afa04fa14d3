//! A resolver that answers names of nodes.
//!
//! What it is: what stands behind 100.100.100.100 inside the tunnel. [`Resolver`] is made from a map; it answers names
//! and addresses of nodes and extra records itself and says which upstream resolvers get everything else.
//! What it is not: a cache, a recursive resolver, or a socket. Forwarded queries go out as they came.
//! How to drive it: make a new one when the map changes; [`Resolver::answer`] takes a query's bytes. Command lines ask
//! [`Resolver::lookup`].
//! Invariants: any bytes may come in; a reply over UDP is never longer than the asker can take; no answer depends on
//! anything but the map and the query.
//!
//! Source for what is answered and how long it holds: tailscale `net/dns/resolver/tsdns.go` (`resolveLocal`,
//! `defaultTTL`, `negativeTTL`).
#![forbid(unsafe_code)]

mod limits;
mod message;
mod names;
mod resolver;
mod reverse;
mod upstream;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use resolver::{Answer, Resolver, Transport};

/// Where every node answers names for its own host.
pub const SERVICE_V4: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 100);
/// The same over IPv6.
pub const SERVICE_V6: Ipv6Addr = Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, 0x53);
