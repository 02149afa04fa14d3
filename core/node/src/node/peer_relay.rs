//! Peer relays at the node: who relays for us, and who may have us relay. The rules are the packet filter's: a peer that
//! holds `cap/relay` on us may ask us, and we ask those that hold `cap/relay-target` on us.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wattle_filter::Filter;
use wattle_keys::NodePublic;
use wattle_netmap::{Node as MapNode, NodeId};
use wattle_path::PeerRelays;
use wattle_wire::disco::{AllocateRequest, Allocation};
use wattle_wire::version;

use super::{Node, Now};
use crate::out::{Event, Out};

/// The capability to have a node relay.
const MAY_USE: &str = "tailscale.com/cap/relay";
/// Its mirror image at those who may use it: the node that holds it relays for them.
const RELAYS_FOR_US: &str = "tailscale.com/cap/relay-target";
/// Node capabilities that forbid it.
const CLIENT_FORBIDDEN: [&str; 2] = ["disable-relay-client", "only-tcp-443"];
const SERVER_FORBIDDEN: &str = "disable-relay-server";

impl Node {
    /// Whether we may relay for others if a person wants us to.
    pub fn may_relay(&self) -> bool {
        self.map.self_node.as_ref().is_some_and(|node| !has(node, SERVER_FORBIDDEN))
    }

    /// Answers an [`Event::PeerRelayWanted`] with what was set aside. No answer is a refusal.
    pub fn answer_allocation(
        &mut self,
        to: NodePublic,
        request: &AllocateRequest,
        allocation: Allocation,
        now: Now,
        out: &mut Out,
    ) {
        self.with_paths(now, out, |paths, mono, effects| {
            paths.answer_allocation(to, request, allocation, mono, effects);
        });
        self.finish(out);
    }

    /// Somebody asks for an allocation. What the packet filter does not allow goes no further.
    pub(super) fn handle_allocation_request(&self, from: NodePublic, request: AllocateRequest, out: &mut Out) {
        let own = self.map.self_node.as_ref();
        let is_ours = own.is_some_and(|own| own.key == from);
        let allowed = own.is_some_and(|own| {
            let peer = self.map.peers.values().find(|peer| peer.key == from);
            peer.is_some_and(|peer| holds(&self.tables.filter, peer, own, MAY_USE))
        });
        if (is_ours || allowed) && self.may_relay() {
            out.events.push(Event::PeerRelayWanted { from, request });
        }
    }

    /// One node of the map changed: it may begin or cease to relay for us.
    pub(super) fn note_possible_relay(&mut self, id: NodeId) {
        let relays = self.ids.contains_key(&id) && self.map.peers.get(&id).is_some_and(|peer| self.relays_for_us(peer));
        self.dirty.peer_relays |= match relays {
            true => self.peer_relays.insert(id),
            false => self.peer_relays.remove(&id),
        };
    }

    /// The rules changed: look at everybody.
    pub(super) fn find_peer_relays(&mut self) {
        let mentioned = self.tables.filter.grants_anybody(RELAYS_FOR_US);
        let relays = self.map.peers.values().filter(|peer| mentioned && self.relays_for_us(peer));
        self.peer_relays = relays.map(|peer| peer.id).filter(|id| self.ids.contains_key(id)).collect();
    }

    /// Tells the paths what we found.
    pub(super) fn publish_peer_relays(&mut self) {
        let own = self.map.self_node.as_ref();
        let enabled = own.is_some_and(|own| !CLIENT_FORBIDDEN.iter().any(|name| has(own, name)));
        let mut nodes: BTreeSet<NodePublic> =
            self.peer_relays.iter().filter_map(|id| self.ids.get(id)).copied().collect();
        nodes.extend(own.filter(|own| holds(&self.tables.filter, own, own, RELAYS_FOR_US)).map(|own| own.key));
        let relays = PeerRelays { enabled, nodes };
        let Some(engine) = &mut self.engine else { return };
        let mut effects = wattle_path::Out::default();
        engine.paths.set_peer_relays(relays, &mut effects);
        for event in effects.events {
            if let wattle_path::Event::RouteChanged { peer, .. } = event {
                self.refresh_route(&peer);
            }
        }
    }

    fn relays_for_us(&self, peer: &MapNode) -> bool {
        let own = self.map.self_node.as_ref();
        peer.capability_version >= version::PEER_RELAYS
            && own.is_some_and(|own| holds(&self.tables.filter, peer, own, RELAYS_FOR_US))
    }
}

fn has(node: &MapNode, name: &str) -> bool {
    node.capabilities.iter().any(|capability| capability.name == name)
}

/// Whether a node holds a capability on another. Those of one family say it all: whoever holds it holds it for all its
/// addresses.
fn holds(filter: &Filter, source: &MapNode, target: &MapNode, name: &str) -> bool {
    let addresses = |node: &MapNode| [node.ipv4(), node.ipv6()];
    let pairs = addresses(source).into_iter().zip(addresses(target));
    let pair: Option<(IpAddr, IpAddr)> = pairs.filter_map(|(source, target)| source.zip(target)).next();
    pair.is_some_and(|(source, target)| filter.capabilities(source, target).contains_key(name))
}
