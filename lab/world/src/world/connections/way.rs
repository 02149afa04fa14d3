//! The way of a connection through gateways, and whether it is up.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;

use super::super::sites::Owner;
use super::super::{World, host_anchor, site_anchor};
use super::{ConnectionId, RETRY_MIN, Side, State, Transit, Way};
use crate::Direction;
use crate::arrival::Cause;
use crate::conditions::{Link, chance};
use crate::host::HostId;
use crate::site::Inbound;

/// Times in a row that a segment is lost: more is a way that is down.
const RESENDS_MAX: u32 = 5;
/// Of a thousand: with so many lost, a way is down.
const DOWN: u32 = 1000;

/// How late a message is because its segment had to be sent again.
pub(super) fn resend(lost_per_thousand: u32, rng: &mut ChaCha20Rng) -> Duration {
    let mut late = Duration::ZERO;
    for doubled in 0..RESENDS_MAX {
        if !chance(lost_per_thousand, rng) {
            break;
        }
        late += RETRY_MIN * (1 << doubled);
    }
    late
}

impl World {
    /// The way from a client to a server; a NAT takes no connection in.
    pub(super) fn way(&self, client: HostId, from: SocketAddr, to: SocketAddr) -> Result<Way, Cause> {
        let mut at = self.hosts[client.0].site_of(from.ip()).ok_or(Cause::AddressGone)?;
        let (mut up, mut seen_from, mut anchor) = (Vec::new(), from, host_anchor(client));
        let mut upheavals = 0;
        loop {
            if let Some(owner) = self.owner(at, to.ip()) {
                let Owner::Host(server, goal) = owner else { return Err(Cause::TimedOut) };
                while let Some(site) = at.filter(|_| !self.encloses(at, goal)) {
                    (at, anchor) = (self.sites[site.0].parent, site_anchor(site));
                    up.push(site);
                }
                let mut down = Vec::new();
                let mut inner = at;
                while let Some(gate) = self.gate(inner, goal) {
                    inner = Some(gate);
                    down.push(gate);
                }
                let to_anchor = down.first().map_or(host_anchor(server), |site| site_anchor(*site));
                let transit = match at {
                    Some(_) => Transit { latency: self.conditions.latency_inside, lost_per_thousand: 0 },
                    None => Transit {
                        latency: self.distance(anchor, to_anchor),
                        lost_per_thousand: self.conditions.lost_per_thousand,
                    },
                };
                return Ok(Way { up, down, server, seen_from, upheavals, transit });
            }
            let site = at.ok_or(Cause::TimedOut)?;
            let known = &self.sites[site.0];
            if self.realm(at, to.ip()) == at {
                let nat = known.nat.as_ref().filter(|_| to.is_ipv4()).ok_or(Cause::TimedOut)?;
                let outside = nat.outside().first().ok_or(Cause::TimedOut)?;
                seen_from.set_ip((*outside).into());
            }
            upheavals += known.upheavals;
            up.push(site);
            (at, anchor) = (known.parent, site_anchor(site));
        }
    }

    /// How long a message from this end takes now, when nothing is lost. None: it does not get there.
    pub(super) fn latency(&self, id: ConnectionId) -> Option<Duration> {
        self.transit(id).ok().map(|transit| transit.latency)
    }

    /// How a message from this end fares now; or why it does not get there.
    pub(super) fn transit(&self, id: ConnectionId) -> Result<Transit, Cause> {
        let known = self.connections.get(&id.number).ok_or(Cause::Reset)?;
        let client = known.client.host;
        let way = match self.way(client, known.from, known.to) {
            Ok(way) => way,
            // The address is gone, or nobody has that of the server any more.
            Err(_) => return Err(Cause::TimedOut),
        };
        let is_made = known.server.state != State::Opening;
        let is_moved = is_made && way.server != known.server.host;
        if is_moved || (is_made && way.upheavals != known.upheavals) {
            // A gateway knows nothing of it: it drops what comes from outside; what goes out comes from nowhere.
            return Err(if id.side == Side::Client { Cause::Reset } else { Cause::TimedOut });
        }
        let is_allowed = |site: &crate::SiteId| self.sites[site.0].firewall.passes_connection(known.to.port());
        let is_open = |site: &crate::SiteId| {
            let firewall = self.sites[site.0].firewall;
            firewall.inbound == Inbound::Open && firewall.tcp != crate::Tcp::None
        };
        if !way.up.iter().all(is_allowed) || !way.down.iter().all(is_open) {
            return Err(Cause::TimedOut);
        }
        let (out, back, from, to) = match id.side {
            Side::Client => (Direction::Out, Direction::In, client, way.server),
            Side::Server => (Direction::In, Direction::Out, way.server, client),
        };
        if !self.hosts[from.0].is_awake() || !self.hosts[to.0].is_up() {
            return Err(Cause::TimedOut);
        }
        let mut links: Vec<&Link> =
            vec![self.hosts[from.0].access(Direction::Out), self.hosts[to.0].access(Direction::In)];
        links.extend(way.up.iter().map(|site| self.sites[site.0].uplink(out)));
        links.extend(way.down.iter().map(|site| self.sites[site.0].uplink(back)));
        links.extend(self.pairs.get(&(from, to)));
        if links.iter().any(|link| !link.up || link.lost_per_thousand >= DOWN) {
            return Err(Cause::TimedOut);
        }
        Ok(Transit {
            latency: way.transit.latency + links.iter().map(|link| link.latency).sum::<Duration>(),
            lost_per_thousand: links
                .iter()
                .map(|link| link.lost_per_thousand)
                .fold(way.transit.lost_per_thousand, u32::max),
        })
    }
}
