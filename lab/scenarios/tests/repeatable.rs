//! One seed gives one run, to the byte.

use std::time::Duration;

use wattle_scenarios::{Mesh, Place};

fn run(seed: u8) -> String {
    let mut mesh = Mesh::settled(seed, &[Place::PORT_FILTERED, Place::SYMMETRIC, Place::Open, Place::home(1)]);
    mesh.world.conditions.lost_per_thousand = 100;
    for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
        mesh.talk(a, b);
    }
    mesh.run(Duration::from_secs(60));
    mesh.roam(0, Place::home(1));
    mesh.restart(2);
    mesh.run(Duration::from_secs(60));
    mesh.world.trace().to_string()
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let first = run(7);
    assert!(!first.is_empty());
    assert!(first == run(7), "two runs of one seed differ");
    assert!(first != run(8));
}
