//! The paths to all peers: finds the peer that an input is about, and keeps the timers.

mod via;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use wattle_keys::{DiscoPrivate, DiscoPublic, NodePublic};
use wattle_netmap::RegionId;
use wattle_time::{Deadline, Instant, earliest};
use wattle_wire::disco::{Message, Ping};

use crate::allowance::Allowance;
use crate::disco::Disco;
use crate::discovery::{Discovery, OwnEndpoints, Surroundings};
use crate::explain::explain;
use crate::peer::{Peer, usable};
use crate::peer_relay::Via;
use crate::timing::{NETWORK_CHANGE_MIN, SLACK};
use crate::{
    Event, Families, Nets, Out, PathExplanation, PeerFacts, PeerStatus, PingError, PingId, ProofToken, Route, Source,
    Traffic, Way, address,
};

pub use self::via::PeerRelays;

/// Who we are.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our node key; pings carry it.
    pub node: NodePublic,
    /// Our disco key, new at each start.
    pub disco: DiscoPrivate,
}

/// The ways to all peers.
pub struct Paths {
    node: NodePublic,
    disco: Disco,
    own: OwnEndpoints,
    families: Families,
    /// For pings to addresses that others name.
    budget: Allowance,
    /// The last network change that was acted on.
    changed_at: Option<Instant>,
    /// When a network change that came too soon after it is.
    change_due: Option<Instant>,
    peers: BTreeMap<NodePublic, Peer>,
    queue: BTreeSet<(Instant, NodePublic)>,
    /// Peers that were told old endpoints and will be told the fresh ones.
    owing: BTreeSet<NodePublic>,
    pings: u64,
    /// Who relays for us.
    relays: PeerRelays,
    /// Peers for which something is under way with a peer relay.
    at_relays: BTreeSet<NodePublic>,
}

impl Paths {
    /// Without peers. `seed` must be random: message nonces come from it.
    pub fn new(config: Config, seed: [u8; 32], _now: Instant) -> Self {
        Self {
            node: config.node,
            disco: Disco::new(config.node, config.disco, seed),
            own: OwnEndpoints::default(),
            families: Families::default(),
            budget: Allowance::default(),
            changed_at: None,
            change_due: None,
            peers: BTreeMap::new(),
            queue: BTreeSet::new(),
            owing: BTreeSet::new(),
            pings: 0,
            relays: PeerRelays::default(),
            at_relays: BTreeSet::new(),
        }
    }

    /// Our disco key, for control and for peers.
    pub fn disco_key(&self) -> DiscoPublic {
        self.disco.public()
    }

    /// Where we can be reached was found out. To be called after each search for it, whether something changed or not.
    pub fn set_own_endpoints(&mut self, endpoints: &[SocketAddr], now: Instant, out: &mut Out) {
        let endpoints = usable(endpoints);
        let changed = self.own.addresses != endpoints;
        self.own = OwnEndpoints { addresses: endpoints, found_at: Some(now) };
        if changed {
            self.explore_all(now, out, Discovery::retry);
        }
        for key in std::mem::take(&mut self.owing) {
            self.explore(&key, now, out, Discovery::call);
        }
    }

    /// The map has this peer, or has other facts about it than before. What the map does not tell stays as it was: a
    /// coordination server that was restarted learns it anew, and a path that works must not wait for that.
    pub fn upsert_peer(&mut self, facts: PeerFacts, now: Instant, out: &mut Out) {
        let key = facts.key;
        if key == self.node {
            return;
        }
        let peer = self.peers.entry(key).or_insert_with(|| Peer::new(facts.home_region));
        if facts.home_region.is_some() {
            peer.relay.set_home(facts.home_region);
        }
        peer.speaks_peer_relay = facts.speaks_peer_relay;
        peer.via.take_if(|_| !facts.speaks_peer_relay);
        let hopeful = peer.set_endpoints(&facts.endpoints);
        let disco = peer.disco_after_map(facts.disco);
        self.set_disco(&key, disco, now, out);
        if hopeful {
            self.explore(&key, now, out, Discovery::retry);
        }
        self.settle(&key, out);
    }

    /// The map has this peer no more.
    pub fn remove_peer(&mut self, key: &NodePublic) {
        let Some(peer) = self.peers.remove(key) else { return };
        if let Some(disco) = peer.disco {
            self.disco.dismiss(&disco, key);
        }
        if let Some((due, _)) = peer.due {
            self.queue.remove(&(due, *key));
        }
        self.owing.remove(key);
        self.at_relays.remove(key);
    }

