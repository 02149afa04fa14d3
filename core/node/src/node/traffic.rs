//! What comes from below and beside the packet path: handshakes, disco, STUN, packets without a session, pings.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand_core::RngCore;
use wattle_keys::NodePublic;
use wattle_netmap::RegionId;
use wattle_packet::{IcmpMessage, IpPacket, build, protocol};
use wattle_path::{Paths, ProofToken, Way};
use wattle_time::Instant;
use wattle_tunnel::{HEADER_LENGTH, Tunnels};
use wattle_wire::geneve::{self, Vni};
use wattle_wire::{disco, stun, tsmp};

use super::{Node, Now};
use crate::Slot;
use crate::handoff::Handoff;
use crate::out::{Out, PingFailure, PingKind, PingToken};
use crate::pings::{Facts, Mark};
use crate::tables::OpenerEntry;

/// Room behind a packet for padding to 16 bytes and the tag.
const SEALING_ROOM: usize = 32;

impl Node {
    /// Something that the packet path does not do itself.
    pub fn handle_handoff(&mut self, handoff: Handoff, now: Now, out: &mut Out) {
        match handoff {
            Handoff::Unsealed { slot, packet } => self.send_inner(slot, &packet, now, out),
            Handoff::Relayed { region, peer, message } => {
                self.with_relays(now, out, |relays, mono, actions| relays.send(region, peer, message, mono, actions));
            }
            Handoff::Service { packet } => self.service.handle(&packet, &self.resolver, now.mono, out),
            Handoff::Outbound { slot } => self.note_outbound(slot, now, out),
            Handoff::Inbound { slot, way, .. } => self.note_inbound(slot, way, now, out),
            Handoff::Control { way, message } => self.handle_message(way, &message, now, out),
            Handoff::Inner { slot, packet } => self.handle_inner(slot, &packet, now, out),
        }
        self.finish(out);
    }

    /// A packet from a relay that is not data: disco or a handshake.
    pub fn handle_relay_frame(&mut self, region: RegionId, from: NodePublic, packet: &[u8], now: Now, out: &mut Out) {
        self.handle_message(Way::Relay { region, peer: from }, packet, now, out);
        self.finish(out);
    }

    /// Any frame came from a relay: the region lives. Cheap enough for every frame.
    pub fn note_relay_frame(&mut self, region: RegionId, now: Now) {
        self.netcheck.note_relay_frame(region, now.mono);
        self.relays.note_use(region, now.mono);
    }

    /// A relay link is open.
    pub fn handle_relay_open(&mut self, region: RegionId, now: Now, out: &mut Out) {
        self.netcheck.note_relay_open(region);
        self.with_relays(now, out, |relays, mono, actions| relays.handle_open(region, mono, actions));
        self.finish(out);
    }

    /// A relay link could not be made, or broke.
    pub fn handle_relay_lost(&mut self, region: RegionId, now: Now, out: &mut Out) {
        self.relays.handle_lost(region, now.mono);
        self.with_paths(now, out, |paths, _, effects| paths.note_relay_lost(region, effects));
        self.finish(out);
    }

    /// A relay said that it restarts, when to come back and for how long to try. Its link is lost.
    pub fn handle_relay_restart(
        &mut self,
        region: RegionId,
        reconnect_in: Duration,
        try_for: Duration,
        now: Now,
        out: &mut Out,
    ) {
        self.relays.handle_restart(region, reconnect_in, try_for, now.mono);
        self.finish(out);
    }

    /// A relay says that a peer is not there.
    pub fn handle_peer_gone(&mut self, region: RegionId, peer: &NodePublic, now: Now, out: &mut Out) {
        self.with_paths(now, out, |paths, _, effects| paths.note_peer_gone(region, peer, effects));
        self.finish(out);
    }

