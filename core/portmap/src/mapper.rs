//! The one mapping: finding somebody who makes it, keeping it, giving it back.

mod answers;
mod calls;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_time::{Deadline, Instant, earliest};

use crate::igd::{Call, Igd};
use crate::limits::{LIFETIME, LIFETIME_MAX, LIFETIME_MIN, NOTHING_FOUND, REFRESH_MIN, TRIES};
use crate::out::{Event, HttpId, Out};
use crate::ssdp::{self, Page};
use crate::trust::is_outside;
use crate::{ROUTER_PORT, pcp, pmp};

/// The router, as the host's routes name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address on our network.
    pub router: Ipv4Addr,
    /// Our address there, with the port that is to be reached.
    pub own: SocketAddrV4,
}

/// How a router is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// RFC 6887.
    Pcp,
    /// RFC 6886.
    Pmp,
    /// UPnP IGD.
    Upnp,
}

/// Which protocols may be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// PCP.
    pub pcp: bool,
    /// NAT-PMP.
    pub pmp: bool,
    /// UPnP.
    pub upnp: bool,
}

/// What the router was found to know; `None` until it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// PCP.
    pub pcp: Option<bool>,
    /// NAT-PMP.
    pub pmp: Option<bool>,
    /// UPnP.
    pub upnp: Option<bool>,
}

/// A mapping that the router has granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Where peers may send to.
    pub external: SocketAddrV4,
    /// Who made it.
    pub protocol: Protocol,
}

/// Keeps one port mapped.
pub struct Mapper {
    rng: ChaCha20Rng,
    nonce: pcp::Nonce,
    allowed: Protocols,
    gateway: Option<Gateway>,
    phase: Phase,
    held: Option<Held>,
    seen: Seen,
    answers: Answers,
    igd: Option<Igd>,
    /// The last epochs of the router, by PCP and by NAT-PMP.
    epochs: [Option<(u32, Instant)>; 2],
    begun: Option<Instant>,
    http: u64,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    mapping: Mapping,
    ends: Instant,
}

#[derive(Clone, Debug)]
enum Phase {
    /// There is no router, or it is not to be asked.
    Off,
    /// The questions are out. `doubt`: without an answer the mapping counts as lost.
    Asking { tries: usize, next: Instant, doubt: bool },
    /// An exchange over HTTP is under way.
    Calling { step: Step, id: HttpId, ends: Instant, doubt: bool },
    /// Until it is time to renew, or to look again.
    Resting { again: Instant },
}

#[derive(Clone, Debug)]
enum Step {
    Describe(Page),
    Address,
    Map { external: Ipv4Addr, port: u16, lifetime: u32, tried: u32 },
}

/// What came back so far.
#[derive(Clone, Debug, Default)]
struct Answers {
    pcp_refused: bool,
    external: Option<Ipv4Addr>,
    page: Option<Page>,
}

impl Protocols {
    /// All of them.
    pub const ALL: Self = Self { pcp: true, pmp: true, upnp: true };

    fn any(self) -> bool {
        self.pcp || self.pmp || self.upnp
    }
}

impl Mapper {
    /// One that knows no router yet.
    pub fn new(allowed: Protocols, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        Self {
            rng,
            nonce,
            allowed,
            gateway: None,
            phase: Phase::Off,
            held: None,
            seen: Seen::default(),
            answers: Answers::default(),
            igd: None,
            epochs: [None; 2],
            begun: None,
            http: 0,
        }
    }

    /// The mapping, if there is one.
    pub fn mapping(&self) -> Option<Mapping> {
        self.held.map(|held| held.mapping)
    }

    /// What the router was found to know.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// The router, at the start and after each change of the network; `None`: there is none, or it has no IPv4. The same one
    /// as before is asked again: another network may have the same numbers.
    pub fn set_gateway(&mut self, gateway: Option<Gateway>, now: Instant, out: &mut Out) {
        if self.gateway != gateway {
            if gateway.is_none() {
                // We go down, or the network is gone: then nobody hears it, which does no harm.
                self.give_back(out);
            }
            self.gateway = gateway;
            self.igd = None;
            self.epochs = [None; 2];
            self.note_seen(Seen::default(), out);
            self.lose(out);
        }
        self.begin(true, now, out);
    }

    /// Which protocols may be spoken from now on.
    pub fn set_protocols(&mut self, allowed: Protocols, now: Instant, out: &mut Out) {
        if self.allowed == allowed {
            return;
        }
        let holder = self.held.map(|held| held.mapping.protocol);
        if holder.is_some_and(|protocol| !allowed.has(protocol)) {
            self.give_back(out);
        }
        self.allowed = allowed;
        self.begin(true, now, out);
    }

