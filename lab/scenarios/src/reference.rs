//! A naive model of who must be able to talk: by policy and by physics. It knows the topology and what happened, and
//! nothing of how nodes find their ways.

use std::collections::BTreeMap;
use std::time::Duration;

use wattle_time::Instant;
use wattle_world::Dependence;

use crate::scenario::{Access, Edge, Place, Scenario, Site};
use crate::transition::{Block, Direction, RelayState, Spot, Step};

/// How long a node may take to be told what happened while it is in contact with the coordination server.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// How long a node may take to come back to the coordination server: its longest backoff, and the dial.
const BACK_WITHIN: Duration = Duration::from_secs(45);
/// After a change that nodes see, packets arrive from then on.
const DELIVERED_WITHIN: Duration = Duration::from_secs(15);
/// After a change that nobody is told.
const DELIVERED_WITHIN_UNTOLD: Duration = Duration::from_secs(20);
/// The same where chance takes packets.
const DELIVERED_WITHIN_LOSSY: Duration = Duration::from_secs(30);
/// After a change of relays: those that are homed there must find it out and move, and tell it.
const REHOMED_WITHIN: Duration = Duration::from_secs(50);
/// A connection on which nothing comes any more is given up: the keepalive of a relay is missed twice.
const SILENCE_NOTICED_WITHIN: Duration = Duration::from_secs(140);
/// Who begins to talk sees within this that something on the way is broken.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);
/// With traffic both ways for so long a pair is direct where it can be.
const DIRECT_WITHIN: Duration = Duration::from_secs(30);
/// The same after a change that nobody is told: a pair that cannot be direct tries once a minute.
const DIRECT_WITHIN_UNTOLD: Duration = Duration::from_secs(80);

/// The model.
pub(crate) struct Reference {
    sites: Vec<Site>,
    nodes: Vec<NodeState>,
    links: BTreeMap<Spot, LinkState>,
    relays: BTreeMap<u16, RelayState>,
    coordinator: bool,
    policy: Access,
    policy_at: Instant,
    /// When something last changed that may need time.
    pub(crate) changed_at: Instant,
    relays_at: Instant,
    untold_at: Instant,
    /// When a NAT last forgot its mappings, and with them the connections of idle nodes.
    forgot_at: BTreeMap<usize, Instant>,
    /// All moments of change.
    pub(crate) changes: Vec<Instant>,
    /// Pairs whose data was blocked while their pings passed: the direct way is refused for long.
    refused: bool,
}

#[derive(Clone, Copy, Debug)]
struct NodeState {
    place: Place,
    awake: bool,
    running: bool,
    removed: bool,
    /// Since when it can speak with the coordination server.
    contact: Option<Instant>,
    contact_lost: Instant,
    /// Whether it has a map.
    has_map: bool,
}

#[derive(Clone, Copy, Debug)]
struct LinkState {
    up: bool,
    block: Block,
    loss: [u16; 2],
    mtu: u16,
}

impl Default for LinkState {
    fn default() -> Self {
        Self { up: true, block: Block::Nothing, loss: [0, 0], mtu: 1500 }
    }
}

/// What a packet that is said now must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It must arrive.
    Must,
    /// Chance takes some; many must arrive.
    Many,
    /// It must not arrive.
    MustNot,
    /// Nothing can be said.
    Open,
}

impl Reference {
    pub(crate) fn new(scenario: &Scenario, now: Instant) -> Self {
        let node = |place| NodeState {
            place,
            awake: true,
            running: true,
            removed: false,
            contact: None,
            contact_lost: Instant::ORIGIN,
            has_map: false,
        };
        let mut reference = Self {
            sites: scenario.sites.clone(),
            nodes: scenario.nodes.iter().map(|spec| node(spec.place)).collect(),
            links: BTreeMap::new(),
            relays: scenario.relays.iter().map(|region| (*region, RelayState::Up)).collect(),
            coordinator: true,
            policy: scenario.policy.clone(),
            policy_at: now,
            changed_at: now,
            relays_at: Instant::ORIGIN,
            untold_at: Instant::ORIGIN,
            forgot_at: BTreeMap::new(),
            changes: vec![now],
            refused: false,
        };
        reference.note_contacts(now);
        reference
    }

