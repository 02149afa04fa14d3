//! A whole tailnet in a world: nodes, relays, the coordination server, and what happens to them.

mod ground;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use wattle_netmap::{DerpMap, RegionId};
use wattle_time::Instant;
use wattle_world::{Arrival, HostId, World};

use crate::control::ControlServer;
use crate::invariants::Judge;
use crate::limits;
use crate::member::{Ground, Member};
use crate::relay::RelayServer;
use crate::scenario::Scenario;
use crate::traffic::{Traffic, Wanted};
use crate::transition::Step;

use ground::Grounds;

/// How long an end of a connection waits for an answer before it gives up (`io/link`: `UNACKNOWLEDGED_MAX`).
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// All of it.
pub(crate) struct Mesh {
    pub(crate) world: World,
    pub(crate) members: Vec<Member>,
    pub(crate) relays: Vec<RelayServer>,
    pub(crate) control: ControlServer,
    pub(crate) traffic: Traffic,
    pub(crate) judge: Judge,
    pub(crate) events: u64,
    grounds: Grounds,
    actors: BTreeMap<HostId, Actor>,
    relay_addresses: BTreeMap<RegionId, [SocketAddr; 2]>,
    control_addresses: [SocketAddr; 2],
    addresses: Vec<Option<IpAddr>>,
}

#[derive(Clone, Copy)]
enum Actor {
    Member(usize),
    Relay(usize),
    Control,
}

