//! The relay: connections come, send frames, are drained, time out and go.
//! Logins are in `login.rs`, who may log in is in `admission.rs`, packets are in `forward.rs`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_keys::{NodePrivate, NodePublic};
use wattle_time::{Deadline, Instant};
use wattle_wire::derp::{Frame, FrameDecoder, Health, KeepAlive, NotePreferred, Ping, Pong, Restarting, ServerKey};

use crate::bucket::TokenBucket;
use crate::clients::{Client, Clients, Standing};
use crate::limits;
use crate::{Admission, ClientId, Counters, Question};

/// What a relay is started with.
pub struct Config {
    /// The relay's own key, by which clients seal their logins.
    pub key: NodePrivate,
    /// Who may use the relay.
    pub admission: Admission,
    /// How much each client may send; `None` is unlimited.
    pub rate: Option<Rate>,
}

/// A rate limit for what one client sends. It delays reading, and so slows the sender down by TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The steady rate.
    pub bytes_per_second: u64,
    /// What may come at once; at least one largest frame is taken.
    pub burst_bytes: u64,
}

/// The relay.
pub struct Relay {
    pub(crate) key: NodePrivate,
    pub(crate) public: NodePublic,
    pub(crate) admission: Admission,
    pub(crate) rate: Option<Rate>,
    pub(crate) clients: Clients,
    pub(crate) counters: Counters,
    pub(crate) rng: ChaCha20Rng,
    timers: BTreeSet<(Instant, ClientId)>,
    problem: String,
    encoded: Vec<u8>,
}

/// What a call caused.
#[derive(Debug, Default)]
pub struct Out {
    /// These have something to drain, or were cut.
    pub wake: Vec<ClientId>,
}

/// What the reader of a stream does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read on.
    Read,
    /// The client is over its rate: call `handle_stream` again from then on, and only then read.
    ReadAfter(Instant),
    /// Answer with [`Relay::admit`], then call `handle_stream` again.
    Ask(Question),
    /// Close the stream.
    Cut(CutReason),
}

/// What there is to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// The buffer got frames: write them and drain again.
    Bytes,
    /// Nothing: wait to be woken.
    Empty,
    /// Close the stream.
    Cut(CutReason),
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutReason {
    /// Not DERP, or a frame no client may send now.
    #[error("sent something that is not DERP")]
    Malformed,
    /// The login does not open with the key it names.
    #[error("the login does not open")]
    BadLogin,
    /// Not admitted.
    #[error("its key may not use this relay")]
    Refused,
    /// Admitted once, and no longer.
    #[error("its key may no longer use this relay")]
    Revoked,
    /// No login in time.
    #[error("the login took too long")]
    LoginTimeout,
    /// Newer connections with the same key took its place.
    #[error("too many connections with its key")]
    Replaced,
    /// The stream ended or failed.
    #[error("the connection ended")]
    Ended,
    /// It did not take what was sent to it.
    #[error("it stopped reading")]
    Stalled,
}

/// The relay holds as many connections as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the relay is full")]
pub struct Full;

