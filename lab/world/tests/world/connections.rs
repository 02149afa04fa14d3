//! Connections: made, stalled, broken.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::told::{at, ip, news, run, run_for, world};
use wattle_world::{
    Behaviour, Cargo, Cause, ConnectionId, Dependence, Direction, Firewall, Gateway, HostId, SiteId, World, WriteError,
};

const HOME: Behaviour = Behaviour::new(Dependence::EndpointIndependent, Dependence::AddressAndPortDependent);

/// A client at home and a server that listens on 443.
struct Scene {
    world: World,
    home: SiteId,
    client: HostId,
    server: HostId,
}

impl Scene {
    fn new() -> Self {
        let mut world = world();
        let home = world.add_site(Ipv4Addr::new(192, 0, 2, 1), HOME);
        let client = world.add_host(ip("10.0.0.2"), Some(home));
        let server = world.add_host(ip("198.51.100.1"), None);
        world.listen(server, 443);
        Self { world, home, client, server }
    }

    /// Both ends of a connection.
    fn connected() -> (Self, ConnectionId, ConnectionId) {
        let mut scene = Self::new();
        let here = scene.world.connect(scene.client, at("198.51.100.1:443"));
        let arrivals = run(&mut scene.world);
        let there = arrivals.iter().find_map(|arrival| match arrival.cargo {
            Cargo::Accepted { connection, from, port: 443 } if arrival.host == scene.server => {
                assert_eq!(from.ip(), ip("192.0.2.1"));
                Some(connection)
            }
            _ => None,
        });
        assert_eq!(news(arrivals, scene.client), [Cargo::Connected { connection: here }]);
        (scene, here, there.expect("nobody was accepted"))
    }

    fn say(&mut self, by: ConnectionId, text: &str) {
        self.world.write(by, text.as_bytes().to_vec()).expect("it is open");
    }
}

