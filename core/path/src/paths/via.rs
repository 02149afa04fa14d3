//! The ways through peer relays, for all peers: who relays for us, and whose search an input belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use wattle_keys::{DiscoPublic, NodePublic};
use wattle_time::Instant;
use wattle_wire::disco::{AllocateRequest, AllocateResponse, Allocation, Envelope, Message};
use wattle_wire::geneve::Vni;

use super::Paths;
use crate::limits::PEERS_AT_PEER_RELAYS_MAX;
use crate::peer::Peer;
use crate::peer_relay::{Around, Server, Via};
use crate::{Event, Out, Way};

/// The peer relays that we may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRelays {
    /// Whether we use any: also those that our peers have found.
    pub enabled: bool,
    /// The nodes that relay for us; ourselves, if we do.
    pub nodes: BTreeSet<NodePublic>,
}

impl Paths {
    /// The map, the packet filter or our capabilities say who relays for us.
    pub fn set_peer_relays(&mut self, relays: PeerRelays, out: &mut Out) {
        self.relays = relays;
        if self.relays.enabled {
            return;
        }
        self.at_relays.clear();
        let in_use: Vec<NodePublic> =
            self.peers.iter_mut().filter_map(|(key, peer)| peer.via.take().map(|_| *key)).collect();
        for key in in_use {
            self.settle(&key, out);
        }
    }

    /// Answers an [`Event::AllocationRequested`].
    pub fn answer_allocation(
        &mut self,
        to: NodePublic,
        request: &AllocateRequest,
        allocation: Allocation,
        now: Instant,
        out: &mut Out,
    ) {
        let response = AllocateResponse { generation: request.generation, allocation };
        if to == self.node {
            return self.handle_allocated(to, &response, now, out);
        }
        let Some(peer) = self.peers.get(&to) else { return };
        let (Some(disco), Some(region)) = (peer.disco, peer.relay.region()) else { return };
        if let Some(mut pen) = self.disco.pen(&disco, out) {
            pen.write(Way::Relay { region, peer: to }, &Message::AllocateResponse(response));
        }
    }

    /// A message about allocations came over DERP from `peer`, who has sealed it with `sender`.
    pub(super) fn handle_allocation_message(
        &mut self,
        peer: NodePublic,
        sender: &DiscoPublic,
        message: Message,
        now: Instant,
        out: &mut Out,
    ) {
        match message {
            Message::AllocateRequest(request) if request.clients.contains(sender) => {
                out.events.push(Event::AllocationRequested { from: peer, request });
            }
            Message::AllocateResponse(response) => self.handle_allocated(peer, &response, now, out),
            Message::CallMeMaybeVia(allocation) if !self.is_crowded(&peer) => {
                self.pass_through(&peer, now, out, |via, around| via.handle_call(&allocation, around));
            }
            _ => {}
        }
    }

    /// A packet came from a peer relay that no node sealed: the relay itself may have.
    pub(super) fn handle_challenge(&mut self, from: SocketAddr, vni: Vni, packet: &[u8], now: Instant, out: &mut Out) {
        let Some(envelope) = Envelope::parse(packet) else { return };
        let server = envelope.sender;
        let opened = self.at_relays.iter().find_map(|key| {
            let handshake = self.peers.get(key)?.via.as_ref()?.find_handshake(&server, vni)?;
            Some((*key, handshake.open(&envelope)?))
        });
        if let Some((key, Message::Challenge(challenge))) = opened
            && challenge.vni == vni
        {
            self.pass_through_in_use(&key, now, out, |via, around| {
                via.handle_challenge(&server, from, &challenge, around);
            });
        }
    }

    /// Data went to the peer.
    pub(super) fn note_outbound_via(&mut self, key: &NodePublic, now: Instant, out: &mut Out) {
        let Some(peer) = self.peers.get(key) else { return };
        // A peer that needs no relay costs nothing.
        let wanted = !self.relays.nodes.is_empty() && !peer.has_trusted_direct();
        if wanted {
            self.pass_through(key, now, out, Via::note_outbound);
        } else {
            self.pass_through_in_use(key, now, out, Via::note_outbound);
        }
    }

    /// Lets time pass for one peer.
    pub(super) fn handle_timeout_via(&mut self, key: &NodePublic, now: Instant, out: &mut Out) {
        self.pass_through_in_use(key, now, out, Via::handle_timeout);
        if let Some(peer) = self.peers.get_mut(key) {
            peer.via.take_if(|via| via.is_idle(now));
        }
    }

    fn handle_allocated(&mut self, from: NodePublic, response: &AllocateResponse, now: Instant, out: &mut Out) {
        let asking: Vec<NodePublic> = self.at_relays.iter().copied().collect();
        for key in asking {
            let mut ours = false;
            self.pass_through_in_use(&key, now, out, |via, around| ours = via.handle_response(from, response, around));
            if ours {
                break;
            }
        }
    }

    /// Acts on the search for a peer's ways through relays, starting one if there is none and may be one.
    pub(super) fn pass_through(
        &mut self,
        key: &NodePublic,
        now: Instant,
        out: &mut Out,
        act: impl FnOnce(&mut Via, &mut Around<'_>),
    ) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some(theirs) = peer.disco.filter(|_| peer.speaks_peer_relay && self.relays.enabled) else { return };
        let mut via = peer.via.take().unwrap_or_default();
        let (region, direct) = (peer.relay.region(), peer.has_trusted_direct());
        let crowded = self.at_relays.len() >= PEERS_AT_PEER_RELAYS_MAX && !self.at_relays.contains(key);
        let mut around = Around {
            disco: &mut self.disco,
            out,
            us: self.node,
            peer: *key,
            theirs,
            region,
            direct,
            yields: self.node < *key,
            now,
        };
        act(&mut via, &mut around);
        if via.wants_search(now) {
            let servers = if crowded { Vec::new() } else { servers(&self.relays, self.node, &self.peers) };
            via.search(&servers, &mut around);
        }
        let busy = via.is_busy();
        if let Some(peer) = self.peers.get_mut(key) {
            peer.via = Some(via);
        }
        if busy {
            self.at_relays.insert(*key);
        } else {
            self.at_relays.remove(key);
        }
        self.settle(key, out);
    }

    /// Acts on the search if there is one.
    pub(super) fn pass_through_in_use(
        &mut self,
        key: &NodePublic,
        now: Instant,
        out: &mut Out,
        act: impl FnOnce(&mut Via, &mut Around<'_>),
    ) {
        if self.peers.get(key).is_some_and(|peer| peer.via.is_some()) {
            self.pass_through(key, now, out, act);
        }
    }

    /// Whether so much is under way for others that nothing may be begun for this peer.
    fn is_crowded(&self, key: &NodePublic) -> bool {
        self.at_relays.len() >= PEERS_AT_PEER_RELAYS_MAX && !self.at_relays.contains(key)
    }
}

/// The nodes that relay for us and can be asked.
fn servers(relays: &PeerRelays, us: NodePublic, peers: &BTreeMap<NodePublic, Peer>) -> Vec<Server> {
    let server = |node: &NodePublic| {
        if *node == us {
            return Some(Server::Ourselves);
        }
        let peer = peers.get(node)?;
        Some(Server::Peer { node: *node, disco: peer.disco?, region: peer.relay.region()? })
    };
    relays.nodes.iter().filter_map(server).collect()
}

#[cfg(test)]
mod tests;
