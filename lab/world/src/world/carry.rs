//! The way of a datagram: up from its sender to a network where its destination means something, and down from there.
//!
//! The way up is judged when it leaves, the way down when it gets there: what a NAT on the far side does to it depends
//! on what that NAT has seen by then.

use std::net::SocketAddr;
use std::time::Duration;

use super::sites::Owner;
use super::{Event, World, host_anchor, site_anchor};
use crate::conditions::{Crossing, Link, Look, chance, up_to};
use crate::host::{HostId, Power, is_link_local};
use crate::kind::Kind;
use crate::nat::Hairpinning;
use crate::site::SiteId;
use crate::trace::LineId;
use crate::{Arrival, Cargo, Direction, Fate};

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// None: it is a copy, whose fate nobody asks for.
    line: Option<LineId>,
    sender: HostId,
    /// As they were when it left.
    port: u16,
    sent_to: SocketAddr,
    /// As they are now.
    from: SocketAddr,
    to: SocketAddr,
    at: Option<SiteId>,
    passed: Passed,
    /// Of the link that it was too big for.
    mtu: u16,
    kind: Kind,
    bytes: Vec<u8>,
}

/// Which link it has passed already, on the network where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    Nothing,
    Uplink(SiteId),
    Access,
}

/// What became of a datagram that came in.
enum Step {
    Further,
    Waits(Duration),
    Arrives(HostId),
}

impl Flight {
    fn cross(&mut self, link: &Link, rng: &mut rand_chacha::ChaCha20Rng) -> Result<Crossing, Fate> {
        let look = Look { bytes: &self.bytes, kind: self.kind, is_v6: self.to.is_ipv6() };
        let crossed = link.cross(&look, rng);
        if crossed.is_err() {
            self.mtu = link.mtu;
        }
        crossed
    }
}

impl World {
    pub(super) fn launch(
        &mut self,
        host: HostId,
        site: Option<Option<SiteId>>,
        [from, to]: [SocketAddr; 2],
        bytes: Vec<u8>,
    ) {
        let kind = Kind::of(&bytes);
        let line = Some(self.trace.datagram(self.now, host, [from, to], &bytes, kind));
        let (port, at, passed) = (from.port(), None, Passed::Nothing);
        let mut flight =
            Box::new(Flight { line, sender: host, port, sent_to: to, from, to, at, passed, mtu: 0, kind, bytes });
        match self.leave(&mut flight, site) {
            Ok(crossing) => self.pass(flight, crossing),
            Err(fate) => self.end(&flight, fate, None),
        }
    }

    /// A datagram has come down to a network, and goes on from there.
    pub(super) fn land(&mut self, mut flight: Box<Flight>) -> Option<Arrival> {
        loop {
            match self.descend(&mut flight) {
                Ok(Step::Further) => {}
                Ok(Step::Waits(delay)) => {
                    self.queue.push(self.now + delay, Event::Flight(flight));
                    return None;
                }
                Ok(Step::Arrives(host)) => {
                    self.end(&flight, Fate::Delivered, Some(host));
                    let Flight { from, to, bytes, .. } = *flight;
                    return Some(Arrival { host, cargo: Cargo::Datagram { from, to, port: to.port(), bytes } });
                }
                Err(fate) => {
                    self.end(&flight, fate, None);
                    return None;
                }
            }
        }
    }

