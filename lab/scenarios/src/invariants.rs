//! What must hold in every run (design, section 8), judged while it goes on and at its end.

mod packets;

use std::time::Duration;

use wattle_time::Instant;
use wattle_world::World;

use crate::control::{self, ControlServer};
use crate::member::Member;
use crate::mesh::Judged;
use crate::reference::{Reference, Verdict};
use crate::scenario::Scenario;
use crate::traffic::{Traffic, Transfer};
use crate::transition::{Expectation, Step};
use crate::{Stall, limits};

/// A transfer stands still no longer where there is a way: a timer that doubles from 200 ms fires again 3 s after the
/// first loss, and the packet takes its time.
const STALL_MAX: Duration = Duration::from_millis(3200);
/// A ping of a person is given up after 10 s.
const PING_PATIENCE: Duration = Duration::from_secs(11);
/// Two packets of one conversation are no further apart.
const STEADY_GAP: Duration = Duration::from_secs(2);
/// How far back a story looks when it expects a flow or silence.
const LOOK_BACK: Duration = Duration::from_secs(3);

/// The judge of a run.
pub(crate) struct Judge {
    pub(crate) reference: Reference,
    names: Vec<String>,
    /// One verdict for each packet said, in order.
    verdicts: Vec<Verdict>,
    violations: Vec<String>,
    /// Transfers that had a way all the time.
    unbroken: Vec<bool>,
}

