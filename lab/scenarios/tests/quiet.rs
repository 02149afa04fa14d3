//! What nodes cost that have nothing to say, and those that do.

use std::time::Duration;

use wattle_scenarios::{Mesh, Peering, Place};

#[test]
fn nodes_without_traffic_send_nothing_and_wait_for_nothing() {
    let mut mesh = Mesh::settled(1, &[Place::PORT_FILTERED; 8]);
    let since = mesh.world.now();
    mesh.run(Duration::from_secs(3600));
    assert_eq!(mesh.world.trace().datagrams_since(since), 0);
    assert_eq!(mesh.next_timeouts(), Vec::<&str>::new());
}

#[test]
fn after_the_last_word_all_goes_quiet_within_a_minute() {
    let mut mesh = Mesh::settled(2, &[Place::PORT_FILTERED; 3]);
    mesh.talk(0, 1);
    mesh.talk(1, 2);
    mesh.run(Duration::from_secs(60));
    mesh.hush();
    mesh.run(Duration::from_secs(60));
    let since = mesh.world.now();
    mesh.run(Duration::from_secs(3600));
    assert_eq!(mesh.world.trace().datagrams_since(since), 0);
    assert_eq!(mesh.next_timeouts(), Vec::<&str>::new(), "what was learnt is forgotten");
}

#[test]
fn a_path_that_was_quiet_has_the_relay_beside_it_until_it_answers() {
    let mut mesh = Mesh::settled(3, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(20));
    mesh.hush();
    mesh.run(Duration::from_secs(120));
    let route = mesh.route(Peering { from: 0, to: 1 });
    assert!(route.udp.is_some() && route.relay.is_some(), "{route:?}");
    let since = mesh.world.now();
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(20));
    assert_eq!(mesh.lost(Peering { from: 0, to: 1 }, since), 0, "the first word after silence arrives");
    assert!(mesh.is_direct(0, 1));
}

#[test]
fn a_direct_pair_pings_once_per_heartbeat_and_little_more() {
    let mut mesh = Mesh::settled(4, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(30));
    let (since, sent) = (mesh.world.now(), mesh.said());
    mesh.run(Duration::from_secs(60));
    let overhead = mesh.world.trace().datagrams_since(since) - (mesh.said() - sent);
    // Each node: 20 heartbeats, 20 pongs, a round over a few candidates with its pongs, and STUN thrice.
    assert!(overhead < 2 * (40 + 20 + 20), "{overhead} datagrams beside data in a minute");
}

#[test]
fn a_pair_that_can_never_be_direct_tries_less_and_less() {
    let mut mesh = Mesh::settled(5, &[Place::SYMMETRIC, Place::SYMMETRIC]);
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(300));
    let since = mesh.world.now();
    mesh.run(Duration::from_secs(600));
    let per_minute = mesh.world.trace().datagrams_since(since) / 10;
    assert!(per_minute < 2 * 40, "{per_minute} datagrams a minute");
    assert!(!mesh.is_direct(0, 1));
}
