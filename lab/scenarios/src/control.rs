//! The coordination server in the world: the real state machine, and what its program does around it (the writer, the
//! streams, keepalives), without HTTP, Noise and a disk. What it is told survives its death, as a database would.

use std::collections::BTreeMap;
use std::time::Duration;

use wattle_coordinator::{
    Command, Config, Coordinator, Dice, FeedCache, NewAuthKey, NewPolicy, Now, Register, Reply, Report, StreamId, Told,
};
use wattle_keys::{MachinePublic, NodePublic};
use wattle_netmap::{DerpMap, Endpoint, EndpointKind, HostFacts, Netmap, NodeId};
use wattle_time::Instant;
use wattle_wire::RawJson;
use wattle_wire::control::{MapRequest, MapResponse, RegisterRequest, RegisterResponse};
use wattle_wire::convert::{delta_to_wire, hostinfo_from_wire};
use wattle_wire::version;
use wattle_world::{Cargo, ConnectionId, HostId, World};

use crate::scenario::Access;
use crate::talk::{Answer, Ask};
use crate::wall;

/// The port it listens on.
pub(crate) const PORT: u16 = 443;
const DOMAIN: &str = "tail.example.com";
/// How long a stream gathers changes (`apps/control` has the same).
const GATHERED: Duration = Duration::from_millis(20);
/// Silence of a stream before a keepalive.
const KEEPALIVE: Duration = Duration::from_secs(50);
/// How hard the map is packed.
const LEVEL: i32 = 1;

/// The server.
pub(crate) struct ControlServer {
    pub(crate) host: HostId,
    coordinator: Coordinator,
    dice: Dice,
    cache: FeedCache,
    running: bool,
    streams: BTreeMap<(ConnectionId, u64), Stream>,
    /// Keepalives and tags of keys need no more names than there are nodes.
    names: Vec<String>,
}

struct Stream {
    node: NodeId,
    stream: StreamId,
    version: u16,
    told: Told,
    /// When it is looked at next, because something happened.
    due: Option<Instant>,
    keepalive_at: Instant,
}

impl ControlServer {
    pub(crate) fn new(host: HostId, derp: DerpMap, names: Vec<String>, policy: &Access, world: &mut World) -> Self {
        world.listen(host, PORT);
        let config = Config::new(DOMAIN.to_owned(), derp);
        let now = now(world);
        let coordinator = Coordinator::new(config, Default::default(), now).expect("an empty store has no bad policy");
        let mut server = Self {
            host,
            coordinator,
            dice: Dice::new(world.seed()),
            cache: FeedCache::default(),
            running: true,
            streams: BTreeMap::new(),
            names,
        };
        server.set_policy(policy, now);
        server
    }

    /// A key that makes one node, tagged with its name.
    pub(crate) fn auth_key(&mut self, node: usize, world: &World) -> String {
        let tags = vec![self.tag(node)];
        let wanted = NewAuthKey { tags, reusable: true, ..NewAuthKey::default() };
        match self.ask(Command::CreateAuthKey(wanted), now(world)) {
            Some(Reply::AuthKeyCreated { secret, .. }) => secret,
            other => unreachable!("a key is made for a tag that the policy knows: {other:?}"),
        }
    }

    /// A peer that is in the map and never there.
    pub(crate) fn add_idle_peer(&mut self, number: usize, auth_key: &str, world: &mut World) {
        let (machine, node_key) = (MachinePublic::from_bytes(world.seed()), NodePublic::from_bytes(world.seed()));
        let host = HostFacts { hostname: format!("idle-{number}"), ..HostFacts::default() };
        let register = Register {
            machine,
            node_key,
            old_node_key: None,
            auth_key: Some(auth_key.to_owned()),
            followup: None,
            expiry: None,
            ephemeral: false,
            host,
            capability_version: version::OURS,
        };
        self.ask(Command::Register(Box::new(register)), now(world));
    }