    /// Something happens.
    pub(crate) fn apply(&mut self, step: &Step, now: Instant) {
        self.note_maps(now);
        match step {
            Step::Roam { node, place } => self.nodes[*node].place = *place,
            Step::Sleep(node) => self.nodes[*node].awake = false,
            Step::Wake(node) => self.nodes[*node].awake = true,
            Step::Kill(node) => {
                self.nodes[*node].running = false;
                self.nodes[*node].has_map = false;
                self.nodes[*node].contact = None;
            }
            Step::Start(node) => self.nodes[*node].running = true,
            Step::Remove(node) => self.nodes[*node].removed = true,
            Step::Uplink { spot, up } => {
                self.links.entry(*spot).or_default().up = *up;
                self.untold_at = now;
            }
            Step::Block { spot, what } => {
                self.links.entry(*spot).or_default().block = *what;
                self.refused |= matches!(what, Block::Data | Block::WireGuard);
                self.untold_at = now;
            }
            Step::Loss { spot, direction, per_thousand } => {
                self.links.entry(*spot).or_default().loss[usize::from(*direction == Direction::Out)] = *per_thousand;
                self.untold_at = now;
            }
            Step::Mtu { spot, bytes } => {
                self.links.entry(*spot).or_default().mtu = *bytes;
                self.untold_at = now;
            }
            Step::Relay { region, state } => {
                self.relays.insert(*region, *state);
                self.relays_at = now;
                self.untold_at = now;
            }
            Step::Coordinator { up } => self.coordinator = *up,
            Step::Policy(access) => {
                self.policy = access.clone();
                self.policy_at = now;
            }
            Step::Reboot(site) | Step::Rebind(site) => {
                self.forgot_at.insert(*site, now);
                self.untold_at = now;
            }
            Step::PortMap { .. } => {}
            Step::Say { .. }
            | Step::Tell { .. }
            | Step::Ping { .. }
            | Step::Transfer { .. }
            | Step::Hush
            | Step::Expect(_) => return,
        }
        self.changed_at = now;
        self.changes.push(now);
        self.note_contacts(now);
    }

    /// What becomes of a packet that is said now.
    ///
    /// `since`: when the sender began to talk; `mutual_since`: since when both talk.
    pub(crate) fn verdict(
        &mut self,
        from: usize,
        to: usize,
        since: Instant,
        mutual_since: Option<Instant>,
        now: Instant,
    ) -> Verdict {
        self.note_maps(now);
        let allowed = self.is_allowed(from, to);
        if !allowed {
            let receiver = &self.nodes[to];
            let heard = receiver.contact.is_some_and(|since| now.since(since) >= BACK_WITHIN);
            let old = now.since(self.policy_at.max(self.changed_at)) >= TOLD_WITHIN;
            // A NAT that forgot cut the connection to the server too, which shows when the silence has lasted.
            let forgot = self.sites_of(to).filter_map(|site| self.forgot_at.get(&site)).max();
            let cut = forgot.is_some_and(|forgot| now.since(*forgot) < SILENCE_NOTICED_WITHIN);
            return if heard && old && !cut { Verdict::MustNot } else { Verdict::Open };
        }
        let lossy = [from, to].iter().any(|node| self.chain(*node).any(|link| link.loss != [0, 0]));
        let mut bound = if lossy { DELIVERED_WITHIN_LOSSY } else { DELIVERED_WITHIN };
        if self.untold_at == self.changed_at {
            bound = bound.max(DELIVERED_WITHIN_UNTOLD);
        }
        if now.since(self.relays_at) < REHOMED_WITHIN {
            bound = REHOMED_WITHIN;
        }
        if self.control_came_back(from, to) {
            bound = bound.max(BACK_WITHIN);
        }
        // A NAT that forgot cut the connections of its nodes, and those who say nothing learn it by silence only.
        let forgot =
            [from, to].into_iter().flat_map(|node| self.sites_of(node)).filter_map(|site| self.forgot_at.get(&site));
        if forgot.max().is_some_and(|forgot| {
            mutual_since.is_none_or(|since| since > *forgot) && now.since(*forgot) < SILENCE_NOTICED_WITHIN
        }) {
            return Verdict::Open;
        }
        let settled = now.since(self.changed_at) >= bound && now.since(since) >= self.noticed_within();
        if !settled || !self.know_each_other(from, to) || !self.has_way(from, to) {
            return Verdict::Open;
        }
        if lossy { Verdict::Many } else { Verdict::Must }
    }

