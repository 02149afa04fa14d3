//! When to probe, and what follows from a report.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_keys::NodePublic;
use wattle_netmap::{DerpMap, Endpoint, RegionId};
use wattle_time::{Deadline, Instant, earliest};
use wattle_wire::stun::{self, TransactionId};

use crate::endpoints::{Recent, gather};
use crate::home::Home;
use crate::limits::HTTPS_REGIONS_MAX;
use crate::plan::{self, Family};
use crate::report::Mapping;
use crate::resolved::{Names, Target};
use crate::run::{Run, Step};
use crate::timing::{ACTIVE, FULL_INTERVAL, HOMELESS_PATIENCE, PERIOD_MAX, PERIOD_MIN, RETRIES, RUN_SPACING_MIN};
use crate::{Event, LocalNetwork, Out, PortMapping, Report, Transmit};

/// Finds out what our own network is like.
pub struct Netcheck {
    node: NodePublic,
    rng: ChaCha20Rng,
    map: DerpMap,
    local: LocalNetwork,
    names: Names,
    home: Home,
    control: bool,
    run: Option<Run>,
    /// The run before, while it may still be told something. Never beside another run.
    lingering: Option<Run>,
    report: Option<Report>,
    full_at: Option<Instant>,
    started_at: Option<Instant>,
    endpoints: Vec<Endpoint>,
    recent: Recent,
    /// The home's relay is down: the next run ends soon after the first answer.
    is_homeless: bool,
    mapping: Mapping,
    captive_portal: Option<bool>,
    active_at: Option<Instant>,
    next_run: Option<Wish>,
    /// Runs in a row that no region answered.
    fruitless: usize,
}

/// A run to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    at: Instant,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// Somebody needs the result.
    Asked,
    /// Nothing is known, and that must not stay so.
    Retry,
    /// Mappings end unless they are used; only while there is traffic.
    Period,
}

impl Netcheck {
    /// Knows nothing yet. `node` only spreads nodes that cannot measure anything over regions.
    pub fn new(node: NodePublic, seed: [u8; 32], _now: Instant) -> Self {
        Self {
            node,
            rng: ChaCha20Rng::from_seed(seed),
            map: DerpMap::default(),
            local: LocalNetwork::default(),
            names: Names::default(),
            home: Home::default(),
            control: false,
            run: None,
            lingering: None,
            report: None,
            full_at: None,
            started_at: None,
            endpoints: Vec::new(),
            recent: Recent::default(),
            is_homeless: false,
            mapping: Mapping::default(),
            captive_portal: None,
            active_at: None,
            next_run: None,
            fruitless: 0,
        }
    }

    /// What the last run found out.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Where peers may reach us, best guess first.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Where we are at home.
    pub fn home(&self) -> Option<RegionId> {
        self.home.region()
    }

    /// The map of relays. Another one than before is measured anew.
    pub fn set_derp_map(&mut self, map: &DerpMap, now: Instant, out: &mut Out) {
        if self.map != *map {
            self.map = map.clone();
            self.start_over(now, out);
        }
    }

    /// The host's network, at the start and after each change of it. Also when it looks the same: another network may
    /// have given us the same address.
    pub fn set_local(&mut self, local: LocalNetwork, now: Instant, out: &mut Out) {
        self.local = local;
        self.names.expire();
        self.home.forget();
        self.recent.forget();
        self.start_over(now, out);
        if self.endpoints.is_empty() {
            // Peers on the same network need no relay that tells us how others see us.
            self.gather(&Report::default(), &BTreeMap::new(), now, out);
        }
    }

    /// Whether control can be told of a new home.
    pub fn set_control_connected(&mut self, connected: bool) {
        self.control = connected;
    }

    /// A relay of the region said something.
    pub fn note_relay_frame(&mut self, region: RegionId, now: Instant) {
        self.home.note_frame(region, now);
    }

    /// The home's relay was lost and is not back: the next best region becomes home, and everything is measured anew.
    pub fn note_home_down(&mut self, region: RegionId, now: Instant, out: &mut Out) {
        if self.home.region() != Some(region) {
            return;
        }
        self.home.note_down(region, now);
        if let Some(report) = self.report.clone() {
            self.choose_home(&report, now, out);
        }
        // A run under way may be asking the dead region only, and would wait for it.
        self.run = None;
        self.full_at = None;
        self.is_homeless = true;
        self.refresh(now, out);
    }

    /// There is a connection to a relay of the region.
    pub fn note_relay_open(&mut self, region: RegionId) {
        self.home.note_open(region);
    }

