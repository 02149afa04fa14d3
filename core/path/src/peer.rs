//! One peer: what the map says of it, and, while it is in use, the search for paths to it.

use std::net::SocketAddr;
use std::time::Duration;

use wattle_keys::{DiscoPublic, NodePublic};
use wattle_netmap::RegionId;
use wattle_time::Instant;

use crate::discovery::Discovery;
use crate::limits::{ENDPOINTS_MAX, PRIVATE_ENDPOINTS_MAX};
use crate::peer_relay::{Passage, Via};
use crate::relay::RelayRoute;
use crate::{Hop, Large, Route, address};

/// What the map says of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFacts {
    /// Who it is.
    pub key: NodePublic,
    /// Its disco key; without one it is reached by relay only.
    pub disco: Option<DiscoPublic>,
    /// Where it may be, best guess first.
    pub endpoints: Vec<SocketAddr>,
    /// Where it is at home.
    pub home_region: Option<RegionId>,
    /// Whether it knows what to do with a peer relay (capability version 121).
    pub speaks_peer_relay: bool,
}

/// What is known of the paths to a peer, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Where its data goes.
    pub route: Route,
    /// Of the path over UDP in the route.
    pub latency: Option<Duration>,
    /// Whether data went out lately.
    pub active: bool,
    /// The addresses where it may be.
    pub candidates: Vec<CandidateStatus>,
    /// Why the route is what it is, in words.
    pub why: &'static str,
}

/// An address where a peer may be, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandidateStatus {
    /// The address.
    pub address: SocketAddr,
    /// Of its last answer.
    pub latency: Option<Duration>,
}

/// A peer. Without traffic it is these few words and its endpoints.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) disco: Option<DiscoPublic>,
    /// The disco key as the map had it: an old one repeated does not undo what the peer itself has told since.
    disco_in_map: Option<DiscoPublic>,
    pub(crate) endpoints: Vec<SocketAddr>,
    pub(crate) relay: RelayRoute,
    pub(crate) discovery: Option<Box<Discovery>>,
    pub(crate) speaks_peer_relay: bool,
    /// The search for ways through peer relays.
    pub(crate) via: Option<Box<Via>>,
    /// The route that the driver knows of.
    pub(crate) told: Route,
    /// When it is in the queue of timers, and why.
    pub(crate) due: Option<(Instant, &'static str)>,
}

impl Peer {
    pub(crate) fn new(home: Option<RegionId>) -> Self {
        Self {
            disco: None,
            disco_in_map: None,
            endpoints: Vec::new(),
            relay: RelayRoute::new(home),
            discovery: None,
            speaks_peer_relay: false,
            via: None,
            told: Route { relay: home, ..Route::default() },
            due: None,
        }
    }

    /// The disco key to use if the map now has this one.
    pub(crate) fn disco_after_map(&mut self, disco: Option<DiscoPublic>) -> Option<DiscoPublic> {
        // A coordination server that was restarted may not know it yet: what we know serves until it does.
        if disco.is_none() {
            return self.disco;
        }
        let changed = self.disco_in_map != disco;
        self.disco_in_map = disco;
        if changed { disco } else { self.disco }
    }

    /// Takes the endpoints of the map. Returns whether any is new.
    pub(crate) fn set_endpoints(&mut self, endpoints: &[SocketAddr]) -> bool {
        if endpoints.is_empty() {
            return false;
        }
        self.endpoints = usable(endpoints);
        let Some(discovery) = &mut self.discovery else { return false };
        let best = discovery.best_address();
        discovery.candidates.set_map(&self.endpoints, best)
    }

    /// Where its data goes now.
    pub(crate) fn route(&self) -> Route {
        let best = self.discovery.as_ref().and_then(|discovery| discovery.best);
        let mtu = self.discovery.as_ref().map(|discovery| discovery.mtu).unwrap_or_default();
        let (udp, sure, certain) = match (best, self.passage()) {
            (_, Some(passage)) if !self.has_trusted_direct() && (passage.is_trusted() || best.is_none()) => {
                (Some(passage.hop()), None, passage.is_trusted() && passage.is_proven())
            }
            (Some(best), _) => {
                (Some(Hop { mtu: mtu.limit(), ..Hop::direct(best.address) }), mtu.sure(), best.is_certain())
            }
            (None, _) => (None, None, false),
        };
        let relay = self.relay.region();
        Route {
            udp,
            relay: if certain { None } else { relay },
            large: sure.zip(relay).map(|(over, region)| Large { over, region }),
        }
    }

    /// Whether a direct path answers, though perhaps it has not carried data yet.
    pub(crate) fn has_trusted_direct(&self) -> bool {
        self.discovery.as_ref().is_some_and(|discovery| discovery.has_trusted_best())
    }

    /// The best way through a peer relay.
    fn passage(&self) -> Option<&Passage> {
        self.via.as_ref()?.best()
    }

    /// When the next thing is due, and what.
    pub(crate) fn next_due(&self) -> Option<(Instant, &'static str)> {
        let direct = self.discovery.as_ref().map(|discovery| discovery.next_due());
        let via = self.via.as_ref().and_then(|via| via.next_due());
        [direct, via].into_iter().flatten().min()
    }

    pub(crate) fn status(&self, now: Instant) -> PeerStatus {
        let discovery = self.discovery.as_deref();
        let best = discovery.and_then(|discovery| discovery.best);
        let active = discovery.is_some_and(|discovery| discovery.is_active(now));
        let candidates = match discovery {
            Some(discovery) => discovery
                .candidates
                .iter()
                .map(|(address, candidate)| CandidateStatus { address: *address, latency: candidate.latency })
                .collect(),
            None => self.endpoints.iter().map(|address| CandidateStatus { address: *address, latency: None }).collect(),
        };
        let route = self.route();
        let passage = self.passage().filter(|_| route.udp.is_some_and(|hop| hop.vni.is_some()));
        let why = match best {
            _ if passage.is_some_and(|passage| !passage.is_trusted()) => "the peer relay has not answered lately",
            _ if passage.is_some_and(|passage| !passage.is_proven()) => {
                "a path through a peer relay answers, and has yet to carry data"
            }
            _ if passage.is_some() => "no direct path answers; the one through a peer relay carries data",
            _ if self.disco.is_none() => "the peer has told no path discovery key",
            Some(best) if !best.is_trusted() => "the direct path has not answered lately",
            Some(best) if best.failed() > 0 => "the direct path answers, and does not carry data",
            Some(best) if !best.is_proven() => "the direct path answers, and has yet to carry data",
            Some(best) if !best.is_certain() => {
                "the peer sends by the relay: whether the direct path still carries data is asked"
            }
            Some(_) => "the direct path answers and carries data",
            None if !active => "no traffic: paths are looked for when there is some",
            None => "no direct path answers",
        };
        let latency = passage.map(|passage| passage.latency).or(best.map(|best| best.latency));
        PeerStatus { route, latency, active, candidates, why }
    }
}

/// Those that can be candidates, each once, no more than the limits.
pub(crate) fn usable(endpoints: &[SocketAddr]) -> Vec<SocketAddr> {
    let (mut usable, mut private) = (Vec::new(), 0);
    for endpoint in endpoints.iter().filter_map(|endpoint| address::candidate(*endpoint)) {
        if usable.len() >= ENDPOINTS_MAX {
            break;
        }
        if usable.contains(&endpoint) {
            continue;
        }
        if address::is_private(&endpoint) {
            private += 1;
        }
        if private <= PRIVATE_ENDPOINTS_MAX || !address::is_private(&endpoint) {
            usable.push(endpoint);
        }
    }
    usable
}
