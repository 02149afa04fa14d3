//! A node's connections: to the coordination server and to relays, as `io/link` and the daemon keep them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use wattle_keys::{MachinePublic, NONCE_LENGTH, NodePrivate, NodePublic};
use wattle_netmap::RegionId;
use wattle_path::Way;
use wattle_session::{Request, RequestId, Response};
use wattle_time::Instant;
use wattle_wire::derp::{Frame, FrameDecoder, LoginFacts, NotePreferred, Pong, SendPacket};
use wattle_world::{Cargo, ConnectionId, HostId, World};

use super::{Ground, Member, now};
use crate::talk::{Answer, Ask};

/// From the dial to the welcome of a relay (`io/link`: `RELAY_LOGIN_MAX`).
const LOGIN_MAX: Duration = Duration::from_secs(10);
/// Without a frame for this long a relay is gone (`RELAY_SILENCE_MAX`).
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// A measurement of a relay over TCP takes no longer (`SMALL_REQUEST_MAX`).
const MEASURE_MAX: Duration = Duration::from_secs(10);
/// Frames that wait for a relay's socket (`RELAY_QUEUE_MAX` of the daemon).
const FRAMES_WAITING_MAX: usize = 32;
/// A ping goes to the coordination server after this (`PING_INTERVAL`): a dead connection shows itself by it.
const PING_INTERVAL: Duration = Duration::from_secs(60);

/// The connections of one process.
#[derive(Default)]
pub(super) struct Links {
    control: Option<Control>,
    relays: BTreeMap<RegionId, RelayLink>,
    purposes: BTreeMap<ConnectionId, Purpose>,
}

struct Control {
    connection: ConnectionId,
    up: bool,
    ping_at: Instant,
}

#[derive(Clone, Copy)]
enum Purpose {
    Control,
    Relay(RegionId),
    Measure(RegionId, Instant),
}

struct RelayLink {
    connection: ConnectionId,
    decoder: FrameDecoder,
    stage: Stage,
    heard: Instant,
}

enum Stage {
    Dialling,
    Login(NodePublic),
    Open,
}

impl Links {
    pub(super) fn connect_control(&mut self, to: SocketAddr, host: HostId, world: &mut World) {
        self.disconnect_control(world);
        let connection = world.connect(host, to);
        self.purposes.insert(connection, Purpose::Control);
        self.control = Some(Control { connection, up: false, ping_at: world.now() + PING_INTERVAL });
    }

    pub(super) fn disconnect_control(&mut self, world: &mut World) {
        if let Some(control) = self.control.take() {
            self.purposes.remove(&control.connection);
            world.close(control.connection);
        }
    }

    /// Sends a request; whether there was a connection for it.
    pub(super) fn ask(&mut self, request: Request, machine: MachinePublic, world: &mut World) -> bool {
        self.say(&Ask::of(request, machine), world)
    }

    pub(super) fn cancel(&mut self, id: RequestId, world: &mut World) {
        self.say(&Ask::Cancel { id: id.0 }, world);
    }

    fn say(&mut self, ask: &Ask, world: &mut World) -> bool {
        let up = self.control.as_ref().filter(|control| control.up);
        up.is_some_and(|control| world.write(control.connection, ask.encode()).is_ok())
    }

    pub(super) fn open_relay(&mut self, region: RegionId, to: SocketAddr, host: HostId, world: &mut World) {
        self.close_relay(region, world);
        let connection = world.connect(host, to);
        self.purposes.insert(connection, Purpose::Relay(region));
        let link =
            RelayLink { connection, decoder: FrameDecoder::for_client(), stage: Stage::Dialling, heard: world.now() };
        self.relays.insert(region, link);
    }

    pub(super) fn close_relay(&mut self, region: RegionId, world: &mut World) {
        if let Some(link) = self.relays.remove(&region) {
            self.purposes.remove(&link.connection);
            world.close(link.connection);
        }
    }

    pub(super) fn measure(&mut self, region: RegionId, to: SocketAddr, host: HostId, world: &mut World) {
        let connection = world.connect(host, to);
        self.purposes.insert(connection, Purpose::Measure(region, world.now()));
    }

