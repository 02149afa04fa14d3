//! How much a peer may make us remember or do.

use std::time::Duration;

/// Candidates of one peer. Tailscale prunes above 100 (`endpoint.go`, `numEndpointStates`-style pruning).
pub const CANDIDATES_MAX: usize = 100;

/// Endpoints taken from one map entry or one call. Hosts with many interfaces report a few dozen; each costs a ping.
pub const ENDPOINTS_MAX: usize = 64;

/// Pings of one peer that wait for an answer: one round over all candidates, heartbeats, and a few pings by people.
pub const PENDING_PINGS_MAX: usize = 160;

/// Nodes that may use one disco key. More than one is rare (several nodes in one process).
pub const NODES_PER_DISCO_KEY_MAX: usize = 64;

/// Calls of one peer that are heeded at once. A peer that moves calls twice within a round trip: with what it knew, and
/// with what it has found out since.
pub const CALLS_AT_ONCE_MAX: u32 = 4;

/// After those, one call of a peer is heeded in this time: each makes us send one ping per endpoint in it.
pub const CALL_INTERVAL_MIN: Duration = Duration::from_secs(1);
