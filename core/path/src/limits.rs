//! How much a peer may make us remember or do.

use std::time::Duration;

/// Candidates of one peer. Tailscale prunes above 100 (`endpoint.go`, `numEndpointStates`-style pruning).
pub const CANDIDATES_MAX: usize = 100;

/// Endpoints taken from one map entry or one call. Hosts with many interfaces report a few dozen; each costs a ping.
pub const ENDPOINTS_MAX: usize = 64;

/// Pings of one peer that wait for an answer: one round over all candidates, heartbeats, and a few pings by people.
pub const PENDING_PINGS_MAX: usize = 160;

/// Peer relays that are asked for an allocation per peer. Each costs two messages over DERP.
pub const PEER_RELAYS_ASKED_MAX: usize = 8;

/// Handshakes with peer relays for one peer at once. A peer may ask us for more; each costs what follows.
pub const HANDSHAKES_MAX: usize = 8;

/// Addresses of a peer relay that are tried. Each is sent a few messages of 190 bytes, also when a peer has lied.
pub const PEER_RELAY_ADDRESSES_MAX: usize = 16;

/// Pings of the peer in one handshake (`relaymanager.go limitPings`): a ping that comes in causes one that goes out.
pub const HANDSHAKE_PINGS_MAX: usize = 10;

/// Peers that we may be doing allocations and handshakes for at once. The others come later.
pub const PEERS_AT_PEER_RELAYS_MAX: usize = 256;

/// Ways through peer relays to one peer that are remembered beside the best.
pub const PASSAGES_MAX: usize = 4;

/// Pings through one peer relay that wait for an answer: heartbeats that are late, and a few by people.
pub const PASSAGE_PINGS_MAX: usize = 10;

/// Peer relays that are remembered to carry nothing.
pub const PEER_RELAYS_REFUSED_MAX: usize = 8;

/// Nodes that may use one disco key. More than one is rare (several nodes in one process).
pub const NODES_PER_DISCO_KEY_MAX: usize = 64;

/// Calls of one peer that are heeded at once. A peer that moves calls twice within a round trip: with what it knew, and
/// with what it has found out since.
pub const CALLS_AT_ONCE_MAX: u32 = 4;

/// After those, one call of a peer is heeded in this time: each makes us send one ping per endpoint in it.
pub const CALL_INTERVAL_MIN: Duration = Duration::from_secs(1);
