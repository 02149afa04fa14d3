//! Every pair of kinds of network: do two nodes get through to each other, how, and after how long.
//!
//! A pair begins idle: its nodes have never talked, or were started anew. Then one pings the other fifty times a second,
//! and its cable is watched until data goes both ways without a relay, or for long enough to say that it will not.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::Serialize;
use wattle_netns::{Families, Underlay, WireConditions};

use crate::kind::Surroundings;
use crate::limits::{LOOK, SETTLE};
use crate::{Client, Kind, Node, Pinger, Programs, Relays, Site, kinds};

/// The UDP port of the first node; each has its own, so that a carrier's router never has to choose between two.
const FIRST_PORT: u16 = 41_641;
/// More rounds than pairs of copies start their nodes anew.
const COPIES_MAX: usize = 3;
/// How long a pair that can be direct gets.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long one that cannot is watched.
const PATIENCE_HOPELESS: Duration = Duration::from_secs(3);
/// The same where a node relays: that path needs some messages by relay first.
const PATIENCE_PEER_RELAY: Duration = Duration::from_secs(8);
/// How long a path must carry everything to be the path.
const PROOF: Duration = Duration::from_millis(400);

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the networks speak.
    pub families: Families,
    /// Whether routers open ports when they are asked.
    pub port_mapping: bool,
    /// Who pings whom.
    pub clients: (Client, Client),
    /// How often each pair is measured.
    pub rounds: u32,
    /// The kinds, by name; none: all of them.
    pub kinds: Vec<String>,
    /// Whether a node with a public address relays for the others.
    pub peer_relay: bool,
    /// One way through every cable to the public network.
    pub latency: Duration,
}

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Where who pings stands.
    pub a: String,
    /// Where who is pinged stands.
    pub b: String,
    /// v4, v6 or dual.
    pub family: &'static str,
    /// Whether routers open ports.
    pub portmap: bool,
    /// Whose client pings.
    pub client_a: &'static str,
    /// Whose client is pinged.
    pub client_b: &'static str,
    /// How data went at the end of the worst round.
    pub path: Path,
    /// Whether it could go directly, by the rules of the routers.
    pub direct_possible: bool,
    /// Whether it could go through a node that relays.
    #[serde(skip)]
    pub peer_relay_possible: bool,
    /// From the first packet until data went both ways directly.
    pub direct_after_ms_median: Option<u64>,
    /// The same in the slowest round.
    pub direct_after_ms_worst: Option<u64>,
    /// Pings without an answer, in all rounds.
    pub lost: usize,
}

/// How data goes; the better one is the lesser one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// Straight to the other node.
    Direct,
    /// Through another node.
    PeerRelay,
    /// Through a relay.
    Relay,
    /// Not at all.
    None,
}

/// One round of one pair.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// How data went at its end.
    pub path: Path,
    /// When it was direct both ways.
    pub direct_after: Option<Duration>,
    /// Pings without an answer.
    pub lost: usize,
}

impl Path {
    /// The words to show people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::PeerRelay => "peer relay",
            Self::Relay => "relay",
            Self::None => "none",
        }
    }
}

impl Row {
    /// Whether it is as it should be.
    pub fn holds(&self) -> bool {
        let worst = match (self.direct_possible, self.peer_relay_possible) {
            (true, _) => Path::Direct,
            (false, true) => Path::PeerRelay,
            (false, false) => Path::Relay,
        };
        self.path <= worst
    }
}

