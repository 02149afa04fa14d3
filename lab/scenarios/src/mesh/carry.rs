//! What happens between the nodes' machines: packets, relays, and the effects that the machines want.

use std::net::SocketAddr;
use std::time::Duration;

use wattle_keys::NodePublic;
use wattle_netcheck::Event as CheckEvent;
use wattle_netmap::RegionId;
use wattle_path::{Event, Way};
use wattle_time::Instant;
use wattle_wire::{disco, stun};
use wattle_world::{Arrival, Cargo, HostId};

use super::{Mesh, Peering, STUN_PORT};
use crate::node::PORT;

/// WireGuard's passive keepalive.
const KEEPALIVE: Duration = Duration::from_secs(10);
const HTTPS_LATENCY: Duration = Duration::from_millis(60);

pub(super) const DATA: &[u8; 4] = b"DATA";
const KEEP: &[u8; 4] = b"KEEP";
const RELAYED: u8 = 0;
const GONE: u8 = 1;

impl Mesh {
    /// Sends a packet of the tunnel along the published route.
    pub(super) fn send_data(&mut self, from: usize, to: usize, kind: &[u8; 4], number: u64) {
        let (sender, peer) = (&self.nodes[from], self.nodes[to].key);
        let route = sender.route(&peer);
        let mut packet = kind.to_vec();
        packet.extend_from_slice(sender.key.as_bytes());
        packet.extend_from_slice(&number.to_be_bytes());
        if let Some(hop) = route.udp {
            self.world.send(sender.host, PORT, hop.to, packet.clone());
        }
        if let Some(region) = route.relay {
            self.relayed += 1;
            self.send_relayed(from, region, peer, &packet);
        }
    }

    fn send_relayed(&mut self, from: usize, region: RegionId, peer: NodePublic, packet: &[u8]) {
        let mut message = peer.as_bytes().to_vec();
        message.extend_from_slice(packet);
        let node = &mut self.nodes[from];
        node.connected.insert(region);
        if let Some(relay) = self.relays.get(&region) {
            self.world.send_message(node.host, *relay, message);
        }
    }

    pub(super) fn handle_arrival(&mut self, Arrival { host, cargo }: Arrival) {
        let relay = self.relays.iter().find(|(_, relay)| **relay == host).map(|(region, _)| *region);
        match (relay, cargo) {
            (Some(_), Cargo::Datagram { from, bytes, .. }) => {
                if let Ok(transaction) = stun::decode_request(&bytes) {
                    let mut response = Vec::new();
                    stun::encode_response(transaction, from, &mut response);
                    self.world.send(host, STUN_PORT, from, response);
                }
            }
            (Some(region), Cargo::OldMessage { from, bytes }) => self.forward(region, host, from, &bytes),
            (None, Cargo::Datagram { from, bytes, .. }) => self.handle_packet(host, Way::Udp(from), from, &bytes),
            (None, Cargo::OldMessage { from, bytes }) => self.handle_relay_message(host, from, &bytes),
            // Stories tell nodes themselves.
            _ => {}
        }
    }

    fn forward(&mut self, region: RegionId, relay: HostId, from: HostId, message: &[u8]) {
        let Some((to, packet)) = message.split_first_chunk::<32>() else { return };
        let Some(sender) = self.nodes.iter().find(|node| node.host == from) else { return };
        let receiver = self.nodes.iter().find(|node| node.key.as_bytes() == to && node.connected.contains(&region));
        let (target, kind, key) = match receiver {
            Some(receiver) => (receiver.host, RELAYED, *sender.key.as_bytes()),
            None => (from, GONE, *to),
        };
        let packet = if kind == RELAYED { packet } else { &[] };
        self.world.send_message(relay, target, [&[kind][..], &key, packet].concat());
    }

    fn handle_relay_message(&mut self, host: HostId, relay: HostId, message: &[u8]) {
        let Some(region) = self.relays.iter().find(|(_, known)| **known == relay).map(|(region, _)| *region) else {
            return;
        };
        let Some((kind, rest)) = message.split_first() else { return };
        let Some((key, packet)) = rest.split_first_chunk::<32>() else { return };
        let peer = NodePublic::from_bytes(*key);
        if *kind == GONE {
            if let Some(index) = self.nodes.iter().position(|node| node.host == host) {
                let node = &mut self.nodes[index];
                node.paths.note_peer_gone(region, &peer, &mut node.path_out);
                self.carry_out(index);
            }
            return;
        }
        self.handle_packet(host, Way::Relay { region, peer }, SocketAddr::from(([127, 3, 3, 40], region.0)), packet);
    }