impl Judge {
    pub(crate) fn new(scenario: &Scenario, now: Instant) -> Self {
        Self {
            reference: Reference::new(scenario, now),
            names: scenario.nodes.iter().map(|node| node.name.clone()).collect(),
            verdicts: Vec::new(),
            violations: Vec::new(),
            unbroken: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, violation: String) {
        if self.violations.len() < limits::VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }

    /// A packet is about to be sent.
    pub(crate) fn note_said(&mut self, traffic: &Traffic, now: Instant) {
        while self.verdicts.len() < traffic.said.len() {
            let said = &traffic.said[self.verdicts.len()];
            let steady = |from, to| traffic.steady.get(&(from, to));
            let there = steady(said.from, said.to).map_or(now, |(since, _)| *since);
            let back = steady(said.to, said.from).filter(|(_, last)| now.since(*last) <= STEADY_GAP);
            let mutual = back.map(|(since, _)| there.max(*since));
            let verdict = self.reference.verdict(said.from, said.to, there, mutual, now);
            self.verdicts.push(verdict);
        }
    }

    /// A ping of a person is answered where a packet would arrive.
    fn check_ping(&mut self, (from, to): (usize, usize), at: Instant, answered: bool, now: Instant) {
        let patience = now.since(at) > PING_PATIENCE && !self.reference.changes.iter().any(|change| *change >= at);
        if patience && !answered && self.reference.verdict(from, to, at, None, now) == Verdict::Must {
            let (from, to) = (&self.names[from], &self.names[to]);
            self.note(format!("{}: a ping of {from} got no answer of {to}", clock(at)));
        }
    }

    /// Sealed packets for one came to another.
    pub(crate) fn note_misdirected(&mut self, at: usize, owner: usize, now: Instant) {
        if self.reference.is_settled(now) {
            let (at, owner) = (&self.names[at], &self.names[owner]);
            self.note(format!("{}: data for {owner} goes to {at}", clock(now)));
        }
    }

    /// Before something happens: what must hold now.
    pub(crate) fn before(&mut self, step: &Step, judged: &mut Judged<'_>, now: Instant) {
        self.check_direct(judged, now);
        self.check_routes(judged, now);
        if let Step::Expect(expectation) = step {
            self.expect(*expectation, judged, now);
        }
    }

    /// After something happened.
    pub(crate) fn after(&mut self, step: &Step, now: Instant) {
        if let Step::Transfer { .. } = step {
            self.unbroken.push(true);
        }
        self.reference.apply(step, now);
    }

    /// After each change: which transfers still have a way.
    pub(crate) fn note_ways(&mut self, traffic: &Traffic) {
        for (transfer, unbroken) in traffic.transfers.iter().zip(&mut self.unbroken) {
            if !transfer.is_over() {
                *unbroken &= self.reference.has_good_way(transfer.from, transfer.to)
                    && self.reference.is_allowed(transfer.from, transfer.to);
            }
        }
    }

    fn check_direct(&mut self, judged: &Judged<'_>, now: Instant) {
        for a in 0..judged.members.len() {
            for b in 0..a {
                let talk = |from: usize, to: usize| judged.traffic.steady.get(&(from, to));
                let Some((there, back)) = talk(a, b).zip(talk(b, a)) else { continue };
                if now.since(there.1) > STEADY_GAP || now.since(back.1) > STEADY_GAP {
                    continue;
                }
                let since = there.0.max(back.0);
                if self.reference.must_be_direct(a, b, since, now) && !are_direct(judged.members, a, b, now) {
                    let why = [(a, b), (b, a)].map(|(from, to)| route_text(judged.members, from, to, now));
                    let (a, b) = (&self.names[a], &self.names[b]);
                    self.note(format!("{}: {a} and {b} are not direct: {}", clock(now), why.join("; ")));
                }
            }
        }
    }

    /// No data goes to an address of somebody else.
    fn check_routes(&mut self, judged: &Judged<'_>, now: Instant) {
        if !self.reference.is_settled(now) {
            return;
        }
        for member in judged.members.iter().filter(|member| self.reference.is_there(member.index)) {
            for entry in member.tables().iter().flat_map(|tables| tables.peers.iter().flatten()) {
                let Some(hop) = entry.route.udp.filter(|hop| hop.vni.is_none()) else { continue };
                let owner = judged.members.iter().find(|other| other.key() == Some(entry.key));
                let found = judged.world.recipient(member.host, hop.to);
                if let (Some(owner), Some(found)) = (owner, found)
                    && found != owner.host
                {
                    let (name, peer) = (&self.names[member.index], &self.names[owner.index]);
                    let violation =
                        format!("{}: {name} sends data for {peer} to {}, who is another", clock(now), hop.to);
                    self.violations.push(violation);
                }
            }
        }
    }

    fn expect(&mut self, expectation: Expectation, judged: &Judged<'_>, now: Instant) {
        let kept = match expectation {
            Expectation::Direct(a, b) => are_direct(judged.members, a, b, now),
            Expectation::Relayed(a, b) => route(judged.members, a, b, now).is_some_and(|route| route.relay.is_some()),
            Expectation::Flows(a, b) => {
                let recent = |at: Instant| now.since(at) <= LOOK_BACK;
                judged
                    .traffic
                    .said
                    .iter()
                    .rev()
                    .take_while(|said| recent(said.at))
                    .any(|said| (said.from, said.to) == (a, b) && said.came.is_some())
            }
            Expectation::Stall(a, b, length) => {
                let transfers =
                    judged.traffic.transfers.iter().filter(|transfer| (transfer.from, transfer.to) == (a, b));
                transfers.map(|transfer| transfer.longest_stall(now)).all(|stall| stall <= length)
            }
            Expectation::Silent => judged.members.iter().all(|member| member.is_silent_since(now, SILENCE)),
        };
        if !kept {
            let routes = match expectation {
                Expectation::Direct(a, b) | Expectation::Relayed(a, b) | Expectation::Flows(a, b) => {
                    [(a, b), (b, a)].map(|(from, to)| route_text(judged.members, from, to, now)).join("; ")
                }
                Expectation::Stall(a, b, _) => {
                    let transfers =
                        judged.traffic.transfers.iter().filter(|transfer| (transfer.from, transfer.to) == (a, b));
                    format!("{:?}", transfers.map(|transfer| transfer.longest_stall(now)).collect::<Vec<_>>())
                }
                Expectation::Silent => String::new(),
            };
            self.note(format!("{}: expected {expectation:?}: {routes}", clock(now)));
        }
    }

    /// At the end of the talking.
    pub(crate) fn finish(&mut self, judged: &mut Judged<'_>, now: Instant) {
        self.check_direct(judged, now);
        self.check_routes(judged, now);
        let (said, changes) = (&judged.traffic.said, &self.reference.changes);
        let packets = packets::judge(said, &self.verdicts, changes, &self.names, now);
        packets.into_iter().for_each(|violation| self.note(violation));
        for stall in self.stalls(judged.traffic, now) {
            if stall.had_way && stall.longest > STALL_MAX {
                let (from, to) = (&self.names[stall.from], &self.names[stall.to]);
                self.note(format!("the transfer of {from} to {to} stood still for {:?}", stall.longest));
            }
        }
        for member in judged.members {
            self.check_tables(member);
            self.check_probes(member, judged.members.len());
            for (to, at, answered) in member.pings.values() {
                self.check_ping((member.index, *to), *at, *answered, now);
            }
            let faults: Vec<String> = member.faults.clone();
            // Whoever was removed is refused, and that is right.
            let may_be_refused = self.reference.is_removed(member.index);
            faults.into_iter().filter(|_| !may_be_refused).for_each(|fault| self.note(fault));
        }
        let astray = judged.traffic.astray.clone();
        astray.into_iter().for_each(|what| self.note(what));
    }

    /// Once all is quiet.
    pub(crate) fn check_maps(&mut self, members: &[Member], control: &ControlServer, world: &World) {
        members.iter().for_each(|member| self.check_map(member, control, world));
    }

    fn check_map(&mut self, member: &Member, control: &ControlServer, world: &World) {
        if !self.reference.must_know_all(member.index, world.now()) {
            return;
        }
        let name = &self.names[member.index];
        let (Some(node), Some(key)) = (member.node(), member.key()) else { return };
        let violation = match control.map_of(&key, world) {
            None => Some(format!("{name} is not known to the coordination server")),
            Some(map) => control::difference(node.map(), &map).map(|what| format!("the map of {name}: {what}")),
        };
        violation.into_iter().for_each(|violation| self.note(violation));
    }

    fn check_tables(&mut self, member: &Member) {
        let Some(tables) = member.tables() else { return };
        let peers = tables.peers.iter().flatten().count();
        if tables.openers.len() > limits::SESSIONS_PER_PEER_MAX * peers {
            self.note(format!("{} has {} sessions with {peers} peers", self.names[member.index], tables.openers.len()));
        }
    }

    fn check_probes(&mut self, member: &Member, nodes: usize) {
        let budget = limits::PROBES_PER_MINUTE + limits::PROBES_PER_PEER_MINUTE * (nodes as u32 - 1);
        if member.probes_max > budget {
            let (name, count) = (&self.names[member.index], member.probes_max);
            self.note(format!("{name} sent {count} probes in a minute, and {budget} are enough"));
        }
    }

    /// After a while without traffic.
    pub(crate) fn check_silence(&mut self, members: &[Member], now: Instant) {
        if !self.reference.all_are_well() || !self.reference.is_settled(now) {
            return;
        }
        for member in members {
            if self.reference.is_there(member.index) && !member.is_silent_since(now, SILENCE) {
                let why = member.node().and_then(wattle_node::Node::next_timeout).map_or("", |deadline| deadline.why);
                self.note(format!("{}: {} still sends datagrams ({why})", clock(now), self.names[member.index]));
            }
        }
    }

    /// The longest time without progress of each transfer.
    pub(crate) fn stalls(&self, traffic: &Traffic, now: Instant) -> Vec<Stall> {
        let stall = |(transfer, unbroken): (&Transfer, &bool)| Stall {
            from: transfer.from,
            to: transfer.to,
            longest: transfer.longest_stall(now),
            had_way: *unbroken,
            done: transfer.done_at.map(|at| at.since(transfer.began_at)),
        };
        traffic.transfers.iter().zip(&self.unbroken).map(stall).collect()
    }

    pub(crate) fn into_violations(self) -> Vec<String> {
        self.violations
    }
}

/// How long nobody may have sent anything to be silent.
const SILENCE: Duration = Duration::from_secs(10);

fn route(members: &[Member], from: usize, to: usize, now: Instant) -> Option<wattle_path::Route> {
    let (node, key) = (members[from].node()?, members[to].key()?);
    let now = wattle_node::Now { mono: now, wall: crate::wall(now) };
    node.peers(now).find(|peer| peer.node.key == key).map(|peer| peer.route)
}

fn are_direct(members: &[Member], a: usize, b: usize, now: Instant) -> bool {
    [(a, b), (b, a)].into_iter().all(|(from, to)| {
        route(members, from, to, now).is_some_and(|route| route.udp.is_some() && route.relay.is_none())
    })
}

fn route_text(members: &[Member], from: usize, to: usize, now: Instant) -> String {
    let (Some(node), Some(key)) = (members[from].node(), members[to].key()) else { return "does not run".to_owned() };
    let now = wattle_node::Now { mono: now, wall: crate::wall(now) };
    node.peers(now)
        .find(|peer| peer.node.key == key)
        .map_or_else(|| "does not know the other".to_owned(), |peer| format!("{:?} ({})", peer.route, peer.why))
}

/// A moment, as stories count it.
pub(crate) fn clock(at: Instant) -> String {
    format!("{:.3}s", at.since(crate::START).as_secs_f64())
}
