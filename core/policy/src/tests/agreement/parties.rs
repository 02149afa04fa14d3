//! What people are told of who may reach whom is so.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::Spec;
use super::super::random::{policies, read, roster, worlds};
use super::super::reference::{Packet, Reference};
use super::{KINDS, packets};
use crate::{Access, Party, difference};

proptest! {
    #![proptest_config(super::super::random::cases())]

    #[test]
    fn an_explanation_names_the_rules_that_allow_it(world in worlds(), kinds in prop::sample::subsequence(KINDS.to_vec(), 4)) {
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        for id in reference.ids() {
            let node = reference.node(id);
            let own = |address: &std::net::IpAddr| node.addresses.contains(address);
            for packet in packets(&world.nodes, &kinds).into_iter().filter(|packet| own(&packet.from)) {
                let explained = roster.explain(id, packet.to, packet.protocol, Some(packet.port));
                let named: Vec<_> = explained.allowed.iter().map(|reason| reason.rule.clone()).collect();
                let rules = reference.rules_that_allow(node, packet);
                let meant: Vec<_> = rules.into_iter().map(|number| policy.rule_name(number)).collect();
                prop_assert_eq!(&named, &meant, "{:?}", packet);
                let back = node.addresses.iter().find(|address| address.is_ipv4() == packet.to.is_ipv4()).unwrap();
                let answers = reference.node_at(packet.to).is_some_and(|other| reference.may_begin(other, *back));
                prop_assert_eq!(explained.replies_only, named.is_empty() && answers, "{:?}", packet);
                // Whatever is said of a node, the node does.
                if let Some(other) = reference.node_at(packet.to).filter(|other| is_plain(packet, other) && !reference.leads_via(packet.to, other)) {
                    let one_of_own = node.addresses.iter().any(|from| reference.lets_in(Packet { from: *from, ..packet }, other));
                    prop_assert_eq!(!named.is_empty(), one_of_own, "{:?}", packet);
                }
            }
        }
    }

    #[test]
    fn the_matrix_is_all_access_there_is(world in worlds()) {
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        let cells = roster.matrix();
        let parties = reference.parties();
        for who in &parties {
            for whom in &parties {
                for own in [false, true].into_iter().filter(|own| !own || who == whom) {
                    let (access, by) = wanted(&reference, who, whom, own);
                    let mut found = cells.iter().filter(|cell| cell.own == own && cell.who.contains(who) && cell.whom.contains(whom));
                    let (cell, second) = (found.next(), found.next());
                    prop_assert!(second.is_none(), "{} to {} twice", who, whom);
                    prop_assert_eq!(cell.map(|cell| &cell.access).cloned().unwrap_or_default(), access, "{} to {} {}", who, whom, own);
                    if let Some(cell) = cell {
                        let by: Vec<_> = by.into_iter().map(|number| policy.rule_name(number)).collect();
                        prop_assert_eq!(&cell.rules, &by, "{} to {} {}", who, whom, own);
                    }
                }
            }
        }
        let known = |named: &[Party]| named.iter().all(|party| parties.contains(party));
        prop_assert!(cells.iter().all(|cell| known(&cell.who) && known(&cell.whom) && (!cell.own || cell.who == cell.whom)));
    }

    #[test]
    fn a_difference_is_what_access_was_and_is(world in worlds(), other in policies()) {
        let (before, after) = (world.policy(), read(&other));
        let gains = difference(&roster(before.clone(), &world.nodes), &roster(after.clone(), &world.nodes));
        let (old, new) = (Reference::new(before.document(), &world.nodes), Reference::new(after.document(), &world.nodes));
        let parties = old.parties();
        for who in &parties {
            for whom in &parties {
                for own in [false, true].into_iter().filter(|own| !own || who == whom) {
                    let (was, is) = (wanted(&old, who, whom, own).0, wanted(&new, who, whom, own).0);
                    for (gained, access) in [(true, is.without(&was)), (false, was.without(&is))] {
                        let is_it = |gain: &&crate::Gain| {
                            gain.gains == gained && gain.own == own && gain.who.contains(who) && gain.whom.contains(whom)
                        };
                        let mut found = gains.iter().filter(is_it);
                        let told = found.next().map(|gain| gain.access.clone()).unwrap_or_default();
                        prop_assert!(found.next().is_none());
                        prop_assert_eq!(told, access, "{} to {} {}", who, whom, own);
                    }
                }
            }
        }
    }
}

/// Nothing is said of TSMP, which always gets through, and of routers of networks that hold their own address.
fn is_plain(packet: Packet, other: &Spec) -> bool {
    packet.protocol != 99 && !other.routes.iter().any(|route| route.prefix_len() > 0 && route.contains(&packet.to))
}

/// What a cell says: of one's own, only what others may not do as well.
fn wanted(reference: &Reference<'_>, who: &Party, whom: &Party, own: bool) -> (Access, BTreeSet<usize>) {
    let (access, by) = reference.access(who, whom, own);
    match own {
        true => (access.without(&reference.access(who, whom, false).0), by),
        false => (access, by),
    }
}