/// Measures all pairs of a plan; `tell` hears of each row.
pub fn run(programs: &Programs, plan: &Plan, mut tell: impl FnMut(&Row)) -> anyhow::Result<Vec<Row>> {
    let chosen: Vec<Kind> = kinds(plan.families)
        .iter()
        .filter(|kind| plan.kinds.is_empty() || plan.kinds.iter().any(|name| name == kind.name))
        .copied()
        .collect();
    ensure!(!chosen.is_empty(), "no kind of network of {} is among {}", plan.families.name(), plan.kinds.join(", "));
    let wire = (!plan.latency.is_zero()).then(|| WireConditions::slow(plan.latency));
    let mut site = Site::new(programs, plan.families, Relays::Inside, wire)?;
    let _relay = if plan.peer_relay { Some(site.peer_relay(plan.clients.0, FIRST_PORT - 1)?) } else { None };
    let mut street = Street::settle(&mut site, plan, &chosen)?;
    let mut rows = Vec::new();
    // Who pings matters where the two run different clients.
    let one_way = plan.clients.0 == plan.clients.1;
    for (index, a) in chosen.iter().enumerate() {
        for b in chosen.iter().skip(if one_way { index } else { 0 }) {
            let possible = a.can_be_direct(b, plan.families, plan.port_mapping);
            let patience = match (possible, plan.peer_relay) {
                (true, _) => PATIENCE,
                (false, true) => PATIENCE_PEER_RELAY,
                (false, false) => PATIENCE_HOPELESS,
            };
            let mut readings = Vec::new();
            for round in 0..plan.rounds {
                let (from, to) = street.pair(a, b, round)?;
                readings.push(measure(&street.nodes[from], &street.nodes[to], patience)?);
            }
            let row = summarise(plan, a, b, possible, &readings);
            tell(&row);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Measures a pair once, from idle.
pub fn measure(from: &Node, to: &Node, patience: Duration) -> anyhow::Result<Reading> {
    let underlay = Underlay::watch(&from.host)?;
    let pinger = Pinger::start(from, to)?;
    let started = Instant::now();
    // Data has gone both ways for a while and still does: on a busy machine all may stand still for a moment.
    let settled = || {
        let seen = underlay.direct();
        seen.both_ways().is_some_and(|at| at.elapsed() > PROOF * 2) && seen.since(Instant::now() - PROOF)
    };
    let mut is_direct = settled();
    while !is_direct && started.elapsed() < patience {
        std::thread::sleep(LOOK);
        is_direct = settled();
    }
    let proof = Instant::now() - PROOF * 4;
    let path = if is_direct {
        Path::Direct
    } else if underlay.peer_relay().since(proof) {
        Path::PeerRelay
    } else if pinger.answered_since(proof) {
        Path::Relay
    } else {
        Path::None
    };
    pinger.finish();
    let first = pinger.first_sent().unwrap_or(started);
    let direct_after = underlay.direct().both_ways().map(|at| at.saturating_duration_since(first));
    let lost = pinger.loss(first, Instant::now()).lost;
    if path == Path::None {
        eprintln!("nothing goes from {} to {}:\n{}\n{}", from.name(), to.name(), from.account(to), to.account(from));
    }
    Ok(Reading { path, direct_after: direct_after.filter(|_| path == Path::Direct), lost })
}

fn summarise(plan: &Plan, a: &Kind, b: &Kind, direct_possible: bool, readings: &[Reading]) -> Row {
    let mut times: Vec<u64> = readings
        .iter()
        .filter_map(|reading| reading.direct_after)
        .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
        .collect();
    times.sort_unstable();
    Row {
        a: a.name.to_owned(),
        b: b.name.to_owned(),
        family: plan.families.name(),
        portmap: plan.port_mapping,
        client_a: plan.clients.0.name(),
        client_b: plan.clients.1.name(),
        path: readings.iter().map(|reading| reading.path).max().unwrap_or(Path::None),
        direct_possible,
        peer_relay_possible: plan.peer_relay && !a.blocks_udp() && !b.blocks_udp(),
        direct_after_ms_median: times.get(times.len() / 2).copied(),
        direct_after_ms_worst: times.last().copied(),
        lost: readings.iter().map(|reading| reading.lost).sum(),
    }
}

/// The nodes: of every kind some that ping and some that are pinged, so that most rounds find a pair that never met.
struct Street {
    nodes: Vec<Node>,
    kinds: Vec<Kind>,
    /// Of every kind, on each side.
    copies: usize,
    /// Pairs that have talked since they were started.
    acquainted: BTreeSet<(usize, usize)>,
    _around: Surroundings,
}

impl Street {
    fn settle(site: &mut Site, plan: &Plan, chosen: &[Kind]) -> anyhow::Result<Self> {
        let mut around = Surroundings::default();
        let mut nodes = Vec::new();
        let copies = (1..COPIES_MAX).find(|copies| copies * copies >= plan.rounds as usize).unwrap_or(COPIES_MAX);
        for (client, side) in [(plan.clients.0, "a"), (plan.clients.1, "b")] {
            for kind in chosen {
                for copy in 1..=copies {
                    let name = format!("{}-{side}{copy}", kind.name.replace('+', "-"));
                    let host = kind.settle(&mut site.lab, &name, plan.port_mapping, &mut around)?;
                    let port = FIRST_PORT + u16::try_from(nodes.len())?;
                    nodes.push(site.join(&host, client, port)?);
                }
            }
        }
        std::thread::sleep(SETTLE);
        Ok(Self { nodes, kinds: chosen.to_vec(), copies, acquainted: BTreeSet::new(), _around: around })
    }

    /// The nodes of a round, who know nothing of each other yet.
    fn pair(&mut self, a: &Kind, b: &Kind, round: u32) -> anyhow::Result<(usize, usize)> {
        let round = round as usize;
        let place = |kind: &Kind| self.kinds.iter().position(|known| known == kind).unwrap_or_default() * self.copies;
        let from = place(a) + round % self.copies;
        let to = self.nodes.len() / 2 + place(b) + (round + round / self.copies) % self.copies;
        if !self.acquainted.insert((from.min(to), from.max(to))) {
            for index in [from, to] {
                let node = &mut self.nodes[index];
                node.stop()?;
                if let Some(router) = node.host.router() {
                    // What it let in for the former round is not let in for this one.
                    router.reboot(&[], false)?;
                }
                node.restart()?;
                self.acquainted.retain(|(one, two)| *one != index && *two != index);
            }
            self.acquainted.insert((from.min(to), from.max(to)));
            std::thread::sleep(SETTLE);
        }
        Ok((from, to))
    }
}
