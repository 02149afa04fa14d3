//! Nodes move and restart while they talk.

use std::time::Duration;

use wattle_scenarios::{Mesh, Peering, Place};

const THERE: Peering = Peering { from: 0, to: 1 };
const BACK: Peering = Peering { from: 1, to: 0 };

#[test]
fn a_node_that_roams_is_direct_again_within_seconds() {
    for (seed, place) in [Place::Open, Place::PORT_FILTERED, Place::home(3)].into_iter().enumerate() {
        let mut mesh = Mesh::settled(seed as u8, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
        mesh.talk(0, 1);
        mesh.run(Duration::from_secs(10));
        mesh.roam(1, place);
        mesh.run(Duration::from_secs(1));
        let since = mesh.world.now();
        let took = mesh.run_until(Duration::from_secs(30), |mesh| mesh.is_direct(0, 1));
        assert!(took.is_some_and(|took| took < Duration::from_secs(1)), "{place:?}: {took:?}");
        mesh.run(Duration::from_secs(5));
        assert_eq!((mesh.lost(THERE, since), mesh.lost(BACK, since)), (0, 0), "{place:?}");
    }
}

#[test]
fn a_restarted_node_is_known_again_by_its_key_from_the_map() {
    let mut mesh = Mesh::settled(4, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(10));
    mesh.restart(1);
    let since = mesh.world.now();
    mesh.run(Duration::from_secs(1));
    let took = mesh.run_until(Duration::from_secs(30), |mesh| mesh.is_direct(0, 1));
    assert!(took.is_some_and(|took| took < Duration::from_secs(9)), "{took:?}");
    mesh.run(Duration::from_secs(5));
    assert_eq!((mesh.lost(THERE, since), mesh.lost(BACK, since)), (0, 0));
}

#[test]
fn a_restarted_node_is_known_again_by_its_key_from_the_tunnel_when_control_is_away() {
    let mut mesh = Mesh::settled(5, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(10));
    mesh.restart(1);
    mesh.cut_control();
    mesh.run(Duration::from_secs(30));
    assert!(!mesh.is_direct(0, 1), "nobody has told the new key");
    mesh.advertise_disco_key(BACK);
    let took = mesh.run_until(Duration::from_secs(70), |mesh| mesh.is_direct(0, 1));
    assert!(took.is_some_and(|took| took < Duration::from_secs(6)), "{took:?}");
}