    /// Pings the node that has this address. The outcome comes as [`Event::PingDone`], perhaps in `out` already.
    pub fn ping(&mut self, kind: PingKind, address: IpAddr, now: Now, out: &mut Out) -> Result<PingToken, PingFailure> {
        if self.tables.own.contains(&address) {
            return Err(PingFailure::Ourselves(address));
        }
        let slot = self.tables.routes.lookup(address);
        let peer = slot.and_then(|slot| self.slots.key(slot)).ok_or(PingFailure::NoSuchNode(address))?;
        let token = self.pings.token().ok_or(PingFailure::TooMany)?;
        let mark = match kind {
            PingKind::Disco => Mark::Disco(self.disco_ping(&peer, now, out)?),
            PingKind::Tsmp | PingKind::Icmp => self.inner_ping(kind, peer, address, now, out)?,
        };
        self.pings.wait(token, peer, mark, now.mono);
        self.finish(out);
        Ok(token)
    }

    pub(super) fn with_paths(
        &mut self,
        now: Now,
        out: &mut Out,
        call: impl FnOnce(&mut Paths, Instant, &mut wattle_path::Out),
    ) {
        let mut effects = wattle_path::Out::default();
        let Some(engine) = &mut self.engine else { return };
        call(&mut engine.paths, now.mono, &mut effects);
        self.carry_out(effects, now, out);
    }

    /// Runs the tunnels. `way` is where the message that is being handled came from.
    pub(super) fn with_tunnels(
        &mut self,
        way: Option<Way>,
        now: Now,
        out: &mut Out,
        call: impl FnOnce(&mut Tunnels, Instant, &mut wattle_tunnel::Out),
    ) {
        let mut effects = wattle_tunnel::Out::default();
        let Some(engine) = &mut self.engine else { return };
        call(&mut engine.tunnels, now.mono, &mut effects);
        for event in effects.events {
            self.handle_tunnel_event(event, way, now, out);
        }
        for transmit in effects.transmits {
            match transmit.way {
                wattle_tunnel::Way::Peer(peer) => self.send_to_peer(&peer, transmit.message, now, out),
                wattle_tunnel::Way::Back(Some(peer)) if self.has_way(&peer) => {
                    self.send_to_peer(&peer, transmit.message, now, out);
                }
                wattle_tunnel::Way::Back(_) => {
                    if let Some(way) = way {
                        self.send_by(way, transmit.message, now, out);
                    }
                }
            }
        }
    }

    /// Brings the published route of a peer up to date.
    pub(super) fn refresh_route(&mut self, peer: &NodePublic) {
        let Some(engine) = &self.engine else { return };
        let route = engine.paths.best(peer);
        let Some(slot) = self.slots.of(peer) else { return };
        if self.tables.peer(slot).is_some_and(|entry| entry.route != route) {
            self.edit_peer(peer, |entry| entry.route = route);
        }
    }

    fn carry_out(&mut self, effects: wattle_path::Out, now: Now, out: &mut Out) {
        for transmit in effects.transmits {
            match transmit.to {
                // The Geneve header is in the packet.
                Way::Udp(to) | Way::PeerRelay { server: to, .. } => out.udp.push((to, transmit.packet)),
                relay @ Way::Relay { .. } => self.send_by(relay, transmit.packet, now, out),
            }
        }
        for event in effects.events {
            match event {
                wattle_path::Event::AllocationRequested { from, request } => {
                    self.handle_allocation_request(from, request, out);
                }
                wattle_path::Event::RouteChanged { peer, .. } => self.refresh_route(&peer),
                wattle_path::Event::SendProof { peer, to, token } => self.send_proof(&peer, to, token, now, out),
                wattle_path::Event::WantTraffic { peer } => {
                    let entry = self.slots.of(&peer).and_then(|slot| self.tables.peer(slot));
                    let traffic = entry.map(|entry| entry.activity.traffic()).unwrap_or_default();
                    self.with_paths(now, out, |paths, mono, effects| {
                        paths.handle_traffic(&peer, traffic, mono, effects);
                    });
                }
                wattle_path::Event::PingAnswered { id, peer, way, latency } => {
                    let facts = Facts { latency: Some(latency), way: Some(way), peerapi_port: None };
                    self.pings.answered(peer, Mark::Disco(id), facts, now.mono, &mut out.events);
                }
                wattle_path::Event::PingLost { id, .. } => self.pings.lost(Mark::Disco(id), &mut out.events),
                wattle_path::Event::WantFreshEndpoints => {
                    self.with_netcheck(now, out, |netcheck, mono, effects| netcheck.refresh(mono, effects));
                }
            }
        }
    }

