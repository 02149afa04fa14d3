//! One node on its host: the real machine, driven as the daemon drives it (`apps/wattle/src/daemon`), over the world's
//! datagrams and connections.

mod links;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_keys::{MachinePublic, NodePrivate, NodePublic};
use wattle_netcheck::{LocalNetwork, PortMapping};
use wattle_netmap::{HostFacts, RegionId};
use wattle_node::{DropReason, Event, Node, Now, Origin, Out, PingKind, PingToken, Preferences, Tables};
use wattle_path::Way;
use wattle_session::{HostReport, LoginOptions, Session};
use wattle_time::Instant;
use wattle_tunnel::{HEADER_LENGTH, OVERHEAD};
use wattle_wire::{geneve, version};
use wattle_world::{Cargo, HostId, World};

use crate::limits::WAKES_AT_ONCE_MAX;
use crate::traffic::Traffic;
use crate::wall;

use links::Links;

/// UDP port of every node.
pub(crate) const PORT: u16 = 41641;

/// For how long port mappings are asked for: longer than scenarios last.
const MAPPING_LIFETIME: Duration = Duration::from_secs(7200);
/// Sealed messages up to here may be probes of addresses that have not proven themselves: TSMP pings.
const PROBE_BYTES_MAX: usize = 96;

/// A host with a node on it.
pub(crate) struct Member {
    pub(crate) index: usize,
    pub(crate) host: HostId,
    name: String,
    machine: MachinePublic,
    auth_key: String,
    /// Survives the process.
    key: Option<NodePrivate>,
    pub(crate) address: Option<IpAddr>,
    rng: ChaCha20Rng,
    process: Option<Process>,
    asleep: bool,
    /// When it wants to be woken.
    pub(crate) due: Option<Instant>,
    /// How often timers woke it.
    pub(crate) wakes: u64,
    woken_at: (Instant, u32),
    /// When it last sent a datagram.
    sent_at: Instant,
    /// The minute that is counted, and datagrams in it that look for ways: disco, STUN and handshakes.
    probes: (u64, u32),
    /// The most in one minute.
    pub(crate) probes_max: u32,
    /// Pings of people: whom, when, and whether an answer came.
    pub(crate) pings: BTreeMap<PingToken, (usize, Instant, bool)>,
    /// What it did that no node should.
    pub(crate) faults: Vec<String>,
}

struct Process {
    node: Node,
    tables: Arc<Tables>,
    links: Links,
}

/// What a member acts on.
pub(crate) struct Ground<'a> {
    pub(crate) world: &'a mut World,
    /// Each server by its IPv4 and its IPv6 address.
    pub(crate) relays: &'a BTreeMap<RegionId, [SocketAddr; 2]>,
    pub(crate) control: [SocketAddr; 2],
    pub(crate) traffic: &'a mut Traffic,
    /// Tailnet addresses by member.
    pub(crate) addresses: &'a [Option<IpAddr>],
}