    /// The peer itself says, inside the tunnel, which disco key it uses now: it has restarted, and control may not
    /// know yet.
    pub fn update_disco_key(&mut self, key: &NodePublic, disco: DiscoPublic, now: Instant, out: &mut Out) {
        if self.peers.contains_key(key) {
            self.set_disco(key, Some(disco), now, out);
            self.settle(key, out);
        }
    }

    /// A disco packet came.
    pub fn handle_disco(&mut self, from: Source, packet: &[u8], now: Instant, out: &mut Out) {
        let Some((sender, message)) = self.disco.open(packet) else {
            if let Way::PeerRelay { server, vni } = from {
                self.handle_challenge(server, vni, packet, now, out);
            }
            return;
        };
        if let Way::Relay { region, peer } = from {
            // What the relay says and what the seal says must agree.
            if !self.disco.nodes(&sender).contains(&peer) {
                return;
            }
            self.note_heard_by_relay(&peer, region);
        }
        match message {
            Message::Ping(ping) => {
                if let Some(mut pen) = self.disco.pen(&sender, out) {
                    pen.pong(from, ping.transaction);
                }
                self.note_ping(from, &sender, &ping, now, out);
            }
            Message::Pong(pong) => {
                for key in self.disco.nodes(&sender).to_vec() {
                    let mut ours = false;
                    if let Way::PeerRelay { server, vni } = from {
                        self.pass_through_in_use(&key, now, out, |via, around| {
                            ours = via.handle_pong(server, vni, pong.transaction, around);
                        });
                    } else {
                        self.explore_in_use(&key, now, out, |discovery, around| {
                            ours = discovery.handle_pong(pong.transaction, from, around);
                        });
                    }
                    if ours {
                        break;
                    }
                }
            }
            Message::CallMeMaybe(call) => {
                // Only a relay knows which node it came from, and only a peer that shares it may make us send.
                if let Way::Relay { peer, .. } = from {
                    let mut endpoints = usable(&call.endpoints);
                    endpoints.retain(|endpoint| !address::is_ipv6_link_local(endpoint));
                    self.explore(&peer, now, out, |discovery, around| discovery.handle_call(&endpoints, around));
                }
            }
            Message::CallMeMaybeVia(_) | Message::AllocateRequest(_) | Message::AllocateResponse(_) => {
                if let Way::Relay { peer, .. } = from {
                    self.handle_allocation_message(peer, &sender, message, now, out);
                }
            }
            // Between clients and relays only; no node seals them to us with its own key.
            Message::Bind(_) | Message::Challenge(_) | Message::Answer(_) | Message::Unknown(_) => {}
        }
        if let Way::Relay { peer, .. } = from {
            self.settle(&peer, out);
        }
    }

    /// Data, not just a keepalive, went to the peer: wanted at once when it was quiet for a second, and about once a
    /// second while it is not.
    pub fn note_outbound(&mut self, key: &NodePublic, now: Instant, out: &mut Out) {
        self.explore(key, now, out, Discovery::note_outbound);
        self.note_outbound_via(key, now, out);
    }

    /// Authenticated bytes of the peer came this way: data, a keepalive, a handshake message, also one that the replay
    /// window refused. Wanted at once from each new source, and about once a second after that.
    pub fn note_inbound(&mut self, key: &NodePublic, from: Source, now: Instant, out: &mut Out) {
        match from {
            Way::Relay { region, .. } => {
                self.note_heard_by_relay(key, region);
                self.explore_in_use(key, now, out, |discovery, around| discovery.note_inbound(from, around));
                self.pass_through_in_use(key, now, out, |via, around| via.note_data_by_derp(around.now));
                self.settle(key, out);
            }
            Way::PeerRelay { server, vni } => {
                self.explore_in_use(key, now, out, |discovery, around| discovery.note_inbound(from, around));
                self.pass_through_in_use(key, now, out, |via, around| via.note_inbound(server, vni, around));
            }
            Way::Udp(source) => {
                if let Some(source) = address::candidate(source) {
                    let way = Way::Udp(source);
                    self.explore(key, now, out, |discovery, around| discovery.note_inbound(way, around));
                }
            }
        }
    }

    /// The tunnel had to repeat a handshake with the peer: perhaps pings pass and data does not.
    pub fn note_unanswered(&mut self, key: &NodePublic, now: Instant, out: &mut Out) {
        self.explore_in_use(key, now, out, |discovery, _| discovery.doubt());
        self.pass_through_in_use(key, now, out, |via, _| via.doubt());
    }