    fn handle_message(&mut self, way: Way, message: &[u8], now: Now, out: &mut Out) {
        if disco::looks_like_disco(message) {
            self.with_paths(now, out, |paths, mono, effects| paths.handle_disco(way, message, mono, effects));
        } else if stun::looks_like_stun_response(message) {
            if let Way::Udp(from) = way {
                self.with_netcheck(now, out, |netcheck, mono, effects| {
                    netcheck.handle_stun(from, message, mono, effects);
                });
            }
        } else {
            let source = source_bytes(way);
            self.with_tunnels(Some(way), now, out, |tunnels, mono, effects| {
                tunnels.handle_message(&source, message, mono, effects)
            });
            // Somebody whom the map knows but the tunnels do not yet: peers are made when they are first needed.
            if let Some(key) = self.stranger.take()
                && self.slots.of(&key).is_some()
            {
                self.with_tunnels(Some(way), now, out, |tunnels, mono, effects| {
                    tunnels.upsert_peer(key, None);
                    tunnels.handle_message(&source, message, mono, effects);
                });
                self.stranger = None;
            }
        }
    }

    fn handle_tunnel_event(&mut self, event: wattle_tunnel::Event, way: Option<Way>, now: Now, out: &mut Out) {
        match event {
            wattle_tunnel::Event::OpenerReady { peer, receiver_index, opener } => {
                if let Some(slot) = self.slots.of(&peer) {
                    self.set_opener(OpenerEntry { index: receiver_index, slot, opener });
                }
                if let Some(way) = way {
                    self.with_paths(now, out, |paths, mono, effects| paths.note_inbound(&peer, way, mono, effects));
                }
            }
            wattle_tunnel::Event::OpenerGone { receiver_index, .. } => {
                self.tables.openers.retain(|entry| entry.index != receiver_index);
                self.dirty.tables = true;
            }
            wattle_tunnel::Event::SealerReady { peer, sealer } => {
                self.initiated.remove(&peer);
                self.edit_peer(&peer, |entry| entry.sealer = Some(sealer));
            }
            wattle_tunnel::Event::SealerGone { peer } => self.edit_peer(&peer, |entry| entry.sealer = None),
            wattle_tunnel::Event::UnknownPeer { key } => self.stranger = Some(key),
            wattle_tunnel::Event::HandshakeFailed { peer } => {
                self.initiated.remove(&peer);
            }
        }
    }

    fn send_to_peer(&mut self, peer: &NodePublic, message: Vec<u8>, now: Now, out: &mut Out) {
        let kind = wattle_tunnel::classify(&message);
        if kind == Some(wattle_tunnel::Kind::Initiation) && !self.initiated.insert(*peer) {
            // The last one was not answered: data may not get through where disco does.
            self.with_paths(now, out, |paths, mono, effects| paths.note_unanswered(peer, mono, effects));
        }
        let Some(engine) = &self.engine else { return };
        let route = engine.paths.best(peer);
        let relay = route.relay.map(|region| Way::Relay { region, peer: *peer });
        if let Some(large) = route.large.filter(|large| message.len() > usize::from(large.over)) {
            return self.send_by(Way::Relay { region: large.region, peer: *peer }, message, now, out);
        }
        match (route.udp.map(|hop| hop.way()), relay) {
            (Some(way), Some(relay)) => {
                self.send_by(way, message.clone(), now, out);
                self.send_by(relay, message, now, out);
            }
            (Some(way), None) | (None, Some(way)) => self.send_by(way, message, now, out),
            (None, None) => {}
        }
    }

    fn send_by(&mut self, way: Way, message: Vec<u8>, now: Now, out: &mut Out) {
        match way {
            Way::Udp(address) => out.udp.push((address, message)),
            Way::PeerRelay { server, vni } => out.udp.push((server, through_peer_relay(vni, &message))),
            Way::Relay { region, peer } => {
                self.with_relays(now, out, |relays, mono, actions| relays.send(region, peer, message, mono, actions));
            }
        }
    }

