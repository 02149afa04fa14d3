//! Two nodes that talk reach each other directly exactly where hole punching can work.

use std::time::Duration;

use wattle_scenarios::{Mesh, Peering, Place};

const THERE: Peering = Peering { from: 0, to: 1 };
const BACK: Peering = Peering { from: 1, to: 0 };

#[test]
fn every_pair_of_places_is_direct_if_it_can_be() {
    for (seed, a) in Place::ALL.into_iter().enumerate() {
        for b in Place::ALL {
            let mut mesh = Mesh::settled(seed as u8, &[a, b]);
            let start = mesh.world.now();
            mesh.talk(0, 1);
            let took = mesh.run_until(Duration::from_secs(5), |mesh| mesh.is_direct(0, 1));
            assert_eq!(took.is_some(), a.can_be_direct(b), "{a:?} and {b:?}: {took:?}");
            if let Some(took) = took {
                assert!(took < Duration::from_millis(300), "{a:?} and {b:?} took {took:?}");
            }
            mesh.run(Duration::from_secs(60));
            assert_eq!(mesh.is_direct(0, 1), a.can_be_direct(b), "{a:?} and {b:?} after a minute");
            assert_eq!((mesh.lost(THERE, start), mesh.lost(BACK, start)), (0, 0), "{a:?} and {b:?} lost data");
        }
    }
}

#[test]
fn two_nodes_at_home_use_the_local_network() {
    let mut mesh = Mesh::settled(1, &[Place::home(1), Place::home(1), Place::Open]);
    mesh.talk(0, 1);
    mesh.run(Duration::from_secs(10));
    assert!(mesh.is_direct(0, 1));
    let address = mesh.route(THERE).udp.unwrap().to;
    assert!(address.to_string().starts_with("192.168.7."), "{address} is not local");
}

#[test]
fn one_way_traffic_becomes_direct_too() {
    let mut mesh = Mesh::settled(2, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
    mesh.talk_one_way(THERE);
    mesh.run(Duration::from_secs(30));
    let route = mesh.route(THERE);
    assert!(route.udp.is_some() && route.relay.is_none(), "{route:?}");
}

#[test]
fn a_fifth_of_all_datagrams_lost_delays_direct_paths_and_prevents_none() {
    for seed in 0..10 {
        let mut mesh = Mesh::settled(seed, &[Place::PORT_FILTERED, Place::PORT_FILTERED]);
        mesh.world.conditions.lost_per_thousand = 200;
        mesh.talk(0, 1);
        let took = mesh.run_until(Duration::from_secs(30), |mesh| mesh.is_direct(0, 1));
        assert!(took.is_some(), "seed {seed}");
    }
}
