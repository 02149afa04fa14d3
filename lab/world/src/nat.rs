//! A NAT, by its mapping and filtering behaviour (RFC 4787 sections 4.1 and 5).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use wattle_time::Instant;

/// On what of the other end a behaviour depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependence {
    /// Nothing: any other end will do.
    EndpointIndependent,
    /// Its address.
    AddressDependent,
    /// Its address and port.
    AddressAndPortDependent,
}

/// How a NAT behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// When the same inside endpoint gets the same outside port.
    pub mapping: Dependence,
    /// From whom packets are let in.
    pub filtering: Dependence,
    /// Whether hosts inside can reach each other by outside addresses.
    pub hairpinning: bool,
    /// How long a mapping lives without outbound packets. RFC 4787 wants 2 minutes at least; many give 30 seconds.
    pub lifetime: Duration,
}

impl Behaviour {
    /// A behaviour without hairpinning that keeps mappings for 30 seconds.
    pub const fn new(mapping: Dependence, filtering: Dependence) -> Self {
        Self { mapping, filtering, hairpinning: false, lifetime: Duration::from_secs(30) }
    }
}

/// A NAT with one outside address.
#[derive(Debug)]
pub struct Nat {
    behaviour: Behaviour,
    outside: Ipv4Addr,
    mappings: BTreeMap<(SocketAddr, Option<SocketAddr>), Mapping>,
    next_port: u16,
}

#[derive(Debug)]
struct Mapping {
    port: u16,
    used_at: Instant,
    /// To whom packets went, and when last.
    sent_to: BTreeMap<SocketAddr, Instant>,
}

const FIRST_PORT: u16 = 20_000;

impl Nat {
    /// A NAT without mappings.
    pub fn new(outside: Ipv4Addr, behaviour: Behaviour) -> Self {
        Self { behaviour, outside, mappings: BTreeMap::new(), next_port: FIRST_PORT }
    }

    /// Its outside address.
    pub fn outside(&self) -> Ipv4Addr {
        self.outside
    }

    /// How it behaves.
    pub fn behaviour(&self) -> Behaviour {
        self.behaviour
    }

    /// A packet goes out; the result is what its source becomes.
    pub fn outbound(&mut self, from: SocketAddr, to: SocketAddr, now: Instant) -> SocketAddr {
        let lifetime = self.behaviour.lifetime;
        self.mappings.retain(|_, mapping| now.since(mapping.used_at) < lifetime);
        let next_port = &mut self.next_port;
        let mapping = self.mappings.entry((from, reduced(to, self.behaviour.mapping))).or_insert_with(|| {
            let port = *next_port;
            // Far from the last one, so that nobody reaches a mapping by guessing the next port.
            *next_port = FIRST_PORT + (port - FIRST_PORT + 7919) % 40_000;
            Mapping { port, used_at: now, sent_to: BTreeMap::new() }
        });
        mapping.used_at = now;
        mapping.sent_to.insert(to, now);
        SocketAddr::from((self.outside, mapping.port))
    }

    /// A packet comes to the outside address; the result is the inside endpoint that gets it, if any may.
    pub fn inbound(&self, from: SocketAddr, to_port: u16, now: Instant) -> Option<SocketAddr> {
        let alive = |at: Instant| now.since(at) < self.behaviour.lifetime;
        let wanted = reduced(from, self.behaviour.filtering);
        self.mappings.iter().find_map(|((inside, _), mapping)| {
            let known =
                |(to, at): (&SocketAddr, &Instant)| alive(*at) && reduced(*to, self.behaviour.filtering) == wanted;
            let fits = mapping.port == to_port && alive(mapping.used_at) && mapping.sent_to.iter().any(known);
            fits.then_some(*inside)
        })
    }

    /// It restarts: all mappings are gone.
    pub fn restart(&mut self) {
        self.mappings.clear();
    }
}

/// What of the other end counts.
fn reduced(end: SocketAddr, dependence: Dependence) -> Option<SocketAddr> {
    match dependence {
        Dependence::EndpointIndependent => None,
        Dependence::AddressDependent => Some(SocketAddr::new(end.ip(), 0)),
        Dependence::AddressAndPortDependent => Some(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ORIGIN;

    fn nat(mapping: Dependence, filtering: Dependence) -> Nat {
        Nat::new(Ipv4Addr::new(192, 0, 2, 1), Behaviour::new(mapping, filtering))
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn mapping_depends_on_what_it_should() {
        use Dependence::*;
        for (mapping, same_host, other_host) in [
            (EndpointIndependent, true, true),
            (AddressDependent, true, false),
            (AddressAndPortDependent, false, false),
        ] {
            let mut nat = nat(mapping, EndpointIndependent);
            let inside = at("10.0.0.2:1000");
            let first = nat.outbound(inside, at("198.51.100.1:1"), NOW);
            assert_eq!(nat.outbound(inside, at("198.51.100.1:2"), NOW) == first, same_host, "{mapping:?}");
            assert_eq!(nat.outbound(inside, at("198.51.100.2:1"), NOW) == first, other_host, "{mapping:?}");
        }
    }

    #[test]
    fn filtering_depends_on_what_it_should() {
        use Dependence::*;
        for (filtering, same_host, other_host) in [
            (EndpointIndependent, true, true),
            (AddressDependent, true, false),
            (AddressAndPortDependent, false, false),
        ] {
            let mut nat = nat(EndpointIndependent, filtering);
            let inside = at("10.0.0.2:1000");
            let port = nat.outbound(inside, at("198.51.100.1:1"), NOW).port();
            assert_eq!(nat.inbound(at("198.51.100.1:1"), port, NOW), Some(inside));
            assert_eq!(nat.inbound(at("198.51.100.1:2"), port, NOW).is_some(), same_host, "{filtering:?}");
            assert_eq!(nat.inbound(at("198.51.100.2:1"), port, NOW).is_some(), other_host, "{filtering:?}");
            assert_eq!(nat.inbound(at("198.51.100.1:1"), port, NOW + Duration::from_secs(31)), None);
        }
    }
}