    /// Sends a packet by a relay. A link that is behind drops it, as any network may.
    pub(super) fn send_relayed(&mut self, region: RegionId, peer: &NodePublic, packet: &[u8], world: &mut World) {
        let mut frame = Vec::new();
        SendPacket { to: *peer, packet }.encode(&mut frame);
        self.send_frame(region, frame, world);
    }

    pub(super) fn prefer(&mut self, region: RegionId, preferred: bool, world: &mut World) {
        let mut frame = Vec::new();
        NotePreferred { preferred }.encode(&mut frame);
        self.send_frame(region, frame, world);
    }

    fn send_frame(&mut self, region: RegionId, frame: Vec<u8>, world: &mut World) {
        let Some(link) = self.relays.get(&region).filter(|link| matches!(link.stage, Stage::Open)) else { return };
        if world.queued(link.connection) < FRAMES_WAITING_MAX {
            _ = world.write(link.connection, frame);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let relays = self.relays.values().map(RelayLink::patience);
        let control = self.control.as_ref().map(|control| control.ping_at);
        let measures = self.purposes.values().filter_map(|purpose| match purpose {
            Purpose::Measure(_, since) => Some(*since + MEASURE_MAX),
            Purpose::Control | Purpose::Relay(_) => None,
        });
        relays.chain(control).chain(measures).min()
    }

    fn forget(&mut self, connection: ConnectionId) -> Option<Purpose> {
        let purpose = self.purposes.remove(&connection)?;
        match purpose {
            Purpose::Control => self.control = None,
            Purpose::Relay(region) => drop(self.relays.remove(&region)),
            Purpose::Measure(..) => {}
        }
        Some(purpose)
    }
}

impl RelayLink {
    /// When it is given up.
    fn patience(&self) -> Instant {
        self.heard + if matches!(self.stage, Stage::Open) { SILENCE_MAX } else { LOGIN_MAX }
    }
}

impl Member {
    /// Something about a connection.
    pub(super) fn handle_link(&mut self, cargo: Cargo, ground: &mut Ground<'_>) -> Option<u32> {
        match cargo {
            Cargo::Connected { connection } => self.connected(connection, ground),
            Cargo::Refused { connection, .. } | Cargo::Broken { connection, .. } | Cargo::Closed { connection } => {
                self.lost(connection, ground);
            }
            Cargo::Message { connection, bytes } => {
                let purpose = self.process.as_ref()?.links.purposes.get(&connection).copied();
                match purpose {
                    Some(Purpose::Control) => self.control_said(&bytes, ground),
                    Some(Purpose::Relay(region)) => return self.relay_said(region, &bytes, ground),
                    Some(Purpose::Measure(..)) | None => {}
                }
            }
            _ => {}
        }
        None
    }

    /// Gives up what has been silent for too long.
    pub(super) fn check_links(&mut self, ground: &mut Ground<'_>) {
        let at = ground.world.now();
        let Some(process) = &mut self.process else { return };
        if let Some(control) = &mut process.links.control
            && control.ping_at <= at
        {
            control.ping_at = at + PING_INTERVAL;
            if control.up {
                _ = ground.world.write(control.connection, Vec::new());
            }
        }
        let links = &process.links;
        let silent = links.relays.values().filter(|link| link.patience() <= at).map(|link| link.connection);
        let slow = links.purposes.iter().filter_map(|(connection, purpose)| match purpose {
            Purpose::Measure(_, since) if *since + MEASURE_MAX <= at => Some(*connection),
            _ => None,
        });
        let late: Vec<ConnectionId> = silent.chain(slow).collect();
        for connection in late {
            ground.world.close(connection);
            self.lost(connection, ground);
        }
    }

    fn connected(&mut self, connection: ConnectionId, ground: &mut Ground<'_>) {
        let at = ground.world.now();
        let Some(process) = &mut self.process else { return };
        match process.links.purposes.get(&connection).copied() {
            Some(Purpose::Control) => {
                if let Some(control) = &mut process.links.control {
                    control.up = true;
                }
                self.act(ground, |node, now, out| node.handle_connected(now, out));
            }
            Some(Purpose::Measure(region, since)) => {
                process.links.purposes.remove(&connection);
                ground.world.close(connection);
                self.act(ground, |node, now, out| node.handle_https(region, Some(at.since(since)), now, out));
            }
            // A relay speaks first.
            Some(Purpose::Relay(_)) | None => {}
        }
    }