impl Relay {
    /// A relay without clients.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            public: config.key.public(),
            key: config.key,
            admission: config.admission,
            rate: config.rate,
            clients: Clients::default(),
            counters: Counters::default(),
            rng: ChaCha20Rng::from_seed(seed),
            timers: BTreeSet::new(),
            problem: String::new(),
            encoded: Vec::new(),
        }
    }

    /// The key clients know this relay by.
    pub fn public_key(&self) -> NodePublic {
        self.public
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// A stream is up, past HTTP: it is greeted with our key.
    pub fn connect(&mut self, source: SocketAddr, now: Instant, out: &mut Out) -> Result<ClientId, Full> {
        if self.clients.len() >= limits::CLIENTS {
            self.counters.turned_away_total += 1;
            return Err(Full);
        }
        let not_here = TokenBucket::full(limits::NOT_HERE_PER_SECOND, limits::NOT_HERE_BURST, now);
        let timer = now + limits::LOGIN_TIME;
        let id = self.clients.insert(Client::new(source, not_here, timer));
        self.timers.insert((timer, id));
        self.counters.connections_total += 1;
        self.counters.connections += 1;
        self.send_control(id, &Frame::ServerKey(ServerKey { key: self.public }), out);
        Ok(id)
    }

    /// Takes the frames that `stream` has whole.
    pub fn handle_stream(&mut self, id: ClientId, stream: &mut FrameDecoder, now: Instant, out: &mut Out) -> Next {
        let skipped_before = stream.skipped();
        let next = loop {
            let Some(client) = self.clients.find(id) else { break Next::Cut(CutReason::Ended) };
            if let Some(reason) = client.cut {
                break Next::Cut(reason);
            }
            if let Standing::Asking(key) = client.standing {
                break Next::Ask(Question { key, source: client.source.ip() });
            }
            match stream.next_frame() {
                Ok(None) => break Next::Read,
                Err(_) => break self.cut(id, CutReason::Malformed, out),
                Ok(Some(frame)) => match self.handle_frame(id, &frame, now, out) {
                    Next::Read => {}
                    next => break next,
                },
            }
        };
        self.counters.unknown_frames_total += stream.skipped().saturating_sub(skipped_before);
        next
    }

    fn handle_frame(&mut self, id: ClientId, frame: &Frame<'_>, now: Instant, out: &mut Out) -> Next {
        let Some(client) = self.clients.find_mut(id) else { return Next::Cut(CutReason::Ended) };
        let Some(key) = client.joined_key() else {
            return match frame {
                Frame::ClientLogin(login) => self.handle_login(id, login, now, out),
                _ => self.cut(id, CutReason::Malformed, out),
            };
        };
        match frame {
            Frame::SendPacket(send) => return self.forward(id, key, send, now, out),
            Frame::NotePreferred(NotePreferred { preferred }) => {
                if client.home != *preferred {
                    client.home = *preferred;
                    let homes = &mut self.counters.home_clients;
                    *homes = if *preferred { *homes + 1 } else { homes.saturating_sub(1) };
                }
            }
            Frame::Ping(Ping { token }) => {
                self.counters.pings_total += 1;
                self.send_control(id, &Frame::Pong(Pong { token: *token }), out);
            }
            Frame::KeepAlive(_) | Frame::Pong(_) => {}
            // Mesh frames need a mesh key, the rest only a server sends: official relays cut these too.
            _ => return self.cut(id, CutReason::Malformed, out),
        }
        Next::Read
    }

    /// Moves what waits for a client to the writer's buffer: control first, then disco, then data.
    pub fn drain(&mut self, id: ClientId, into: &mut Vec<u8>) -> Drain {
        let Some(client) = self.clients.find_mut(id) else { return Drain::Cut(CutReason::Ended) };
        if let Some(reason) = client.cut {
            return Drain::Cut(reason);
        }
        let fill_to = into.len() + limits::DRAIN_BYTES;
        let frames: u64 = [&mut client.control, &mut client.disco, &mut client.data]
            .map(|queue| queue.drain(into, fill_to))
            .iter()
            .sum();
        if frames > 0 { Drain::Bytes } else { Drain::Empty }
    }

    /// The stream is gone. Who heard from this client is told, unless it is here by another connection too.
    pub fn disconnect(&mut self, id: ClientId, out: &mut Out) {
        let Some(client) = self.clients.remove(id) else { return };
        self.timers.remove(&(client.timer, id));
        self.counters.connections = self.counters.connections.saturating_sub(1);
        if client.home {
            self.counters.home_clients = self.counters.home_clients.saturating_sub(1);
        }
        if let Some(key) = client.joined_key() {
            self.counters.clients = self.counters.clients.saturating_sub(1);
            self.tell_that_peer_left(key, client.heard_by, out);
        }
    }

    /// Tells all clients that the relay goes away for a moment.
    pub fn restart(&mut self, reconnect_in: Duration, try_for: Duration, out: &mut Out) {
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let frame =
            Frame::Restarting(Restarting { reconnect_in_ms: millis(reconnect_in), try_for_ms: millis(try_for) });
        self.send_to_all(&frame, out);
    }

    /// Tells all clients, now and when they log in, of a problem; an empty text says that it is over.
    pub fn set_health(&mut self, problem: &str, out: &mut Out) {
        problem.clone_into(&mut self.problem);
        self.send_to_all(&Frame::Health(Health { problem }), out);
    }

    /// Cuts late logins and keeps the others alive.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Out) {
        while let Some((when, id)) = self.timers.first().copied()
            && when <= now
        {
            self.timers.pop_first();
            let Some(client) = self.clients.find_mut(id) else { continue };
            if client.joined_key().is_none() {
                self.counters.login_timeouts_total += 1;
                self.cut(id, CutReason::LoginTimeout, out);
                continue;
            }
            client.disco.shrink();
            client.data.shrink();
            client.control.shrink();
            self.send_control(id, &Frame::KeepAlive(KeepAlive), out);
            let pause = self.keep_alive_pause();
            self.set_timer(id, now + pause);
        }
    }

    /// When `handle_timeout` wants to be called.
    pub fn next_timeout(&self) -> Option<Deadline> {
        self.timers.first().map(|(when, _)| {
            // Nothing here is exact: a second of slack lets timers fire together.
            Deadline::between(*when, *when + Duration::from_secs(1), "relay login or keepalive")
        })
    }

    pub(crate) fn keep_alive_pause(&mut self) -> Duration {
        let jitter_ms = u64::try_from(limits::KEEP_ALIVE_JITTER.as_millis()).unwrap_or(u64::MAX);
        limits::KEEP_ALIVE + Duration::from_millis(self.rng.next_u64() % jitter_ms)
    }

    pub(crate) fn set_timer(&mut self, id: ClientId, when: Instant) {
        if let Some(client) = self.clients.find_mut(id) {
            self.timers.remove(&(client.timer, id));
            client.timer = when;
            self.timers.insert((when, id));
        }
    }

    /// Marks a connection as over: its reader and writer are told, and the driver then disconnects it.
    pub(crate) fn cut(&mut self, id: ClientId, reason: CutReason, out: &mut Out) -> Next {
        if matches!(reason, CutReason::Malformed | CutReason::BadLogin) {
            self.counters.malformed_total += 1;
        }
        if let Some(client) = self.clients.find_mut(id) {
            client.cut.get_or_insert(reason);
            out.wake.push(id);
        }
        Next::Cut(reason)
    }

    pub(crate) fn send_health_if_any(&mut self, id: ClientId, out: &mut Out) {
        if !self.problem.is_empty() {
            let problem = std::mem::take(&mut self.problem);
            self.send_control(id, &Frame::Health(Health { problem: &problem }), out);
            self.problem = problem;
        }
    }

    pub(crate) fn send_control(&mut self, id: ClientId, frame: &Frame<'_>, out: &mut Out) {
        let mut encoded = std::mem::take(&mut self.encoded);
        encoded.clear();
        frame.encode(&mut encoded);
        self.send_control_bytes(id, &encoded, out);
        self.encoded = encoded;
    }

    pub(crate) fn send_control_bytes(&mut self, id: ClientId, frame: &[u8], out: &mut Out) {
        let Some(client) = self.clients.find_mut(id) else { return };
        let idle = client.is_drained();
        if client.control.push(&[frame]) {
            self.counters.dropped_control_total += 1;
        }
        if idle {
            out.wake.push(id);
        }
    }

    fn send_to_all(&mut self, frame: &Frame<'_>, out: &mut Out) {
        let all: Vec<ClientId> = self.clients.ids().collect();
        for id in all {
            if self.clients.find(id).is_some_and(|client| client.joined_key().is_some()) {
                self.send_control(id, frame, out);
            }
        }
    }
}

#[cfg(test)]
mod tests;