    /// Our link to a relay was lost: peers that were heard there are reached by their home region again.
    pub fn note_relay_lost(&mut self, region: RegionId, out: &mut Out) {
        let heard: Vec<NodePublic> =
            self.peers.iter().filter(|(_, peer)| peer.relay.was_heard(region)).map(|(key, _)| *key).collect();
        for key in heard {
            self.note_peer_gone(region, &key, out);
        }
    }

    /// What the data path has sent to the peer and got from it: asked for by [`Event::WantTraffic`].
    pub fn handle_traffic(&mut self, key: &NodePublic, traffic: Traffic, now: Instant, out: &mut Out) {
        self.explore_in_use(key, now, out, |discovery, around| discovery.handle_traffic(traffic, around));
    }

    /// The peer answered a sealed ping, by whatever way: asked for by [`Event::SendProof`].
    pub fn handle_proof(&mut self, key: &NodePublic, token: ProofToken, now: Instant, out: &mut Out) {
        self.explore_in_use(key, now, out, |discovery, around| discovery.handle_proof(token, around));
    }

    /// Which address families our own network has. Candidates of others are not tried.
    pub fn set_families(&mut self, families: Families, now: Instant, out: &mut Out) {
        if std::mem::replace(&mut self.families, families) != families {
            self.explore_all(now, out, Discovery::retry);
        }
    }

