//! Verdicts against a walk over all rules, with every budget from nothing to plenty; and memory under rules that are made
//! to take much.

use proptest::prelude::*;
use wattle_netmap::PortRange;

use super::*;
use crate::services;

/// Rules about small numbers: sources, a range of destinations, ports, protocols.
type Rule = (Vec<Range>, Range, PortRange, Vec<u8>);

fn compile(rules: &[Rule], local: &Ranges, budget: Budget) -> Matcher<u32> {
    let mut builder = MatcherBuilder::new(local, budget);
    for (sources, to, ports, protocols) in rules {
        let services = services::of_rule(protocols, *ports);
        builder.push(Ranges::new(sources.clone()), std::iter::once((*to, &services[..])));
    }
    builder.build()
}

fn range(bound: u32) -> impl Strategy<Value = Range> {
    (0..bound, 0..bound).prop_map(|(a, b)| (u128::from(a.min(b)), u128::from(a.max(b))))
}

fn rule() -> impl Strategy<Value = Rule> {
    let ports = prop_oneof![Just((0, 65535)), (0u128..20).prop_map(|port| (port, port)), range(20), range(65536)];
    let ports = ports.prop_map(|(first, last)| PortRange { first: first as u16, last: last as u16 });
    let protocols =
        prop_oneof![Just(vec![]), prop::collection::vec(prop::sample::select(vec![6, 17, 132, 47, 46]), 1..4)];
    let to = prop_oneof![Just((0, u128::from(u32::MAX))), range(40), range(u32::MAX)];
    (prop::collection::vec(range(60), 0..5), to, ports, protocols)
}

fn budget() -> impl Strategy<Value = Budget> {
    let tight = (0usize..400, 0usize..200, 0usize..50).prop_map(|(places, union_turns, union_words)| Budget {
        places,
        union_turns,
        union_words,
        union_words_per_number: 0,
    });
    prop_oneof![Just(Budget::FULL), tight]
}

fn walk((sources, to, ports, protocols): &Rule, source: u128, destination: u128, protocol: u8, port: u16) -> bool {
    let named = if protocols.is_empty() { &[1, 6, 17, 58][..] } else { protocols };
    let for_it = match protocol {
        0 => true,
        6 | 17 | 132 => named.contains(&protocol) && ports.contains(port),
        _ => named.contains(&protocol) && *ports == PortRange::ANY,
    };
    for_it && sources.iter().any(|(a, b)| (*a..=*b).contains(&source)) && (to.0..=to.1).contains(&destination)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_search_decides_like_a_walk_whatever_the_budget(
        rules in prop::collection::vec(rule(), 0..40),
        local in prop::collection::vec(range(50), 1..6),
        budget in budget(),
        packets in prop::collection::vec((0u32..62, 0u32..52, prop::sample::select(vec![0u8, 6, 17, 132, 47, 46, 58]), 0u16..24, any::<u16>()), 1..60),
    ) {
        let local = Ranges::new(local);
        let matcher = compile(&rules, &local, budget);
        for (source, destination, protocol, low, high) in packets {
            if !local.contains(u128::from(destination)) {
                continue;
            }
            for port in [low, high] {
                let expected = rules.iter().any(|rule| walk(rule, source.into(), destination.into(), protocol, port));
                // Zero stands for anything at all.
                let service = if protocol == 0 { services::ANYTHING } else { services::of_packet(protocol, port) };
                prop_assert_eq!(matcher.allows(source, destination, service), expected, "{} {} {} {}", source, destination, protocol, port);
            }
        }
    }
}

const EVERYTHING: Range = (0, u32::MAX as u128);
const TCP: [u8; 1] = [6];

fn one(address: u32) -> Range {
    (address.into(), address.into())
}

fn ports(number: u32, span: u32) -> PortRange {
    let first = (number * 7919 % 60_000) as u16;
    PortRange { first, last: first + (number * 104_729 % span) as u16 }
}

/// Rules of one kind, this many, and our own addresses.
type Make = fn(u32) -> (Vec<Rule>, Vec<Range>);

const FEW: u32 = 200;
const MANY: u32 = 1000;

/// How much memory each rule takes where there are few and where there are many, and how much is walked through.
fn growth(make: Make) -> (usize, usize, usize) {
    let at = |number: u32| {
        let (rules, local) = make(number);
        let local = Ranges::new(local);
        compile(&rules, &local, Budget::FULL)
    };
    let (small, large) = (at(FEW), at(MANY));
    (small.bytes() / FEW as usize, large.bytes() / MANY as usize, large.walk_max())
}

