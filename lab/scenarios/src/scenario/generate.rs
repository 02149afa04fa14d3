//! Scenarios from chance. Small ones: two to five nodes and one to three minutes, because many small ones find more than
//! few large ones.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use wattle_world::Dependence;

use super::{Access, Edge, NatSpec, NodeSpec, Place, Ports, Scenario, Site};
use crate::transition::{Block, Direction, RelayState, Spot, Step};

/// When things begin to happen: nodes have joined by then.
const FIRST_STEP: Duration = Duration::from_secs(10);
/// After the last change all must come to rest, with traffic, before it is judged.
const SETTLE: Duration = Duration::from_secs(45);

impl Scenario {
    /// The scenario of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let scenario = Dice(ChaCha20Rng::seed_from_u64(seed)).scenario();
        Self { seed, ..scenario }
    }

    /// The scenario that these bytes make when they are taken for chance; zeros follow when they end.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Dice(Bytes(bytes)).scenario()
    }
}

/// Chance that somebody has chosen.
struct Bytes<'a>(&'a [u8]);

impl RngCore for Bytes<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, into: &mut [u8]) {
        let count = into.len().min(self.0.len());
        let (taken, rest) = self.0.split_at(count);
        into.fill(0);
        into[..count].copy_from_slice(taken);
        self.0 = rest;
    }
}

struct Dice<R>(R);

