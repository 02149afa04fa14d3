//! Why the paths to a peer are what they are, in words for people.

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::time::Duration;

use wattle_keys::NodePublic;
use wattle_netmap::{NetFacts, RegionId};
use wattle_time::Instant;

use crate::best::{Best, Won};
use crate::candidate::Candidate;
use crate::discovery::{Discovery, OwnEndpoints};
use crate::peer::Peer;
use crate::score::Quality;
use crate::{Families, Route};

/// What both ends have measured of their networks, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nets<'a> {
    /// Ours.
    pub ours: Option<&'a NetFacts>,
    /// The peer's.
    pub theirs: Option<&'a NetFacts>,
}

/// All that is known of the paths to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathExplanation {
    /// Who.
    pub peer: NodePublic,
    /// Where its data goes.
    pub route: Route,
    /// Whether data went out lately.
    pub active: bool,
    /// The nominated direct path.
    pub best: Option<BestExplanation>,
    /// The addresses where it may be: the one in use, those that answered, the nearest first, the others.
    pub candidates: Vec<CandidateExplanation>,
    /// The way by a relay region.
    pub relay: RelayExplanation,
    /// Why data does not go directly alone; `None` when it does.
    pub why_not_direct: Option<String>,
    /// Why the route is what it is, in a few words.
    pub why: &'static str,
    /// When something is due next, and what.
    pub next: Option<(Instant, &'static str)>,
}

/// The nominated direct path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestExplanation {
    /// Where.
    pub address: SocketAddr,
    /// Since when it is nominated.
    pub since: Instant,
    /// Smoothed.
    pub latency: Duration,
    /// Whether it answers.
    pub trusted: bool,
    /// Whether it carries data.
    pub proven: bool,
    /// The largest UDP payload, as far as is known; `u16::MAX`: no limit.
    pub mtu: u16,
    /// Why it and not another.
    pub why: String,
}

/// One address where the peer may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateExplanation {
    /// The address.
    pub address: SocketAddr,
    /// The map names it.
    pub in_map: bool,
    /// The peer's last call named it.
    pub called: bool,
    /// When a packet of the peer last came from it.
    pub heard_at: Option<Instant>,
    /// When it was last pinged.
    pub pinged_at: Option<Instant>,
    /// When it last answered.
    pub answered_at: Option<Instant>,
    /// Smoothed.
    pub latency: Option<Duration>,
    /// What becomes of it, in words.
    pub state: String,
}

/// The way by a relay region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayExplanation {
    /// Where we send.
    pub region: Option<RegionId>,
    /// Where the map says that the peer is at home.
    pub home: Option<RegionId>,
    /// Where it was last heard.
    pub heard: Option<RegionId>,
    /// Whether data goes there now.
    pub in_use: bool,
}

impl CandidateExplanation {
    /// Who told of it.
    pub fn sources(&self) -> String {
        let known = [(self.in_map, "map"), (self.called, "call"), (self.heard_at.is_some(), "heard")];
        let told: Vec<&str> = known.into_iter().filter(|(told, _)| *told).map(|(_, name)| name).collect();
        if told.is_empty() { "former".to_owned() } else { told.join(", ") }
    }
}

/// Explains a peer from where we are.
pub(crate) fn explain(
    key: NodePublic,
    peer: &Peer,
    own: &OwnEndpoints,
    families: Families,
    nets: Nets<'_>,
    now: Instant,
) -> PathExplanation {
    let discovery = peer.discovery.as_deref();
    let best = discovery.and_then(|discovery| discovery.best);
    let status = peer.status(now);
    let candidates = match discovery {
        Some(discovery) => candidates(discovery, own, families, now),
        None => peer.endpoints.iter().map(|address| untried(*address, own, families)).collect(),
    };
    let mtu = discovery.map(|discovery| discovery.mtu).unwrap_or_default();
    let is_direct = best.is_some_and(|best| best.is_certain());
    let why_not_direct = (!is_direct).then(|| why_not_direct(peer, best, status.active, &candidates, nets));
    PathExplanation {
        peer: key,
        route: status.route,
        active: status.active,
        best: best.map(|best| BestExplanation {
            address: best.address,
            since: best.since,
            latency: best.latency,
            trusted: best.is_trusted(),
            proven: best.is_proven(),
            mtu: mtu.limit(),
            why: why_it_won(&best),
        }),
        candidates,
        relay: RelayExplanation { in_use: status.route.relay.is_some(), ..peer.relay.explain() },
        why_not_direct,
        why: status.why,
        next: peer.next_due(),
    }
}

fn untried(address: SocketAddr, own: &OwnEndpoints, families: Families) -> CandidateExplanation {
    let state = match families.obstacle(&address, &own.addresses) {
        Some(obstacle) => format!("not tried: {obstacle}"),
        None => "not tried: there is no traffic".to_owned(),
    };
    let (in_map, called) = (true, false);
    let (heard_at, pinged_at, answered_at, latency) = (None, None, None, None);
    CandidateExplanation { address, in_map, called, heard_at, pinged_at, answered_at, latency, state }
}

