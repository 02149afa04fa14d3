//! Any calls in any order: nothing is lost from the books, and a run can be repeated.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;
use wattle_world::{
    Behaviour, Cargo, ConnectionId, Dependence, Direction, Fate, Firewall, Gateway, Hairpinning, HostId, Link, Ports,
    SiteId, TooBig, World,
};

#[derive(Clone, Debug)]
enum Call {
    Send {
        host: u8,
        to: u8,
        length: u16,
    },
    /// To where somebody was seen.
    Reply {
        host: u8,
        seen: u8,
    },
    Connect {
        host: u8,
        to: u8,
    },
    Write {
        connection: u8,
    },
    Close {
        connection: u8,
    },
    Roam {
        host: u8,
        site: u8,
    },
    Power {
        host: u8,
        change: u8,
    },
    Gateway {
        site: u8,
        change: u8,
    },
    Spoil {
        place: u8,
        spoil: u8,
    },
    Wait {
        milliseconds: u16,
    },
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        8 => (any::<u8>(), any::<u8>(), 0..1500u16).prop_map(|(host, to, length)| Call::Send { host, to, length }),
        4 => any::<(u8, u8)>().prop_map(|(host, seen)| Call::Reply { host, seen }),
        2 => any::<(u8, u8)>().prop_map(|(host, to)| Call::Connect { host, to }),
        4 => any::<u8>().prop_map(|connection| Call::Write { connection }),
        1 => any::<u8>().prop_map(|connection| Call::Close { connection }),
        1 => any::<(u8, u8)>().prop_map(|(host, site)| Call::Roam { host, site }),
        1 => any::<(u8, u8)>().prop_map(|(host, change)| Call::Power { host, change }),
        1 => any::<(u8, u8)>().prop_map(|(site, change)| Call::Gateway { site, change }),
        1 => any::<(u8, u8)>().prop_map(|(place, spoil)| Call::Spoil { place, spoil }),
        4 => (0..3000u16).prop_map(|milliseconds| Call::Wait { milliseconds }),
    ]
}

const FATES: [Fate; 17] = [
    Fate::InFlight,
    Fate::Delivered,
    Fate::Lost,
    Fate::Blocked,
    Fate::Firewalled,
    Fate::NoMapping,
    Fate::Filtered,
    Fate::NoHairpin,
    Fate::NoPort,
    Fate::TooBig,
    Fate::ToldTooBig,
    Fate::NoHost,
    Fate::NoRoute,
    Fate::LinkDown,
    Fate::Asleep,
    Fate::Off,
    Fate::Unsent,
];

/// Two homes behind a carrier, a home and an office with public addresses, the open internet: two hosts in each.
struct Scene {
    world: World,
    sites: Vec<Option<SiteId>>,
    hosts: Vec<HostId>,
    seen: Vec<SocketAddr>,
    connections: Vec<ConnectionId>,
    arrived: u64,
    sent: u64,
}

impl Scene {
    fn new(seed: u8) -> Self {
        use Dependence::{AddressAndPortDependent, EndpointIndependent};
        let mut world = World::new([seed; 32]);
        world.conditions.jitter = Duration::from_millis(5);
        world.conditions.duplicated_per_thousand = 50;
        let home =
            Behaviour { ports: Ports::Preserving, ..Behaviour::new(EndpointIndependent, AddressAndPortDependent) };
        let hard =
            Behaviour { ports: Ports::Random, ..Behaviour::new(AddressAndPortDependent, AddressAndPortDependent) };
        let kind = Behaviour {
            hairpinning: Hairpinning::ExternalSource,
            ..Behaviour::new(EndpointIndependent, EndpointIndependent)
        };
        let carrier = world.add_site(Ipv4Addr::new(192, 0, 2, 1), kind);
        let mut sites = vec![None];
        for (last, behaviour) in [(2, home), (3, hard)] {
            let address = Ipv4Addr::new(100, 64, 0, last);
            sites.push(Some(world.add_network(Gateway::nat(address, behaviour).inside(carrier).with_v6())));
        }
        sites.push(Some(world.add_site(Ipv4Addr::new(192, 0, 2, 4), home)));
        sites.push(Some(world.add_network(Gateway::routed().with_firewall(Firewall::STATEFUL))));
        let mut scene = Self { world, sites, hosts: vec![], seen: vec![], connections: vec![], arrived: 0, sent: 0 };
        for number in 0..scene.sites.len() as u8 * 2 {
            let site = scene.sites[usize::from(number) / 2];
            let host = scene.world.add_host(IpAddr::V4(Ipv4Addr::new(198, 51, 100, number)), site);
            scene.world.attach(host, site, &[address_v6(number)]);
            scene.world.listen(host, 443);
            scene.hosts.push(host);
        }
        scene
    }

    fn host(&self, number: u8) -> HostId {
        self.hosts[usize::from(number) % self.hosts.len()]
    }

    fn target(&self, number: u8, port: u16) -> SocketAddr {
        match number % 3 {
            0 => SocketAddr::new(address_v6(number / 3 % self.hosts.len() as u8), port),
            1 => SocketAddr::from(([192, 0, 2, number / 3 % 5], port)),
            _ => SocketAddr::new(self.world.address(self.host(number / 3)).into(), port),
        }
    }