    fn lost(&mut self, connection: ConnectionId, ground: &mut Ground<'_>) {
        let Some(process) = &mut self.process else { return };
        match process.links.forget(connection) {
            Some(Purpose::Control) => self.act(ground, |node, now, out| node.handle_disconnected(now, out)),
            Some(Purpose::Relay(region)) => {
                self.act(ground, |node, now, out| node.handle_relay_lost(region, now, out));
            }
            Some(Purpose::Measure(region, _)) => {
                self.act(ground, |node, now, out| node.handle_https(region, None, now, out));
            }
            None => {}
        }
    }

    fn control_said(&mut self, bytes: &[u8], ground: &mut Ground<'_>) {
        let Some((id, answer)) = Answer::decode(bytes) else { return };
        let id = RequestId(id);
        self.act(ground, |node, now, out| match answer {
            Answer::Response { status, body } => {
                node.handle_response(id, &Response { status, retry_after: None, body }, now, out);
            }
            Answer::Frame(frame) => node.handle_frame(id, &frame, now, out),
            Answer::Ended => node.handle_stream_end(id, now, out),
        });
    }

    fn relay_said(&mut self, region: RegionId, bytes: &[u8], ground: &mut Ground<'_>) -> Option<u32> {
        let at = now(ground);
        let process = self.process.as_mut()?;
        let link = process.links.relays.get_mut(&region)?;
        link.heard = at.mono;
        link.decoder.push(bytes);
        process.node.note_relay_frame(region, at);
        let mut stray = None;
        while let Some(heard) = self.next_frame(region, ground) {
            match heard {
                Heard::Packet(from, message) if wattle_tunnel::receiver_index(&message).is_some() => {
                    stray = stray.or(self.receive(Way::Relay { region, peer: from }, message, ground));
                }
                Heard::Packet(from, message) => {
                    self.act(ground, |node, now, out| node.handle_relay_frame(region, from, &message, now, out));
                }
                Heard::Gone(peer) => self.act(ground, |node, now, out| node.handle_peer_gone(region, &peer, now, out)),
                Heard::Open => self.act(ground, |node, now, out| node.handle_relay_open(region, now, out)),
                Heard::Nothing => {}
                Heard::Restarting => {
                    let connection = self.process.as_ref()?.links.relays.get(&region)?.connection;
                    ground.world.close(connection);
                    self.lost(connection, ground);
                }
            }
        }
        stray
    }

    /// The next whole frame of a relay, acted on as far as the link itself can.
    fn next_frame(&mut self, region: RegionId, ground: &mut Ground<'_>) -> Option<Heard> {
        let key = self.key.clone();
        let mut nonce = [0; NONCE_LENGTH];
        nonce.copy_from_slice(&super::bytes(&mut self.rng)[..NONCE_LENGTH]);
        let link = self.process.as_mut()?.links.relays.get_mut(&region)?;
        Some(match link.decoder.next_frame().ok()?? {
            Frame::ServerKey(frame) => {
                log_in(&key?, &frame.key, &nonce, link.connection, ground.world);
                link.stage = Stage::Login(frame.key);
                Heard::Nothing
            }
            Frame::ServerWelcome(frame) => match link.stage {
                Stage::Login(relay) if frame.open(&key?, &relay).is_ok() => {
                    link.stage = Stage::Open;
                    Heard::Open
                }
                _ => Heard::Nothing,
            },
            Frame::RecvPacket(frame) => Heard::Packet(frame.from, frame.packet.to_vec()),
            Frame::PeerGone(frame) => Heard::Gone(frame.peer),
            Frame::Ping(frame) => {
                let mut pong = Vec::new();
                Pong { token: frame.token }.encode(&mut pong);
                _ = ground.world.write(link.connection, pong);
                Heard::Nothing
            }
            Frame::Restarting(_) => Heard::Restarting,
            _ => Heard::Nothing,
        })
    }
}

fn log_in(key: &NodePrivate, relay: &NodePublic, nonce: &[u8; NONCE_LENGTH], to: ConnectionId, world: &mut World) {
    _ = world.write(to, LoginFacts::default().seal(key, relay, nonce));
}

/// What a relay said.
enum Heard {
    Packet(NodePublic, Vec<u8>),
    Gone(NodePublic),
    Open,
    Restarting,
    Nothing,
}