    /// A relay says that the peer is not connected to it.
    pub fn note_peer_gone(&mut self, region: RegionId, key: &NodePublic, out: &mut Out) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.relay.note_gone(region);
            self.settle(key, out);
        }
    }

    /// A person wants the peer pinged. [`Event::PingAnswered`] or [`Event::PingLost`] will follow.
    pub fn ping(&mut self, key: &NodePublic, now: Instant, out: &mut Out) -> Result<PingId, PingError> {
        let peer = self.peers.get(key).ok_or(PingError::UnknownPeer)?;
        peer.disco.ok_or(PingError::NoDiscoKey)?;
        self.pings += 1;
        let id = PingId(self.pings);
        let mut asked = false;
        self.explore(key, now, out, |discovery, around| asked = discovery.ask(id, around));
        self.pass_through_in_use(key, now, out, |via, around| via.ask(id, around));
        if asked { Ok(id) } else { Err(PingError::NoWay) }
    }

    /// The host's network is another one now.
    pub fn handle_network_change(&mut self, now: Instant, out: &mut Out) {
        self.own.found_at = None;
        let again = self.changed_at.map(|changed| changed + NETWORK_CHANGE_MIN).filter(|again| now < *again);
        self.change_due = again;
        if again.is_none() {
            self.changed_at = Some(now);
            out.events.push(Event::WantFreshEndpoints);
            self.explore_all(now, out, Discovery::reset);
            for key in self.peers.keys().copied().collect::<Vec<_>>() {
                self.pass_through_in_use(&key, now, out, Via::reset);
            }
        }
    }

    /// Where data for the peer goes now.
    pub fn best(&self, key: &NodePublic) -> Route {
        self.peers.get(key).map(Peer::route).unwrap_or_default()
    }

    /// What is known about the paths to the peer, for people.
    pub fn peer_status(&self, key: &NodePublic, now: Instant) -> Option<PeerStatus> {
        self.peers.get(key).map(|peer| peer.status(now))
    }

    /// Why the paths to the peer are what they are, for people.
    pub fn explain(&self, key: &NodePublic, nets: Nets<'_>, now: Instant) -> Option<PathExplanation> {
        self.peers.get(key).map(|peer| explain(*key, peer, &self.own, self.families, nets, now))
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Out) {
        if self.change_due.is_some_and(|due| due <= now) {
            self.handle_network_change(now, out);
        }
        let due: Vec<NodePublic> = self.queue.iter().take_while(|(due, _)| *due <= now).map(|(_, key)| *key).collect();
        for key in due {
            if let Some(peer) = self.peers.get_mut(&key)
                && peer.discovery.as_ref().is_some_and(|discovery| discovery.is_stale(now))
            {
                peer.discovery = None;
            }
            self.explore_in_use(&key, now, out, Discovery::handle_timeout);
            self.handle_timeout_via(&key, now, out);
            self.settle(&key, out);
        }
    }

    /// When to call [`Self::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Deadline> {
        let peer = self.queue.first().map(|(due, key)| {
            let why = self.peers.get(key).and_then(|peer| peer.due).map_or("paths", |(_, why)| why);
            Deadline::between(*due, *due + SLACK, why)
        });
        earliest([peer, self.change_due.map(|due| Deadline::between(due, due + SLACK, "network change"))])
    }

    /// Learns from a ping who is at which address.
    fn note_ping(&mut self, from: Source, sender: &DiscoPublic, ping: &Ping, now: Instant, out: &mut Out) {
        let nodes = self.disco.nodes(sender);
        let key = match (ping.node, nodes) {
            (Some(node), nodes) if nodes.contains(&node) => node,
            (_, [only]) => *only,
            // Several nodes use this key and the ping does not say which it is: the pong has to do.
            _ => return,
        };
        match from {
            Way::Udp(source) => {
                if let Some(source) = address::candidate(source) {
                    self.explore(&key, now, out, |discovery, around| discovery.note_ping_from(source, around));
                }
            }
            Way::PeerRelay { server, vni } => {
                self.pass_through_in_use(&key, now, out, |via, around| via.note_ping_from(server, vni, around));
            }
            Way::Relay { .. } => {}
        }
    }

    fn note_heard_by_relay(&mut self, key: &NodePublic, region: RegionId) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.relay.note_heard(region);
        }
    }

    /// Changes a peer's disco key. With a new key it is a new run of the peer, of which nothing measured is true; the
    /// route stays, with the relay beside it.
    fn set_disco(&mut self, key: &NodePublic, disco: Option<DiscoPublic>, now: Instant, out: &mut Out) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.disco == disco {
            return;
        }
        if let Some(old) = peer.disco {
            self.disco.dismiss(&old, key);
        }
        peer.disco = disco;
        // Relays know a pair of nodes by these keys.
        peer.via = None;
        self.at_relays.remove(key);
        match disco {
            Some(disco) => {
                self.disco.admit(disco, *key);
                self.explore_in_use(key, now, out, Discovery::reset);
            }
            None => peer.discovery = None,
        }
    }

    /// Acts on the search for a peer's paths, starting one if there is none.
    fn explore(
        &mut self,
        key: &NodePublic,
        now: Instant,
        out: &mut Out,
        act: impl FnOnce(&mut Discovery, &mut Surroundings<'_>),
    ) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some(pen) = peer.disco.and_then(|disco| self.disco.pen(&disco, out)) else { return };
        let relay = peer.relay.region();
        let yields = self.node < *key;
        let mut around = Surroundings {
            pen,
            peer: *key,
            relay,
            own: &self.own,
            families: self.families,
            budget: &mut self.budget,
            yields,
            now,
        };
        let endpoints = &peer.endpoints;
        let discovery = peer.discovery.get_or_insert_with(|| Box::new(Discovery::new(endpoints, now)));
        act(discovery, &mut around);
        self.settle(key, out);
    }

    /// Acts on the search for a peer's paths if there is one.
    fn explore_in_use(
        &mut self,
        key: &NodePublic,
        now: Instant,
        out: &mut Out,
        act: impl FnOnce(&mut Discovery, &mut Surroundings<'_>),
    ) {
        if self.peers.get(key).is_some_and(|peer| peer.discovery.is_some()) {
            self.explore(key, now, out, act);
        }
    }

    /// Acts on every search under way.
    fn explore_all(&mut self, now: Instant, out: &mut Out, act: impl Fn(&mut Discovery, &mut Surroundings<'_>)) {
        let in_use: Vec<NodePublic> =
            self.peers.iter().filter(|(_, peer)| peer.discovery.is_some()).map(|(key, _)| *key).collect();
        for key in in_use {
            self.explore(&key, now, out, &act);
        }
    }

    /// After a peer was touched: tells its route if it changed, and sets its timer.
    fn settle(&mut self, key: &NodePublic, out: &mut Out) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let route = peer.route();
        if route != peer.told {
            peer.told = route;
            out.events.push(Event::RouteChanged { peer: *key, route });
        }
        let due = peer.next_due();
        if due != peer.due {
            if let Some((old, _)) = peer.due {
                self.queue.remove(&(old, *key));
            }
            if let Some((new, _)) = due {
                self.queue.insert((new, *key));
            }
            peer.due = due;
        }
        if peer.discovery.as_ref().is_some_and(|discovery| discovery.owes_call) {
            self.owing.insert(*key);
        } else {
            self.owing.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
