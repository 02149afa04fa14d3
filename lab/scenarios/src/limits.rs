//! How large a scenario may be: stories come from strangers and from fuzzers.

use std::time::Duration;

/// Nodes that run.
pub const NODES_MAX: usize = 32;
/// Peers that are only in the map.
pub const IDLE_PEERS_MAX: usize = 10_000;
/// Sites.
pub const SITES_MAX: usize = 32;
/// Relay regions.
pub const RELAYS_MAX: usize = 8;
/// Steps.
pub const STEPS_MAX: usize = 1_000;
/// Virtual time.
pub const LENGTH_MAX: Duration = Duration::from_secs(24 * 3600);
/// Characters of a name: those of a DNS label.
pub const NAME_CHARS_MAX: usize = 63;
/// Payload of an inner packet: what fits a TUN of 1280 bytes over IPv4.
pub const PAYLOAD_MAX: u16 = 1280 - 28;
/// Between two packets of one who talks.
pub const TALK_EVERY_MIN: Duration = Duration::from_millis(1);
/// Bytes of one transfer.
pub const TRANSFER_BYTES_MAX: usize = 100_000_000;
/// Events of one run. A run that needs more spins.
pub const EVENTS_MAX: u64 = 20_000_000;
/// Timer calls of one node without time passing. A node that needs more spins.
pub const WAKES_AT_ONCE_MAX: u32 = 50;
/// Datagrams of a node in a minute that look for ways (disco, STUN, handshakes, small sealed messages) ...
pub const PROBES_PER_MINUTE: u32 = 60;
/// ... and for each other node. A heartbeat and its answer every 3 s make 40; a path that dies again and again is
/// searched for every 2 s, which is a ping to each of a handful of candidates, a call and their answers.
pub const PROBES_PER_PEER_MINUTE: u32 = 300;
/// Violations of one run that are told: the first say enough.
pub const VIOLATIONS_MAX: usize = 20;
/// Sessions that a node may hold with one peer: the last, the current and the next one (WireGuard paper, 6.3), and one
/// under way.
pub const SESSIONS_PER_PEER_MAX: usize = 4;
