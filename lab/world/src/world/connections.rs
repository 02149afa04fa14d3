//! Reliable connections, as their ends see them: bytes come in order and late, or the connection breaks.
//!
//! It is no TCP: there is no bandwidth and no window. A lost segment costs the time of sending it again; a way that is
//! down stalls what waits, until it comes back or patience ends.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use wattle_time::Instant;

use super::{Event, World};
use crate::arrival::Cause;
use crate::host::{HostId, Power};
use crate::limits::QUEUED_MESSAGES;
use crate::site::SiteId;
use crate::{Arrival, Cargo};

mod ending;
mod way;

/// Names one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    number: u64,
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Side {
    Client,
    Server,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The host's end is gone, or not there yet.
    Closed,
    /// Too much is waiting already.
    Full,
}

#[derive(Debug)]
pub(super) struct Connection {
    from: SocketAddr,
    to: SocketAddr,
    client: End,
    server: End,
    /// What the gateways on the way had gone through when it was made.
    upheavals: u64,
}

#[derive(Debug)]
struct End {
    host: HostId,
    state: State,
    /// What waits for the way to come back.
    waiting: VecDeque<Vec<u8>>,
    /// How many of them were on their way already and came back.
    returned: usize,
    stalled_at: Option<Instant>,
    /// How long until the next try, and whether it is coming.
    retry: Duration,
    is_retrying: bool,
    /// Nothing sent later may arrive earlier.
    last_due: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Done,
}

/// Something happens to a connection.
#[derive(Debug)]
pub(super) enum Step {
    Syn(u64),
    SynAck(u64),
    Deliver { to: ConnectionId, bytes: Vec<u8> },
    Retry(ConnectionId),
    Close(ConnectionId),
    Break(ConnectionId, Cause),
}

/// Linux: TCP_RTO_MIN. It doubles.
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_millis(6400);

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl ConnectionId {
    const fn other(self) -> Self {
        Self { number: self.number, side: self.side.other() }
    }
}

impl End {
    fn new(host: HostId, state: State, now: Instant) -> Self {
        let (waiting, stalled_at) = (VecDeque::new(), None);
        Self { host, state, waiting, returned: 0, stalled_at, retry: RETRY_MIN, is_retrying: false, last_due: now }
    }
}