fn message(connection: ConnectionId, text: &str) -> Cargo {
    Cargo::Message { connection, bytes: text.as_bytes().to_vec() }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn messages_come_in_order_and_both_ways() {
    let (mut scene, here, there) = Scene::connected();
    scene.world.conditions.lost_per_thousand = 300;
    let texts: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    for text in &texts {
        scene.say(here, text);
        scene.say(there, text);
    }
    let arrivals = run(&mut scene.world);
    let expected = |connection| texts.iter().map(|text| message(connection, text)).collect::<Vec<_>>();
    assert_eq!(news(arrivals.clone(), scene.server), expected(there));
    assert_eq!(news(arrivals, scene.client), expected(here));
}

#[test]
fn a_way_that_comes_back_in_time_brings_what_waited() {
    let (mut scene, here, there) = Scene::connected();
    scene.say(here, "on its way");
    scene.world.set_uplink_up(scene.home, false);
    scene.say(here, "first");
    scene.say(here, "second");
    let arrivals = run_for(&mut scene.world, seconds(5));
    assert_eq!(news(arrivals, scene.server), [message(there, "on its way")]);
    assert_eq!(scene.world.queued(here), 2);
    scene.world.set_uplink_up(scene.home, true);
    let arrivals = run(&mut scene.world);
    assert_eq!(news(arrivals, scene.server), [message(there, "first"), message(there, "second")]);
}

#[test]
fn a_way_that_stays_down_breaks_the_connection_at_both_ends_in_time() {
    let (mut scene, here, there) = Scene::connected();
    scene.world.uplink_mut(scene.home, Direction::Out).up = false;
    scene.say(here, "lost");
    let start = scene.world.now();
    let arrivals = run_for(&mut scene.world, seconds(16));
    assert_eq!(news(arrivals, scene.client), [Cargo::Broken { connection: here, cause: Cause::TimedOut }]);
    let arrivals = run(&mut scene.world);
    assert_eq!(news(arrivals, scene.server), [Cargo::Broken { connection: there, cause: Cause::TimedOut }]);
    assert!(scene.world.now().since(start) <= seconds(31));
    assert_eq!(scene.world.write(here, vec![1]), Err(WriteError::Closed));
}

#[test]
fn an_idle_connection_outlives_a_short_break() {
    let (mut scene, here, there) = Scene::connected();
    scene.world.set_uplink_up(scene.home, false);
    run_for(&mut scene.world, seconds(300));
    scene.world.set_uplink_up(scene.home, true);
    scene.say(there, "still there?");
    assert_eq!(news(run(&mut scene.world), scene.client), [message(here, "still there?")]);
}

#[test]
fn a_restarted_nat_resets_the_client_when_it_writes() {
    let (mut scene, here, there) = Scene::connected();
    scene.world.restart_nat(scene.home);
    assert_eq!(run(&mut scene.world), [], "nobody notices at first");
    scene.say(there, "dropped by the NAT");
    scene.say(here, "from nowhere");
    let arrivals = run(&mut scene.world);
    assert_eq!(news(arrivals.clone(), scene.client), [Cargo::Broken { connection: here, cause: Cause::Reset }]);
    assert_eq!(news(arrivals, scene.server), [Cargo::Broken { connection: there, cause: Cause::TimedOut }]);
}

#[test]
fn who_roams_loses_connections_at_once_and_the_others_find_out_later() {
    let (mut scene, here, there) = Scene::connected();
    scene.world.roam(scene.client, ip("198.51.100.9"), None);
    let arrivals = run_for(&mut scene.world, seconds(1));
    let broken = Cargo::Broken { connection: here, cause: Cause::AddressGone };
    assert_eq!(news(arrivals, scene.client), [broken, Cargo::NetworkChanged]);
    let arrivals = run(&mut scene.world);
    assert_eq!(news(arrivals, scene.server), [Cargo::Broken { connection: there, cause: Cause::TimedOut }]);
}

#[test]
fn a_sleeper_loses_what_waited_too_long() {
    let (mut scene, here, there) = Scene::connected();
    scene.world.sleep(scene.client);
    scene.say(there, "good night");
    let arrivals = run_for(&mut scene.world, seconds(60));
    assert_eq!(news(arrivals, scene.server), [Cargo::Broken { connection: there, cause: Cause::TimedOut }]);
    scene.world.wake(scene.client);
    let news = news(run(&mut scene.world), scene.client);
    assert_eq!(news[..2], [Cargo::Woke { slept: seconds(60) }, Cargo::NetworkChanged]);
    assert!(matches!(news[2..], [Cargo::Broken { connection, .. }] if connection == here), "{news:?}");
}

#[test]
fn what_was_on_its_way_to_a_short_sleeper_comes_first_when_it_wakes() {
    let (mut scene, here, there) = Scene::connected();
    scene.say(there, "one");
    scene.say(there, "two");
    scene.world.sleep(scene.client);
    run_for(&mut scene.world, seconds(2));
    scene.say(there, "three");
    scene.world.wake(scene.client);
    let news = news(run(&mut scene.world), scene.client);
    assert_eq!(news[2..], ["one", "two", "three"].map(|text| message(here, text)));
}

#[test]
fn a_crashed_server_resets_and_refuses_until_it_starts() {
    let (mut scene, here, _) = Scene::connected();
    scene.world.crash(scene.server);
    assert_eq!(news(run(&mut scene.world), scene.client), [Cargo::Broken { connection: here, cause: Cause::Reset }]);
    let connection = scene.world.connect(scene.client, at("198.51.100.1:443"));
    let refused = Cargo::Refused { connection, cause: Cause::Refused };
    assert_eq!(news(run(&mut scene.world), scene.client), [refused]);
    scene.world.start(scene.server);
    let connection = scene.world.connect(scene.client, at("198.51.100.1:443"));
    assert_eq!(news(run(&mut scene.world), scene.client), [Cargo::Connected { connection }]);
}

#[test]
fn a_server_without_power_is_only_silent() {
    let (mut scene, here, _) = Scene::connected();
    scene.world.power_off(scene.server);
    let connection = scene.world.connect(scene.client, at("198.51.100.1:443"));
    scene.say(here, "hello?");
    let news = news(run(&mut scene.world), scene.client);
    assert!(news.contains(&Cargo::Refused { connection, cause: Cause::TimedOut }));
    assert!(news.contains(&Cargo::Broken { connection: here, cause: Cause::TimedOut }));
    assert_eq!(news.len(), 2);
}

#[test]
fn a_close_comes_after_what_was_written_before() {
    let (mut scene, here, there) = Scene::connected();
    scene.say(here, "goodbye");
    scene.world.close(here);
    let closed = Cargo::Closed { connection: there };
    assert_eq!(news(run(&mut scene.world), scene.server), [message(there, "goodbye"), closed]);
    assert_eq!(scene.world.write(there, vec![1]), Err(WriteError::Closed));
}

#[test]
fn firewalls_let_some_connections_out_and_none_in() {
    let mut world = world();
    let strict = world.add_network(Gateway::routed().with_firewall(Firewall::ONLY_443));
    let inside = world.add_host(ip("2001:db8::2"), Some(strict));
    let outside = world.add_host(ip("2001:db8:1::1"), None);
    for (host, port) in [(inside, 443), (outside, 443), (outside, 80)] {
        world.listen(host, port);
    }
    let [allowed, other_port] = ["[2001:db8:1::1]:443", "[2001:db8:1::1]:80"].map(|to| world.connect(inside, at(to)));
    let inwards = world.connect(outside, at("[2001:db8::2]:443"));
    let arrivals = run(&mut world);
    let refused = |connection| Cargo::Refused { connection, cause: Cause::TimedOut };
    assert_eq!(news(arrivals.clone(), inside), [Cargo::Connected { connection: allowed }, refused(other_port)]);
    assert!(news(arrivals, outside).contains(&refused(inwards)));
    world.set_firewall(strict, Firewall::NOTHING);
    world.write(allowed, vec![1]).unwrap();
    let broken = Cargo::Broken { connection: allowed, cause: Cause::TimedOut };
    assert_eq!(news(run(&mut world), inside), [broken]);
}