    /// Whether a pair that has talked both ways since then must be direct now.
    pub(crate) fn must_be_direct(&mut self, a: usize, b: usize, talking_since: Instant, now: Instant) -> bool {
        self.note_maps(now);
        let lossy = [a, b].iter().any(|node| self.chain(*node).any(|link| link.loss != [0, 0]));
        let untold = now.since(self.untold_at) < DIRECT_WITHIN_UNTOLD && self.untold_at > Instant::ORIGIN;
        !lossy
            && !untold
            && !self.refused
            && !self.control_came_back(a, b)
            && now.since(self.changed_at.max(talking_since)) >= DIRECT_WITHIN
            && self.is_allowed(a, b)
            && self.is_allowed(b, a)
            && self.know_each_other(a, b)
            && self.can_be_direct(a, b)
    }

    /// Whether nothing has changed for so long that whatever is wrong stays wrong.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        now.since(self.changed_at) >= REHOMED_WITHIN
    }

    /// Whether the node's map must be the one that the coordination server would send.
    pub(crate) fn must_know_all(&self, node: usize, now: Instant) -> bool {
        let state = &self.nodes[node];
        let came_back = state.contact_lost > Instant::ORIGIN || !self.is_fresh();
        let wait = if came_back { BACK_WITHIN } else { DELIVERED_WITHIN };
        !state.removed
            && state.contact.is_some_and(|since| now.since(since) >= wait)
            && now.since(self.changed_at) >= wait
    }

    /// Whether any way at all leads from one to the other now.
    pub(crate) fn has_way(&self, a: usize, b: usize) -> bool {
        self.has_relay(a, b) || self.can_be_direct(a, b)
    }

    /// Whether there is one on which neither chance nor a relay that stalls takes anything.
    pub(crate) fn has_good_way(&self, a: usize, b: usize) -> bool {
        let stalled = self.relays.values().any(|state| *state == RelayState::Stalled);
        let lossy = [a, b].iter().any(|node| self.chain(*node).any(|link| link.loss != [0, 0]));
        self.has_way(a, b) && !stalled && !lossy
    }

    /// Whether the node runs and is awake.
    pub(crate) fn is_there(&self, node: usize) -> bool {
        let state = &self.nodes[node];
        state.awake && state.running
    }

    /// Whether the node was removed from the tailnet.
    pub(crate) fn is_removed(&self, node: usize) -> bool {
        self.nodes[node].removed
    }

    pub(crate) fn is_allowed(&self, from: usize, to: usize) -> bool {
        let there = |node: usize| !self.nodes[node].removed;
        there(from) && there(to) && self.policy.allows(from, to)
    }

    /// Whether every node runs and can reach a relay: one that cannot goes on trying, and so do its peers.
    pub(crate) fn all_are_well(&self) -> bool {
        let relay = self.relays.values().any(|state| *state == RelayState::Up);
        let well = |node| relay && self.is_there(node) && self.has_internet(node) && self.has_udp(node);
        (0..self.nodes.len()).all(well) && self.coordinator && self.nodes.iter().all(|node| !node.removed)
    }

    /// How long those who begin to talk may need to see that something on the way is wrong.
    fn noticed_within(&self) -> Duration {
        let fine = |link: &LinkState| link.block == Block::Nothing && link.mtu >= 1500;
        let well = self.links.values().all(fine) && self.relays.values().all(|state| *state == RelayState::Up);
        if well { Duration::ZERO } else { NOTICED_WITHIN }
    }

    fn is_fresh(&self) -> bool {
        self.changes.len() == 1
    }

    fn has_relay(&self, a: usize, b: usize) -> bool {
        let relay = self.relays.values().any(|state| *state == RelayState::Up);
        relay && [a, b].iter().all(|node| self.is_there(*node) && self.has_internet(*node))
    }

    /// Whether hole punching works between the two, by its rules.
    pub(crate) fn can_be_direct(&self, a: usize, b: usize) -> bool {
        let ready = |node: usize| {
            let clear = |link: &LinkState| link.block == Block::Nothing && link.mtu >= 1500;
            self.is_there(node) && self.links.get(&Spot::Node(node)).is_none_or(|link| link.up && clear(link))
        };
        if !ready(a) || !ready(b) {
            return false;
        }
        let (place_a, place_b) = (self.nodes[a].place, self.nodes[b].place);
        if place_a == place_b {
            return true;
        }
        // Not on one network: both need the internet, where they learn how they look from outside.
        let clear = |node| self.chain(node).all(|link| link.block == Block::Nothing && link.mtu >= 1500);
        let sites = |node| self.sites_of(node).collect::<Vec<_>>();
        let shared = sites(a).iter().any(|site| sites(b).contains(site));
        if shared || ![a, b].iter().all(|node| clear(*node) && self.has_internet(*node) && self.has_udp(*node)) {
            return false;
        }
        // Both must ping at once, which they arrange through a relay.
        if !self.has_relay(a, b) {
            return false;
        }
        // IPv6 is never translated, so it works where both have it.
        let ((a_has_v4, a_has_v6), (b_has_v4, b_has_v6)) = (self.families(a), self.families(b));
        if a_has_v6 && b_has_v6 {
            return true;
        }
        if !a_has_v4 || !b_has_v4 {
            return false;
        }
        let ((varies_a, strict_a), (varies_b, strict_b)) = (self.outside(a), self.outside(b));
        !(varies_a && (varies_b || strict_b) || varies_b && strict_a)
    }

    /// How a node's edges together look: whether its mapping varies by destination, and whether only packets from the very
    /// endpoint that was spoken to come in.
    fn outside(&self, node: usize) -> (bool, bool) {
        let mut seen = (false, false);
        for site in self.sites_of(node) {
            match self.sites[site].edge {
                Edge::Nat(nat) => {
                    seen.0 |= nat.mapping != Dependence::EndpointIndependent;
                    seen.1 |= nat.filtering == Dependence::AddressAndPortDependent;
                }
                Edge::Firewall | Edge::Only443 | Edge::Ipv6 => seen.1 = true,
            }
        }
        seen
    }

    /// Whether a node has IPv4, and IPv6 that leads to the internet.
    fn families(&self, node: usize) -> (bool, bool) {
        match self.nodes[node].place {
            Place::Open => (true, false),
            Place::In(site) => {
                let (v4, v6) = self.sites[site].families();
                (v4, v6 && self.sites[site].inside.is_none())
            }
        }
    }

    fn has_udp(&self, node: usize) -> bool {
        !self.sites_of(node).any(|site| self.sites[site].edge == Edge::Only443)
            && self.chain(node).all(|link| link.block != Block::Udp)
    }

    fn has_internet(&self, node: usize) -> bool {
        self.chain(node).all(|link| link.up)
    }

    /// The sites around a node, from the inside out.
    fn sites_of(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let first = match self.nodes[node].place {
            Place::Open => None,
            Place::In(site) => Some(site),
        };
        std::iter::successors(first, |site| self.sites[*site].inside)
    }

    /// The links from a node to the internet.
    fn chain(&self, node: usize) -> impl Iterator<Item = LinkState> + '_ {
        let spots = std::iter::once(Spot::Node(node)).chain(self.sites_of(node).map(Spot::Site));
        spots.map(|spot| self.links.get(&spot).copied().unwrap_or_default())
    }

    /// Whether each has had time to learn of the other. Without the coordination server it must be the last that changed.
    fn know_each_other(&self, a: usize, b: usize) -> bool {
        [a, b].iter().all(|node| {
            let state = &self.nodes[*node];
            state.has_map && (state.contact.is_some() || state.contact_lost == self.changed_at)
        })
    }

    fn control_came_back(&self, a: usize, b: usize) -> bool {
        [a, b].iter().any(|node| self.nodes[*node].contact_lost > Instant::ORIGIN)
            && [a, b]
                .iter()
                .any(|node| self.nodes[*node].contact.is_some_and(|since| self.changed_at.since(since) < BACK_WITHIN))
    }

    fn note_contacts(&mut self, now: Instant) {
        for node in 0..self.nodes.len() {
            let contact =
                self.coordinator && self.is_there(node) && self.has_internet(node) && !self.nodes[node].removed;
            let state = &mut self.nodes[node];
            match (contact, state.contact) {
                (true, None) => state.contact = Some(now),
                (false, Some(_)) => {
                    state.contact = None;
                    state.contact_lost = now;
                }
                _ => {}
            }
        }
    }

    fn note_maps(&mut self, now: Instant) {
        for state in &mut self.nodes {
            let wait = if state.contact_lost > Instant::ORIGIN { BACK_WITHIN } else { TOLD_WITHIN };
            state.has_map |= state.contact.is_some_and(|since| now.since(since) >= wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

    fn direct(a: &str, b: &str) -> bool {
        let text = format!("site x {a}\nsite y {b}\nnode a in x\nnode b in y");
        Reference::new(&Scenario::parse(&text).unwrap(), NOW).can_be_direct(0, 1)
    }

    #[test]
    fn hole_punching_works_by_its_rules() {
        for (a, b, works) in [
            ("nat ei/ei", "nat ei/ei", true),
            ("nat ei/apd", "nat ei/apd", true),
            ("nat apd/apd", "nat ei/ad", true),
            ("nat apd/apd", "nat ei/apd", false),
            ("nat apd/apd", "nat apd/apd", false),
            ("nat ei/apd", "firewall", true),
            ("nat apd/apd", "firewall", false),
            ("nat ei/ei", "only443", false),
        ] {
            assert_eq!(direct(a, b), works, "{a} and {b}");
            assert_eq!(direct(b, a), works, "{b} and {a}");
        }
    }

    #[test]
    fn a_packet_must_arrive_once_all_is_settled_and_not_before() {
        let text = "site x nat ei/apd\nnode a in x\nnode b open\npolicy a>b";
        let scenario = Scenario::parse(text).unwrap();
        let mut reference = Reference::new(&scenario, NOW);
        let later = |seconds| NOW + Duration::from_secs(seconds);
        assert_eq!(reference.verdict(0, 1, NOW, None, later(1)), Verdict::Open);
        assert_eq!(reference.verdict(0, 1, NOW, None, later(20)), Verdict::Must);
        assert_eq!(reference.verdict(1, 0, NOW, None, later(60)), Verdict::MustNot);
        reference.apply(&Step::Uplink { spot: Spot::Site(0), up: false }, later(100));
        assert_eq!(reference.verdict(0, 1, NOW, None, later(200)), Verdict::Open, "there is no way");
        reference.apply(&Step::Uplink { spot: Spot::Site(0), up: true }, later(300));
        assert_eq!(reference.verdict(0, 1, NOW, None, later(400)), Verdict::Must);
    }

    #[test]
    fn neighbours_talk_without_the_internet() {
        let scenario = Scenario::parse("site x nat ei/apd\nnode a in x\nnode b in x").unwrap();
        let mut reference = Reference::new(&scenario, NOW);
        let later = |seconds| NOW + Duration::from_secs(seconds);
        assert_eq!(reference.verdict(0, 1, NOW, None, later(20)), Verdict::Must);
        reference.apply(&Step::Uplink { spot: Spot::Site(0), up: false }, later(30));
        assert_eq!(reference.verdict(0, 1, NOW, None, later(60)), Verdict::Must);
    }
}