    fn has_way(&self, peer: &NodePublic) -> bool {
        let route = self.engine.as_ref().map(|engine| engine.paths.best(peer)).unwrap_or_default();
        route.udp.is_some() || route.relay.is_some()
    }

    fn send_inner(&mut self, slot: Slot, packet: &[u8], now: Now, out: &mut Out) {
        let Some(peer) = self.slots.key(slot) else { return };
        self.with_tunnels(None, now, out, |tunnels, mono, effects| {
            if !tunnels.has_peer(&peer) {
                tunnels.upsert_peer(peer, None);
            }
            // A full queue drops the packet, as any network may.
            let _dropped = tunnels.send(&peer, packet, mono, effects);
        });
    }

    fn note_outbound(&mut self, slot: Slot, now: Now, out: &mut Out) {
        let Some(peer) = self.slots.key(slot) else { return };
        self.netcheck.note_activity(now.mono);
        self.with_tunnels(None, now, out, |tunnels, mono, effects| tunnels.note_traffic(&peer, mono, effects));
        self.with_paths(now, out, |paths, mono, effects| paths.note_outbound(&peer, mono, effects));
    }

    fn note_inbound(&mut self, slot: Slot, way: Way, now: Now, out: &mut Out) {
        let Some(peer) = self.slots.key(slot) else { return };
        self.with_tunnels(Some(way), now, out, |tunnels, mono, effects| tunnels.note_traffic(&peer, mono, effects));
        self.with_paths(now, out, |paths, mono, effects| paths.note_inbound(&peer, way, mono, effects));
    }

    /// A packet from inside the tunnel that is for the node itself.
    fn handle_inner(&mut self, slot: Slot, packet: &[u8], now: Now, out: &mut Out) {
        let (Some(peer), Ok(packet)) = (self.slots.key(slot), IpPacket::parse(packet)) else { return };
        if packet.protocol() == protocol::TSMP {
            self.handle_tsmp(slot, peer, &packet, now, out);
        } else if let Some(message) = IcmpMessage::of(&packet).filter(IcmpMessage::is_echo_reply) {
            let (_, sequence) = message.echo_id();
            self.pings.answered(peer, Mark::Icmp(sequence), Facts::default(), now.mono, &mut out.events);
        }
    }

    fn handle_tsmp(&mut self, slot: Slot, peer: NodePublic, packet: &IpPacket<'_>, now: Now, out: &mut Out) {
        match tsmp::Message::decode(packet.payload()) {
            Some(tsmp::Message::Ping { data }) => {
                let answer = tsmp::Message::Pong { data, peerapi_port: 0 };
                if let Some(inner) = tsmp_packet(packet.destination(), packet.source(), &answer) {
                    self.send_inner(slot, &inner, now, out);
                }
            }
            Some(tsmp::Message::Pong { data, peerapi_port }) => {
                let facts = Facts { peerapi_port: Some(peerapi_port).filter(|port| *port != 0), ..Facts::default() };
                self.pings.answered(peer, Mark::Tsmp(data), facts, now.mono, &mut out.events);
                self.with_paths(now, out, |paths, mono, effects| {
                    paths.handle_proof(&peer, ProofToken(data), mono, effects);
                });
            }
            Some(tsmp::Message::DiscoKey(key)) => {
                self.with_paths(now, out, |paths, mono, effects| paths.update_disco_key(&peer, key, mono, effects));
            }
            Some(tsmp::Message::Reject(_)) | None => {}
        }
    }

    /// Sends a TSMP ping by one way alone, if there is a session.
    fn send_proof(&mut self, peer: &NodePublic, way: Way, token: ProofToken, now: Now, out: &mut Out) {
        let Some(message) = self.sealed_ping(peer, token) else { return };
        self.send_by(way, message, now, out);
    }

