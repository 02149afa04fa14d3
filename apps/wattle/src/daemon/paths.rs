//! The paths to peers as LocalAPI shows them.

use wattle_netmap::{DerpMap, Node as MapNode};
use wattle_node::{Node, Now};
use wattle_path::{CandidateExplanation, Hop, PathExplanation, Route};
use wattle_time::Instant;
use wattle_wire::local::{PathCandidate, PathKind, PeerPaths};

use super::status::{on_the_wall, region_code, through};

/// Of every peer.
pub(super) fn all(node: &Node, now: Now) -> Vec<PeerPaths> {
    let map = node.map();
    let explained = map.peers.iter().filter_map(|(id, peer)| Some((peer, node.explain_path(*id, now)?)));
    explained.map(|(peer, explanation)| of_peer(peer, &explanation, &map.derp, now)).collect()
}

fn of_peer(peer: &MapNode, explanation: &PathExplanation, derp: &DerpMap, now: Now) -> PeerPaths {
    let route = explanation.route;
    let best = explanation.best.as_ref();
    let relayed = |hop: Hop| hop.vni.map(|vni| through(hop.to, vni));
    PeerPaths {
        node_id: peer.id.0,
        name: peer.short_name().to_owned(),
        tailscale_ips: peer.addresses.iter().map(|prefix| prefix.addr()).collect(),
        active: explanation.active,
        path: kind(&route),
        since: best.map(|best| on_the_wall(best.since, now)),
        endpoint: route.udp.filter(|hop| hop.vni.is_none()).map(|hop| hop.to.to_string()).unwrap_or_default(),
        peer_relay: route.udp.and_then(relayed).unwrap_or_default(),
        relay: region_code(derp, explanation.relay.region),
        latency_ms: best.map_or(0.0, |best| best.latency.as_secs_f64() * 1000.0),
        mtu: best.map_or(0, |best| if best.mtu == u16::MAX { 0 } else { best.mtu }),
        why: explanation.why.to_owned(),
        why_it_won: best.map(|best| best.why.clone()).unwrap_or_default(),
        why_not_direct: explanation.why_not_direct.clone().unwrap_or_default(),
        candidates: explanation.candidates.iter().map(candidate).collect(),
        next: explanation.next.map_or("", |(_, reason)| reason).to_owned(),
        next_ms: explanation.next.map_or(0, |(at, _)| milliseconds_until(at, now.mono)),
    }
}

/// Where data goes by a route.
pub(super) fn kind(route: &Route) -> PathKind {
    match (route.udp, route.relay) {
        (None, None) => PathKind::None,
        (None, Some(_)) => PathKind::Relay,
        (Some(_), Some(_)) => PathKind::Proving,
        (Some(hop), None) if hop.vni.is_some() => PathKind::PeerRelay,
        (Some(_), None) => PathKind::Direct,
    }
}

fn candidate(candidate: &CandidateExplanation) -> PathCandidate {
    PathCandidate {
        address: Some(candidate.address),
        source: candidate.sources(),
        latency_ms: candidate.latency.map_or(0.0, |latency| latency.as_secs_f64() * 1000.0),
        state: candidate.state.clone(),
    }
}

fn milliseconds_until(at: Instant, now: Instant) -> u64 {
    u64::try_from(at.since(now).as_millis()).unwrap_or(u64::MAX)
}
