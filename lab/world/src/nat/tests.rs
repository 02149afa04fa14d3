//! Laws of NATs, one behaviour at a time; [`reference`] holds all of them against a plain one.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use wattle_time::Instant;

use super::{Behaviour, Dependence, MappingRefused, Nat, Ports, Refresh};
use crate::Fate;

mod reference;

const NOW: Instant = Instant::ORIGIN;
const INSIDE: &str = "10.0.0.2:1000";
const OTHER_INSIDE: &str = "10.0.0.3:1000";
const FAR: &str = "198.51.100.1:1";

fn behaviour(mapping: Dependence, filtering: Dependence) -> Behaviour {
    Behaviour::new(mapping, filtering)
}

fn nat(behaviour: Behaviour) -> Nat {
    Nat::new(vec![Ipv4Addr::new(192, 0, 2, 1)], behaviour, NOW)
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([1; 32])
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};

#[test]
fn mapping_depends_on_what_it_should() {
    for (mapping, same_host, other_host) in
        [(EndpointIndependent, true, true), (AddressDependent, true, false), (AddressAndPortDependent, false, false)]
    {
        let (mut nat, mut rng) = (nat(behaviour(mapping, EndpointIndependent)), rng());
        let mut outside = |to: &str| nat.outbound(at(INSIDE), at(to), NOW, &mut rng).unwrap();
        let first = outside(FAR);
        assert_eq!(outside("198.51.100.1:2") == first, same_host, "{mapping:?}");
        assert_eq!(outside("198.51.100.2:1") == first, other_host, "{mapping:?}");
    }
}

#[test]
fn filtering_depends_on_what_it_should() {
    for (filtering, same_host, other_host) in
        [(EndpointIndependent, true, true), (AddressDependent, true, false), (AddressAndPortDependent, false, false)]
    {
        let mut nat = nat(behaviour(EndpointIndependent, filtering));
        let outside = nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng()).unwrap();
        let mut inbound = |from: &str, now| nat.inbound(at(from), outside, now);
        assert_eq!(inbound(FAR, NOW), Ok(at(INSIDE)));
        let let_in = |passes: bool| if passes { Ok(at(INSIDE)) } else { Err(Fate::Filtered) };
        assert_eq!(inbound("198.51.100.1:2", NOW), let_in(same_host), "{filtering:?}");
        assert_eq!(inbound("198.51.100.2:1", NOW), let_in(other_host), "{filtering:?}");
        assert_eq!(inbound(FAR, NOW + seconds(30)), Err(Fate::NoMapping));
    }
}

#[test]
fn an_end_is_let_in_for_as_long_as_the_filter_remembers_it() {
    let filter_lifetime = seconds(10);
    let behaviour = Behaviour { filter_lifetime, ..behaviour(EndpointIndependent, AddressDependent) };
    let (mut nat, mut rng) = (nat(behaviour), rng());
    let outside = nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng).unwrap();
    let later = NOW + seconds(10);
    assert_eq!(nat.outbound(at(INSIDE), at("198.51.100.2:1"), later, &mut rng), Ok(outside));
    assert_eq!(nat.inbound(at(FAR), outside, later), Err(Fate::Filtered));
    assert_eq!(nat.inbound(at("198.51.100.2:7"), outside, later), Ok(at(INSIDE)));
}

#[test]
fn what_comes_in_keeps_a_mapping_alive_only_where_it_may() {
    for (refresh, expected) in [(Refresh::Outbound, Err(Fate::NoMapping)), (Refresh::Both, Ok(at(INSIDE)))] {
        let mut nat = nat(Behaviour { refresh, ..behaviour(EndpointIndependent, AddressAndPortDependent) });
        let outside = nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng()).unwrap();
        assert_eq!(nat.inbound(at(FAR), outside, NOW + seconds(20)), Ok(at(INSIDE)));
        assert_eq!(nat.inbound(at(FAR), outside, NOW + seconds(40)), expected, "{refresh:?}");
    }
}

#[test]
fn a_preserved_port_goes_to_who_came_first() {
    let mut nat = nat(Behaviour { ports: Ports::Preserving, ..behaviour(EndpointIndependent, EndpointIndependent) });
    let mut rng = rng();
    assert_eq!(nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng).unwrap().port(), 1000);
    assert_ne!(nat.outbound(at(OTHER_INSIDE), at(FAR), NOW, &mut rng).unwrap().port(), 1000);
    let later = NOW + seconds(40);
    let mut third = at("10.0.0.4:1000");
    assert_eq!(nat.outbound(third, at(FAR), later, &mut rng).unwrap().port(), 1000, "the first has run out");
    third.set_port(1001);
    assert_eq!(nat.outbound(third, at(FAR), later, &mut rng).unwrap().port(), 1001);
}

#[test]
fn an_overloaded_port_serves_hosts_that_send_to_different_ends() {
    let mut nat =
        nat(Behaviour { ports: Ports::Overloading, ..behaviour(AddressAndPortDependent, AddressAndPortDependent) });
    let mut rng = rng();
    let outside = nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng).unwrap();
    let there = at("198.51.100.2:1");
    assert_eq!(nat.outbound(at(OTHER_INSIDE), there, NOW, &mut rng), Ok(outside));
    assert_ne!(nat.outbound(at(OTHER_INSIDE), at(FAR), NOW, &mut rng), Ok(outside), "answers could not be told apart");
    assert_eq!(nat.inbound(at(FAR), outside, NOW), Ok(at(INSIDE)));
    assert_eq!(nat.inbound(there, outside, NOW), Ok(at(OTHER_INSIDE)));
}