impl<R: RngCore> Dice<R> {
    /// A number below `count`.
    fn below(&mut self, count: usize) -> usize {
        self.0.next_u32() as usize % count.max(1)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    fn milliseconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + u64::from(self.0.next_u32()) % (to - from).max(1))
    }

    fn scenario(mut self) -> Scenario {
        let mut scenario = Scenario { seed: u64::from(self.0.next_u32()), ..Scenario::default() };
        scenario.relays = vec![1];
        if !self.one_in(3) {
            scenario.relays.push(2);
        }
        self.add_sites(&mut scenario);
        let nodes = self.pick(&[2, 2, 2, 3, 3, 4, 5]);
        for number in 0..nodes {
            let name = ["a", "b", "c", "d", "e"][number].to_owned();
            let place = self.place(&scenario);
            scenario.nodes.push(NodeSpec { name, place });
        }
        if self.one_in(4) {
            scenario.policy = self.access(nodes);
        }
        let mut steps = Vec::new();
        let changes = self.pick(&[0, 1, 1, 2, 2, 3, 4]);
        let mut at = FIRST_STEP;
        let mut awry = Awry::default();
        for _ in 0..changes {
            at += self.milliseconds(2_000, 20_000);
            let step = self.change(&scenario, &mut awry);
            steps.extend(step.map(|step| (at, step)));
        }
        if self.one_in(2) || awry.coordinator {
            // Most of what is broken is mended at last, so that there is something to judge.
            for step in awry.mend() {
                at += self.milliseconds(1_000, 10_000);
                steps.push((at, step));
            }
        }
        scenario.until = at + SETTLE;
        self.add_talks(&mut scenario, &mut steps);
        steps.sort_by_key(|(at, _)| *at);
        scenario.steps = steps;
        scenario
    }

    fn add_sites(&mut self, scenario: &mut Scenario) {
        let count = self.below(4);
        for number in 0..count {
            let name = ["home", "office", "hotel"][number].to_owned();
            let edge = match self.below(10) {
                0 => Edge::Firewall,
                1 => Edge::Only443,
                2 => Edge::Ipv6,
                _ => Edge::Nat(self.nat()),
            };
            let nested = number > 0 && matches!(edge, Edge::Nat(_)) && self.one_in(4);
            let outer = scenario.sites.first().is_some_and(|outer| matches!(outer.edge, Edge::Nat(_)));
            let v6 = !nested && matches!(edge, Edge::Nat(_) | Edge::Firewall) && self.one_in(4);
            scenario.sites.push(Site { name, edge, v6, inside: (nested && outer).then_some(0) });
        }
    }

    fn nat(&mut self) -> NatSpec {
        use Dependence::*;
        let (mapping, filtering) = self.pick(&[
            (EndpointIndependent, EndpointIndependent),
            (EndpointIndependent, AddressDependent),
            (EndpointIndependent, AddressAndPortDependent),
            (EndpointIndependent, AddressAndPortDependent),
            (AddressDependent, AddressAndPortDependent),
            (AddressAndPortDependent, AddressAndPortDependent),
        ]);
        NatSpec {
            mapping,
            filtering,
            ports: self.pick(&[Ports::Keep, Ports::Random, Ports::Sequential]),
            hairpin: self.one_in(4),
            portmap: self.one_in(6),
            lifetime: Duration::from_secs(self.pick(&[30, 60, 120])),
        }
    }

    fn place(&mut self, scenario: &Scenario) -> Place {
        match self.below(scenario.sites.len() + 1) {
            0 => Place::Open,
            site => Place::In(site - 1),
        }
    }

    fn access(&mut self, nodes: usize) -> Access {
        let mut pairs = Vec::new();
        for from in 0..nodes {
            for to in 0..nodes {
                if from != to && self.below(2) == 1 {
                    pairs.push((from, to));
                }
            }
        }
        Access::Pairs(pairs)
    }

    /// Something that changes what is possible. What it breaks is remembered.
    fn change(&mut self, scenario: &Scenario, awry: &mut Awry) -> Option<Step> {
        let node = self.below(scenario.nodes.len());
        let spot = match scenario.sites.len() {
            sites if sites > 0 && self.one_in(2) => Spot::Site(self.below(sites)),
            _ => Spot::Node(node),
        };
        let nats: Vec<usize> =
            (0..scenario.sites.len()).filter(|site| matches!(scenario.sites[*site].edge, Edge::Nat(_))).collect();
        Some(match self.below(16) {
            0..=2 => Step::Roam { node, place: self.place(scenario) },
            3 if awry.asleep.is_none() && awry.killed != Some(node) => {
                awry.asleep = Some(node);
                Step::Sleep(node)
            }
            4 if awry.killed.is_none() && awry.asleep != Some(node) => {
                awry.killed = Some(node);
                Step::Kill(node)
            }
            5 if !nats.is_empty() => Step::Reboot(self.pick(&nats)),
            6 if !nats.is_empty() => Step::Rebind(self.pick(&nats)),
            7 => {
                awry.down = Some(spot);
                Step::Uplink { spot, up: false }
            }
            8 => {
                awry.blocked = Some(spot);
                Step::Block { spot, what: self.pick(&[Block::Udp, Block::Disco, Block::Data, Block::WireGuard]) }
            }
            9 => {
                let direction = self.pick(&[Direction::In, Direction::Out]);
                Step::Loss { spot, direction, per_thousand: self.pick(&[50, 100, 300]) }
            }
            10 => Step::Mtu { spot, bytes: self.pick(&[1280, 1400, 1500]) },
            11 | 12 => {
                let region = self.pick(&scenario.relays);
                awry.relay = Some(region);
                Step::Relay { region, state: self.pick(&[RelayState::Down, RelayState::Down, RelayState::Stalled]) }
            }
            13 => {
                awry.coordinator = true;
                Step::Coordinator { up: false }
            }
            14 => Step::Policy(self.access(scenario.nodes.len())),
            _ if self.one_in(3) => Step::Remove(node),
            _ => return awry.mend().into_iter().next().inspect(|_| *awry = Awry::default()),
        })
    }

    fn add_talks(&mut self, scenario: &mut Scenario, steps: &mut Vec<(Duration, Step)>) {
        let nodes = scenario.nodes.len();
        let pairs = self.pick(&[1, 2, 2, 3]);
        for _ in 0..pairs {
            let from = self.below(nodes);
            let to = (from + 1 + self.below(nodes - 1)) % nodes;
            let at = if self.one_in(3) { self.milliseconds(1_000, 40_000) } else { FIRST_STEP };
            let length = scenario.until.saturating_sub(at);
            let every = Duration::from_millis(self.pick(&[200, 500, 500, 1_000]));
            let size = self.pick(&[100, 100, 1_000]);
            steps.push((at, Step::Tell { from, to, length, every, size }));
            if !self.one_in(4) {
                steps.push((at, Step::Tell { from: to, to: from, length, every, size }));
            }
        }
        if self.one_in(3) {
            let from = self.below(nodes);
            let to = (from + 1 + self.below(nodes - 1)) % nodes;
            steps.push((FIRST_STEP, Step::Transfer { from, to, bytes: self.pick(&[100_000, 500_000, 1_500_000]) }));
        }
    }
}

/// What is broken.
#[derive(Default)]
struct Awry {
    asleep: Option<usize>,
    killed: Option<usize>,
    down: Option<Spot>,
    blocked: Option<Spot>,
    relay: Option<u16>,
    coordinator: bool,
}

impl Awry {
    fn mend(&self) -> Vec<Step> {
        let wake = self.asleep.map(Step::Wake);
        let start = self.killed.map(Step::Start);
        let up = self.down.map(|spot| Step::Uplink { spot, up: true });
        let unblock = self.blocked.map(|spot| Step::Block { spot, what: Block::Nothing });
        let relay = self.relay.map(|region| Step::Relay { region, state: RelayState::Up });
        let coordinator = self.coordinator.then_some(Step::Coordinator { up: true });
        [coordinator, relay, up, unblock, wake, start].into_iter().flatten().collect()
    }
}
