//! A direct path stops, or never carried data: the relay takes over, and the direct path is taken up again when it can be.

use std::time::Duration;

use wattle_scenarios::{Mesh, Peering, Place};
use wattle_wire::disco;
use wattle_world::Blockade;

const THERE: Peering = Peering { from: 0, to: 1 };
const BACK: Peering = Peering { from: 1, to: 0 };

fn direct_pair(seed: u8) -> Mesh {
    let mut mesh = Mesh::settled(seed, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(20));
    assert!(mesh.is_direct(0, 1));
    mesh
}

#[test]
fn when_udp_is_cut_the_relay_takes_over_within_a_heartbeat_and_a_ping_timeout() {
    let mut mesh = direct_pair(1);
    mesh.set_blockade(1, Blockade::AllDatagrams);
    let relayed = |mesh: &Mesh| [THERE, BACK].into_iter().all(|peering| mesh.route(peering).relay.is_some());
    let took = mesh.run_until(Duration::from_secs(20), relayed).unwrap();
    assert!(took <= Duration::from_secs(8), "took {took:?}");
    let since = mesh.world.now();
    mesh.run(Duration::from_secs(60));
    assert_eq!((mesh.lost(THERE, since), mesh.lost(BACK, since)), (0, 0));
}

#[test]
fn when_udp_works_again_so_does_the_direct_path() {
    let mut mesh = direct_pair(2);
    mesh.set_blockade(1, Blockade::AllDatagrams);
    mesh.run(Duration::from_secs(300));
    assert!(!mesh.is_direct(0, 1));
    mesh.set_blockade(1, Blockade::None);
    let since = mesh.world.now();
    let took = mesh.run_until(Duration::from_secs(120), |mesh| mesh.is_direct(0, 1)).unwrap();
    assert!(took <= Duration::from_secs(65), "took {took:?}");
    assert_eq!((mesh.lost(THERE, since), mesh.lost(BACK, since)), (0, 0), "the way back to direct lost data");
}

#[test]
fn a_path_that_passes_pings_but_never_data_never_loses_the_relay() {
    let mut mesh = Mesh::settled(3, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
    mesh.set_blockade(1, Blockade::AllBut(&disco::MAGIC));
    let start = mesh.world.now();
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(600));
    assert_eq!((mesh.lost(THERE, start), mesh.lost(BACK, start)), (0, 0));
}

#[test]
fn a_path_that_stops_passing_data_gets_the_relay_back_though_its_pings_pass() {
    let mut mesh = direct_pair(4);
    mesh.set_blockade(1, Blockade::AllBut(&disco::MAGIC));
    let relayed = |mesh: &Mesh| [THERE, BACK].into_iter().all(|peering| mesh.route(peering).relay.is_some());
    let took = mesh.run_until(Duration::from_secs(60), relayed).unwrap();
    assert!(took <= Duration::from_secs(17), "took {took:?}");
    let since = mesh.world.now();
    mesh.run(Duration::from_secs(300));
    assert_eq!((mesh.lost(THERE, since), mesh.lost(BACK, since)), (0, 0));
    mesh.set_blockade(1, Blockade::None);
    let took = mesh.run_until(Duration::from_secs(1000), |mesh| mesh.is_direct(0, 1));
    assert!(took.is_some(), "direct again once data passes");
}

#[test]
fn a_nat_that_restarts_is_got_through_again() {
    let mut mesh = direct_pair(5);
    mesh.restart_nats();
    let took = mesh.run_until(Duration::from_secs(60), |mesh| !mesh.is_direct(0, 1));
    let again = mesh.run_until(Duration::from_secs(60), |mesh| mesh.is_direct(0, 1));
    assert!(again.is_some(), "lost after {took:?} and not found again");
}
