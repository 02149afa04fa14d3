//! A NAT: mappings, filters and requested mappings. It does not know who is inside.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rand_core::RngCore;
use wattle_time::Instant;

use crate::Fate;
use crate::flows::{Flows, SWEEP_MIN};
use crate::limits::NAT_SWEEP_INTERVAL;

mod behaviour;
mod requested;
#[cfg(test)]
mod tests;

pub use behaviour::{Behaviour, Dependence, Hairpinning, Ports, Refresh};
pub use requested::{Mapped, MappingRefused};

/// A NAT with one or more outside addresses. A host inside always gets the same of them ("paired").
#[derive(Debug)]
pub(crate) struct Nat {
    behaviour: Behaviour,
    outside: Vec<Ipv4Addr>,
    mappings: BTreeMap<u64, Mapping>,
    /// Which mapping packets of an inside endpoint use, by what counts of the other end.
    by_inside: BTreeMap<(SocketAddr, Option<SocketAddr>), u64>,
    /// Overloading puts several on one endpoint, and a requested one may stand beside those of the same host.
    by_outside: BTreeMap<SocketAddr, Vec<u64>>,
    requested: BTreeMap<SocketAddr, u64>,
    let_in: Flows<u64>,
    next_number: u64,
    last_port: u16,
    sweep_at: usize,
    swept_at: Instant,
    started_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Mapping {
    inside: SocketAddr,
    remote: Option<SocketAddr>,
    outside: SocketAddr,
    used_at: Instant,
    /// Something came in by it.
    is_answered: bool,
    /// Somebody asked for it: it lets everybody in until then.
    granted_until: Option<Instant>,
}

/// Ports below are for services.
const FIRST_PORT: u16 = 1024;
const PORT_COUNT: u16 = u16::MAX - FIRST_PORT + 1;
const SCATTER_FIRST: u16 = 20_000;
/// Coprime with the range, and so far that nobody reaches a mapping by guessing the next port.
const SCATTER_STEP: u16 = 7919;
const SCATTER_RANGE: u16 = 40_000;
const REBIND_TRIES: u32 = 100;

impl Nat {
    /// A NAT without mappings.
    pub(crate) fn new(outside: Vec<Ipv4Addr>, behaviour: Behaviour, now: Instant) -> Self {
        Self {
            behaviour,
            outside,
            mappings: BTreeMap::new(),
            by_inside: BTreeMap::new(),
            by_outside: BTreeMap::new(),
            requested: BTreeMap::new(),
            let_in: Flows::new(),
            next_number: 0,
            last_port: SCATTER_FIRST - SCATTER_STEP,
            sweep_at: SWEEP_MIN,
            swept_at: now,
            started_at: now,
        }
    }

    /// Its outside addresses.
    pub(crate) fn outside(&self) -> &[Ipv4Addr] {
        &self.outside
    }

    pub(crate) fn has_outside(&self, address: IpAddr) -> bool {
        self.outside.iter().any(|outside| IpAddr::V4(*outside) == address)
    }

    pub(crate) fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// A packet goes out; the result is what its source becomes.
    pub(crate) fn outbound(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        now: Instant,
        rng: &mut impl RngCore,
    ) -> Result<SocketAddr, Fate> {
        let number = match self.answered_for(from, to, now).or_else(|| self.granted_to(from, now)) {
            Some(number) => number,
            None => self.mapping_for(from, to, now, rng).ok_or(Fate::NoPort)?,
        };
        let Some(mapping) = self.mappings.get_mut(&number) else { return Err(Fate::NoPort) };
        mapping.used_at = now;
        let outside = mapping.outside;
        let remote = self.behaviour.filtering.reduce(to);
        self.let_in.note(number, remote, now, self.behaviour.filter_lifetime);
        Ok(outside)
    }

    /// A packet comes to an outside address; the result is the inside endpoint that gets it, if any may.
    pub(crate) fn inbound(&mut self, from: SocketAddr, to: SocketAddr, now: Instant) -> Result<SocketAddr, Fate> {
        let behaviour = self.behaviour;
        let remote = behaviour.filtering.reduce(from);
        let mut fate = Fate::NoMapping;
        let mut best: Option<(Instant, u64)> = None;
        for number in self.by_outside.get(&to).into_iter().flatten() {
            let Some(mapping) = self.mappings.get(number).filter(|mapping| mapping.is_alive(now, &behaviour)) else {
                continue;
            };
            fate = Fate::Filtered;
            let is_let_in =
                mapping.is_granted(now) || self.let_in.is_alive(*number, remote, now, behaviour.filter_lifetime);
            // Where ports are overloaded, several may fit: the one that spoke last gets it.
            if is_let_in && best.is_none_or(|(used_at, _)| mapping.used_at >= used_at) {
                best = Some((mapping.used_at, *number));
            }
        }
        let number = best.ok_or(fate)?.1;
        let mapping = self.mappings.get_mut(&number).ok_or(fate)?;
        let inside = mapping.inside;
        mapping.is_answered = true;
        if behaviour.refresh == Refresh::Both {
            mapping.used_at = now;
            self.let_in.note(number, remote, now, behaviour.filter_lifetime);
        }
        Ok(inside)
    }