fn grows_with_rules(make: Make, bytes_max: usize) {
    let (small, large, walk_max) = growth(make);
    assert!(small <= bytes_max && large <= bytes_max, "{small} bytes a rule at first, then {large}");
    assert!(walk_max <= LEFT_APART_AND_UNION, "{walk_max}");
}

/// Three sets that are large, and what the others make together.
const LEFT_APART_AND_UNION: usize = 4;

#[test]
fn distinct_sources_at_distinct_ports_take_little() {
    grows_with_rules(
        |n| ((0..n).map(|i| (vec![one(i * 2)], EVERYTHING, ports(i, 1), vec![])).collect(), vec![one(9)]),
        200,
    );
}

#[test]
fn overlapping_ranges_of_ports_take_little() {
    let make: Make =
        |n| ((0..n).map(|i| (vec![one(i * 2)], EVERYTHING, ports(i, 5000), TCP.into())).collect(), vec![one(9)]);
    grows_with_rules(make, 2000);
    let world: Make =
        |n| ((0..n).map(|i| (vec![EVERYTHING], EVERYTHING, ports(i, 5000), TCP.into())).collect(), vec![one(9)]);
    grows_with_rules(world, 800);
}

#[test]
fn sources_that_all_begin_elsewhere_and_end_together_take_little() {
    let make: Make =
        |n| ((0..n).map(|i| (vec![(u128::from(i), 1 << 30)], EVERYTHING, ports(i, 1), vec![])).collect(), vec![one(9)]);
    grows_with_rules(make, 200);
}

#[test]
fn rules_about_everything_are_not_repeated_for_each_of_our_prefixes() {
    let make: Make = |n| {
        let local = (0..n).map(|i| (u128::from(i) << 8, (u128::from(i) << 8) + 99)).collect();
        ((0..n).map(|i| (vec![one(i * 2)], EVERYTHING, ports(i, 1), TCP.into())).collect(), local)
    };
    grows_with_rules(make, 200);
}

#[test]
fn prefixes_within_prefixes_take_little() {
    let make: Make = |n| {
        let to = |i: u32| (u128::from(i >> (i % 12) << (i % 12)), u128::from(i | ((1 << (i % 12)) - 1)));
        ((0..n).map(|i| (vec![one(i * 2)], to(i), ports(i, 1), vec![])).collect(), vec![EVERYTHING])
    };
    grows_with_rules(make, 400);
}

#[test]
fn many_sources_times_many_destinations_take_what_they_take_apart() {
    let make: Make = |n| {
        let sources: Vec<Range> = (0..n).map(|i| one(i * 2)).collect();
        ((0..n).map(|i| (sources.clone(), one(i * 3), ports(1, 1), vec![])).collect(), vec![EVERYTHING])
    };
    grows_with_rules(make, 100);
}

#[test]
fn large_sets_in_every_combination_are_walked_and_not_multiplied() {
    // At each of n destinations another half of sixty sets of n sources: a union for each would be n times n / 2.
    let make: Make = |n| {
        let set = |s: u32| -> Vec<Range> { (0..n).map(|i| one((i * 60 + s) * 2)).collect() };
        let mut rules = Vec::new();
        for s in 0..60 {
            let chosen = (0..n).filter(|d| (d.wrapping_mul(2_654_435_761) >> (s % 29)) & 1 == 1);
            let sources = set(s);
            rules.extend(chosen.map(|d| (sources.clone(), one(d * 3), ports(1, 1), TCP.to_vec())));
        }
        (rules, vec![EVERYTHING])
    };
    let (rules, local) = make(200);
    let local = Ranges::new(local);
    let numbers: usize = 200 * 60 + rules.len();
    let matcher = compile(&rules, &local, Budget { union_words: 1000, union_words_per_number: 1, ..Budget::FULL });
    assert!(matcher.bytes() < 60 * numbers, "{} bytes for {numbers} numbers", matcher.bytes());
    assert!((10..=60).contains(&matcher.walk_max()), "{}", matcher.walk_max());
    for (source, destination) in (0..3000u32).step_by(31).zip((0..600u32).step_by(7).cycle()) {
        let expected = rules.iter().any(|rule| walk(rule, source.into(), destination.into(), 6, rule.2.first));
        let service = services::of_packet(6, ports(1, 1).first);
        assert_eq!(matcher.allows(source, destination, service), expected, "{source} {destination}");
    }
}
