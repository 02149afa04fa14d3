//! How much a peer may make us remember or do.

use std::time::Duration;

use crate::allowance::Rate;

/// Candidates of one peer. Tailscale prunes above 100 (`endpoint.go`, `numEndpointStates`-style pruning).
pub const CANDIDATES_MAX: usize = 100;

/// Endpoints taken from one map entry or one call. Hosts with many interfaces report a few dozen; each costs a ping.
pub const ENDPOINTS_MAX: usize = 64;

/// Of those, private ones. A node tells at most 24 of its own interfaces; more of them would be a scan of our network.
pub const PRIVATE_ENDPOINTS_MAX: usize = 24;

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

/// Sealed pings of one peer that wait for an answer.
pub const SEALED_PINGS_MAX: usize = 32;

/// Candidates that are tried with a sealed ping in one round: those that may be behind something that stops disco.
pub const SEALED_PER_ROUND_MAX: usize = 8;

/// Nodes that may use one disco key. More than one is rare (several nodes in one process).
pub const NODES_PER_DISCO_KEY_MAX: usize = 64;

/// Calls of one peer that are heeded at once, and one more in this time after that: each makes us send one ping per
/// endpoint in it. A peer that moves calls twice within a round trip: with what it knew, and with what it has found out.
pub(crate) const CALLS: Rate = Rate { at_once: 4, every: Duration::from_secs(1) };

/// Pings to addresses that a peer, or the map, named, to one peer: two full rounds at once, and then what the rounds of
/// a well-behaved peer need.
pub(crate) const PEER_PINGS: Rate = Rate { at_once: 200, every: Duration::from_millis(50) };

/// The same to all peers together: a thousand peers that come into use with eight endpoints each, and 1,000 a second, about
/// one megabit, in the long run. What somebody else makes us send must stay small beside what it costs him.
pub(crate) const ALL_PINGS: Rate = Rate { at_once: 8000, every: Duration::from_millis(1) };
