//! Networks in networks: NATs, firewalls, families, and the LAN that is left without internet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::told::{at, datagrams, ip, mapping, run, run_for, world};
use wattle_world::{
    Behaviour, Dependence, Direction, Fate, Firewall, Gateway, Hairpinning, Inbound, PortMapping, Ports, V4, World,
};

const HOME: Behaviour = Behaviour::new(Dependence::EndpointIndependent, Dependence::AddressAndPortDependent);
const OPEN_CONE: Behaviour = Behaviour::new(Dependence::EndpointIndependent, Dependence::EndpointIndependent);

fn outside(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

#[test]
fn an_answer_finds_its_way_back_through_two_nats() {
    let mut world = world();
    let carrier = world.add_site(outside(1), HOME);
    let home = world.add_network(Gateway::nat(Ipv4Addr::new(100, 64, 0, 2), HOME).inside(carrier));
    let host = world.add_host(ip("192.168.1.2"), Some(home));
    let server = world.add_host(ip("198.51.100.1"), None);
    world.send(host, 1000, at("198.51.100.1:3478"), b"question".to_vec());
    let [(_, seen)] = datagrams(&run(&mut world))[..] else { panic!("no question") };
    assert_eq!(seen.ip(), IpAddr::V4(outside(1)));
    world.send(server, 3478, seen, b"answer".to_vec());
    assert_eq!(datagrams(&run(&mut world)), [(host, at("198.51.100.1:3478"))]);
}

#[test]
fn homes_behind_one_carrier_meet_inside_it_only_by_inside_addresses() {
    for (hairpinning, arrives) in
        [(Hairpinning::Off, false), (Hairpinning::ExternalSource, true), (Hairpinning::InternalSource, true)]
    {
        let mut world = world();
        let carrier = world.add_site(outside(1), Behaviour { hairpinning, ..OPEN_CONE });
        let [a, b] = [2, 3].map(|last| {
            let home = world.add_network(Gateway::nat(Ipv4Addr::new(100, 64, 0, last), OPEN_CONE).inside(carrier));
            world.add_host(ip("192.168.1.2"), Some(home))
        });
        world.add_host(ip("198.51.100.1"), None);
        for host in [a, b] {
            world.send(host, 1000, at("198.51.100.1:3478"), b"question".to_vec());
        }
        let [(_, seen_a), (_, seen_b)] = datagrams(&run(&mut world))[..] else { panic!("no questions") };
        world.send(a, 1000, seen_b, b"hello".to_vec());
        let expected_from = match hairpinning {
            Hairpinning::InternalSource => at("100.64.0.2:20000"),
            Hairpinning::Off | Hairpinning::ExternalSource => seen_a,
        };
        let expected = if arrives { vec![(b, expected_from)] } else { vec![] };
        assert_eq!(datagrams(&run(&mut world)), expected, "{hairpinning:?}");
        assert_eq!(world.trace().count(Fate::NoHairpin), u64::from(!arrives));
    }
}

#[test]
fn a_carrier_spreads_hosts_over_its_addresses_and_keeps_each_on_one() {
    let mut world = world();
    let v4 = V4::Translated { outside: vec![outside(1), outside(2)], behaviour: HOME };
    let carrier = world.add_network(Gateway { v4, ..Gateway::routed() });
    let [a, b] = ["10.0.0.2", "10.0.0.3"].map(|address| world.add_host(ip(address), Some(carrier)));
    let server = "198.51.100.1";
    world.add_host(ip(server), None);
    for (host, port) in [(a, 1), (b, 1), (a, 2), (b, 2)] {
        world.send(host, port, at("198.51.100.1:3478"), vec![1]);
    }
    let mut seen: Vec<IpAddr> = datagrams(&run(&mut world)).iter().map(|(_, from)| from.ip()).collect();
    seen.sort();
    assert_eq!(seen, [outside(1), outside(1), outside(2), outside(2)]);
}

#[test]
fn both_sides_may_punch_at_once() {
    let mut world = world();
    let hosts = [1, 2].map(|last| {
        let behaviour = Behaviour { ports: Ports::Preserving, ..HOME };
        let site = world.add_site(outside(last), behaviour);
        world.add_host(ip("192.168.1.2"), Some(site))
    });
    // Each leaves before the other's has arrived, and opens the door for it.
    for (host, other) in [(hosts[0], "192.0.2.2:1000"), (hosts[1], "192.0.2.1:1000")] {
        world.send(host, 1000, at(other), vec![1]);
    }
    assert_eq!(datagrams(&run(&mut world)).len(), 2);
}

#[test]
fn what_nobody_mapped_and_what_is_not_let_in_have_different_fates() {
    let mut world = world();
    let site = world.add_site(outside(1), Behaviour { ports: Ports::Preserving, ..HOME });
    let host = world.add_host(ip("192.168.1.2"), Some(site));
    let server = world.add_host(ip("198.51.100.1"), None);
    world.send(server, 9, at("192.0.2.1:1000"), vec![1]);
    run(&mut world);
    world.send(host, 1000, at("198.51.100.1:3478"), vec![1]);
    world.send(server, 9, at("192.0.2.1:1000"), vec![1]);
    world.send(server, 9, at("192.0.2.9:1000"), vec![1]);
    run(&mut world);
    let count = |fate| world.trace().count(fate);
    assert_eq!([count(Fate::NoMapping), count(Fate::Filtered), count(Fate::NoHost)], [1, 1, 1]);
}

#[test]
fn a_nat_that_restarts_moves_or_rebinds_is_seen_from_outside() {
    let mut world = world();
    let site = world.add_site(outside(1), HOME);
    let host = world.add_host(ip("192.168.1.2"), Some(site));
    world.add_host(ip("198.51.100.1"), None);
    let seen = |world: &mut World| {
        world.send(host, 1000, at("198.51.100.1:3478"), vec![1]);
        datagrams(&run(world))[0].1
    };
    let first = seen(&mut world);
    assert_eq!(seen(&mut world), first);
    world.rebind_ports(site);
    let second = seen(&mut world);
    assert_ne!(second, first);
    world.move_nat(site, outside(7));
    let third = seen(&mut world);
    assert_eq!(third.ip(), IpAddr::V4(outside(7)));
    world.restart_nat(site);
    assert_ne!(seen(&mut world), third);
}

#[test]
fn a_stateful_firewall_lets_in_only_answers() {
    let mut world = world();
    let site = world.add_network(Gateway::routed().with_firewall(Firewall::STATEFUL));
    let host = world.add_host(ip("2001:db8:1::2"), Some(site));
    let server = world.add_host(ip("2001:db8:2::1"), None);
    world.send(server, 9, at("[2001:db8:1::2]:1000"), vec![1]);
    assert_eq!(run(&mut world), []);
    world.send(host, 1000, at("[2001:db8:2::1]:9"), vec![1]);
    run(&mut world);
    world.send(server, 9, at("[2001:db8:1::2]:1000"), vec![1]);
    assert_eq!(datagrams(&run(&mut world)), [(host, at("[2001:db8:2::1]:9"))], "nothing is translated");
    run_for(&mut world, Duration::from_secs(120));
    world.send(server, 9, at("[2001:db8:1::2]:1000"), vec![1]);
    assert_eq!(run(&mut world), []);
    assert_eq!(world.trace().count(Fate::Firewalled), 2);
}

#[test]
fn a_firewall_may_let_no_datagrams_through() {
    let mut world = world();
    let site = world.add_network(Gateway::nat(outside(1), HOME).with_firewall(Firewall::NO_UDP));
    let host = world.add_host(ip("10.0.0.2"), Some(site));
    world.add_host(ip("198.51.100.1"), None);
    world.send(host, 1, at("198.51.100.1:3478"), vec![1]);
    assert_eq!(run(&mut world), []);
    assert_eq!(world.trace().count(Fate::Firewalled), 1);
    world.set_firewall(site, Firewall { inbound: Inbound::Open, ..Firewall::OPEN });
    world.send(host, 1, at("198.51.100.1:3478"), vec![1]);
    assert_eq!(run(&mut world).len(), 1);
}

#[test]
fn neighbours_talk_while_the_internet_is_away() {
    let mut world = world();
    let site = world.add_site(outside(1), HOME);
    let [a, b] = ["10.0.0.2", "10.0.0.3"].map(|address| world.add_host(ip(address), Some(site)));
    world.add_host(ip("198.51.100.1"), None);
    world.set_uplink_up(site, false);
    world.send(a, 1, at("198.51.100.1:3478"), vec![1]);
    world.send(a, 1, at("10.0.0.3:1"), vec![1]);
    assert_eq!(datagrams(&run(&mut world)), [(b, at("10.0.0.2:1"))]);
    assert_eq!(world.trace().count(Fate::LinkDown), 1);
}

#[test]
fn a_host_sends_from_the_interface_that_is_nearest() {
    let mut world = world();
    let [near, far] = [1, 2].map(|last| world.add_site(outside(last), HOME));
    let host = world.add_bare_host();
    world.attach(host, Some(far), &[ip("10.0.0.2"), ip("fe80::1")]);
    world.attach(host, Some(near), &[ip("10.9.0.2"), ip("2001:db8::1"), ip("fe80::1")]);
    let neighbour = world.add_host(ip("10.9.0.3"), Some(near));
    world.attach(neighbour, Some(near), &[ip("fe80::2")]);
    world.add_host(ip("198.51.100.1"), None);
    run(&mut world);
    let mut seen = |to: &str| {
        world.send(host, 1, at(to), vec![1]);
        datagrams(&run(&mut world)).first().map(|(_, from)| from.ip())
    };
    assert_eq!(seen("10.9.0.3:1"), Some(ip("10.9.0.2")));
    assert_eq!(seen("198.51.100.1:1"), Some(outside(2).into()));
    assert_eq!(seen("[fe80::2]:1"), Some(ip("fe80::1")), "link-local stays on its link");
    assert!(world.has_route(host, ip("2001:db8:7::1")) && !world.has_route(neighbour, ip("2001:db8:7::1")));
}

#[test]
fn without_ipv6_outside_it_still_works_inside() {
    let mut world = world();
    let site = world.add_site(outside(1), HOME);
    let [a, b] = ["fd00::1", "fd00::2"].map(|address| world.add_host(ip(address), Some(site)));
    world.add_host(ip("2001:db8::1"), None);
    world.send(a, 1, at("[fd00::2]:1"), vec![1]);
    world.send(a, 1, at("[2001:db8::1]:1"), vec![1]);
    assert_eq!(datagrams(&run(&mut world)), [(b, at("[fd00::1]:1"))]);
    assert_eq!(world.trace().count(Fate::NoRoute), 1);
}

#[test]
fn a_gateway_that_is_asked_for_a_mapping_grants_refuses_lies_or_is_silent() {
    for (answers, outside_address) in [
        (PortMapping::Off, None),
        (PortMapping::Refusing, None),
        (PortMapping::On, Some(outside(1))),
        (PortMapping::Lying(outside(200)), Some(outside(200))),
    ] {
        let mut world = world();
        let site = world.add_site(outside(1), HOME);
        let host = world.add_host(ip("10.0.0.2"), Some(site));
        let stranger = world.add_host(ip("198.51.100.1"), None);
        world.set_port_mapping(site, answers);
        world.request_mapping(host, 41641, 0, Duration::from_secs(60));
        let answer = mapping(&run(&mut world));
        let said = answer.and_then(Result::ok).map(|mapped| mapped.outside);
        assert_eq!(said, outside_address.map(|address| SocketAddr::new(address.into(), 41641)));
        assert_eq!(answer.is_none(), answers == PortMapping::Off);
        world.send(stranger, 1, SocketAddr::new(outside(1).into(), 41641), vec![1]);
        assert_eq!(datagrams(&run(&mut world)).len(), usize::from(said.is_some()), "{answers:?}");
    }
}

#[test]
fn an_uplink_delays_each_direction_by_its_own() {
    let mut world = world();
    let site = world.add_site(outside(1), HOME);
    let host = world.add_host(ip("10.0.0.2"), Some(site));
    let server = world.add_host(ip("198.51.100.1"), None);
    world.uplink_mut(site, Direction::Out).latency = Duration::from_millis(100);
    world.uplink_mut(site, Direction::In).latency = Duration::from_millis(30);
    let base = {
        let start = world.now();
        world.send(host, 1, at("198.51.100.1:1"), vec![1]);
        let seen = datagrams(&run(&mut world))[0].1;
        let out = world.now().since(start);
        let start = world.now();
        world.send(server, 1, seen, vec![1]);
        assert_eq!(datagrams(&run(&mut world)).len(), 1);
        (out, world.now().since(start))
    };
    assert_eq!(base.0 - Duration::from_millis(100), base.1 - Duration::from_millis(30));
}

#[test]
fn one_may_ask_who_is_behind_an_address_without_a_trace() {
    let mut world = world();
    let carrier = world.add_site(outside(1), HOME);
    let home = world.add_network(Gateway::nat(Ipv4Addr::new(100, 64, 0, 2), HOME).inside(carrier));
    let host = world.add_host(ip("192.168.1.2"), Some(home));
    let server = world.add_host(ip("198.51.100.1"), None);
    world.send(host, 1000, at("198.51.100.1:3478"), vec![1]);
    let seen = datagrams(&run(&mut world))[0].1;
    let digest = world.trace().digest();
    assert_eq!(world.recipient(server, seen), Some(host), "filters do not matter");
    assert_eq!(world.recipient(host, at("198.51.100.1:9")), Some(server));
    assert_eq!(world.recipient(server, at("192.0.2.1:9")), None);
    assert_eq!(world.trace().digest(), digest);
    run_for(&mut world, Duration::from_secs(30));
    assert_eq!(world.recipient(server, seen), None, "the mapping has run out");
}