    pub(crate) fn set_policy(&mut self, access: &Access, now: Now) {
        let tag = |node: usize| format!("\"{}\"", self.tag(node));
        let owners: Vec<String> = (0..self.names.len()).map(|node| format!("{}: []", tag(node))).collect();
        let rule =
            |source: &str, target: &str| format!(r#"{{"action": "accept", "src": [{source}], "dst": ["{target}:*"]}}"#);
        let rules: Vec<String> = match access {
            Access::All => vec![rule("\"*\"", "*")],
            Access::Pairs(pairs) => pairs.iter().map(|(from, to)| rule(&tag(*from), &self.tag(*to))).collect(),
        };
        let text = format!(r#"{{"tagOwners": {{{}}}, "acls": [{}]}}"#, owners.join(", "), rules.join(", "));
        let policy = NewPolicy { text, ..NewPolicy::default() };
        let set = self.ask(Command::SetPolicy(Box::new(policy)), now);
        debug_assert!(matches!(set, Some(Reply::PolicySet { .. })), "the policy of a scenario is well formed");
    }

    fn tag(&self, node: usize) -> String {
        format!("tag:{}", self.names.get(node).map_or("none", String::as_str))
    }

    pub(crate) fn remove(&mut self, key: &NodePublic, world: &World) {
        if let Some(node) = self.coordinator.node_by_key(key).map(|entry| entry.record.id) {
            self.ask(Command::DeleteNode { node }, now(world));
        }
    }

    /// Kills it, or starts it again on what it has kept.
    pub(crate) fn set_running(&mut self, running: bool, world: &mut World) {
        if self.running == running {
            return;
        }
        self.running = running;
        self.streams.clear();
        if running {
            world.start(self.host);
            world.listen(self.host, PORT);
            let (config, snapshot) = (self.coordinator.config().clone(), self.coordinator.snapshot());
            if let Ok(coordinator) = Coordinator::new(config, snapshot, now(world)) {
                self.coordinator = coordinator;
            }
            self.cache = FeedCache::default();
        } else {
            world.crash(self.host);
        }
    }

    /// The whole map that a node should have, as it comes over the wire; `None`: no such node.
    pub(crate) fn map_of(&self, key: &NodePublic, world: &World) -> Option<Netmap> {
        let node = self.coordinator.node_by_key(key)?.record.id;
        let update = self.coordinator.catch_up(node, &mut Told::default(), &mut FeedCache::default());
        let wire = delta_to_wire(&update.to_delta(), version::OURS);
        let mut map = Netmap::default();
        map.apply(wattle_wire::convert::first_delta_from_wire(wire, wall(world.now())).ok()?);
        Some(map)
    }

    pub(crate) fn handle(&mut self, cargo: Cargo, world: &mut World) {
        match cargo {
            Cargo::Message { connection, bytes } => {
                if let Some(ask) = Ask::decode(&bytes) {
                    self.answer(connection, ask, world);
                }
            }
            Cargo::Closed { connection } | Cargo::Broken { connection, .. } => self.forget(connection, world),
            _ => {}
        }
    }

    pub(crate) fn next_timeout(&self, world: &World) -> Option<Instant> {
        if !self.running {
            return None;
        }
        let streams = self.streams.values().map(|stream| stream.due.unwrap_or(stream.keepalive_at));
        let own = self.coordinator.next_timeout(now(world)).map(|deadline| deadline.latest);
        streams.chain(own).min()
    }

    pub(crate) fn handle_timeout(&mut self, world: &mut World) {
        let at = now(world);
        if self.coordinator.next_timeout(at).is_some_and(|deadline| deadline.latest <= at.mono) {
            self.ask(Command::Tick, at);
        }
        let due = |stream: &Stream| stream.due.unwrap_or(stream.keepalive_at) <= at.mono;
        let keys: Vec<_> = self.streams.iter().filter(|(_, stream)| due(stream)).map(|(key, _)| *key).collect();
        for key in keys {
            self.tell(key, world);
        }
    }

    /// Tells a stream what it has missed, or that we are still there.
    fn tell(&mut self, key: (ConnectionId, u64), world: &mut World) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        let at = world.now();
        let frame = if stream.due.take().is_none() {
            pack(&MapResponse::keep_alive())
        } else if self.coordinator.stream_of(stream.node) != Some(stream.stream) {
            self.end(key, world);
            return;
        } else {
            let first = stream.told.revision().is_none();
            let update = self.coordinator.catch_up(stream.node, &mut stream.told, &mut self.cache);
            if update.over {
                self.end(key, world);
                return;
            }
            if !first && update.is_empty() {
                return;
            }
            pack(&delta_to_wire(&update.to_delta(), stream.version))
        };
        stream.keepalive_at = at + KEEPALIVE;
        // A stream that does not take what it is told is cut by its connection's end.
        _ = world.write(key.0, Answer::Frame(frame).encode(key.1));
    }

    fn end(&mut self, key: (ConnectionId, u64), world: &mut World) {
        if let Some(stream) = self.streams.remove(&key) {
            self.ask(Command::Disconnect { node: stream.node, stream: stream.stream }, now(world));
            _ = world.write(key.0, Answer::Ended.encode(key.1));
        }
    }

    /// A connection is gone, and its streams with it.
    fn forget(&mut self, connection: ConnectionId, world: &World) {
        let gone: Vec<_> = self.streams.keys().filter(|(of, _)| *of == connection).copied().collect();
        for key in gone {
            if let Some(stream) = self.streams.remove(&key) {
                self.ask(Command::Disconnect { node: stream.node, stream: stream.stream }, now(world));
            }
        }
    }

    fn answer(&mut self, connection: ConnectionId, ask: Ask, world: &mut World) {
        let at = now(world);
        let (id, answer) = match ask {
            Ask::Register { id, machine, body } => (id, self.register(machine, &body, at)),
            Ask::Map { id, machine, body } => match self.map(connection, id, machine, &body, at) {
                Some(answer) => (id, answer),
                None => return,
            },
            Ask::Cancel { id } => {
                if let Some(stream) = self.streams.remove(&(connection, id)) {
                    self.ask(Command::Disconnect { node: stream.node, stream: stream.stream }, at);
                }
                return;
            }
        };
        _ = world.write(connection, answer.encode(id));
    }

    fn register(&mut self, machine: MachinePublic, body: &[u8], at: Now) -> Answer {
        let Some((request, node_key)) =
            decode::<RegisterRequest>(body).and_then(|request| Some((request.node_key?, request))).map(|(k, r)| (r, k))
        else {
            return Answer::status(400);
        };
        let register = Register {
            machine,
            node_key,
            old_node_key: request.old_node_key,
            auth_key: request.auth.map(|auth| auth.auth_key).filter(|key| !key.is_empty()),
            followup: None,
            expiry: request.expiry,
            ephemeral: request.ephemeral,
            host: request.hostinfo.as_ref().map(hostinfo_from_wire).unwrap_or_default(),
            capability_version: request.version,
        };
        let response = match self.decide(Command::Register(Box::new(register)), at) {
            Ok(Reply::Registered { .. }) => RegisterResponse { machine_authorized: true, ..Default::default() },
            Ok(_) => RegisterResponse { node_key_expired: true, ..Default::default() },
            Err(why) => RegisterResponse { error: why, ..Default::default() },
        };
        let body = RawJson::encode(&response).map(|json| json.as_str().as_bytes().to_vec()).unwrap_or_default();
        Answer::Response { status: 200, body }
    }

    fn map(&mut self, at: ConnectionId, id: u64, machine: MachinePublic, body: &[u8], now: Now) -> Option<Answer> {
        let Some(request) = decode::<MapRequest>(body) else { return Some(Answer::status(400)) };
        let Some(node_key) = request.node_key else { return Some(Answer::status(400)) };
        let known = !(request.stream && request.endpoints.is_empty());
        let report = Box::new(Report {
            machine,
            node_key,
            capability_version: request.version,
            disco: request.disco_key,
            endpoints: known.then(|| endpoints(&request)),
            host: request.hostinfo.as_ref().map(hostinfo_from_wire),
        });
        if !request.stream {
            let told = self.ask(Command::Report(report), now);
            return Some(Answer::status(if told.is_some() { 200 } else { 404 }));
        }
        let Some(Reply::Connected { node, stream }) = self.ask(Command::Connect(report), now) else {
            return Some(Answer::status(404));
        };
        let told = Told::default();
        let (due, keepalive_at) = (Some(now.mono), now.mono + KEEPALIVE);
        self.streams.insert((at, id), Stream { node, stream, version: request.version, told, due, keepalive_at });
        None
    }

    fn ask(&mut self, command: Command, now: Now) -> Option<Reply> {
        self.decide(command, now).ok()
    }

    /// Decides, applies, and wakes the streams.
    fn decide(&mut self, command: Command, now: Now) -> Result<Reply, String> {
        let decision = self.coordinator.decide(&mut self.dice, command, now).map_err(|refusal| refusal.to_string())?;
        if !decision.changes.is_empty() {
            self.coordinator.apply(&decision.changes, now);
            for stream in self.streams.values_mut() {
                stream.due.get_or_insert(now.mono + GATHERED);
            }
        }
        Ok(decision.reply)
    }
}

fn now(world: &World) -> Now {
    Now { mono: world.now(), wall: wall(world.now()) }
}

fn decode<T: serde::de::DeserializeOwned>(body: &[u8]) -> Option<T> {
    RawJson::parse(String::from_utf8(body.to_vec()).ok()?).ok()?.decode().ok()
}

fn pack(response: &MapResponse) -> Vec<u8> {
    let json = RawJson::encode(response).unwrap_or_default();
    zstd::bulk::compress(json.as_str().as_bytes(), LEVEL).unwrap_or_default()
}

fn endpoints(request: &MapRequest) -> Vec<Endpoint> {
    let kinds = request.endpoint_types.iter().copied().chain(std::iter::repeat(0));
    let kind_of = |number: i64| {
        [EndpointKind::Local, EndpointKind::Stun, EndpointKind::PortMapped, EndpointKind::StunLocalPort]
            .into_iter()
            .find(|kind| *kind as i64 == number)
            .unwrap_or_default()
    };
    let endpoint = |(address, kind): (&std::net::SocketAddr, i64)| Endpoint { address: *address, kind: kind_of(kind) };
    request.endpoints.iter().zip(kinds).map(endpoint).collect()
}

/// How a node's map differs from the one that it should have. Users come with nodes and may stay when those go.
pub(crate) fn difference(ours: &Netmap, theirs: &Netmap) -> Option<String> {
    if let Some(extra) = ours.peers.values().find(|peer| !theirs.peers.contains_key(&peer.id)) {
        return Some(format!("it has {}, which is gone", extra.name));
    }
    for node in theirs.peers.values() {
        let Some(known) = ours.peers.get(&node.id) else { return Some(format!("it lacks {}", node.name)) };
        // When somebody was last seen is told with other news only.
        let mut known = known.clone();
        known.last_seen = node.last_seen;
        if known != *node {
            return Some(format!("{} is {known:?} and should be {node:?}", node.name));
        }
    }
    let own =
        |map: &Netmap| map.self_node.as_ref().map(|node| (node.key, node.addresses.clone(), node.allowed_ips.clone()));
    let parts = [
        ("packet rules", ours.rules != theirs.rules),
        ("relays", ours.derp != theirs.derp),
        ("names", ours.dns != theirs.dns),
        // What it has told of itself it is not told again.
        ("own addresses", own(ours) != own(theirs)),
    ];
    parts.iter().find(|(_, differs)| *differs).map(|(what, _)| format!("its {what} differ"))
}