impl Connection {
    fn end(&self, side: Side) -> &End {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

impl World {
    /// The host takes connections to this port.
    pub fn listen(&mut self, host: HostId, port: u16) {
        self.hosts[host.0].listening.insert(port);
    }

    /// The host wants a connection. It is told when it is there, or why not.
    pub fn connect(&mut self, host: HostId, to: SocketAddr) -> ConnectionId {
        let number = self.next_connection;
        self.next_connection += 1;
        let id = ConnectionId { number, side: Side::Client };
        let source = self.source(host, to.ip()).filter(|_| self.is_awake(host));
        let Some(source) = source else {
            self.notify(host, Cargo::Refused { connection: id, cause: Cause::NoRoute });
            return id;
        };
        let port = FIRST_LOCAL_PORT + u16::try_from(number % u64::from(LOCAL_PORTS)).unwrap_or_default();
        let mut client = End::new(host, State::Opening, self.now);
        client.stalled_at = Some(self.now);
        // Who is there is found out when the request arrives.
        let server = End::new(host, State::Opening, self.now);
        let from = SocketAddr::new(source.address, port);
        self.connections.insert(number, Connection { from, to, client, server, upheavals: 0 });
        self.queue.push(self.now, Event::Connection(Step::Retry(id)));
        id
    }

    /// Sends a message to the other end.
    pub fn write(&mut self, connection: ConnectionId, bytes: Vec<u8>) -> Result<(), WriteError> {
        let ConnectionId { number, side } = connection;
        let known = self.connections.get_mut(&number).ok_or(WriteError::Closed)?;
        let end = known.end_mut(side);
        if end.state != State::Open || !self.hosts[end.host.0].is_awake() {
            return Err(WriteError::Closed);
        }
        if end.waiting.len() >= QUEUED_MESSAGES {
            return Err(WriteError::Full);
        }
        let is_first = end.waiting.is_empty();
        end.waiting.push_back(bytes);
        if is_first {
            self.flush(connection);
        }
        Ok(())
    }

    /// How many messages wait for the way to come back.
    pub fn queued(&self, connection: ConnectionId) -> usize {
        self.connections.get(&connection.number).map_or(0, |known| known.end(connection.side).waiting.len())
    }

    /// Who is at the other end, whether it still knows or not.
    pub fn peer(&self, connection: ConnectionId) -> Option<HostId> {
        Some(self.connections.get(&connection.number)?.end(connection.side.other()).host)
    }

    /// The host is done with a connection. What was written still arrives, as far as the way is up.
    pub fn close(&mut self, connection: ConnectionId) {
        let Some(due) = self.finish(connection) else { return };
        match self.latency(connection) {
            Some(latency) => {
                let at = due.max(self.now + latency);
                self.queue.push(at, Event::Connection(Step::Close(connection.other())));
            }
            None => self.expire(connection.other()),
        }
    }

    pub(super) fn step(&mut self, step: Step) -> Option<Arrival> {
        match step {
            Step::Syn(number) => self.handle_syn(number),
            Step::SynAck(number) => {
                let client = &mut self.connections.get_mut(&number)?.client;
                let host = client.host;
                if client.state != State::Opening || !self.hosts[host.0].is_awake() {
                    return None;
                }
                (client.state, client.stalled_at, client.retry) = (State::Open, None, RETRY_MIN);
                let connection = ConnectionId { number, side: Side::Client };
                Some(Arrival { host, cargo: Cargo::Connected { connection } })
            }
            Step::Deliver { to, bytes } => self.deliver(to, bytes),
            Step::Retry(id) => {
                self.connections.get_mut(&id.number)?.end_mut(id.side).is_retrying = false;
                self.flush(id);
                None
            }
            Step::Close(_) | Step::Break(..) if self.is_end_asleep(&step) => {
                self.queue.push(self.now + RETRY_MAX, Event::Connection(step));
                None
            }
            Step::Close(id) => {
                let host = self.connections.get(&id.number)?.end(id.side).host;
                self.finish(id)?;
                Some(Arrival { host, cargo: Cargo::Closed { connection: id } })
            }
            Step::Break(id, cause) => self.break_end(id, cause),
        }
    }

    fn handle_syn(&mut self, number: u64) -> Option<Arrival> {
        let known = self.connections.get(&number)?;
        let (client, to, from) = (known.client.host, known.to, known.from);
        if known.client.state != State::Opening {
            return None;
        }
        let id = ConnectionId { number, side: Side::Client };
        let way = self.way(client, from, to).ok()?;
        let back = self.latency(id.other());
        if known.server.state != State::Opening {
            // The answer was lost.
            self.queue.push(self.now + back?, Event::Connection(Step::SynAck(number)));
            return None;
        }
        let server = &self.hosts[way.server.0];
        match server.power {
            // The client asks again, until its patience ends.
            Power::Asleep { .. } | Power::Off => return None,
            Power::Awake if server.listening.contains(&to.port()) => {}
            Power::Awake | Power::Crashed => {
                let refusal = Event::Connection(Step::Break(id, Cause::Refused));
                self.queue.push(self.now + back.unwrap_or(self.conditions.latency), refusal);
                return None;
            }
        }
        let known = self.connections.get_mut(&number)?;
        known.server = End::new(way.server, State::Open, self.now);
        known.upheavals = way.upheavals;
        if let Some(back) = back {
            known.server.last_due = self.now + back;
            self.queue.push(self.now + back, Event::Connection(Step::SynAck(number)));
        }
        let connection = id.other();
        let cargo = Cargo::Accepted { connection, from: way.seen_from, port: to.port() };
        Some(Arrival { host: way.server, cargo })
    }

    fn deliver(&mut self, to: ConnectionId, bytes: Vec<u8>) -> Option<Arrival> {
        let known = self.connections.get_mut(&to.number)?;
        let receiver = known.end(to.side);
        let host = receiver.host;
        if receiver.state != State::Open {
            return None;
        }
        let sender = known.end_mut(to.side.other());
        if self.hosts[host.0].is_awake() {
            let from = sender.host;
            self.trace.message(self.now, from, host, &bytes);
            return Some(Arrival { host, cargo: Cargo::Message { connection: to, bytes } });
        }
        if sender.state == State::Open {
            // It was never acknowledged: it waits in front of what was written later.
            sender.waiting.insert(sender.returned.min(sender.waiting.len()), bytes);
            sender.returned += 1;
            self.stall(to.other());
        }
        None
    }

    /// Sends what waits, if the way is up.
    fn flush(&mut self, id: ConnectionId) {
        let Some(known) = self.connections.get(&id.number) else { return };
        let end = known.end(id.side);
        let state = end.state;
        let has_work = state == State::Opening || !end.waiting.is_empty();
        if state == State::Done || !has_work {
            return;
        }
        let is_forgotten = known.end(id.side.other()).state == State::Done;
        let Transit { latency, lost_per_thousand } = match self.transit(id) {
            Ok(transit) => transit,
            Err(Cause::Reset) => return self.reset_soon(id),
            Err(_) => return self.stall(id),
        };
        if state == State::Opening {
            self.queue.push(self.now + latency, Event::Connection(Step::Syn(id.number)));
            // Asked again if nothing comes of it.
            return self.stall(id);
        }
        if is_forgotten {
            return self.reset_soon(id);
        }
        let now = self.now;
        let Some(known) = self.connections.get_mut(&id.number) else { return };
        let end = known.end_mut(id.side);
        (end.stalled_at, end.retry, end.returned) = (None, RETRY_MIN, 0);
        let to = id.other();
        for bytes in std::mem::take(&mut end.waiting) {
            let lateness = way::resend(lost_per_thousand, &mut self.rng);
            end.last_due = end.last_due.max(now + latency + lateness);
            self.queue.push(end.last_due, Event::Connection(Step::Deliver { to, bytes }));
        }
    }

    /// The way is down: another try later, or the end of patience.
    fn stall(&mut self, id: ConnectionId) {
        let (now, timeout) = (self.now, self.conditions.connection_timeout);
        let Some(known) = self.connections.get_mut(&id.number) else { return };
        let end = known.end_mut(id.side);
        let since = *end.stalled_at.get_or_insert(now);
        let left = timeout.saturating_sub(now.since(since));
        if left.is_zero() {
            self.queue.push(now, Event::Connection(Step::Break(id, Cause::TimedOut)));
            return;
        }
        if std::mem::replace(&mut end.is_retrying, true) {
            return;
        }
        let retry = end.retry.min(left);
        end.retry = (end.retry * 2).min(RETRY_MAX);
        self.queue.push(now + retry, Event::Connection(Step::Retry(id)));
    }
}

/// Linux: net.ipv4.ip_local_port_range.
const FIRST_LOCAL_PORT: u16 = 32_768;
const LOCAL_PORTS: u16 = 28_000;

/// The way of a connection: which gateways, and to whom.
#[derive(Debug)]
struct Way {
    /// Sites that it leaves, innermost first.
    up: Vec<SiteId>,
    /// Sites that it enters, outermost first.
    down: Vec<SiteId>,
    server: HostId,
    seen_from: SocketAddr,
    upheavals: u64,
    /// What the network at its top does.
    transit: Transit,
}

/// How messages fare on a way.
#[derive(Clone, Copy, Debug)]
struct Transit {
    latency: Duration,
    lost_per_thousand: u32,
}