#[test]
fn sequential_ports_follow_each_other() {
    let mut nat =
        nat(Behaviour { ports: Ports::Sequential, ..behaviour(AddressAndPortDependent, EndpointIndependent) });
    let mut rng = rng();
    let mut port = |to: u16| nat.outbound(at(INSIDE), ([198, 51, 100, 1], to).into(), NOW, &mut rng).unwrap().port();
    let first = port(1);
    assert_eq!([port(2), port(3)], [first + 1, first + 2]);
}

#[test]
fn a_full_nat_refuses_until_something_runs_out() {
    let mut nat = nat(Behaviour { mappings_max: 2, ..behaviour(AddressAndPortDependent, EndpointIndependent) });
    let mut rng = rng();
    let mut send = |to: u16, now| nat.outbound(at(INSIDE), ([198, 51, 100, 1], to).into(), now, &mut rng).is_ok();
    assert_eq!([send(1, NOW), send(2, NOW), send(3, NOW)], [true, true, false]);
    assert!(send(1, NOW + seconds(20)));
    assert!(send(3, NOW + seconds(35)), "the second has run out");
}

#[test]
fn after_a_rebinding_only_the_new_port_leads_in() {
    let (mut nat, mut rng) = (nat(behaviour(EndpointIndependent, AddressAndPortDependent)), rng());
    let before = nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng).unwrap();
    nat.rebind(&mut rng);
    assert_eq!(nat.inbound(at(FAR), before, NOW), Err(Fate::NoMapping));
    let after = nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng).unwrap();
    assert_ne!(before, after);
    assert_eq!(nat.inbound(at(FAR), after, NOW), Ok(at(INSIDE)));
}

#[test]
fn a_requested_mapping_lets_everybody_in_until_it_runs_out() {
    let (mut nat, mut rng) = (nat(behaviour(AddressAndPortDependent, AddressAndPortDependent)), rng());
    let mapped = nat.request(at(INSIDE), 4000, seconds(60), NOW, &mut rng).unwrap();
    assert_eq!(mapped.outside, at("192.0.2.1:4000"));
    assert_eq!(nat.inbound(at(FAR), mapped.outside, NOW + seconds(59)), Ok(at(INSIDE)));
    assert_eq!(nat.inbound(at(FAR), mapped.outside, NOW + seconds(60)), Err(Fate::NoMapping));
}

#[test]
fn new_conversations_leave_by_the_requested_mapping_and_old_ones_keep_theirs() {
    let (mut nat, mut rng) = (nat(behaviour(AddressAndPortDependent, AddressAndPortDependent)), rng());
    let [far, other] = [at(FAR), at("198.51.100.2:1")];
    let [old, unanswered] = [far, other].map(|to| nat.outbound(at(INSIDE), to, NOW, &mut rng).unwrap());
    assert_eq!(nat.inbound(far, old, NOW), Ok(at(INSIDE)));
    let mapped = nat.request(at(INSIDE), 4000, seconds(60), NOW, &mut rng).unwrap().outside;
    assert_ne!(unanswered, mapped);
    let mut outside = |to| nat.outbound(at(INSIDE), to, NOW, &mut rng).unwrap();
    assert_eq!([outside(far), outside(other), outside(at("198.51.100.3:1"))], [old, mapped, mapped]);
}

#[test]
fn where_all_packets_leave_by_one_port_that_is_the_one_that_is_granted() {
    let (mut nat, mut rng) = (nat(behaviour(EndpointIndependent, AddressAndPortDependent)), rng());
    let before = nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng).unwrap();
    let stranger = at("198.51.100.9:9");
    assert_eq!(nat.request(at(INSIDE), 4000, seconds(60), NOW, &mut rng).unwrap().outside, before);
    assert_eq!(nat.inbound(stranger, before, NOW), Ok(at(INSIDE)));
    nat.request(at(INSIDE), 4000, Duration::ZERO, NOW, &mut rng).unwrap();
    assert_eq!(nat.inbound(stranger, before, NOW), Err(Fate::Filtered));
    assert_eq!(nat.outbound(at(INSIDE), at(FAR), NOW, &mut rng), Ok(before));
}

#[test]
fn a_requested_mapping_is_renewed_and_given_back() {
    let (mut nat, mut rng) = (nat(behaviour(EndpointIndependent, AddressAndPortDependent)), rng());
    let mut ask = |lifetime, after| nat.request(at(INSIDE), 0, seconds(lifetime), NOW + seconds(after), &mut rng);
    let first = ask(60, 0).unwrap();
    assert_eq!(first.outside.port(), 1000);
    let renewed = ask(60, 50).unwrap();
    assert_eq!((renewed.outside, renewed.epoch), (first.outside, seconds(50)));
    assert_eq!(ask(0, 100).unwrap().lifetime, Duration::ZERO);
    assert_eq!(nat.inbound(at(FAR), first.outside, NOW + seconds(100)), Err(Fate::NoMapping));
}

#[test]
fn two_hosts_that_want_one_outside_port_get_two() {
    let (mut nat, mut rng) = (nat(behaviour(EndpointIndependent, AddressAndPortDependent)), rng());
    let mut ask = |inside: &str| nat.request(at(inside), 4000, seconds(60), NOW, &mut rng).unwrap().outside;
    assert_ne!(ask(INSIDE), ask(OTHER_INSIDE));
}

#[test]
fn a_gateway_grants_only_so_many_mappings() {
    let (mut nat, mut rng) = (nat(behaviour(EndpointIndependent, AddressAndPortDependent)), rng());
    let granted = (0..2000u16).filter(|port| {
        let inside = SocketAddr::from(([10, 0, 0, 2], 10_000 + port));
        nat.request(inside, 0, seconds(60), NOW, &mut rng) != Err(MappingRefused)
    });
    assert_eq!(granted.count(), crate::limits::REQUESTED_MAPPINGS);
}
