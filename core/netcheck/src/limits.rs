//! How much a map or a network may make us remember or send.

/// Probes of one run. A map of 80 regions with three tries over two families stays below.
pub const PROBES_MAX: usize = 512;

/// Names of relays with their addresses: more than the nodes of any map in use.
pub const NAMES_MAX: usize = 256;

/// Addresses kept of one name.
pub const ADDRESSES_PER_NAME_MAX: usize = 8;

/// Addresses of local interfaces that are told to peers: each costs every peer a ping.
pub const LOCAL_ADDRESSES_MAX: usize = 24;

/// Endpoints seen a while ago that are still told, per address family (tailscale `endpoint_tracker.go`).
pub const RECENT_PER_FAMILY_MAX: usize = 6;

/// Reports that the choice of a home region looks back at. At one per 20 s, 5 minutes have 15.
pub const HISTORY_MAX: usize = 32;

/// Regions measured over HTTPS in one run: each is a TLS connection.
pub const HTTPS_REGIONS_MAX: usize = 8;
