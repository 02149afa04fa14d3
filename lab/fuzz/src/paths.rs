//! Hostile messages, odd news and jumps of the clock: the path machine and the network check never panic, send no more
//! than what came in entitles them to, keep no more than their limits, and lead nobody to an address that has not
//! answered with the peer's key.

mod budget;
mod network;
mod outside;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use wattle_keys::NodePublic;
use wattle_path::limits::{CANDIDATES_MAX, ENDPOINTS_MAX};
use wattle_path::{Config, Event, Families, Out, Paths, PeerFacts, ProofToken, Route, Traffic, Transmit, Way};
use wattle_time::Instant;
use wattle_wire::disco::{Message, TransactionId};

use self::budget::Budget;
use self::network::Network;
use self::outside::{DISCO_KEYS, PEERS, REGION, SELF, Told};

const CALLS_MAX: usize = 96;
/// After the last sign of use, nothing is sent for a peer by itself: `SESSION_ACTIVE` and the last of what was begun.
const ACTIVE: Duration = Duration::from_secs(60);
/// Timers that are met settle at once: a few may cause each other.
const SETTLE_MAX: usize = 4;

/// Plays a story of calls.
pub fn run(input: &[u8]) {
    let mut u = Unstructured::new(input);
    let mut story = Story::new();
    for _ in 0..CALLS_MAX {
        // Bytes that run out end a story; they never fail.
        if u.is_empty() || story.call(&mut u).is_err() {
            break;
        }
    }
}

struct Story {
    now: Instant,
    paths: Paths,
    network: Network,
    /// The disco key that each peer has, in our eyes, and the one that the map had last.
    peers: [Option<usize>; PEERS],
    in_map: [Option<usize>; PEERS],
    routes: BTreeMap<NodePublic, Route>,
    asked: BTreeMap<TransactionId, Asked>,
    /// The same, the latest last.
    transactions: Vec<TransactionId>,
    /// Pings inside the tunnel, the latest last: to whom, and where.
    sealed: Vec<(usize, Way, ProofToken)>,
    /// Who wants to know about traffic.
    wants_traffic: BTreeSet<usize>,
    /// Addresses that answered with the disco key of a peer.
    answered: [BTreeSet<SocketAddr>; PEERS],
    used_at: [Option<Instant>; PEERS],
    budget: Budget,
}

/// A ping of ours.
#[derive(Clone, Copy)]
struct Asked {
    /// The disco key that it was sealed for, and who had it then. (One may have another when the answer comes.)
    disco: usize,
    peers: [bool; PEERS],
    address: SocketAddr,
}

impl Story {
    fn new() -> Self {
        let now = Instant::ORIGIN + Duration::from_secs(1000);
        let config = Config { node: outside::node(SELF), disco: outside::private(SELF) };
        let mut story = Self {
            now,
            paths: Paths::new(config, [9; 32], now),
            network: Network::new(now),
            peers: [None; PEERS],
            in_map: [None; PEERS],
            routes: BTreeMap::new(),
            asked: BTreeMap::new(),
            transactions: Vec::new(),
            sealed: Vec::new(),
            wants_traffic: BTreeSet::new(),
            answered: std::array::from_fn(|_| BTreeSet::new()),
            used_at: [None; PEERS],
            budget: Budget::new(now),
        };
        // Two peers with keys of their own, two that share one.
        for (peer, disco) in [(0, 0), (1, 1), (2, 2), (3, 2)] {
            story.upsert(peer, disco, vec![outside::address(peer as u8)]);
        }
        story
    }