    fn make(&mut self, call: &Call) {
        match *call {
            Call::Send { host, to, length } => {
                let (host, to) = (self.host(host), self.target(to, 1000));
                self.world.send(host, 1000, to, vec![host_byte(&self.world, host); usize::from(length)]);
                self.sent += 1;
            }
            Call::Reply { host, seen } => {
                let Some(to) = self.seen.get(usize::from(seen) % self.seen.len().max(1)).copied() else { return };
                self.world.send(self.host(host), 1000, to, vec![1]);
                self.sent += 1;
            }
            Call::Connect { host, to } => {
                let (host, to) = (self.host(host), self.target(to, 443));
                let connection = self.world.connect(host, to);
                self.connections.push(connection);
            }
            Call::Write { connection } => {
                if let Some(connection) = self.connection(connection) {
                    let _closed_or_full = self.world.write(connection, vec![2; 10]);
                }
            }
            Call::Close { connection } => {
                if let Some(connection) = self.connection(connection) {
                    self.world.close(connection);
                }
            }
            Call::Roam { host, site } => {
                let site_count = self.sites.len();
                let (id, site) = (self.host(host), self.sites[usize::from(site) % site_count]);
                self.world.roam(id, Ipv4Addr::new(198, 51, 100, host % 10), site);
            }
            Call::Power { host, change } => {
                let host = self.host(host);
                match change % 6 {
                    0 | 1 => self.world.sleep(host),
                    2 => self.world.crash(host),
                    3 => self.world.power_off(host),
                    4 => self.world.start(host),
                    _ => self.world.wake(host),
                }
            }
            Call::Gateway { site, change } => {
                let Some(site) = self.sites[usize::from(site) % self.sites.len()] else { return };
                match change % 6 {
                    0 => self.world.restart_nat(site),
                    1 => self.world.rebind_ports(site),
                    2 => self.world.set_uplink_up(site, change & 8 == 0),
                    3 => self.world.set_firewall(site, Firewall::ONLY_443),
                    4 => self.world.set_firewall(site, Firewall::STATEFUL),
                    _ => self.world.restart_nats(),
                }
            }
            Call::Spoil { place, spoil } => {
                let direction = if spoil & 1 == 0 { Direction::In } else { Direction::Out };
                let link = match self.sites[usize::from(place) % self.sites.len()] {
                    Some(site) => self.world.uplink_mut(site, direction),
                    None => self.world.access_mut(self.hosts[usize::from(place) % self.hosts.len()], direction),
                };
                *link = Link {
                    jitter: Duration::from_millis(u64::from(spoil & 0x30)),
                    lost_per_thousand: u32::from(spoil & 0xc0),
                    duplicated_per_thousand: u32::from(spoil & 0x60),
                    mtu: if spoil & 4 == 0 { u16::MAX } else { 1280 },
                    too_big: if spoil & 8 == 0 { TooBig::BlackHole } else { TooBig::Tell },
                    ..Link::PERFECT
                };
            }
            Call::Wait { milliseconds } => {
                let until = self.world.now() + Duration::from_millis(milliseconds.into());
                while let Some(arrival) = self.world.next_arrival(until) {
                    self.note(arrival.cargo);
                }
            }
        }
    }

    fn note(&mut self, cargo: Cargo) {
        match cargo {
            Cargo::Datagram { from, .. } => {
                self.arrived += 1;
                self.seen.push(from);
            }
            Cargo::Accepted { connection, .. } => self.connections.push(connection),
            _ => {}
        }
    }

    fn connection(&self, number: u8) -> Option<ConnectionId> {
        self.connections.get(usize::from(number) % self.connections.len().max(1)).copied()
    }

    /// Lets everybody be awake, and runs until nothing more happens.
    fn finish(&mut self) {
        self.hosts.clone().into_iter().for_each(|host| self.world.wake(host));
        for _ in 0..100_000 {
            let Some(at) = self.world.next_at() else { return };
            if let Some(arrival) = self.world.next_arrival(at) {
                self.note(arrival.cargo);
            }
        }
        panic!("a world that never comes to rest");
    }
}

fn address_v6(number: u8) -> IpAddr {
    IpAddr::from([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number])
}

/// Something of the world to send.
fn host_byte(world: &World, host: HostId) -> u8 {
    world.address(host).octets()[3]
}

fn played(seed: u8, calls: &[Call]) -> Scene {
    let mut scene = Scene::new(seed);
    calls.iter().for_each(|call| scene.make(call));
    scene.finish();
    scene
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_datagram_has_one_fate_and_all_come_to_rest(seed: u8, calls in prop::collection::vec(call(), 1..200)) {
        let scene = played(seed, &calls);
        let trace = scene.world.trace();
        prop_assert_eq!(trace.sent(), scene.sent);
        prop_assert_eq!(FATES.iter().map(|fate| trace.count(*fate)).sum::<u64>(), scene.sent);
        prop_assert_eq!(trace.count(Fate::InFlight), 0);
        let delivered = trace.count(Fate::Delivered);
        prop_assert!(delivered <= scene.arrived && scene.arrived <= delivered + trace.duplicates());
    }

    #[test]
    fn the_same_seed_and_calls_give_the_same_trace(seed: u8, calls in prop::collection::vec(call(), 1..100)) {
        let (one, other) = (played(seed, &calls), played(seed, &calls));
        prop_assert_eq!(one.world.trace().digest(), other.world.trace().digest());
        prop_assert_eq!(one.world.trace().to_string(), other.world.trace().to_string());
        prop_assert_eq!(one.world.now(), other.world.now());
    }
}
