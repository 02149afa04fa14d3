//! How connections end: closed, reset, without an address, or when patience runs out.

use std::collections::VecDeque;
use std::net::SocketAddr;

use wattle_time::Instant;

use super::super::{Event, World};
use super::{Connection, ConnectionId, Side, State, Step};
use crate::arrival::Cause;
use crate::host::{HostId, Power};
use crate::{Arrival, Cargo};

impl World {
    /// Ends of a host whose own address is gone.
    pub(in crate::world) fn break_without_address(&mut self, host: HostId) {
        let lost = |(number, known): (&u64, &Connection)| {
            let is_gone = |address: SocketAddr| self.hosts[host.0].site_of(address.ip()).is_none();
            let client = known.client.host == host && is_gone(known.from);
            let server = known.server.host == host && known.server.state != State::Opening && is_gone(known.to);
            let side = if client { Side::Client } else { Side::Server };
            (client || server).then_some(ConnectionId { number: *number, side })
        };
        let lost: Vec<ConnectionId> = self.connections.iter().filter_map(lost).collect();
        for id in lost {
            self.queue.push(self.now, Event::Connection(Step::Break(id, Cause::AddressGone)));
        }
    }

    /// A process ends: its kernel tells the other ends.
    pub(in crate::world) fn reset_connections(&mut self, host: HostId) {
        for id in self.ends_of(host) {
            let latency = self.latency(id);
            self.finish(id);
            match latency {
                Some(latency) => {
                    self.queue.push(self.now + latency, Event::Connection(Step::Break(id.other(), Cause::Reset)));
                }
                None => self.expire(id.other()),
            }
        }
    }

    /// A host is gone: nobody tells the other ends.
    pub(in crate::world) fn drop_connections(&mut self, host: HostId) {
        for id in self.ends_of(host) {
            self.finish(id);
            self.expire(id.other());
        }
    }

    pub(super) fn ends_of(&self, host: HostId) -> Vec<ConnectionId> {
        let ends = |(number, known): (&u64, &Connection)| {
            [Side::Client, Side::Server]
                .into_iter()
                .filter(|side| known.end(*side).host == host && known.end(*side).state != State::Done)
                .map(|side| ConnectionId { number: *number, side })
                .collect::<Vec<_>>()
        };
        self.connections.iter().flat_map(ends).collect()
    }

    /// Bad news waits until its reader is awake.
    pub(super) fn is_end_asleep(&self, step: &Step) -> bool {
        let (Step::Close(id) | Step::Break(id, _)) = step else { return false };
        let host = self.connections.get(&id.number).map(|known| known.end(id.side).host);
        host.is_some_and(|host| matches!(self.hosts[host.0].power, Power::Asleep { .. }))
    }

    /// Somebody on the way answers that there is no such connection.
    pub(super) fn reset_soon(&mut self, id: ConnectionId) {
        let round_trip = self.conditions.latency * 2;
        self.queue.push(self.now + round_trip, Event::Connection(Step::Break(id, Cause::Reset)));
    }

    /// Nothing will be heard any more: patience ends at some time.
    pub(super) fn expire(&mut self, id: ConnectionId) {
        let at = self.now + self.conditions.connection_timeout;
        self.queue.push(at, Event::Connection(Step::Break(id, Cause::TimedOut)));
    }

    pub(super) fn break_end(&mut self, id: ConnectionId, cause: Cause) -> Option<Arrival> {
        let known = self.connections.get(&id.number)?;
        let end = known.end(id.side);
        let (host, was_opening, other) = (end.host, end.state == State::Opening, known.end(id.side.other()).state);
        self.finish(id)?;
        if other == State::Open && cause != Cause::Reset {
            self.expire(id.other());
        }
        if !self.hosts[host.0].is_awake() {
            return None;
        }
        let connection = id;
        let cargo =
            if was_opening { Cargo::Refused { connection, cause } } else { Cargo::Broken { connection, cause } };
        Some(Arrival { host, cargo })
    }

    /// The end knows nothing of the connection any more. Says when the last message to the other is due.
    pub(super) fn finish(&mut self, id: ConnectionId) -> Option<Instant> {
        let known = self.connections.get_mut(&id.number)?;
        let end = known.end_mut(id.side);
        if end.state == State::Done {
            return None;
        }
        end.state = State::Done;
        end.waiting = VecDeque::new();
        let due = end.last_due;
        let other = known.end(id.side.other()).state;
        if other == State::Done || (id.side == Side::Client && other == State::Opening) {
            self.connections.remove(&id.number);
        }
        Some(due)
    }
}
