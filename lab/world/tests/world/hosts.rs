//! Hosts that gain and lose interfaces, sleep, and are told.

use std::net::Ipv4Addr;
use std::time::Duration;

use wattle_world::{Behaviour, Cargo, Cause, Dependence, Fate};

use super::told::{at, datagrams, ip, news, run, run_for, world};

const HOME: Behaviour = Behaviour::new(Dependence::EndpointIndependent, Dependence::AddressAndPortDependent);

#[test]
fn a_phone_that_leaves_home_goes_on_by_its_other_interface_and_is_told() {
    let mut world = world();
    let [home, carrier] = [1, 2].map(|last| world.add_site(Ipv4Addr::new(192, 0, 2, last), HOME));
    let server = world.add_host(ip("198.51.100.1"), None);
    world.listen(server, 443);
    let phone = world.add_bare_host();
    let wifi = world.attach(phone, Some(home), &[ip("192.168.1.2")]);
    let mobile = world.attach(phone, Some(carrier), &[ip("10.0.0.2")]);
    run(&mut world);
    let connection = world.connect(phone, at("198.51.100.1:443"));
    run(&mut world);
    world.detach(phone, wifi);
    let broken = Cargo::Broken { connection, cause: Cause::AddressGone };
    assert_eq!(news(run_for(&mut world, Duration::from_millis(1)), phone), [broken, Cargo::NetworkChanged]);
    assert_eq!(world.addresses(phone).collect::<Vec<_>>(), [(mobile, ip("10.0.0.2"))]);
    world.send(phone, 1, at("198.51.100.1:1"), vec![1]);
    assert_eq!(datagrams(&run(&mut world))[0].1.ip(), ip("192.0.2.2"));
}

#[test]
fn the_preferred_interface_is_the_way_to_the_world() {
    let mut world = world();
    let [cable, wifi] = [1, 2].map(|last| world.add_site(Ipv4Addr::new(192, 0, 2, last), HOME));
    world.add_host(ip("198.51.100.1"), None);
    let laptop = world.add_host(ip("192.168.1.2"), Some(wifi));
    let plugged = world.attach(laptop, Some(cable), &[ip("192.168.2.2")]);
    world.prefer(laptop, plugged);
    world.send(laptop, 1, at("198.51.100.1:1"), vec![1]);
    assert_eq!(datagrams(&run(&mut world))[0].1.ip(), ip("192.0.2.1"));
}

#[test]
fn a_sleeper_neither_sends_nor_gets() {
    let mut world = world();
    let [a, b] = ["198.51.100.1", "198.51.100.2"].map(|address| world.add_host(ip(address), None));
    let fell_asleep_at = world.now();
    world.sleep(b);
    world.send(a, 1, at("198.51.100.2:1"), vec![1]);
    world.send(b, 1, at("198.51.100.1:1"), vec![1]);
    assert_eq!(run(&mut world), []);
    let count = |fate| world.trace().count(fate);
    assert_eq!([count(Fate::Asleep), count(Fate::Unsent)], [1, 1]);
    run_for(&mut world, Duration::from_secs(7));
    world.wake(b);
    let slept = world.now().since(fell_asleep_at);
    assert_eq!(news(run(&mut world), b), [Cargo::Woke { slept }, Cargo::NetworkChanged]);
}

#[test]
fn an_address_that_moves_on_takes_its_datagrams_along() {
    let mut world = world();
    let [a, b] = ["198.51.100.1", "198.51.100.2"].map(|address| world.add_host(ip(address), None));
    let c = world.add_bare_host();
    world.send(a, 1, at("198.51.100.2:1"), vec![1]);
    world.roam(b, ip("198.51.100.3"), None);
    world.attach(c, None, &[ip("198.51.100.2")]);
    assert_eq!(datagrams(&run(&mut world)), [(c, at("198.51.100.1:1"))], "it was still on its way");
    assert_eq!(world.address(b), Ipv4Addr::new(198, 51, 100, 3));
}