    /// Whether the mapping still stands is of interest now: somebody is being told of it.
    pub fn refresh(&mut self, now: Instant, out: &mut Out) {
        let is_due = self.begun.is_none_or(|begun| now.since(begun) >= REFRESH_MIN);
        if is_due && self.held.is_some() && matches!(self.phase, Phase::Resting { .. }) {
            self.begin(true, now, out);
        }
    }

    /// Takes the mapping away, and does nothing more until there is a router again.
    pub fn release(&mut self, out: &mut Out) {
        self.give_back(out);
        self.gateway = None;
        self.phase = Phase::Off;
    }

    /// A datagram came to the socket that asks, or an announcement to all hosts.
    pub fn handle_datagram(&mut self, from: SocketAddr, bytes: &[u8], now: Instant, out: &mut Out) {
        let Some(gateway) = self.gateway else { return };
        if from.ip() != IpAddr::V4(gateway.router) {
            return;
        }
        if from.port() != ROUTER_PORT {
            if let Some(page) = ssdp::read(bytes).filter(|page| *page.at.ip() == gateway.router)
                && self.allowed.upnp
            {
                self.answers.page = Some(page);
            }
        } else if let Some(response) = pcp::read(bytes) {
            self.handle_pcp(response, gateway, now, out);
        } else if let Some(response) = pmp::read(bytes) {
            self.handle_pmp(response, gateway, now, out);
        }
    }

    /// A request was answered; `None`: it was not.
    pub fn handle_http(&mut self, id: HttpId, answer: Option<&[u8]>, now: Instant, out: &mut Out) {
        let Phase::Calling { step, id: expected, doubt, .. } = &self.phase else { return };
        let (step, doubt) = (step.clone(), *doubt);
        if id != *expected {
            return;
        }
        match answer {
            Some(answer) => self.proceed(step, answer, doubt, now, out),
            None => self.fail_call(doubt, now, out),
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Out) {
        if self.held.is_some_and(|held| held.ends <= now) {
            self.lose(out);
        }
        match self.phase {
            Phase::Asking { tries, next, doubt } if next <= now => self.ask_further(tries, doubt, now, out),
            Phase::Calling { ends, doubt, .. } if ends <= now => self.fail_call(doubt, now, out),
            Phase::Resting { again } if again <= now => self.begin(false, now, out),
            Phase::Off | Phase::Asking { .. } | Phase::Calling { .. } | Phase::Resting { .. } => {}
        }
    }

    /// When to call [`Self::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Deadline> {
        let phase = match self.phase {
            Phase::Off => None,
            Phase::Asking { next, .. } => Some(Deadline::at(next, "router to ask about port mapping")),
            Phase::Calling { ends, .. } => Some(Deadline::at(ends, "router to answer over HTTP")),
            Phase::Resting { again } => {
                Some(Deadline::between(again, again + LIFETIME_MIN / 8, "port mapping to renew"))
            }
        };
        earliest([phase, self.held.map(|held| Deadline::at(held.ends, "port mapping ends"))])
    }

    /// Asks, from the beginning. Whoever made the mapping that we hold is asked first, and alone.
    fn begin(&mut self, doubt: bool, now: Instant, out: &mut Out) {
        let Some(gateway) = self.gateway.filter(|_| self.allowed.any()) else {
            self.phase = Phase::Off;
            return;
        };
        self.begun = Some(now);
        self.answers = Answers::default();
        match self.held.map(|held| held.mapping.protocol) {
            Some(Protocol::Pcp) => self.ask(gateway, Protocols { pcp: true, pmp: false, upnp: false }, 0, out),
            Some(Protocol::Pmp) => {
                self.answers.pcp_refused = true;
                self.ask(gateway, Protocols { pcp: false, pmp: true, upnp: false }, 0, out);
            }
            Some(Protocol::Upnp) if self.igd.is_some() => return self.call(Step::Address, doubt, now, out),
            Some(Protocol::Upnp) | None => self.ask(gateway, self.allowed, 0, out),
        }
        self.phase = Phase::Asking { tries: 0, next: now + TRIES[0], doubt };
    }

    fn ask(&mut self, gateway: Gateway, whom: Protocols, tries: usize, out: &mut Out) {
        let router = |port| SocketAddrV4::new(gateway.router, port);
        if whom.pcp {
            out.transmits.push((router(ROUTER_PORT), self.pcp_request(gateway, seconds(LIFETIME))));
        }
        if whom.pmp {
            out.transmits.push((router(ROUTER_PORT), pmp::ASK_ADDRESS.to_vec()));
        }
        if whom.upnp {
            let search = ssdp::search(ssdp::WANTED.get(tries).unwrap_or(&ssdp::WANTED[0]));
            // Some listen to the group only, others to their own address only.
            out.transmits.push((router(ssdp::PORT), search.clone()));
            out.transmits.push((SocketAddrV4::new(ssdp::MULTICAST, ssdp::PORT), search));
        }
    }

