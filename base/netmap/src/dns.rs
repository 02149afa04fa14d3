//! Names: what a node's resolver is told.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// How names are resolved in this tailnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsConfig {
    /// Resolvers for everything that no route names.
    pub resolvers: Vec<Resolver>,
    /// Suffix (no dots at its ends, lowercase) to the resolvers for it. No resolvers: answered from the map itself.
    pub routes: BTreeMap<String, Vec<Resolver>>,
    /// Resolvers when a node must replace the system's but has none of the tailnet's.
    pub fallback_resolvers: Vec<Resolver>,
    /// Search domains; the first is the tailnet's own suffix when MagicDNS is on.
    pub domains: Vec<String>,
    /// Whether names of nodes are served (MagicDNS).
    pub proxied: bool,
    /// Names that this node can get certificates for.
    pub cert_domains: Vec<String>,
    /// Names that are answered although no node has them.
    pub extra_records: Vec<ExtraRecord>,
}

/// One upstream resolver.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resolver {
    /// An address, an address with port, or an `https://` URL.
    pub address: String,
    /// Addresses of the URL's host.
    pub bootstrap: Vec<IpAddr>,
    /// Keep using it while an exit node is in use.
    pub use_with_exit_node: bool,
}

/// An extra name. Only A and AAAA exist; an empty kind means the one that fits the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtraRecord {
    /// The full name, lowercase, without the last dot.
    pub name: String,
    /// `A`, `AAAA` or empty.
    pub kind: String,
    /// The value's text.
    pub value: String,
}
