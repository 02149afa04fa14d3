//! Who keeps a place.

use std::time::Duration;

use super::*;

const START: Instant = Instant::from_nanos(1_000_000_000);

/// A flow to a peer, told apart by number.
fn flow(peer: u32, number: u32) -> Flow {
    let [a, b, high, low] = number.to_be_bytes();
    let [_, c, d, e] = peer.to_be_bytes();
    let port = u16::from_be_bytes([high, low]);
    Flow { protocol: 17, source: ([100, 64, a, b], port).into(), destination: ([10, c, d, e], 53).into() }
}

fn remember(flows: &Flows, peer: u32, numbers: std::ops::Range<u32>, now: Instant) {
    numbers.for_each(|number| flows.remember(&flow(peer, number), peer, now));
}

/// How many of these flows' answers are let in. Asking counts as use.
fn known(flows: &Flows, peer: u32, numbers: std::ops::Range<u32>, now: Instant) -> usize {
    numbers.filter(|number| flows.expects(&flow(peer, *number).reversed(), now)).count()
}

const PLACES: usize = FLOW_SETS * FLOW_WAYS;

#[test]
fn only_the_other_direction_is_expected() {
    let flows = Flows::new([1; 32]);
    flows.remember(&flow(1, 1), 1, START);
    assert!(flows.expects(&flow(1, 1).reversed(), START));
    assert!(!flows.expects(&flow(1, 1), START));
    assert!(!flows.expects(&flow(1, 2).reversed(), START));
    assert!(!flows.expects(&Flow { protocol: 132, ..flow(1, 1).reversed() }, START));
}

#[test]
fn a_flow_that_moves_to_another_peer_is_expected_still_and_counted_there() {
    // So routes move when a subnet router fails.
    let flows = Flows::new([1; 32]);
    flows.remember(&flow(1, 1), 1, START);
    flows.remember(&flow(1, 1), 2, START);
    assert!(flows.expects(&flow(1, 1).reversed(), START));
    let held = [1, 2].map(|peer: usize| flows.held[peer].load(Ordering::Relaxed));
    assert_eq!(held, [0, 1]);
}

#[test]
fn one_peer_alone_gets_most_places_and_forgets_its_oldest_flows() {
    let flows = Flows::new([2; 32]);
    for number in 0..100_000 {
        flows.remember(&flow(1, number), 1, START + Duration::from_millis(u64::from(number)));
    }
    let held = flows.held[1].load(Ordering::Relaxed) as usize;
    assert_eq!(held, FLOW_SETS * FLOW_WAYS_PER_PEER_MAX);
    let end = START + Duration::from_secs(100);
    assert_eq!(known(&flows, 1, 0..100_000, end), held);
    // The official node remembers 512 in all.
    assert!(known(&flows, 1, 98_000..100_000, end) >= 1990);
}

#[test]
fn a_flood_of_one_peers_flows_takes_no_place_that_another_uses() {
    let flows = Flows::new([3; 32]);
    remember(&flows, 1, 0..500, START);
    (2..100).for_each(|peer| remember(&flows, peer, 0..5, START));
    let mut before: Vec<usize> = (2..100).map(|peer| known(&flows, peer, 0..5, START)).collect();
    before.push(known(&flows, 1, 0..500, START));
    assert!(before.iter().sum::<usize>() >= 980, "{before:?}");
    remember(&flows, 100, 0..1_000_000, START + Duration::from_secs(60));
    let mut after: Vec<usize> = (2..100).map(|peer| known(&flows, peer, 0..5, START)).collect();
    after.push(known(&flows, 1, 0..500, START));
    assert_eq!(after, before);
}

#[test]
fn a_peer_with_few_flows_finds_a_place_in_the_middle_of_a_flood() {
    let flows = Flows::new([4; 32]);
    remember(&flows, 1, 0..200_000, START);
    remember(&flows, 2, 0..200_000, START);
    remember(&flows, 3, 0..1000, START);
    remember(&flows, 1, 200_000..300_000, START);
    remember(&flows, 2, 200_000..300_000, START);
    assert_eq!(known(&flows, 3, 0..1000, START), 1000);
}

#[test]
fn peers_that_all_want_more_get_the_same() {
    let flows = Flows::new([5; 32]);
    for turn in 0..20 {
        // The first comes with ten times as many.
        remember(&flows, 1, turn * 100_000..(turn + 1) * 100_000, START);
        (2..=4).for_each(|peer| remember(&flows, peer, turn * 10_000..(turn + 1) * 10_000, START));
    }
    let held: Vec<u32> = (1..=4usize).map(|peer| flows.held[peer].load(Ordering::Relaxed)).collect();
    let fair = (PLACES / 4) as u32;
    assert!(held.iter().all(|held| (fair * 9 / 10..=fair * 11 / 10).contains(held)), "{held:?}");
}

#[test]
fn an_idle_flow_leaves_its_place_to_anyone() {
    let flows = Flows::new([6; 32]);
    (0..PLACES as u32 * 4).for_each(|peer| remember(&flows, peer % 10_000, peer..peer + 1, START));
    remember(&flows, 10_001, 0..40_000, START + FLOW_IDLE - Duration::from_millis(1));
    assert!(flows.held[10_001].load(Ordering::Relaxed) < 100);
    remember(&flows, 10_001, 0..40_000, START + FLOW_IDLE);
    assert!(flows.held[10_001].load(Ordering::Relaxed) as usize > PLACES / 2);
}

#[test]
fn places_are_counted_right_however_they_change_hands() {
    let flows = Flows::new([7; 32]);
    for step in 0..300_000u32 {
        let peer = step.wrapping_mul(2_654_435_761) >> 27;
        flows.remember(&flow(peer % 7, step % 50_000), peer, START + Duration::from_millis(u64::from(step)));
    }
    let names = flows.sets.iter().flat_map(|set| &set.names).map(|name| name.load(Ordering::Relaxed));
    let taken: Vec<usize> = names.filter(|name| *name != 0).map(owner).collect();
    for peer in 0..32 {
        let places = taken.iter().filter(|owner| **owner == peer).count();
        assert_eq!(flows.held[peer].load(Ordering::Relaxed) as usize, places, "{peer}");
    }
}

#[test]
fn seeds_place_flows_apart() {
    let hash = |seed| Flows::new([seed; 32]).place(&flow(1, 1)).1;
    assert_ne!(hash(1), hash(2));
}