    /// The router's answer to a wish for a port mapping: where it maps us to, and what it speaks.
    pub fn set_port_mapping(
        &mut self,
        external: Option<SocketAddr>,
        protocols: PortMapping,
        now: Instant,
        out: &mut Out,
    ) {
        self.mapping = Mapping { external, protocols };
        if let Some(report) = &mut self.report {
            self.mapping.describe(report);
            let report = report.clone();
            self.gather(&report, &BTreeMap::new(), now, out);
        }
    }

    /// Whether a captive portal answers in place of the internet; `None`: nobody asked.
    pub fn set_captive_portal(&mut self, found: Option<bool>) {
        self.captive_portal = found;
        if let Some(report) = &mut self.report {
            report.captive_portal = found;
        }
    }

    /// Data is exchanged with some peer.
    pub fn note_activity(&mut self, now: Instant) {
        self.active_at = Some(now);
        if self.run.is_none() && self.next_run.is_none() && self.started_at.is_some() {
            self.plan_period(now);
        }
    }

    /// Somebody needs endpoints that are fresh. [`Event::EndpointsRefreshed`] will follow.
    pub fn refresh(&mut self, now: Instant, out: &mut Out) {
        // Before the host has spoken there is no socket to send from; when it does, a run starts anyway.
        if self.run.is_some() || self.local.port_v4 == 0 {
            return;
        }
        let earliest = self.started_at.map_or(now, |started| now.max(started + RUN_SPACING_MIN));
        let at = self.next_run.map_or(earliest, |wish| wish.at.min(earliest));
        self.next_run = Some(Wish { at, reason: Reason::Asked });
        self.handle_timeout(now, out);
    }

    /// A STUN response came to the data socket. Returns whether it was for us.
    pub fn handle_stun(&mut self, from: SocketAddr, packet: &[u8], now: Instant, out: &mut Out) -> bool {
        let Ok((transaction, seen)) = stun::decode_response(packet) else { return false };
        let Some(run) = self.run.as_mut().or(self.lingering.as_mut()) else { return false };
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if !run.handle_answer(transaction, from, seen, now) {
            return false;
        }
        self.recent.note(seen, now);
        match self.lingering.take_if(|run| !run.is_past(now)) {
            Some(late) => {
                self.publish(&late, now, out);
                self.lingering = late.linger();
            }
            None => self.handle_timeout(now, out),
        }
        true
    }

    /// [`Event::Resolve`] was carried out; no addresses means it failed.
    pub fn handle_resolved(&mut self, host: &str, addresses: &[IpAddr], now: Instant, out: &mut Out) {
        self.names.note(host, addresses, now);
        if let Some(run) = &mut self.run {
            run.take_up_again();
        }
        self.handle_timeout(now, out);
    }

    /// [`Event::MeasureHttps`] was carried out; `None` means it failed.
    pub fn handle_https(&mut self, region: RegionId, latency: Option<Duration>, now: Instant, out: &mut Out) {
        if let Some(run) = &mut self.run {
            run.handle_https(region, latency);
            self.handle_timeout(now, out);
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Out) {
        if let Some(wish) = self.next_run
            && wish.at <= now
            && self.run.is_none()
        {
            self.next_run = None;
            if wish.reason != Reason::Period || self.is_active(now) {
                self.start_run(now);
            }
        }
        self.send_due(now, out);
        match self.run.as_ref().map(|run| run.step(now)) {
            Some(Step::End) => self.end_run(now, out),
            Some(Step::GiveUpUdp) => self.give_up_udp(now, out),
            Some(Step::Wait) | None => {}
        }
    }

    /// When to call [`Self::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Deadline> {
        let run = self.run.as_ref();
        earliest([
            run.map(|run| Deadline::at(run.due(), "netcheck ends")),
            run.or(self.lingering.as_ref()).and_then(Run::next_probe).map(|at| Deadline::at(at, "stun probe")),
            self.next_run.filter(|_| run.is_none()).map(|wish| match wish.reason {
                Reason::Asked => Deadline::at(wish.at, "netcheck asked for"),
                Reason::Retry => Deadline::at(wish.at, "netcheck again: no relay answered"),
                Reason::Period => Deadline::between(wish.at, wish.at + (PERIOD_MAX - PERIOD_MIN) / 6, "periodic stun"),
            }),
        ])
    }

    fn is_active(&self, now: Instant) -> bool {
        self.active_at.is_some_and(|active| now.since(active) < ACTIVE)
    }

    /// Nothing found out so far is true any more.
    fn start_over(&mut self, now: Instant, out: &mut Out) {
        self.run = None;
        self.lingering = None;
        self.full_at = None;
        self.fruitless = 0;
        self.refresh(now, out);
    }

