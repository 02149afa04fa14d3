//! What depends on our node key: tunnels and paths. Made when the key is known, made anew when it changes.

use wattle_keys::{DiscoPrivate, NodePrivate};
use wattle_netmap::Node;
use wattle_path::{Paths, PeerFacts};
use wattle_time::{Instant, UnixTime};
use wattle_tunnel::Tunnels;
use wattle_wire::version;

/// Tunnels and paths under one node key.
pub(crate) struct Engine {
    pub(crate) tunnels: Tunnels,
    pub(crate) paths: Paths,
}

/// Random bytes for an engine.
pub(crate) struct EngineSeeds {
    pub(crate) tunnels: [u8; 32],
    pub(crate) paths: [u8; 32],
    pub(crate) disco: [u8; 32],
}

impl Engine {
    pub(crate) fn new(key: NodePrivate, seeds: &EngineSeeds, now: Instant, wall: UnixTime) -> Self {
        let config = wattle_path::Config { node: key.public(), disco: DiscoPrivate::from_bytes(seeds.disco) };
        Self { tunnels: Tunnels::new(key, seeds.tunnels, now, wall), paths: Paths::new(config, seeds.paths, now) }
    }

    /// The peer's facts as paths need them.
    pub(crate) fn facts(node: &Node) -> PeerFacts {
        PeerFacts {
            key: node.key,
            disco: node.disco,
            endpoints: node.endpoints.iter().map(|endpoint| endpoint.address).collect(),
            home_region: node.home_region,
            speaks_peer_relay: node.capability_version >= version::PEER_RELAYS,
        }
    }
}
