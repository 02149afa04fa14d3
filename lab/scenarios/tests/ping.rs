//! Pings that a person asks for.

use std::time::Duration;

use wattle_path::Way;
use wattle_scenarios::{Mesh, Peering, Place};

const THERE: Peering = Peering { from: 0, to: 1 };

#[test]
fn a_person_learns_which_way_answers() {
    let mut mesh = Mesh::settled(1, &[Place::Blocked, Place::Open]);
    let id = mesh.ping(THERE).unwrap();
    mesh.run(Duration::from_secs(6));
    let (way, latency) = mesh.answer(id).unwrap();
    assert!(matches!(way, Way::Relay { .. }), "{way:?}");
    assert!(latency > Duration::from_millis(30), "{latency:?} there and back through a relay");
}

#[test]
fn repeated_pings_end_on_a_direct_path() {
    let mut mesh = Mesh::settled(2, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
    let mut ways = Vec::new();
    for _ in 0..5 {
        let id = mesh.ping(THERE).unwrap();
        mesh.run(Duration::from_secs(1));
        ways.push(mesh.answer(id).unwrap().0);
    }
    assert!(matches!(ways.last(), Some(Way::Udp(_))), "{ways:?}");
}