    fn call(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=19)? {
            0..=5 => self.disco(u)?,
            6 => self.time(u)?,
            7 => self.answer(u)?,
            8 => self.outbound(outside::peer(u)?),
            9 => self.inbound(u)?,
            10 => self.map(u)?,
            11 => {
                let peer = outside::peer(u)?;
                self.make(|paths, now, out| match u.int_in_range(0..=1) {
                    Ok(0) => paths.note_peer_gone(REGION, &outside::node(peer), out),
                    _ => paths.note_unanswered(&outside::node(peer), now, out),
                });
                self.budget.allow_round();
            }
            12 => {
                let peer = outside::peer(u)?;
                self.use_now(peer);
                self.budget.allow_round();
                self.make(|paths, now, out| {
                    // There may be no way to ask by.
                    let _asked = paths.ping(&outside::node(peer), now, out);
                });
            }
            13 => {
                (0..PEERS).for_each(|_| self.budget.allow_round());
                self.make(|paths, now, out| paths.handle_network_change(now, out));
            }
            14 => self.network.stun(u, self.now)?,
            15 => self.network.change(u, self.now)?,
            16 | 17 => self.proof(u)?,
            18 => self.traffic(u)?,
            _ => {
                let families = Families { v4: u.arbitrary()?, v6: u.arbitrary()? };
                (0..PEERS).for_each(|_| self.budget.allow_round());
                self.make(|paths, now, out| paths.set_families(families, now, out));
            }
        }
        if let Some(endpoints) = self.network.settle(self.now) {
            (0..PEERS).for_each(|_| self.budget.allow_round());
            self.make(|paths, now, out| paths.set_own_endpoints(&endpoints, now, out));
        }
        self.check();
        Ok(())
    }

    /// A disco message of anybody, by any way, perhaps spoilt.
    fn disco(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let sender = u.int_in_range(0..=DISCO_KEYS - 1)?;
        let from = outside::way(u)?;
        let pending = self.transactions.iter().rev().copied().collect::<Vec<_>>();
        let Told { message, packet, is_whole } = outside::told(u, sender, &pending)?;
        self.budget.allow_answer();
        match (&message, from) {
            (Message::CallMeMaybe(_), Way::Relay { peer, .. }) if is_whole => {
                if let Some(peer) = self.who(&peer).filter(|peer| self.peers[*peer] == Some(sender)) {
                    self.budget.allow_call(peer, self.now);
                }
            }
            (Message::Pong(pong), Way::Udp(_)) if is_whole => self.note_answer(sender, pong.transaction),
            (Message::CallMeMaybeVia(_) | Message::AllocateResponse(_), Way::Relay { .. }) => {
                self.budget.allow_passage()
            }
            _ => {}
        }
        if matches!(from, Way::PeerRelay { .. }) {
            self.budget.allow_passage();
        }
        let is_stranger = !self.peers.contains(&Some(sender));
        let out = self.make(|paths, now, out| paths.handle_disco(from, &packet, now, out));
        assert!(!is_stranger || (out.transmits.is_empty() && out.events.is_empty()), "a stranger causes {out:?}");
        let pongs = out.transmits.iter().filter(|transmit| {
            let is_pong = matches!(outside::read(&transmit.packet), Some((_, Message::Pong(_))));
            assert!(!is_pong || transmit.to == from, "a pong that goes elsewhere");
            is_pong
        });
        assert!(pongs.count() <= 1, "one message and more than one pong");
        Ok(())
    }

    /// The honest answer to one of our pings, from where it was sent to.
    fn answer(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let back = u.int_in_range(0..=7)?;
        let Some(transaction) = self.transactions.iter().rev().nth(back).copied() else { return Ok(()) };
        let Some(Asked { disco: sender, address, .. }) = self.asked.get(&transaction).copied() else { return Ok(()) };
        self.budget.allow_answer();
        self.note_answer(sender, transaction);
        let packet = outside::pong(sender, transaction);
        self.make(|paths, now, out| paths.handle_disco(Way::Udp(address), &packet, now, out));
        Ok(())
    }

    /// The answer to a sealed ping: the peer itself has sealed it.
    fn proof(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let back = u.int_in_range(0..=7)?;
        let (mut peer, to, mut token) = match self.sealed.iter().rev().nth(back) {
            Some(sealed) => *sealed,
            None => (outside::peer(u)?, outside::way(u)?, ProofToken([back as u8; 8])),
        };
        match u.int_in_range(0..=7)? {
            0 => token.0[0] ^= 1,
            1 => peer = outside::peer(u)?,
            _ => {}
        }
        if let Way::Udp(address) = to
            && self.sealed.contains(&(peer, to, token))
        {
            self.answered[peer].insert(address);
        }
        self.budget.allow_round();
        self.make(|paths, now, out| paths.handle_proof(&outside::node(peer), token, now, out));
        Ok(())
    }

    fn traffic(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let peer = match self.wants_traffic.pop_first() {
            Some(peer) => peer,
            None => outside::peer(u)?,
        };
        let moment = |u: &mut Unstructured<'_>| {
            let ago = Duration::from_millis(u.int_in_range(0..=5000)?);
            Ok(u.arbitrary::<bool>()?.then_some(self.now - ago))
        };
        let [sent_at, burst_at, direct_at, large_at] = [moment(u)?, moment(u)?, moment(u)?, moment(u)?];
        let traffic = Traffic { sent_at, burst_at, direct_at, large_at };
        if traffic.sent_at.is_some() {
            self.use_now(peer);
        }
        self.budget.allow_round();
        self.make(|paths, now, out| paths.handle_traffic(&outside::node(peer), traffic, now, out));
        Ok(())
    }

    fn outbound(&mut self, peer: usize) {
        if self.used_at[peer].is_none_or(|used| self.now.since(used) >= ACTIVE) {
            self.budget.allow_round();
        }
        self.use_now(peer);
        self.budget.allow_round();
        self.network.activity(self.now);
        self.make(|paths, now, out| paths.note_outbound(&outside::node(peer), now, out));
    }

    fn inbound(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (peer, way) = (outside::peer(u)?, outside::way(u)?);
        self.budget.allow_answer();
        self.make(|paths, now, out| paths.note_inbound(&outside::node(peer), way, now, out));
        Ok(())
    }

    fn map(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let peer = outside::peer(u)?;
        match u.int_in_range(0..=7)? {
            0 => {
                self.paths.remove_peer(&outside::node(peer));
                (self.peers[peer], self.in_map[peer]) = (None, None);
                self.routes.remove(&outside::node(peer));
                self.answered[peer].clear();
                assert_eq!(self.paths.best(&outside::node(peer)), Route::default());
            }
            // The peer itself has told another key.
            1 => {
                let disco = u.int_in_range(0..=DISCO_KEYS - 2)?;
                if self.peers[peer].is_some() {
                    self.peers[peer] = Some(disco);
                    self.budget.allow_round();
                    let key = outside::public(disco);
                    self.make(|paths, now, out| paths.update_disco_key(&outside::node(peer), key, now, out));
                }
            }
            _ => {
                let disco = u.int_in_range(0..=DISCO_KEYS - 2)?;
                let endpoints = outside::endpoints(u)?;
                self.upsert(peer, disco, endpoints);
            }
        }
        Ok(())
    }

    fn upsert(&mut self, peer: usize, disco: usize, endpoints: Vec<SocketAddr>) {
        // What the peer itself has told stays while the map only repeats itself.
        if self.in_map[peer] != Some(disco) {
            (self.peers[peer], self.in_map[peer]) = (Some(disco), Some(disco));
        }
        self.budget.allow_round();
        let (key, disco) = (outside::node(peer), Some(outside::public(disco)));
        let facts = PeerFacts { key, disco, endpoints, home_region: Some(REGION), speaks_peer_relay: peer < 3 };
        self.make(|paths, now, out| paths.upsert_peer(facts.clone(), now, out));
        // And once more, which changes nothing.
        let again = self.make(|paths, now, out| paths.upsert_peer(facts, now, out));
        assert!(again.transmits.is_empty(), "what is known already causes {again:?}");
    }

    /// Time passes with all timers met, or jumps.
    fn time(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        const WAITS_MS: [u64; 10] = [1, 50, 300, 1000, 3000, 5000, 20_000, 60_000, 700_000, 86_400_000];
        let wait = Duration::from_millis(*u.choose(&WAITS_MS)?);
        let end = self.now + wait;
        if wait <= Duration::from_secs(60) && u.arbitrary()? {
            while let Some(next) = self.next_timeout().filter(|next| *next <= end) {
                self.now = self.now.max(next);
                self.meet_timers();
            }
        }
        self.now = end;
        self.meet_timers();
        Ok(())
    }

    fn next_timeout(&self) -> Option<Instant> {
        let paths = self.paths.next_timeout().map(|deadline| deadline.latest);
        [paths, self.network.next_timeout()].into_iter().flatten().min()
    }

    fn meet_timers(&mut self) {
        for _ in 0..SETTLE_MAX {
            if self.next_timeout().is_none_or(|next| next > self.now) {
                return;
            }
            let out = self.make(|paths, now, out| paths.handle_timeout(now, out));
            self.check_idle(&out);
            if let Some(endpoints) = self.network.settle(self.now) {
                (0..PEERS).for_each(|_| self.budget.allow_round());
                self.make(|paths, now, out| paths.set_own_endpoints(&endpoints, now, out));
            }
        }
        let why = self.paths.next_timeout().map(|deadline| deadline.why);
        assert!(self.next_timeout().is_none_or(|next| next > self.now), "{why:?} is due again and again");
    }

    /// Peers that are not used cost nothing.
    fn check_idle(&self, out: &Out) {
        for transmit in &out.transmits {
            let Some((disco, _)) = outside::read(&transmit.packet) else { continue };
            let is_active = |used: Option<Instant>| used.is_some_and(|used| self.now.since(used) < ACTIVE);
            let mut theirs = (0..PEERS).filter(|peer| self.peers[*peer] == Some(disco));
            assert!(theirs.any(|peer| is_active(self.used_at[peer])), "a timer sends {transmit:?} for an idle peer");
        }
    }

    /// Lets the machine do something, and looks at all that it wants.
    fn make(&mut self, act: impl FnOnce(&mut Paths, Instant, &mut Out)) -> Out {
        let mut out = Out::default();
        act(&mut self.paths, self.now, &mut out);
        for transmit in &out.transmits {
            self.note_sent(transmit);
        }
        for event in &out.events {
            match event {
                Event::RouteChanged { peer, route } => {
                    self.routes.insert(*peer, *route);
                }
                Event::WantFreshEndpoints => self.network.refresh(self.now),
                Event::SendProof { peer, to, token } => {
                    let peer = self.who(peer).expect("a sealed ping to a peer");
                    self.sealed.push((peer, *to, *token));
                }
                Event::WantTraffic { peer } => self.wants_traffic.extend(self.who(peer)),
                Event::PingAnswered { .. } | Event::PingLost { .. } | Event::AllocationRequested { .. } => {}
            }
        }
        let sealed = out.events.iter().filter(|event| matches!(event, Event::SendProof { .. })).count();
        self.budget.spend((out.transmits.len() + sealed) as u64, self.now, self.used_at);
        out
    }

    fn note_sent(&mut self, transmit: &Transmit) {
        let Some((disco, message)) = outside::read(&transmit.packet) else {
            // Peer relays have keys of their own.
            assert!(matches!(transmit.to, Way::PeerRelay { .. }), "sealed for nobody: {transmit:?}");
            return;
        };
        match (message, transmit.to) {
            (Message::Ping(ping), Way::Udp(address)) => {
                assert!(outside::is_candidate(address), "a ping to {address}");
                let peers = self.peers.map(|peer| peer == Some(disco));
                self.asked.insert(ping.transaction, Asked { disco, peers, address });
                self.transactions.push(ping.transaction);
            }
            (Message::CallMeMaybe(call), to) => {
                assert!(matches!(to, Way::Relay { .. }), "a call to {to:?}");
                assert!(call.endpoints.len() <= ENDPOINTS_MAX);
            }
            _ => {}
        }
    }

    fn note_answer(&mut self, sender: usize, transaction: TransactionId) {
        let Some(asked) = self.asked.get(&transaction) else { return };
        for peer in (0..PEERS).filter(|peer| asked.peers[*peer] && self.peers[*peer] == Some(sender)) {
            self.answered[peer].insert(asked.address);
        }
    }

    fn use_now(&mut self, peer: usize) {
        self.used_at[peer] = Some(self.now);
    }

    fn who(&self, key: &NodePublic) -> Option<usize> {
        (0..PEERS).find(|peer| outside::node(*peer) == *key)
    }

    fn check(&self) {
        for peer in 0..PEERS {
            let key = outside::node(peer);
            let route = self.paths.best(&key);
            if let Some(told) = self.routes.get(&key) {
                assert_eq!(route, *told, "a route changed in silence");
            }
            if let Some(hop) = route.udp.filter(|hop| hop.vni.is_none()) {
                assert!(self.answered[peer].contains(&hop.to), "{} never answered as peer {peer}", hop.to);
            }
            let status = self.paths.peer_status(&key, self.now);
            assert_eq!(status.is_some(), self.peers[peer].is_some());
            let candidates = status.map_or_else(Vec::new, |status| status.candidates);
            assert!(candidates.len() <= CANDIDATES_MAX);
            candidates.iter().for_each(|candidate| assert!(outside::is_candidate(candidate.address)));
        }
    }
}