impl Member {
    pub(crate) fn new(index: usize, name: &str, host: HostId, auth_key: String, world: &mut World) -> Self {
        world.name_host(host, name);
        Self {
            index,
            host,
            name: name.to_owned(),
            machine: MachinePublic::from_bytes(world.seed()),
            auth_key,
            key: None,
            address: None,
            rng: ChaCha20Rng::from_seed(world.seed()),
            process: None,
            asleep: false,
            due: None,
            wakes: 0,
            woken_at: (Instant::ORIGIN, 0),
            sent_at: Instant::ORIGIN,
            probes: (0, 0),
            probes_max: 0,
            pings: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// The node, while it runs.
    pub(crate) fn node(&self) -> Option<&Node> {
        self.process.as_ref().map(|process| &process.node)
    }

    /// What its packet path reads.
    pub(crate) fn tables(&self) -> Option<&Arc<Tables>> {
        self.process.as_ref().map(|process| &process.tables)
    }

    /// Whether it has sent no datagram for so long.
    pub(crate) fn is_silent_since(&self, now: Instant, wait: Duration) -> bool {
        now.since(self.sent_at) >= wait
    }

    pub(crate) fn key(&self) -> Option<NodePublic> {
        self.key.as_ref().map(NodePrivate::public)
    }

    /// Starts the process.
    pub(crate) fn start(&mut self, ground: &mut Ground<'_>) {
        if self.process.is_some() {
            return;
        }
        let now = now(ground);
        let facts = HostFacts { os: "linux".to_owned(), hostname: self.name.clone(), ..HostFacts::default() };
        let host = HostReport { facts, log_id: "0".repeat(64), ..HostReport::default() };
        let config =
            wattle_session::Config { version: version::OURS, node_key: self.key.clone(), host, ephemeral: false };
        let session = Session::new(config, bytes(&mut self.rng));
        let node = Node::new(session, self.key.clone(), Preferences::default(), bytes(&mut self.rng), now);
        self.process = Some(Process { tables: node.tables(), node, links: Links::default() });
        let network = self.network(ground.world);
        ground.world.request_mapping(self.host, PORT, 0, MAPPING_LIFETIME);
        let auth_key = self.auth_key.clone();
        let is_known = self.key.is_some();
        self.act(ground, |node, now, out| {
            node.set_network(network, now, out);
            if is_known {
                node.start(now, out);
            } else {
                node.login(LoginOptions { auth_key: Some(auth_key), fresh_key: false }, now, out);
            }
        });
    }

    /// The process is gone at once; the kernel closes its connections.
    pub(crate) fn kill(&mut self, world: &mut World) {
        self.process = None;
        self.due = None;
        world.crash(self.host);
        world.start(self.host);
    }

    pub(crate) fn sleep(&mut self, world: &mut World) {
        self.asleep = true;
        self.due = None;
        world.sleep(self.host);
    }

    pub(crate) fn wake(&mut self, world: &mut World) {
        self.asleep = false;
        world.wake(self.host);
        self.set_due();
    }

    /// Something reached the host. The result is the receiver index of a data message that is not for it.
    pub(crate) fn handle(&mut self, cargo: Cargo, ground: &mut Ground<'_>) -> Option<u32> {
        if self.process.is_none() || self.asleep {
            return None;
        }
        match cargo {
            Cargo::Datagram { from, port: PORT, bytes, .. } => self.receive(Way::Udp(from), bytes, ground),
            Cargo::NetworkChanged | Cargo::Woke { .. } => {
                let network = self.network(ground.world);
                self.act(ground, |node, now, out| {
                    node.set_port_mapping(None, PortMapping::default(), now, out);
                    node.handle_network_change(network, now, out);
                });
                ground.world.request_mapping(self.host, PORT, 0, MAPPING_LIFETIME);
                None
            }
            Cargo::MappingAnswer { answer: Ok(mapped), .. } => {
                let protocols = PortMapping { pcp: Some(true), ..PortMapping::default() };
                self.act(ground, |node, now, out| node.set_port_mapping(Some(mapped.outside), protocols, now, out));
                None
            }
            cargo => self.handle_link(cargo, ground),
        }
    }

    pub(crate) fn handle_timeout(&mut self, ground: &mut Ground<'_>) {
        let now = ground.world.now();
        self.wakes += 1;
        self.woken_at = if self.woken_at.0 == now { (now, self.woken_at.1 + 1) } else { (now, 1) };
        if self.woken_at.1 > WAKES_AT_ONCE_MAX {
            let why = self.node().and_then(Node::next_timeout).map_or("its links", |deadline| deadline.why);
            self.faults.push(format!("{} spins: {why}", self.name));
            self.due = None;
            return;
        }
        self.check_links(ground);
        self.act(ground, |node, now, out| {
            if node.next_timeout().is_some_and(|deadline| deadline.latest <= now.mono) {
                node.handle_timeout(now, out);
            }
        });
    }

    /// A person pings another node.
    pub(crate) fn ping(&mut self, to: usize, address: IpAddr, ground: &mut Ground<'_>) {
        let mut token = None;
        self.act(ground, |node, now, out| {
            token = node.ping(PingKind::Disco, address, now, out).ok();
        });
        let now = ground.world.now();
        self.pings.extend(token.map(|token| (token, (to, now, false))));
    }

    /// Its host sends a packet into the tunnel.
    pub(crate) fn send_inner(&mut self, packet: &[u8], ground: &mut Ground<'_>) {
        if self.process.is_none() || self.asleep {
            return;
        }
        let mut queue = VecDeque::new();
        self.outbound(packet, ground, &mut queue);
        self.carry_out(queue, ground);
    }

    /// Calls the node and does what it says.
    fn act(&mut self, ground: &mut Ground<'_>, call: impl FnOnce(&mut Node, Now, &mut Out)) {
        let now = now(ground);
        let Some(process) = &mut self.process else { return };
        let mut out = Out::default();
        call(&mut process.node, now, &mut out);
        self.carry_out(VecDeque::from([out]), ground);
    }

    fn carry_out(&mut self, mut queue: VecDeque<Out>, ground: &mut Ground<'_>) {
        while let Some(mut out) = queue.pop_front() {
            if let Some((process, tables)) = self.process.as_mut().zip(out.tables.take()) {
                process.tables = tables;
            }
            for (to, packet) in std::mem::take(&mut out.udp) {
                self.note_sent(&packet, ground.world.now());
                ground.world.send(self.host, PORT, to, packet);
            }
            let Some(process) = &mut self.process else { return };
            for (region, peer, packet) in std::mem::take(&mut out.relay) {
                process.links.send_relayed(region, &peer, &packet, ground.world);
            }
            for id in std::mem::take(&mut out.cancels) {
                process.links.cancel(id, ground.world);
            }
            let mut more = Out::default();
            for request in std::mem::take(&mut out.requests) {
                let id = request.id;
                if !process.links.ask(request, self.machine, ground.world) {
                    process.node.handle_failure(id, now(ground), &mut more);
                }
            }
            for event in std::mem::take(&mut out.events) {
                self.act_on(event, ground, &mut more);
            }
            if !is_empty(&more) {
                queue.push_back(more);
            }
            for packet in out.tun {
                self.deliver(&packet, ground, &mut queue);
            }
        }
        self.set_due();
    }

    fn act_on(&mut self, event: Event, ground: &mut Ground<'_>, more: &mut Out) {
        let at = now(ground);
        let Some(process) = &mut self.process else { return };
        match event {
            Event::HostWanted { addresses, .. } => {
                self.address = addresses.iter().map(|prefix| prefix.addr()).find(IpAddr::is_ipv4);
            }
            Event::KeyAdopted(key) => self.key = Some(key),
            Event::KeyForgotten => self.key = None,
            Event::RelayOpen(region) => match ground.relays.get(&region) {
                Some(addresses) => {
                    let to = reachable(*addresses, self.host, ground.world);
                    process.links.open_relay(region, to, self.host, ground.world);
                }
                None => process.node.handle_relay_lost(region, at, more),
            },
            Event::RelayClose(region) => process.links.close_relay(region, ground.world),
            // Connections that outlived a change of the network are taken for dead, which is the worst that they can be.
            Event::RelayCheck(region) => {
                process.links.close_relay(region, ground.world);
                process.node.handle_relay_lost(region, at, more);
            }
            Event::ControlCheck => {
                process.links.disconnect_control(ground.world);
                process.node.handle_disconnected(at, more);
            }
            Event::RelayPrefer(region, preferred) => process.links.prefer(region, preferred, ground.world),
            Event::Connect => {
                let to = reachable(ground.control, self.host, ground.world);
                process.links.connect_control(to, self.host, ground.world);
            }
            Event::Disconnect => process.links.disconnect_control(ground.world),
            Event::MeasureHttps(region) => match ground.relays.get(&region) {
                Some(addresses) => {
                    let to = reachable(*addresses, self.host, ground.world);
                    process.links.measure(region, to, self.host, ground.world);
                }
                None => process.node.handle_https(region, None, at, more),
            },
            Event::Resolve(host) => process.node.handle_resolved(&host, &[], at, more),
            Event::PingDone { token, outcome } => {
                if let Some((_, _, answered)) = self.pings.get_mut(&token) {
                    *answered = outcome.is_ok();
                }
            }
            Event::Refused(why) => self.faults.push(format!("{} was refused: {why}", self.name)),
            _ => {}
        }
    }

    /// A packet from the host: through the fast path, and what it hands off to the node.
    fn outbound(&mut self, packet: &[u8], ground: &mut Ground<'_>, queue: &mut VecDeque<Out>) {
        let now = now(ground);
        let Some(process) = &mut self.process else { return };
        let mut message = vec![0; HEADER_LENGTH + packet.len() + OVERHEAD + geneve::HEADER_LENGTH];
        message[HEADER_LENGTH..][..packet.len()].copy_from_slice(packet);
        let mut handoffs = Vec::new();
        let sent = wattle_node::outbound(&process.tables, &mut message, packet.len(), now.mono, &mut |handoff| {
            handoffs.push(handoff);
        });
        if let Ok(Some(outgoing)) = sent {
            message.truncate(outgoing.length);
            self.sent_at = now.mono;
            ground.world.send(self.host, PORT, outgoing.to, message);
        }
        for handoff in handoffs {
            let mut out = Out::default();
            process.node.handle_handoff(handoff, now, &mut out);
            queue.push_back(out);
        }
    }

    /// A message from the network: through the fast path, and what it hands off to the node.
    fn receive(&mut self, way: Way, mut message: Vec<u8>, ground: &mut Ground<'_>) -> Option<u32> {
        let now = now(ground);
        let process = self.process.as_mut()?;
        let (mut handoffs, mut queue) = (Vec::new(), VecDeque::new());
        let (index, length) = (wattle_tunnel::receiver_index(&message), message.len());
        let received =
            wattle_node::inbound(&process.tables, &Origin::new(way), &mut message, now.mono, &mut |handoff| {
                handoffs.push(handoff);
            });
        let stray = index.filter(|_| length > PROBE_BYTES_MAX && received == Err(DropReason::NoSession));
        let packet = received.ok().flatten().map(<[u8]>::to_vec);
        for handoff in handoffs {
            let mut out = Out::default();
            process.node.handle_handoff(handoff, now, &mut out);
            queue.push_back(out);
        }
        if let Some(packet) = packet {
            self.deliver(&packet, ground, &mut queue);
        }
        self.carry_out(queue, ground);
        stray
    }

    /// A packet for the host, and its answer.
    fn deliver(&mut self, packet: &[u8], ground: &mut Ground<'_>, queue: &mut VecDeque<Out>) {
        let Some(answer) = ground.traffic.arrived(self.index, packet, ground.world.now()) else { return };
        let to = ground.addresses.get(answer.to).copied().flatten();
        if let Some(packet) = self.address.zip(to).and_then(|(from, to)| answer.packet(from, to)) {
            self.outbound(&packet, ground, queue);
        }
    }

    fn note_sent(&mut self, packet: &[u8], now: Instant) {
        self.sent_at = now;
        let is_data = wattle_tunnel::receiver_index(packet).is_some() && packet.len() > PROBE_BYTES_MAX;
        let minute = now.as_nanos() / 60_000_000_000;
        if self.probes.0 != minute {
            self.probes = (minute, 0);
        }
        self.probes.1 += u32::from(!is_data);
        self.probes_max = self.probes_max.max(self.probes.1);
    }

    fn network(&self, world: &World) -> LocalNetwork {
        let addresses = world.addresses(self.host).map(|(_, address)| address).collect();
        LocalNetwork { addresses, port_v4: PORT, port_v6: Some(PORT) }
    }

    fn set_due(&mut self) {
        self.due = match &self.process {
            Some(process) if !self.asleep => {
                let node = process.node.next_timeout().map(|deadline| deadline.latest);
                node.into_iter().chain(process.links.next_timeout()).min()
            }
            _ => None,
        };
    }
}

/// The address of a server that the host has a route to.
fn reachable([v4, v6]: [SocketAddr; 2], host: HostId, world: &World) -> SocketAddr {
    if world.has_route(host, v4.ip()) { v4 } else { v6 }
}

fn now(ground: &Ground<'_>) -> Now {
    let mono = ground.world.now();
    Now { mono, wall: wall(mono) }
}

fn bytes(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn is_empty(out: &Out) -> bool {
    out.udp.is_empty()
        && out.relay.is_empty()
        && out.tun.is_empty()
        && out.requests.is_empty()
        && out.cancels.is_empty()
        && out.events.is_empty()
        && out.tables.is_none()
}