    /// Who is behind an outside endpoint, whether he lets anybody in or not. The one that spoke last, if there are more.
    pub(crate) fn behind(&self, outside: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let mappings = self.by_outside.get(&outside)?.iter().filter_map(|number| self.mappings.get(number));
        let alive = mappings.filter(|mapping| mapping.is_alive(now, &self.behaviour));
        alive.max_by_key(|mapping| mapping.used_at).map(|mapping| mapping.inside)
    }

    /// It restarts: all mappings are gone.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.mappings.clear();
        self.by_inside.clear();
        self.by_outside.clear();
        self.requested.clear();
        self.let_in.clear();
        self.started_at = now;
    }

    /// It gets another outside address, which ends all mappings.
    pub(crate) fn move_to(&mut self, outside: Ipv4Addr, now: Instant) {
        self.restart(now);
        self.outside = vec![outside];
    }

    /// Every mapping that nobody asked for gets another outside port.
    pub(crate) fn rebind(&mut self, rng: &mut impl RngCore) {
        let numbers: Vec<u64> = self
            .mappings
            .iter()
            .filter(|(_, mapping)| mapping.granted_until.is_none())
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            let Some(old) = self.mappings.get(&number).map(|mapping| mapping.outside) else { continue };
            let mut outside = old;
            // A table that is nearly full may leave a mapping where it is.
            for _ in 0..REBIND_TRIES {
                outside.set_port(random_port(rng));
                if !self.by_outside.contains_key(&outside) {
                    break;
                }
            }
            self.leave(number, old);
            self.by_outside.entry(outside).or_default().push(number);
            if let Some(mapping) = self.mappings.get_mut(&number) {
                mapping.outside = outside;
            }
        }
    }

    /// The mapping that a conversation under way has: nothing takes that away from it.
    fn answered_for(&self, from: SocketAddr, to: SocketAddr, now: Instant) -> Option<u64> {
        let number = *self.by_inside.get(&(from, self.behaviour.mapping.reduce(to)))?;
        let mapping = self.mappings.get(&number)?;
        (mapping.is_answered && mapping.is_alive(now, &self.behaviour)).then_some(number)
    }

    /// The requested mapping, by which new conversations leave whatever the mapping behaviour is (RFC 6887 section 11).
    fn granted_to(&self, from: SocketAddr, now: Instant) -> Option<u64> {
        let number = *self.requested.get(&from)?;
        self.mappings.get(&number)?.is_granted(now).then_some(number)
    }

    fn mapping_for(&mut self, from: SocketAddr, to: SocketAddr, now: Instant, rng: &mut impl RngCore) -> Option<u64> {
        let remote = self.behaviour.mapping.reduce(to);
        if let Some(number) = self.by_inside.get(&(from, remote)).copied() {
            if self.mappings.get(&number).is_some_and(|mapping| mapping.is_alive(now, &self.behaviour)) {
                return Some(number);
            }
            self.remove(number);
        }
        self.make_room(now)?;
        let outside = self.choose(from, to, now, rng)?;
        let number = self.insert(Mapping {
            inside: from,
            remote,
            outside,
            used_at: now,
            is_answered: false,
            granted_until: None,
        });
        self.by_inside.insert((from, remote), number);
        Some(number)
    }

    fn make_room(&mut self, now: Instant) -> Option<()> {
        let max = self.behaviour.mappings_max;
        let is_full = self.mappings.len() >= max && now.since(self.swept_at) >= NAT_SWEEP_INTERVAL;
        if self.mappings.len() >= self.sweep_at || is_full {
            let behaviour = self.behaviour;
            let is_dead = |(_, mapping): &(&u64, &Mapping)| !mapping.is_alive(now, &behaviour);
            let dead: Vec<u64> = self.mappings.iter().filter(is_dead).map(|(number, _)| *number).collect();
            dead.into_iter().for_each(|number| self.remove(number));
            self.sweep_at = self.mappings.len() * 2 + SWEEP_MIN;
            self.swept_at = now;
        }
        (self.mappings.len() < max).then_some(())
    }

    /// An outside endpoint for a new mapping.
    fn choose(&mut self, from: SocketAddr, to: SocketAddr, now: Instant, rng: &mut impl RngCore) -> Option<SocketAddr> {
        let address = self.paired(from.ip())?;
        let preserved = SocketAddr::new(address.into(), from.port());
        let keeps_port = match self.behaviour.ports {
            Ports::Preserving => self.is_free(preserved, now),
            Ports::Overloading => !self.has_sent_to(preserved, to, now),
            Ports::Random | Ports::Sequential | Ports::Scattered => false,
        };
        if keeps_port {
            return Some(preserved);
        }
        let start = match self.behaviour.ports {
            Ports::Preserving | Ports::Overloading | Ports::Random => random_port(rng),
            Ports::Sequential => self.last_port.wrapping_add(1).max(FIRST_PORT),
            Ports::Scattered => {
                let offset = u32::from(self.last_port.wrapping_add(SCATTER_STEP).wrapping_sub(SCATTER_FIRST));
                SCATTER_FIRST + u16::try_from(offset % u32::from(SCATTER_RANGE)).ok()?
            }
        };
        let endpoint = self.first_free(address, start, now)?;
        self.last_port = endpoint.port();
        Some(endpoint)
    }

    fn first_free(&mut self, address: Ipv4Addr, start: u16, now: Instant) -> Option<SocketAddr> {
        let offset = u32::from(start.saturating_sub(FIRST_PORT));
        (0..u32::from(PORT_COUNT)).find_map(|tried| {
            let port = FIRST_PORT + u16::try_from((offset + tried) % u32::from(PORT_COUNT)).ok()?;
            let endpoint = SocketAddr::new(address.into(), port);
            self.is_free(endpoint, now).then_some(endpoint)
        })
    }

    fn paired(&self, inside: IpAddr) -> Option<Ipv4Addr> {
        let number = match inside {
            IpAddr::V4(inside) => inside.to_bits() as usize,
            IpAddr::V6(_) => 0,
        };
        self.outside.get(number % self.outside.len().max(1)).copied()
    }

    /// Whether no living mapping has this endpoint. Takes away the dead ones.
    fn is_free(&mut self, endpoint: SocketAddr, now: Instant) -> bool {
        let Some(numbers) = self.by_outside.get(&endpoint) else { return true };
        let behaviour = self.behaviour;
        let is_alive = |number: &u64| self.mappings.get(number).is_some_and(|known| known.is_alive(now, &behaviour));
        if numbers.iter().any(is_alive) {
            return false;
        }
        for number in numbers.clone() {
            self.remove(number);
        }
        true
    }

    /// Whether a mapping at this endpoint waits for answers of that end: two of them could not be told apart.
    fn has_sent_to(&self, endpoint: SocketAddr, to: SocketAddr, now: Instant) -> bool {
        let (behaviour, remote) = (&self.behaviour, self.behaviour.filtering.reduce(to));
        let mut numbers = self.by_outside.get(&endpoint).into_iter().flatten();
        // Where filters know no ends, nothing tells them apart; such NATs overload all the same.
        remote.is_some() && numbers.any(|number| self.let_in.is_alive(*number, remote, now, behaviour.filter_lifetime))
    }

    fn insert(&mut self, mapping: Mapping) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.by_outside.entry(mapping.outside).or_default().push(number);
        self.mappings.insert(number, mapping);
        number
    }

    fn remove(&mut self, number: u64) {
        let Some(mapping) = self.mappings.remove(&number) else { return };
        self.leave(number, mapping.outside);
        let key = (mapping.inside, mapping.remote);
        if self.by_inside.get(&key) == Some(&number) {
            self.by_inside.remove(&key);
        }
        if self.requested.get(&mapping.inside) == Some(&number) {
            self.requested.remove(&mapping.inside);
        }
    }

    fn leave(&mut self, number: u64, outside: SocketAddr) {
        if let Some(numbers) = self.by_outside.get_mut(&outside) {
            numbers.retain(|known| *known != number);
            if numbers.is_empty() {
                self.by_outside.remove(&outside);
            }
        }
    }
}

impl Mapping {
    fn is_alive(&self, now: Instant, behaviour: &Behaviour) -> bool {
        self.is_granted(now) || now.since(self.used_at) < behaviour.lifetime
    }

    fn is_granted(&self, now: Instant) -> bool {
        self.granted_until.is_some_and(|until| now < until)
    }
}

fn random_port(rng: &mut impl RngCore) -> u16 {
    FIRST_PORT + (rng.next_u32() % u32::from(PORT_COUNT)) as u16
}
