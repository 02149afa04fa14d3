//! What people and programs may ask.

use std::net::IpAddr;
use std::time::Duration;

use wattle_filter::Filter;
use wattle_netcheck::Report;
use wattle_netmap::{Endpoint, Netmap, Node as MapNode, NodeId, User};
use wattle_path::{Nets, PathExplanation, Route};
use wattle_time::Instant;

use super::{Node, Now};
use crate::out::SelfStatus;

/// One peer, with what the node itself knows of it.
#[derive(Clone, Debug)]
pub struct PeerView<'a> {
    /// What the map says.
    pub node: &'a MapNode,
    /// Its owner.
    pub user: Option<&'a User>,
    /// How packets go to it.
    pub route: Route,
    /// The latency of the direct path, as last measured.
    pub latency: Option<Duration>,
    /// Whether there was traffic lately.
    pub active: bool,
    /// Why it goes this way, for people.
    pub why: &'static str,
    /// When the last handshake was completed.
    pub last_handshake: Option<Instant>,
    /// Bytes sent to it through its tunnel.
    pub sent_bytes: u64,
    /// Bytes received from it through its tunnel.
    pub received_bytes: u64,
}

impl Node {
    /// The map as we know it.
    pub fn map(&self) -> &Netmap {
        &self.map
    }

    /// Facts about ourselves.
    pub fn self_status(&self) -> SelfStatus {
        let home = self.netcheck.home();
        SelfStatus {
            disco: self.engine.as_ref().map(|engine| engine.paths.disco_key()),
            home,
            home_connected: home.is_some_and(|home| self.relays.is_open(home)),
        }
    }

    /// Our own endpoints, best guess first.
    pub fn endpoints(&self) -> &[Endpoint] {
        self.netcheck.endpoints()
    }

    /// The last netcheck report.
    pub fn report(&self) -> Option<&Report> {
        self.netcheck.report()
    }

    /// All peers.
    pub fn peers(&self, now: Now) -> impl Iterator<Item = PeerView<'_>> {
        self.map.peers.keys().filter_map(move |id| self.peer(*id, now))
    }

    /// One peer.
    pub fn peer(&self, id: NodeId, now: Now) -> Option<PeerView<'_>> {
        let node = self.map.peers.get(&id)?;
        let engine = self.engine.as_ref();
        let path = engine.and_then(|engine| engine.paths.peer_status(&node.key, now.mono));
        let tunnel = engine.and_then(|engine| engine.tunnels.status(&node.key));
        Some(PeerView {
            node,
            user: self.map.users.get(&node.user),
            route: path.as_ref().map(|path| path.route).unwrap_or_default(),
            latency: path.as_ref().and_then(|path| path.latency),
            active: path.as_ref().is_some_and(|path| path.active),
            why: path.as_ref().map_or("", |path| path.why),
            last_handshake: tunnel.as_ref().and_then(|tunnel| tunnel.last_handshake),
            sent_bytes: tunnel.as_ref().map_or(0, |tunnel| tunnel.sent_bytes),
            received_bytes: tunnel.as_ref().map_or(0, |tunnel| tunnel.received_bytes),
        })
    }

    /// Why packets go to a peer as they do, for people.
    pub fn explain_path(&self, id: NodeId, now: Now) -> Option<PathExplanation> {
        let node = self.map.peers.get(&id)?;
        let ours = self.netcheck.report().map(Report::net_facts);
        let nets = Nets { ours: ours.as_ref(), theirs: node.host.net.as_ref() };
        self.engine.as_ref()?.paths.explain(&node.key, nets, now.mono)
    }

    /// The node, ourselves included, that has this tailnet address or routes it to us.
    pub fn whois(&self, address: IpAddr) -> Option<&MapNode> {
        self.map.node_by_address(address)
    }

    /// The addresses of a node's name, whole or only its first label.
    pub fn addresses_of(&self, name: &str) -> Vec<IpAddr> {
        self.resolver.lookup(name)
    }

    /// The packet filter in force.
    pub fn filter(&self) -> &Filter {
        &self.tables.filter
    }
}