    fn handle_packet(&mut self, host: HostId, way: Way, from: SocketAddr, packet: &[u8]) {
        let now = self.world.now();
        let Some(index) = self.nodes.iter().position(|node| node.host == host) else { return };
        let node = &mut self.nodes[index];
        if let Way::Relay { region, .. } = way {
            node.netcheck.note_relay_frame(region, now);
        }
        if stun::looks_like_stun_response(packet) {
            node.netcheck.handle_stun(from, packet, now, &mut node.check_out);
        } else if disco::looks_like_disco(packet) {
            node.paths.handle_disco(way, packet, now, &mut node.path_out);
        } else if let Some((kind, rest)) = packet.split_first_chunk::<4>()
            && let Some((key, number)) = rest.split_first_chunk::<32>()
        {
            let peer = NodePublic::from_bytes(*key);
            node.note_inbound(peer, way, now);
            if let Some(sender) = self.nodes.iter().position(|node| node.key == peer) {
                let number = number.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                self.handle_data(Peering { from: sender, to: index }, kind, number, now);
            }
        }
        self.carry_out(index);
    }

    fn handle_data(&mut self, Peering { from, to }: Peering, kind: &[u8; 4], number: u64, now: Instant) {
        if kind != DATA {
            return;
        }
        let said = self.talks.get_mut(&(from, to)).and_then(|talk| talk.said.get_mut(number as usize));
        if let Some((_, came)) = said {
            *came = true;
        }
        let peer = self.nodes[from].key;
        let quiet = self.nodes[to].sent_at.get(&peer).is_none_or(|sent| now.since(*sent) >= KEEPALIVE);
        if quiet {
            self.nodes[to].sent_at.insert(peer, now);
            self.send_data(to, from, KEEP, 0);
        }
    }

    /// Carries out what a node's machines want, until they want nothing more.
    pub(super) fn carry_out(&mut self, index: usize) {
        let now = self.world.now();
        loop {
            let node = &mut self.nodes[index];
            let paths = std::mem::take(&mut node.path_out);
            let check = std::mem::take(&mut node.check_out);
            if paths.transmits.is_empty()
                && paths.events.is_empty()
                && check.transmits.is_empty()
                && check.events.is_empty()
            {
                break;
            }
            for transmit in paths.transmits {
                match transmit.to {
                    // No node in these stories relays.
                    Way::PeerRelay { server: to, .. } | Way::Udp(to) => {
                        self.world.send(self.nodes[index].host, PORT, to, transmit.packet)
                    }
                    Way::Relay { region, peer } => self.send_relayed(index, region, peer, &transmit.packet),
                }
            }
            for transmit in check.transmits {
                self.world.send(self.nodes[index].host, PORT, transmit.to, transmit.packet);
            }
            paths.events.into_iter().for_each(|event| self.handle_path_event(index, event, now));
            check.events.into_iter().for_each(|event| self.handle_check_event(index, event, now));
        }
        self.assert_published(index);
    }

    fn handle_path_event(&mut self, index: usize, event: Event, now: Instant) {
        let node = &mut self.nodes[index];
        match event {
            Event::RouteChanged { peer, route } => {
                node.routes.insert(peer, route);
            }
            Event::PingAnswered { id, way, latency, .. } => self.answers.push((id, way, latency)),
            Event::PingLost { .. } | Event::AllocationRequested { .. } => {}
            Event::WantFreshEndpoints => node.netcheck.refresh(now, &mut node.check_out),
        }
    }

    fn handle_check_event(&mut self, index: usize, event: CheckEvent, now: Instant) {
        let node = &mut self.nodes[index];
        match event {
            CheckEvent::EndpointsRefreshed { changed } => {
                let own: Vec<SocketAddr> = node.netcheck.endpoints().iter().map(|endpoint| endpoint.address).collect();
                node.paths.set_own_endpoints(&own, now, &mut node.path_out);
                if changed {
                    self.report(index, now);
                }
            }
            CheckEvent::HomeChanged(home) => {
                node.connected.extend(home);
                self.report(index, now);
            }
            CheckEvent::MeasureHttps { region } => {
                node.netcheck.handle_https(region, Some(HTTPS_LATENCY), now, &mut node.check_out);
            }
            CheckEvent::Resolve { .. } | CheckEvent::ReportReady => {}
        }
    }

    /// What the data path was told is what the machine thinks.
    fn assert_published(&self, index: usize) {
        let node = &self.nodes[index];
        for (peer, route) in &node.routes {
            assert_eq!(*route, node.paths.best(peer), "a route changed in silence");
        }
    }
}
