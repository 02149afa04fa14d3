//! A tailnet that has changed is like one that was always so, and what a change says of itself is so.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wattle_netmap::{NodeId, Prefix};

use super::Spec;
use super::random::{Change, changes, people, policies, read, roster, tailnet};
use crate::{Chunk, PacketCache, PacketRule, Roster, Shift, SshPermit};

/// All that a node is told.
#[derive(Debug, PartialEq)]
struct Told {
    chunks: Vec<Chunk>,
    visible: Vec<NodeId>,
    routes: BTreeMap<NodeId, Vec<Prefix>>,
    ssh: Vec<SshPermit>,
    attributes: Vec<wattle_netmap::Capability>,
}

fn told(roster: &Roster, nodes: &BTreeMap<u64, Spec>, cache: &mut PacketCache) -> BTreeMap<NodeId, Told> {
    let ids = || nodes.keys().copied().map(NodeId);
    let first = |route: &Prefix| roster.routers_of(route).min();
    let told = |id: NodeId| Told {
        chunks: roster.chunks_for(id, cache),
        visible: ids().filter(|other| *other != id && super::sees(roster, id.0, other.0)).collect(),
        routes: ids()
            .filter(|other| *other != id)
            .map(|other| (other, roster.routes_through(id, other, first)))
            .collect(),
        ssh: roster.ssh_for(id),
        attributes: roster.attributes(id),
    };
    let mut told = told;
    ids().map(|id| (id, told(id))).collect()
}

/// What the shift of a node must say when others are told something else than before.
fn check(
    changed: NodeId,
    shift: &Shift,
    roster: &Roster,
    before: &BTreeMap<NodeId, Told>,
    after: &BTreeMap<NodeId, Told>,
) -> Result<(), TestCaseError> {
    prop_assert!(!shift.is_empty() || before == after, "nobody notices {:?}", shift);
    for (id, was) in before.iter().filter(|(id, _)| **id != changed) {
        let (is, class) = (&after[id], roster.class(*id).unwrap());
        prop_assert!(was.chunks == is.chunks || class.heeds(shift), "{:?} does not heed {:?}", id, shift);
        let seen = |class: &Option<std::sync::Arc<crate::Class>>, roster: &Roster| {
            class.as_ref().is_some_and(|class| roster.class(*id).is_some_and(|own| own.sees(class)))
        };
        prop_assert_eq!(was.visible.contains(&changed), seen(&shift.before, roster));
        prop_assert_eq!(is.visible.contains(&changed), seen(&shift.after, roster));
        let others = |told: &Told| told.visible.iter().copied().filter(|other| *other != changed).collect::<Vec<_>>();
        prop_assert_eq!(others(was), others(is), "nobody else comes into sight");
        let empty = Vec::new();
        for (other, routes) in &is.routes {
            let shown = was.routes.get(other).unwrap_or(&empty);
            let known = if *other == changed { !shift.is_empty() } else { shift.routes };
            prop_assert!(shown == routes || known, "{:?} through {:?}: {:?}, {:?}", id, other, shown, routes);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(super::random::cases())]

    #[test]
    fn a_changed_roster_is_like_a_new_one_and_tells_what_changed(
        text in policies(), people in people(), start in tailnet(0..7), changes in changes(1..12),
    ) {
        let policy = read(&text);
        let (mut people, mut plans) = (people, start);
        let mut nodes: BTreeMap<u64, Spec> = plans.iter().map(|(number, plan)| (*number, plan.spec(*number, &people))).collect();
        let mut now = Roster::new(policy.clone());
        // The last comes first.
        nodes.iter().rev().for_each(|(number, spec)| _ = now.insert(NodeId(*number), &spec.subject()));
        let mut cache = PacketCache::default();
        let mut before = told(&now, &nodes, &mut cache);
        for change in changes {
            let mut touched = Vec::new();
            match change {
                Change::Node(number, Some(plan)) => {
                    plans.insert(number, plan);
                    touched.push(number);
                }
                Change::Node(number, None) => {
                    plans.remove(&number);
                    touched.push(number);
                }
                Change::Part(number, part, other) => {
                    if let Some(plan) = plans.get_mut(&number) {
                        plan.take(part, other);
                        touched.push(number);
                    }
                }
                Change::Person(number, role, groups) => {
                    people[number] = (role, groups);
                    touched.extend(plans.iter().filter(|(_, plan)| plan.is_of(number)).map(|(number, _)| *number));
                }
            }
            let old = now.clone();
            for number in touched {
                let shift = match plans.get(&number).map(|plan| plan.spec(number, &people)) {
                    Some(spec) => {
                        let shift = now.insert(NodeId(number), &spec.subject());
                        nodes.insert(number, spec);
                        shift
                    }
                    None => {
                        nodes.remove(&number);
                        now.remove(NodeId(number))
                    }
                };
                let after = told(&now, &nodes, &mut cache);
                check(NodeId(number), &shift, &now, &before, &after)?;
                before = after;
            }
            drop(old);
            let anew = roster(policy.clone(), &nodes);
            prop_assert_eq!(&before, &told(&anew, &nodes, &mut PacketCache::default()));
            prop_assert_eq!(now.run_tests(), anew.run_tests());
            for id in nodes.keys().copied().map(NodeId) {
                prop_assert_eq!(now.class(id), anew.class(id));
            }
            prop_assert!(now.matrix() == anew.matrix());
        }
    }

    #[test]
    fn fingerprints_are_equal_where_rules_are(text in policies(), other in policies(), people in people(), plans in tailnet(1..8)) {
        let nodes: BTreeMap<u64, Spec> = plans.iter().map(|(number, plan)| (*number, plan.spec(*number, &people))).collect();
        let rosters = [roster(read(&text), &nodes), roster(read(&other), &nodes)];
        let chunks = rosters.iter().flat_map(|roster| {
            nodes.keys().flat_map(|number| roster.chunks_for(NodeId(*number), &mut PacketCache::default()))
        });
        let spelt = |chunk: &Chunk| chunk.rules.iter().map(PacketRule::to_filter_rule).collect::<Vec<_>>();
        let (mut by_print, mut by_rules) = (BTreeMap::new(), BTreeMap::new());
        for chunk in chunks {
            let rules = spelt(&chunk);
            prop_assert_eq!(by_print.entry(chunk.fingerprint).or_insert_with(|| rules.clone()), &rules);
            prop_assert_eq!(*by_rules.entry(rules).or_insert(chunk.fingerprint), chunk.fingerprint);
        }
    }
}
