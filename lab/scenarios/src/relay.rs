//! A relay in the world: the real machine behind connections of the world, and its STUN responder.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wattle_keys::NodePrivate;
use wattle_netmap::{DerpNode, DerpRegion, RegionId};
use wattle_relay_core::{Admission, ClientId, Config, Drain, Next, Out, Relay, stun::Responder};
use wattle_time::Instant;
use wattle_wire::derp::FrameDecoder;
use wattle_world::{Cargo, ConnectionId, HostId, World};

use crate::transition::RelayState;

/// Where clients connect.
pub(crate) const PORT: u16 = 443;
/// Where STUN is answered.
pub(crate) const STUN_PORT: u16 = 3478;
/// Writes of one connection that may be under way: a socket's buffer. The rest waits in the relay's own queues.
const UNDER_WAY_MAX: usize = 64;
/// How soon a connection whose buffer was full is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// One relay.
pub(crate) struct RelayServer {
    pub(crate) region: RegionId,
    pub(crate) host: HostId,
    addresses: [IpAddr; 2],
    relay: Relay,
    responder: Responder,
    state: RelayState,
    clients: BTreeMap<ConnectionId, (ClientId, FrameDecoder)>,
    connections: BTreeMap<ClientId, ConnectionId>,
    /// Clients whose buffer was full.
    behind: BTreeMap<ClientId, Instant>,
}

impl RelayServer {
    /// A relay with an IPv4 and an IPv6 address, of which the host has the first already.
    pub(crate) fn new(region: RegionId, addresses: [IpAddr; 2], world: &mut World) -> Self {
        let host = world.add_host(addresses[0], None);
        world.name_host(host, &format!("relay-{}", region.0));
        world.listen(host, PORT);
        Self {
            region,
            host,
            addresses,
            relay: fresh(world),
            responder: Responder::default(),
            state: RelayState::Up,
            clients: BTreeMap::new(),
            connections: BTreeMap::new(),
            behind: BTreeMap::new(),
        }
    }

    /// As the map tells of it.
    pub(crate) fn map_entry(&self) -> DerpRegion {
        let [v4, v6] = self.addresses;
        let node = DerpNode {
            name: format!("{}a", self.region.0),
            region: self.region,
            host_name: format!("relay-{}.example.com", self.region.0),
            ipv4: Some(Some(v4)),
            ipv6: Some(Some(v6)),
            stun_port: Some(STUN_PORT),
            derp_port: PORT,
            ..DerpNode::default()
        };
        let code = format!("r{}", self.region.0);
        DerpRegion { id: self.region, code: code.clone(), name: code, nodes: vec![node], ..DerpRegion::default() }
    }

    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        self.addresses.map(|address| SocketAddr::new(address, PORT))
    }

    pub(crate) fn set_state(&mut self, state: RelayState, world: &mut World) {
        if self.state == state {
            return;
        }
        match (self.state, state) {
            (RelayState::Down, RelayState::Up) => self.restart(world),
            (RelayState::Stalled, RelayState::Up) => world.wake(self.host),
            (RelayState::Up, RelayState::Stalled) => world.sleep(self.host),
            (RelayState::Down, RelayState::Stalled) => {
                self.restart(world);
                world.sleep(self.host);
            }
            (RelayState::Stalled, RelayState::Down) => {
                world.wake(self.host);
                self.crash(world);
            }
            (_, RelayState::Down) => self.crash(world),
            (RelayState::Up, RelayState::Up) | (RelayState::Stalled, RelayState::Stalled) => {}
        }
        self.state = state;
    }

    fn crash(&mut self, world: &mut World) {
        world.crash(self.host);
        self.clients.clear();
        self.connections.clear();
        self.behind.clear();
        self.relay = fresh(world);
    }

    fn restart(&mut self, world: &mut World) {
        world.start(self.host);
        world.listen(self.host, PORT);
    }

    pub(crate) fn handle(&mut self, cargo: Cargo, world: &mut World) {
        let mut out = Out::default();
        match cargo {
            Cargo::Datagram { from, port: STUN_PORT, bytes, .. } => {
                let mut reply = Vec::new();
                if self.responder.answer(&bytes, from, &mut reply) {
                    world.send(self.host, STUN_PORT, from, reply);
                }
            }
            Cargo::Accepted { connection, from, .. } => {
                if let Ok(id) = self.relay.connect(from, world.now(), &mut out) {
                    self.clients.insert(connection, (id, FrameDecoder::for_server()));
                    self.connections.insert(id, connection);
                }
            }
            Cargo::Message { connection, bytes } => {
                if let Some((id, stream)) = self.clients.get_mut(&connection) {
                    stream.push(&bytes);
                    // No rate is set and everybody is admitted, so it reads on or cuts.
                    if let Next::Cut(_) = self.relay.handle_stream(*id, stream, world.now(), &mut out) {
                        self.drop_client(connection, &mut out);
                        world.close(connection);
                    }
                }
            }
            Cargo::Closed { connection } | Cargo::Broken { connection, .. } => self.drop_client(connection, &mut out),
            _ => {}
        }
        self.carry_out(out, world);
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        if self.state != RelayState::Up {
            return None;
        }
        let own = self.relay.next_timeout().map(|deadline| deadline.latest);
        own.into_iter().chain(self.behind.values().copied()).min()
    }

    pub(crate) fn handle_timeout(&mut self, world: &mut World) {
        let (now, mut out) = (world.now(), Out::default());
        self.relay.handle_timeout(now, &mut out);
        let again: Vec<ClientId> = self.behind.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for id in again {
            self.behind.remove(&id);
            out.wake.push(id);
        }
        self.carry_out(out, world);
    }

    fn drop_client(&mut self, connection: ConnectionId, out: &mut Out) {
        if let Some((id, _)) = self.clients.remove(&connection) {
            self.connections.remove(&id);
            self.behind.remove(&id);
            self.relay.disconnect(id, out);
        }
    }

    /// Writes what waits for clients.
    fn carry_out(&mut self, mut out: Out, world: &mut World) {
        while let Some(id) = out.wake.pop() {
            let Some(connection) = self.connections.get(&id).copied() else { continue };
            loop {
                if world.queued(connection) >= UNDER_WAY_MAX {
                    self.behind.insert(id, world.now() + LOOK_AGAIN);
                    break;
                }
                let mut bytes = Vec::new();
                match self.relay.drain(id, &mut bytes) {
                    Drain::Bytes => {
                        if world.write(connection, bytes).is_err() {
                            self.drop_client(connection, &mut out);
                            break;
                        }
                    }
                    Drain::Empty => break,
                    Drain::Cut(_) => {
                        self.drop_client(connection, &mut out);
                        world.close(connection);
                        break;
                    }
                }
            }
        }
    }
}

fn fresh(world: &mut World) -> Relay {
    let key = NodePrivate::from_bytes(world.seed());
    Relay::new(Config { key, admission: Admission::Open, rate: None }, world.seed())
}