impl Mesh {
    /// Everything in its place, and every node started.
    pub(crate) fn new(scenario: &Scenario, lines: usize) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&scenario.seed.to_le_bytes());
        let mut world = World::new(seed);
        world.keep(lines);
        world.conditions.connection_timeout = CONNECTION_TIMEOUT;
        let mut actors = BTreeMap::new();

        let mut relays = Vec::new();
        for region in &scenario.relays {
            let number = (relays.len() + 1) as u8;
            let addresses = public_addresses(number);
            let relay = RelayServer::new(RegionId(*region), addresses, &mut world);
            ground::add_addresses(relay.host, &addresses, &mut world);
            actors.insert(relay.host, Actor::Relay(relays.len()));
            relays.push(relay);
        }
        let derp = DerpMap {
            regions: relays.iter().map(|relay| (relay.region, relay.map_entry())).collect(),
            ..DerpMap::default()
        };

        let control_addresses = public_addresses(250);
        let host = world.add_host(control_addresses[0], None);
        ground::add_addresses(host, &control_addresses, &mut world);
        world.name_host(host, "control");
        actors.insert(host, Actor::Control);
        let names: Vec<String> = scenario.nodes.iter().map(|node| node.name.clone()).collect();
        let mut control = ControlServer::new(host, derp, names, &scenario.policy, &mut world);
        for number in 0..scenario.idle_peers {
            let key = control.auth_key(0, &world);
            control.add_idle_peer(number, &key, &mut world);
        }

        let mut grounds = Grounds::new(&scenario.sites, &mut world);
        let mut members = Vec::new();
        for (index, spec) in scenario.nodes.iter().enumerate() {
            let (addresses, site) = grounds.addresses_at(spec.place);
            let host = world.add_host(addresses[0], site);
            ground::add_addresses(host, &addresses, &mut world);
            actors.insert(host, Actor::Member(index));
            let key = control.auth_key(index, &world);
            members.push(Member::new(index, &spec.name, host, key, &mut world));
        }
        let mut mesh = Self {
            relay_addresses: relays.iter().map(|relay| (relay.region, relay.addresses())).collect(),
            control_addresses: control_addresses.map(|address| SocketAddr::new(address, crate::control::PORT)),
            addresses: vec![None; members.len()],
            judge: Judge::new(scenario, world.now()),
            world,
            members,
            relays,
            control,
            traffic: Traffic::default(),
            events: 0,
            grounds,
            actors,
        };
        for index in 0..mesh.members.len() {
            mesh.with_member(index, |member, ground| member.start(ground));
        }
        mesh
    }

    /// Lets time pass until then.
    pub(crate) fn run(&mut self, end: Instant) {
        while self.events < limits::EVENTS_MAX {
            self.events += 1;
            let next = self.next_moment(end);
            if let Some(arrival) = self.world.next_arrival(next) {
                self.handle_arrival(arrival);
                continue;
            }
            let now = self.world.now();
            self.handle_timeouts(now);
            if now >= end && self.next_moment(end + Duration::from_nanos(1)) > end {
                return;
            }
        }
        self.judge.note("the run takes more events than any should".to_owned());
    }

    /// Something happens.
    pub(crate) fn happen(&mut self, step: &Step) {
        let now = self.world.now();
        self.judge.before(
            step,
            &mut Judged { members: &self.members, traffic: &self.traffic, world: &self.world },
            now,
        );
        match step {
            Step::Say { from, to, size } => {
                let wanted = self.traffic.say(*from, *to, *size, now);
                self.send(vec![wanted]);
            }
            Step::Tell { from, to, length, every, size } => {
                self.traffic.tell(*from, *to, now + *length, *every, *size, now);
            }
            Step::Transfer { from, to, bytes } => self.traffic.transfer(*from, *to, *bytes, now),
            Step::Ping { from, to } => {
                if let Some(address) = self.addresses[*to] {
                    self.with_member(*from, |member, ground| member.ping(*to, address, ground));
                }
            }
            Step::Hush => self.traffic.hush(),
            Step::Roam { node, place } => {
                self.grounds.roam(self.members[*node].host, *place, &mut self.world);
            }
            Step::Sleep(node) => self.members[*node].sleep(&mut self.world),
            Step::Wake(node) => self.members[*node].wake(&mut self.world),
            Step::Kill(node) => self.members[*node].kill(&mut self.world),
            Step::Start(node) => self.with_member(*node, |member, ground| member.start(ground)),
            Step::Reboot(site) => self.grounds.restart(*site, &mut self.world),
            Step::Rebind(site) => self.grounds.rebind(*site, &mut self.world),
            Step::Uplink { spot, up } => {
                self.with_links(*spot, |link, _| link.up = *up);
            }
            Step::Block { spot, what } => {
                let blockade = ground::blockade(*what);
                self.with_links(*spot, |link, _| link.blockade = blockade);
            }
            Step::Loss { spot, direction, per_thousand } => {
                let wanted = ground::direction(*direction);
                self.with_links(*spot, |link, direction| {
                    if direction == wanted {
                        link.lost_per_thousand = u32::from(*per_thousand);
                    }
                });
            }
            Step::Mtu { spot, bytes } => self.with_links(*spot, |link, _| link.mtu = *bytes),
            Step::Relay { region, state } => {
                if let Some(relay) = self.relays.iter_mut().find(|relay| relay.region.0 == *region) {
                    relay.set_state(*state, &mut self.world);
                }
            }
            Step::Coordinator { up } => self.control.set_running(*up, &mut self.world),
            Step::Policy(access) => {
                let now = wattle_coordinator::Now { mono: now, wall: crate::wall(now) };
                self.control.set_policy(access, now);
            }
            Step::Remove(node) => {
                if let Some(key) = self.members[*node].key() {
                    self.control.remove(&key, &self.world);
                }
            }
            Step::PortMap { site, on } => self.grounds.map_ports(*site, *on, &mut self.world),
            Step::Expect(_) => {}
        }
        self.judge.after(step, now);
    }

    fn with_links(
        &mut self,
        spot: crate::transition::Spot,
        change: impl Fn(&mut wattle_world::Link, wattle_world::Direction),
    ) {
        let host = |node: usize| self.members[node].host;
        for direction in [wattle_world::Direction::In, wattle_world::Direction::Out] {
            let link = match spot {
                crate::transition::Spot::Site(site) => self.world.uplink_mut(self.grounds.id(site), direction),
                crate::transition::Spot::Node(node) => self.world.access_mut(host(node), direction),
            };
            change(link, direction);
        }
    }

    fn next_moment(&self, end: Instant) -> Instant {
        let members = self.members.iter().filter_map(|member| member.due);
        let relays = self.relays.iter().filter_map(RelayServer::next_timeout);
        let others = self.control.next_timeout(&self.world).into_iter().chain(self.traffic.next_timeout());
        members.chain(relays).chain(others).min().unwrap_or(end).min(end)
    }

    fn handle_arrival(&mut self, Arrival { host, cargo }: Arrival) {
        match self.actors.get(&host) {
            Some(Actor::Member(index)) => {
                let index = *index;
                let stray = self.with_member(index, |member, ground| member.handle(cargo, ground));
                if let Some(stray) = stray {
                    self.note_stray(index, stray);
                }
            }
            Some(Actor::Relay(index)) => self.relays[*index].handle(cargo, &mut self.world),
            Some(Actor::Control) => self.control.handle(cargo, &mut self.world),
            None => {}
        }
    }

    fn handle_timeouts(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        for index in 0..self.members.len() {
            if due(self.members[index].due) {
                self.with_member(index, |member, ground| member.handle_timeout(ground));
            }
        }
        for relay in &mut self.relays {
            if due(relay.next_timeout()) {
                relay.handle_timeout(&mut self.world);
            }
        }
        if due(self.control.next_timeout(&self.world)) {
            self.control.handle_timeout(&mut self.world);
        }
        if due(self.traffic.next_timeout()) {
            let wanted = self.traffic.handle_timeout(now);
            self.send(wanted);
        }
    }

    /// Hosts send packets into their tunnels.
    fn send(&mut self, wanted: Vec<Wanted>) {
        for wanted in wanted {
            self.judge.note_said(&self.traffic, self.world.now());
            let (from, to) = (self.addresses[wanted.from], self.addresses[wanted.to]);
            let Some(packet) = from.zip(to).and_then(|(from, to)| wanted.packet(from, to)) else { continue };
            self.with_member(wanted.from, |member, ground| member.send_inner(&packet, ground));
        }
    }

    /// A sealed packet came to one who cannot open it: is it another's?
    fn note_stray(&mut self, at: usize, index: u32) {
        let owner = self.members.iter().position(|member| {
            member.index != at && member.tables().is_some_and(|tables| tables.opener(index).is_some())
        });
        if let Some(owner) = owner {
            self.judge.note_misdirected(at, owner, self.world.now());
        }
    }

    fn with_member<T>(&mut self, index: usize, act: impl FnOnce(&mut Member, &mut Ground<'_>) -> T) -> T {
        let mut ground = Ground {
            world: &mut self.world,
            relays: &self.relay_addresses,
            control: self.control_addresses,
            traffic: &mut self.traffic,
            addresses: &self.addresses,
        };
        let result = act(&mut self.members[index], &mut ground);
        self.addresses[index] = self.members[index].address;
        result
    }
}

/// Of a server: IPv4 and IPv6.
fn public_addresses(number: u8) -> [IpAddr; 2] {
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, number.into());
    [IpAddr::from([203, 0, 113, number]), v6.into()]
}

/// What a judge looks at.
pub(crate) struct Judged<'a> {
    pub(crate) members: &'a [Member],
    pub(crate) traffic: &'a Traffic,
    pub(crate) world: &'a World,
}