fn candidates(
    discovery: &Discovery,
    own: &OwnEndpoints,
    families: Families,
    now: Instant,
) -> Vec<CandidateExplanation> {
    let best = discovery.best;
    let mut candidates: Vec<_> = discovery
        .candidates
        .iter()
        .map(|(address, candidate)| CandidateExplanation {
            address: *address,
            in_map: candidate.in_map,
            called: candidate.called,
            heard_at: candidate.heard_at,
            pinged_at: candidate.pinged_at,
            answered_at: candidate.answered_at,
            latency: candidate.latency,
            state: match families.obstacle(address, &own.addresses) {
                Some(obstacle) => format!("not tried: {obstacle}"),
                None => state(address, candidate, best.as_ref(), now),
            },
        })
        .collect();
    let is_best = |address| best.is_some_and(|best| best.address == address);
    candidates.sort_by_key(|candidate| {
        let latency = candidate.latency.unwrap_or(Duration::MAX);
        (!is_best(candidate.address), latency, Reverse(candidate.heard_at), candidate.address)
    });
    candidates
}

fn state(address: &SocketAddr, candidate: &Candidate, best: Option<&Best>, now: Instant) -> String {
    if best.is_some_and(|best| best.address == *address) {
        return "in use".to_owned();
    }
    if let Some(until) = candidate.refused_until(now) {
        return format!("refused for {} s more: it answers pings and carries no data", until.since(now).as_secs());
    }
    match (candidate.answered_at, candidate.latency, best) {
        (Some(_), Some(latency), Some(best)) => lost(Quality { address: *address, latency }, best),
        (Some(answered), ..) => format!("answered {} s ago", now.since(answered).as_secs()),
        (None, ..) if candidate.pinged_at.is_some() => "never answered".to_owned(),
        (None, ..) => "not tried yet".to_owned(),
    }
}

fn lost(quality: Quality, best: &Best) -> String {
    if quality.is_better_than(&best.quality()) {
        return format!("better than {}, if it stays so", best.address);
    }
    match quality.latency.checked_sub(best.latency).filter(|slower| !slower.is_zero()) {
        Some(slower) => format!("lost to {} by {}", best.address, milliseconds(slower)),
        None => format!("not enough better than {}", best.address),
    }
}

fn why_it_won(best: &Best) -> String {
    let latency = milliseconds(best.latency);
    match best.won {
        Won::FirstToAnswer => format!("{latency}, the first to answer"),
        Won::FormerSilent(former) => format!("{latency}, it answered when {former} did not any more"),
        Won::FormerCarriedNothing(former) => format!("{latency}, it took over when {former} carried no data"),
        Won::Better(former, slow) => format!("{latency}, better than {former} with {}", milliseconds(slow)),
        Won::PeerChose => format!("{latency}, the peer sends by it"),
    }
}

fn why_not_direct(
    peer: &Peer,
    best: Option<Best>,
    active: bool,
    candidates: &[CandidateExplanation],
    nets: Nets<'_>,
) -> String {
    let says = |net: Option<&NetFacts>, what: fn(&NetFacts) -> Option<bool>| net.and_then(what);
    let no_udp = |net| says(net, |net| net.udp) == Some(false);
    let varies = |net| says(net, |net| net.mapping_varies) == Some(true);
    let said = if peer.disco.is_none() {
        "it has told no path discovery key: it is not running, or knows relays only"
    } else if let Some(best) = best {
        match (best.is_trusted(), best.failed()) {
            (false, _) => "the direct path does not answer any more",
            (true, 0) if best.is_proven() => "the peer does not send directly: whether our data arrives is being asked",
            (true, 0) => "a direct path answers, and has yet to carry data",
            (true, _) => "a direct path answers pings, but our data does not arrive by it",
        }
    } else if candidates.is_empty() {
        "no address of it is known"
    } else if no_udp(nets.ours) {
        "our network lets no UDP through"
    } else if no_udp(nets.theirs) {
        "its network lets no UDP through"
    } else if candidates.iter().all(|candidate| candidate.state.starts_with("not tried: we have no")) {
        "all its addresses are of a family that we do not have"
    } else if candidates.iter().any(|candidate| candidate.state.starts_with("refused")) {
        "an address of it answers pings, but data does not arrive by it"
    } else if !active {
        "there is no traffic: paths are looked for when there is some"
    } else {
        match (varies(nets.ours), varies(nets.theirs)) {
            (true, true) => "both its NAT and ours map each destination to another port",
            (true, false) => "our NAT maps each destination to another port, and its NAT or firewall filters by port",
            (false, true) => "its NAT maps each destination to another port, and our NAT or firewall filters by port",
            (false, false) => return format!("none of its {} addresses answers", candidates.len()),
        }
    };
    said.to_owned()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