    /// The way up, from a network on which its source is the sender's.
    fn leave(&mut self, flight: &mut Flight, site: Option<Option<SiteId>>) -> Result<Crossing, Fate> {
        let sender = &self.hosts[flight.sender.0];
        if !sender.is_awake() {
            return Err(Fate::Unsent);
        }
        let mut at = site.ok_or(Fate::NoRoute)?;
        let mut total = flight.cross(sender.access(Direction::Out), &mut self.rng)?;
        let mut anchor = host_anchor(flight.sender);
        loop {
            if let Some(owner) = self.owner(at, flight.to.ip()) {
                let goal = self.place(owner);
                while let Some(site) = at.filter(|_| !self.encloses(at, goal)) {
                    at = self.climb(site, flight, &mut total)?;
                    anchor = site_anchor(site);
                }
                flight.at = at;
                self.hop(at, [anchor, self.anchor(owner)], &mut total)?;
                return Ok(total);
            }
            if is_link_local(flight.to.ip()) {
                return Err(Fate::NoHost);
            }
            let edge = self.realm(at, flight.to.ip()).ok_or(Fate::NoHost)?;
            while let Some(site) = at.filter(|site| *site != edge) {
                at = self.climb(site, flight, &mut total)?;
            }
            if self.turns_around(edge, flight)? {
                total.delay += self.conditions.latency_inside;
                flight.at = at;
                return Ok(total);
            }
            at = self.translate(edge, flight, &mut total)?;
            anchor = site_anchor(edge);
        }
    }

    /// Out of a site as it is.
    fn climb(&mut self, site: SiteId, flight: &mut Flight, total: &mut Crossing) -> Result<Option<SiteId>, Fate> {
        let site = &mut self.sites[site.0];
        site.pass_out(flight.from, flight.to, self.now)?;
        total.add(flight.cross(site.uplink(Direction::Out), &mut self.rng)?);
        Ok(site.parent)
    }

    /// Out of a site through its NAT.
    fn translate(&mut self, site: SiteId, flight: &mut Flight, total: &mut Crossing) -> Result<Option<SiteId>, Fate> {
        let site = &mut self.sites[site.0];
        let nat = site.nat.as_mut().filter(|_| flight.to.is_ipv4()).ok_or(Fate::NoRoute)?;
        if !site.firewall.udp {
            return Err(Fate::Firewalled);
        }
        flight.from = nat.outbound(flight.from, flight.to, self.now, &mut self.rng)?;
        total.add(flight.cross(site.uplink(Direction::Out), &mut self.rng)?);
        Ok(site.parent)
    }

    /// Whether a datagram is for an outside address of the NAT that it would leave by, and goes back in.
    fn turns_around(&mut self, site: SiteId, flight: &mut Flight) -> Result<bool, Fate> {
        let Some(nat) = self.sites[site.0].nat.as_mut() else { return Ok(false) };
        if !nat.has_outside(flight.to.ip()) {
            return Ok(false);
        }
        let hairpinning = nat.behaviour().hairpinning;
        if hairpinning == Hairpinning::Off {
            return Err(Fate::NoHairpin);
        }
        let outside = nat.outbound(flight.from, flight.to, self.now, &mut self.rng)?;
        flight.to = nat.inbound(outside, flight.to, self.now)?;
        if hairpinning == Hairpinning::ExternalSource {
            flight.from = outside;
        }
        Ok(true)
    }

    /// Across a network, from where it came up to where it goes down.
    fn hop(&mut self, at: Option<SiteId>, [from, to]: [usize; 2], total: &mut Crossing) -> Result<(), Fate> {
        if at.is_some() {
            total.delay += self.conditions.latency_inside;
            return Ok(());
        }
        if chance(self.conditions.lost_per_thousand, &mut self.rng) {
            return Err(Fate::Lost);
        }
        let is_twice = chance(self.conditions.duplicated_per_thousand, &mut self.rng);
        let delay = self.distance(from, to) + up_to(self.conditions.jitter, &mut self.rng);
        total.add(Crossing { delay, is_twice });
        Ok(())
    }