    fn start_run(&mut self, now: Instant) {
        let families: &[Family] = if self.local.has_ipv6() { &[Family::V4, Family::V6] } else { &[Family::V4] };
        let recent_full = self.full_at.is_some_and(|full| now.since(full) < FULL_INTERVAL);
        let later = self
            .report
            .as_ref()
            .filter(|report| recent_full && report.udp)
            .map(|report| plan::incremental(&self.map, families, report, self.home.region()))
            .filter(|probes| !probes.is_empty());
        let full = later.is_none();
        if full {
            self.full_at = Some(now);
        }
        let probes = later.unwrap_or_else(|| plan::full(&self.map, families));
        if !probes.is_empty() {
            self.started_at = Some(now);
        }
        let patience = std::mem::take(&mut self.is_homeless).then_some(HOMELESS_PATIENCE);
        self.lingering = None;
        self.run = Some(Run::new(probes, full, patience, now));
    }

    fn send_due(&mut self, now: Instant, out: &mut Out) {
        let Some(run) = self.run.as_mut().or(self.lingering.as_mut()) else { return };
        for probe in run.take_due(now) {
            let node = self.map.regions.get(&probe.region).and_then(|region| region.nodes.get(probe.node));
            match node.map_or(Target::Nowhere, |node| self.names.target(node, probe.family, now)) {
                Target::At(to) => {
                    let mut transaction = TransactionId([0; 12]);
                    self.rng.fill_bytes(&mut transaction.0);
                    run.note_sent(transaction, probe.region, to, now);
                    out.transmits.push(Transmit { to, packet: stun::encode_request(transaction).to_vec() });
                }
                Target::Nowhere => {}
                Target::Unknown(look_up) => {
                    if let Some(host) = look_up {
                        out.events.push(Event::Resolve { host });
                    }
                    run.put_aside(probe);
                }
            }
        }
    }

    fn give_up_udp(&mut self, now: Instant, out: &mut Out) {
        let Some(run) = &mut self.run else { return };
        let regions: BTreeSet<RegionId> =
            plan::measured(&self.map).map(|region| region.id).take(HTTPS_REGIONS_MAX).collect();
        out.events.extend(regions.iter().map(|region| Event::MeasureHttps { region: *region }));
        run.wait_for_https(regions);
        if run.step(now) == Step::End {
            self.end_run(now, out);
        }
    }

    fn end_run(&mut self, now: Instant, out: &mut Out) {
        let Some(run) = self.run.take() else { return };
        self.choose_home(&run.report, now, out);
        self.publish(&run, now, out);
        let lost = run.report.region_latencies.is_empty() && plan::measured(&self.map).next().is_some();
        self.lingering = run.linger();
        if lost {
            let wait = RETRIES.get(self.fruitless).or(RETRIES.last()).copied().unwrap_or(PERIOD_MAX);
            self.fruitless += 1;
            self.full_at = None;
            self.next_run = Some(Wish { at: now + wait, reason: Reason::Retry });
        } else {
            self.fruitless = 0;
            if self.is_active(now) {
                self.plan_period(now);
            }
        }
    }

    /// What a run found out is what we know.
    fn publish(&mut self, run: &Run, now: Instant, out: &mut Out) {
        let mut report = run.report.clone();
        report.preferred_region = self.home.region();
        report.captive_portal = self.captive_portal;
        self.mapping.describe(&mut report);
        out.events.push(Event::ReportReady);
        self.gather(&report, &run.seen, now, out);
        self.report = Some(report);
    }

    fn choose_home(&mut self, report: &Report, now: Instant, out: &mut Out) {
        let before = self.home.region();
        self.home.choose(&self.map, report, &self.node, self.control, now);
        if self.home.region() != before {
            out.events.push(Event::HomeChanged(self.home.region()));
        }
    }

    /// Puts our endpoints together.
    fn gather(&mut self, report: &Report, seen: &BTreeMap<SocketAddr, u32>, now: Instant, out: &mut Out) {
        let endpoints = gather(&self.local, report, self.mapping.external, seen, &self.recent, now);
        let changed = endpoints != self.endpoints;
        self.endpoints = endpoints;
        out.events.push(Event::EndpointsRefreshed { changed });
    }

    fn plan_period(&mut self, now: Instant) {
        let spread = (PERIOD_MAX - PERIOD_MIN).as_millis();
        let extra = u128::from(self.rng.next_u32()) * spread / u128::from(u32::MAX);
        let wait = PERIOD_MIN + Duration::from_millis(u64::try_from(extra).unwrap_or_default());
        self.next_run = Some(Wish { at: now + wait, reason: Reason::Period });
    }
}

#[cfg(test)]
mod tests;