    fn sealed_ping(&self, peer: &NodePublic, token: ProofToken) -> Option<Vec<u8>> {
        let sealer = self.tables.peer(self.slots.of(peer)?)?.sealer.as_ref()?;
        let node = self.map.peers.get(self.id_of.get(peer)?)?;
        let addresses = node.addresses.iter().map(|prefix| prefix.addr());
        let (theirs, ours) = addresses.into_iter().find_map(|theirs| {
            let ours = self.tables.own.iter().find(|own| own.is_ipv4() == theirs.is_ipv4())?;
            Some((theirs, *ours))
        })?;
        let packet = tsmp_packet(ours, theirs, &tsmp::Message::Ping { data: token.0 })?;
        let mut message = vec![0; HEADER_LENGTH];
        message.extend_from_slice(&packet);
        message.resize(HEADER_LENGTH + packet.len() + SEALING_ROOM, 0);
        let length = sealer.seal(&mut message, packet.len()).ok()?;
        message.truncate(length);
        Some(message)
    }

    fn disco_ping(&mut self, peer: &NodePublic, now: Now, out: &mut Out) -> Result<wattle_path::PingId, PingFailure> {
        let mut outcome = Err(PingFailure::NotSent("the node has no key yet".to_owned()));
        self.with_paths(now, out, |paths, mono, effects| {
            outcome = paths.ping(peer, mono, effects).map_err(|error| PingFailure::NotSent(error.to_string()));
        });
        outcome
    }

    fn inner_ping(
        &mut self,
        kind: PingKind,
        peer: NodePublic,
        address: IpAddr,
        now: Now,
        out: &mut Out,
    ) -> Result<Mark, PingFailure> {
        let own = self.tables.own.iter().find(|own| own.is_ipv4() == address.is_ipv4()).copied();
        let own = own.ok_or_else(|| PingFailure::NotSent("we have no address of that family".to_owned()))?;
        let slot = self.slots.of(&peer).ok_or(PingFailure::NoSuchNode(address))?;
        let (mark, packet) = if kind == PingKind::Tsmp {
            let mut data = [0; 8];
            self.rng.fill_bytes(&mut data);
            (Mark::Tsmp(data), tsmp_packet(own, address, &tsmp::Message::Ping { data }))
        } else {
            let sequence = self.rng.next_u32() as u16;
            (Mark::Icmp(sequence), echo_packet(own, address, (self.tables.echo_id, sequence)))
        };
        let packet = packet.ok_or_else(|| PingFailure::NotSent("the addresses are not of one family".to_owned()))?;
        self.note_outbound(slot, now, out);
        self.send_inner(slot, &packet, now, out);
        Ok(mark)
    }
}

fn tsmp_packet(source: IpAddr, destination: IpAddr, message: &tsmp::Message) -> Option<Vec<u8>> {
    let (mut body, mut packet) = (Vec::new(), Vec::new());
    message.encode(&mut body);
    build::ip(source, destination, protocol::TSMP, &body, &mut packet).ok()?;
    Some(packet)
}

fn echo_packet(source: IpAddr, destination: IpAddr, id: (u16, u16)) -> Option<Vec<u8>> {
    let mut packet = Vec::new();
    build::icmp_echo_request(source, destination, id, b"wattle", &mut packet).ok()?;
    Some(packet)
}

/// Names a way in bytes, for cookies and rate limits.
fn source_bytes(way: Way) -> Vec<u8> {
    match way {
        Way::Udp(address) => address_bytes(address),
        Way::PeerRelay { server, vni } => [address_bytes(server), vni.as_u32().to_be_bytes().to_vec()].concat(),
        Way::Relay { region, peer } => [&region.0.to_be_bytes()[..], peer.as_bytes()].concat(),
    }
}

fn address_bytes(address: SocketAddr) -> Vec<u8> {
    match address {
        SocketAddr::V4(address) => [&address.ip().octets()[..], &address.port().to_be_bytes()].concat(),
        SocketAddr::V6(address) => [&address.ip().octets()[..], &address.port().to_be_bytes()].concat(),
    }
}

/// A disco or WireGuard message for the peer behind a peer relay.
fn through_peer_relay(vni: Vni, message: &[u8]) -> Vec<u8> {
    let is_disco = disco::looks_like_disco(message);
    let payload = if is_disco { geneve::Payload::Disco } else { geneve::Payload::WireGuard };
    [&geneve::Header { payload, vni }.encode()[..], message].concat()
}
