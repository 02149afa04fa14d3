//! One run of probes: what is still to be sent, what waits for an answer, and when it is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use wattle_netmap::RegionId;
use wattle_time::Instant;
use wattle_wire::stun::TransactionId;

use crate::Report;
use crate::plan::{Family, Probe};
use crate::timing::{HTTPS_TIMEOUT, RUN_TIMEOUT, STUN_TIMEOUT};

/// A run under way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) full: bool,
    pub(crate) started: Instant,
    pub(crate) report: Report,
    /// How often each reflexive address was seen.
    pub(crate) seen: BTreeMap<SocketAddr, u32>,
    /// Not sent yet.
    planned: Vec<Probe>,
    /// Due, and waiting for the look-up of their server's name.
    aside: Vec<Probe>,
    sent: BTreeMap<TransactionId, Sent>,
    /// Regions that this run asks,
    asked: BTreeSet<RegionId>,
    /// and over what.
    families: BTreeSet<Family>,
    /// The first answer over IPv4: which server, and how it saw us.
    first_v4: Option<(SocketAddr, SocketAddr)>,
    slowest: Duration,
    enough_at: Option<Instant>,
    /// One answer is enough, and so much more time for others.
    patience: Option<Duration>,
    /// Regions asked over HTTPS that have not answered; `None` while UDP is not given up.
    https: Option<BTreeSet<RegionId>>,
}

#[derive(Debug)]
struct Sent {
    region: RegionId,
    to: SocketAddr,
    at: Instant,
}

/// This many regions answering is enough to choose from (`enoughRegions`).
const ENOUGH_REGIONS: usize = 3;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go on.
    Wait,
    /// UDP does not work: measure over HTTPS.
    GiveUpUdp,
    /// It is over.
    End,
}

impl Run {
    /// With `patience` one answer is enough, and so much more time for others.
    pub(crate) fn new(planned: Vec<Probe>, full: bool, patience: Option<Duration>, now: Instant) -> Self {
        Self {
            full,
            started: now,
            report: Report { at: now, ..Report::default() },
            seen: BTreeMap::new(),
            asked: planned.iter().map(|probe| probe.region).collect(),
            families: planned.iter().map(|probe| probe.family).collect(),
            planned,
            aside: Vec::new(),
            sent: BTreeMap::new(),
            first_v4: None,
            slowest: Duration::ZERO,
            enough_at: None,
            patience,
            https: None,
        }
    }

    /// Takes the probes that are due out of the plan, without those whose region has answered meanwhile.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Probe> {
        let elapsed = now.since(self.started);
        let report = &self.report;
        self.planned.retain(|probe| !answered(report, probe.family).contains_key(&probe.region));
        let (due, later) = self.planned.iter().partition(|probe| probe.after <= elapsed);
        self.planned = later;
        due
    }

    /// The server's address is not known yet.
    pub(crate) fn put_aside(&mut self, probe: Probe) {
        self.aside.push(probe);
    }

    /// A name was looked up: what waits for one may go out now.
    pub(crate) fn take_up_again(&mut self) {
        self.planned.append(&mut self.aside);
    }

    pub(crate) fn note_sent(&mut self, transaction: TransactionId, region: RegionId, to: SocketAddr, now: Instant) {
        self.sent.insert(transaction, Sent { region, to, at: now });
    }

    /// A STUN response came. Returns whether it answers one of our requests.
    /// Only the server that was asked can answer.
    pub(crate) fn handle_answer(
        &mut self,
        transaction: TransactionId,
        from: SocketAddr,
        seen: SocketAddr,
        now: Instant,
    ) -> bool {
        if self.sent.get(&transaction).is_none_or(|sent| sent.to != from) {
            return false;
        }
        let Some(sent) = self.sent.remove(&transaction) else { return false };
        let latency = now.since(sent.at);
        self.report.note_stun(sent.region, latency, seen);
        *self.seen.entry(seen).or_default() += 1;
        self.slowest = self.slowest.max(latency);
        if seen.is_ipv4() {
            match self.first_v4 {
                None => self.first_v4 = Some((sent.to, seen)),
                Some((server, _)) if server == sent.to => {}
                Some((_, first)) => {
                    let varies = first != seen || self.report.mapping_varies == Some(true);
                    self.report.mapping_varies = Some(varies);
                }
            }
        }
        let answered = self.report.region_latencies.len();
        if let Some(patience) = self.patience {
            self.enough_at.get_or_insert(now + patience);
        }
        if self.enough_at.is_none() && answered >= ENOUGH_REGIONS.min(self.asked.len()) {
            // Others that are about as near get the chance to answer too.
            self.enough_at = Some(now + if self.full { self.slowest * 2 } else { self.slowest });
        }
        true
    }

    /// Begins to wait for measurements over HTTPS.
    pub(crate) fn wait_for_https(&mut self, regions: BTreeSet<RegionId>) {
        self.https = Some(regions);
    }

    pub(crate) fn handle_https(&mut self, region: RegionId, latency: Option<Duration>) {
        if self.https.as_mut().is_some_and(|waiting| waiting.remove(&region))
            && let Some(latency) = latency
        {
            self.report.note_https(region, latency);
        }
    }

    /// What is left to do after the end: where one family has answered and the other not at all, that one may only be slow,
    /// or its first packet lost, and what it says of us is worth knowing. It is asked as was planned, and may answer late.
    pub(crate) fn linger(mut self) -> Option<Self> {
        let report = &self.report;
        self.families.retain(|family| answered(report, *family).is_empty());
        self.planned.retain(|probe| self.families.contains(&probe.family));
        self.aside.clear();
        (self.report.udp && !self.families.is_empty()).then_some(self)
    }

    /// Answers that come later are not worth much.
    pub(crate) fn is_past(&self, now: Instant) -> bool {
        now.since(self.started) > RUN_TIMEOUT
    }

    pub(crate) fn step(&self, now: Instant) -> Step {
        if now >= self.due() {
            return if self.report.udp || self.https.is_some() { Step::End } else { Step::GiveUpUdp };
        }
        Step::Wait
    }

    /// When [`Self::step`] says something else next.
    pub(crate) fn due(&self) -> Instant {
        if let Some(https) = &self.https {
            let end = self.started + STUN_TIMEOUT + HTTPS_TIMEOUT;
            return if https.is_empty() { self.started } else { end };
        }
        if !self.report.udp {
            return if self.asked.is_empty() { self.started } else { self.started + STUN_TIMEOUT };
        }
        let end = self.started + RUN_TIMEOUT;
        self.enough_at.map_or(end, |enough| enough.min(end))
    }

    /// When the next probe goes out.
    pub(crate) fn next_probe(&self) -> Option<Instant> {
        self.planned.iter().map(|probe| self.started + probe.after).min()
    }
}

/// The regions that have answered over a family.
fn answered(report: &Report, family: Family) -> &BTreeMap<RegionId, Duration> {
    match family {
        Family::V4 => &report.region_v4_latencies,
        Family::V6 => &report.region_v6_latencies,
    }
}