    /// One step of the way down.
    fn descend(&mut self, flight: &mut Flight) -> Result<Step, Fate> {
        let owner = self.owner(flight.at, flight.to.ip()).ok_or(Fate::NoHost)?;
        let goal = self.place(owner);
        if flight.at != goal {
            let gate = self.gate(flight.at, goal).ok_or(Fate::NoHost)?;
            if let Some(delay) = self.cross_uplink(gate, flight)? {
                return Ok(Step::Waits(delay));
            }
            self.sites[gate.0].pass_in(flight.from, flight.to, self.now)?;
            (flight.at, flight.passed) = (Some(gate), Passed::Nothing);
            return Ok(Step::Further);
        }
        match owner {
            Owner::Nat(gate) => {
                if let Some(delay) = self.cross_uplink(gate, flight)? {
                    return Ok(Step::Waits(delay));
                }
                let site = &mut self.sites[gate.0];
                if !site.firewall.udp {
                    return Err(Fate::Firewalled);
                }
                let nat = site.nat.as_mut().ok_or(Fate::NoHost)?;
                flight.to = nat.inbound(flight.from, flight.to, self.now)?;
                (flight.at, flight.passed) = (Some(gate), Passed::Nothing);
                Ok(Step::Further)
            }
            Owner::Host(host, _) => self.reach(host, flight),
        }
    }

    /// Across the link of a site, once. Some: it takes so long.
    fn cross_uplink(&mut self, gate: SiteId, flight: &mut Flight) -> Result<Option<Duration>, Fate> {
        if flight.passed == Passed::Uplink(gate) {
            return Ok(None);
        }
        let crossing = flight.cross(self.sites[gate.0].uplink(Direction::In), &mut self.rng)?;
        flight.passed = Passed::Uplink(gate);
        self.copy(flight, crossing);
        Ok((!crossing.delay.is_zero()).then_some(crossing.delay))
    }

    /// It is on the network of the host that it is for.
    fn reach(&mut self, host: HostId, flight: &mut Flight) -> Result<Step, Fate> {
        if flight.passed != Passed::Access {
            let mut total = Crossing::default();
            if let Some(pair) = self.pairs.get(&(flight.sender, host)) {
                total.add(flight.cross(pair, &mut self.rng)?);
            }
            total.add(flight.cross(self.hosts[host.0].access(Direction::In), &mut self.rng)?);
            flight.passed = Passed::Access;
            self.copy(flight, total);
            if !total.delay.is_zero() {
                return Ok(Step::Waits(total.delay));
            }
        }
        match self.hosts[host.0].power {
            Power::Awake => Ok(Step::Arrives(host)),
            Power::Asleep { .. } => Err(Fate::Asleep),
            Power::Crashed | Power::Off => Err(Fate::Off),
        }
    }

    fn pass(&mut self, flight: Box<Flight>, crossing: Crossing) {
        self.copy(&flight, crossing);
        self.queue.push(self.now + crossing.delay, Event::Flight(flight));
    }

    /// A link may make a copy, which comes a little later and is not copied again.
    fn copy(&mut self, flight: &Flight, crossing: Crossing) {
        if crossing.is_twice && flight.line.is_some() {
            self.trace.duplicate();
            let copy = Box::new(Flight { line: None, ..flight.clone() });
            self.queue.push(self.now + crossing.delay + COPY_DELAY, Event::Flight(copy));
        }
    }

    fn end(&mut self, flight: &Flight, fate: Fate, host: Option<HostId>) {
        let Some(line) = flight.line else { return };
        self.trace.end(line, fate, self.now, host);
        if fate == Fate::ToldTooBig {
            let cargo = Cargo::TooBig { to: flight.sent_to, port: flight.port, mtu: flight.mtu };
            let arrival = Arrival { host: flight.sender, cargo };
            self.queue.push(self.now + self.conditions.latency, Event::Arrival(arrival));
        }
    }

    /// Where on the internet the owner of an address is joined to it.
    fn anchor(&self, owner: Owner) -> usize {
        let top = self.gate(None, self.place(owner));
        match (top, owner) {
            (Some(site), _) | (None, Owner::Nat(site)) => site_anchor(site),
            (None, Owner::Host(host, _)) => host_anchor(host),
        }
    }
}

const COPY_DELAY: Duration = Duration::from_micros(100);

impl Crossing {
    fn add(&mut self, other: Self) {
        self.delay += other.delay;
        self.is_twice |= other.is_twice;
    }
}