    /// A wait is over: goes on with the best that answered, or asks again.
    fn ask_further(&mut self, tries: usize, doubt: bool, now: Instant, out: &mut Out) {
        let Some(gateway) = self.gateway else { return };
        let (tries, next) = (tries + 1, TRIES.get(tries + 1));
        match (self.answers.external, self.answers.page.take(), next) {
            (Some(_), page, Some(wait)) if page.is_none() || tries == 1 => {
                self.answers.page = page;
                self.ask_pmp_mapping(gateway, out);
                self.phase = Phase::Asking { tries, next: now + *wait, doubt };
            }
            (_, Some(page), _) => self.call(Step::Describe(page), doubt, now, out),
            (_, None, Some(wait)) => {
                self.ask(gateway, self.allowed, tries, out);
                self.phase = Phase::Asking { tries, next: now + *wait, doubt };
            }
            (_, None, None) => self.fail(doubt, now, out),
        }
    }

    /// The external port to ask for: the one that peers know, else our own.
    fn wish(&self, gateway: Gateway) -> u16 {
        self.held.map_or(gateway.own.port(), |held| held.mapping.external.port())
    }

    fn pcp_request(&self, gateway: Gateway, lifetime: u32) -> Vec<u8> {
        pcp::ask_mapping(*gateway.own.ip(), &self.nonce, gateway.own.port(), self.wish(gateway), lifetime)
    }

    fn is_plausible(&self, external: Ipv4Addr, out: &mut Out) -> bool {
        let own = self.gateway.map_or(Ipv4Addr::UNSPECIFIED, |gateway| *gateway.own.ip());
        let plausible = is_outside(external, own);
        if !plausible {
            let sentence = format!("the router says that it is {external} outside, where nobody can reach it");
            out.events.push(Event::Implausible(sentence));
        }
        plausible
    }

    /// Takes a mapping that the router granted; false: it cannot be true.
    fn grant(
        &mut self,
        protocol: Protocol,
        external: SocketAddrV4,
        lifetime: u32,
        now: Instant,
        out: &mut Out,
    ) -> bool {
        if external.port() == 0 || !self.is_plausible(*external.ip(), out) {
            return false;
        }
        let lifetime = Duration::from_secs(lifetime.into()).clamp(LIFETIME_MIN, LIFETIME_MAX);
        let mapping = Mapping { external, protocol };
        let before = self.held.replace(Held { mapping, ends: now + lifetime });
        self.phase = Phase::Resting { again: now + lifetime / 2 };
        if before.map(|held| held.mapping) != Some(mapping) {
            out.events.push(Event::MappingChanged(Some(mapping)));
        }
        true
    }

    /// Nobody maps ports here, or nobody does now.
    fn fail(&mut self, doubt: bool, now: Instant, out: &mut Out) {
        let asked = |seen: Option<bool>, allowed: bool| seen.or(allowed.then_some(false));
        let Protocols { pcp, pmp, upnp } = self.allowed;
        let Seen { pcp: pcp_seen, pmp: pmp_seen, upnp: upnp_seen } = self.seen;
        let seen = Seen { pcp: asked(pcp_seen, pcp), pmp: asked(pmp_seen, pmp), upnp: asked(upnp_seen, upnp) };
        self.note_seen(seen, out);
        if doubt {
            self.lose(out);
        }
        let wait = self.held.map_or(NOTHING_FOUND, |held| (held.ends.since(now) / 2).max(LIFETIME_MIN / 2));
        self.phase = Phase::Resting { again: now + wait };
    }

    fn lose(&mut self, out: &mut Out) {
        if self.held.take().is_some() {
            out.events.push(Event::MappingChanged(None));
        }
    }

    /// Tells the router that we need the mapping no longer.
    fn give_back(&mut self, out: &mut Out) {
        if let (Some(held), Some(gateway)) = (self.held, self.gateway) {
            let router = SocketAddrV4::new(gateway.router, ROUTER_PORT);
            match held.mapping.protocol {
                Protocol::Pcp => out.transmits.push((router, self.pcp_request(gateway, 0))),
                Protocol::Pmp => {
                    out.transmits.push((router, pmp::ask_mapping(gateway.own.port(), 0, 0).to_vec()));
                }
                Protocol::Upnp => {
                    if let Some(igd) = self.igd.clone() {
                        let action = igd.request(Call::Unmap { external_port: held.mapping.external.port() });
                        self.request(igd.control, Some(action), out);
                    }
                }
            }
        }
        self.lose(out);
    }

    fn note_seen(&mut self, seen: Seen, out: &mut Out) {
        if self.seen != seen {
            self.seen = seen;
            out.events.push(Event::SeenChanged);
        }
    }
}

impl Protocols {
    fn has(self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Pcp => self.pcp,
            Protocol::Pmp => self.pmp,
            Protocol::Upnp => self.upnp,
        }
    }
}

impl std::fmt::Debug for Mapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapper").field("held", &self.held).field("phase", &self.phase).finish_non_exhaustive()
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
