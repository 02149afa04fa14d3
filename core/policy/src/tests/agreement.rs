//! The engine says what the reference says, of random tailnets under random policies.

mod parties;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use wattle_filter::{CapabilityTable, Facts, Filter, Flows, Verdict, check_inbound};
use wattle_netmap::{FilterRule, NodeId, Prefix};
use wattle_packet::protocol;
use wattle_time::Instant;

use super::random::{World, worlds};
use super::reference::{Login, Packet, Reference};
use super::{Spec, sees};
use crate::language::document::SshAction;
use crate::{Roster, SshPermit};

/// Addresses that no node has, at home and abroad.
const ELSEWHERE: [&str; 13] = [
    "100.64.0.2",
    "100.64.0.99",
    "100.115.92.1",
    "10.1.2.3",
    "10.1.9.9",
    "10.2.0.1",
    "192.168.0.5",
    "172.16.0.1",
    "8.8.8.8",
    "8.9.0.1",
    "fd7a:115c:a1e0::99",
    "fd00:1::5",
    "2600::1",
];
/// Protocols with ports.
const KINDS: [(u8, u16); 10] =
    [(6, 22), (6, 80), (6, 443), (17, 53), (17, 443), (1, 0), (58, 0), (132, 5), (47, 0), (99, 0)];

/// All addresses worth asking about.
pub(super) fn addresses(nodes: &BTreeMap<u64, Spec>) -> BTreeSet<IpAddr> {
    let own = nodes.values().flat_map(|node| node.addresses.iter().copied());
    own.chain(ELSEWHERE.iter().map(|text| text.parse().unwrap())).collect()
}

fn filter_of(rules: &[FilterRule], node: &Spec) -> Filter {
    let local: Vec<Prefix> =
        node.addresses.iter().map(|address| Prefix::from(*address)).chain(node.routes.iter().copied()).collect();
    let rules: Vec<&FilterRule> = rules.iter().collect();
    let capabilities = CapabilityTable::default();
    Filter::compile(&Facts { rules: &rules, local: &local, capabilities: &capabilities, shields_up: false })
}

/// Questions about packets between any two addresses.
pub(super) fn packets(nodes: &BTreeMap<u64, Spec>, kinds: &[(u8, u16)]) -> Vec<Packet> {
    let (addresses, mut packets) = (addresses(nodes), Vec::new());
    for from in &addresses {
        for to in addresses.iter().filter(|to| to.is_ipv4() == from.is_ipv4()) {
            let exists = |protocol| match protocol {
                protocol::ICMP => from.is_ipv4(),
                protocol::ICMPV6 => from.is_ipv6(),
                _ => true,
            };
            let kinds = kinds.iter().filter(|(protocol, _)| exists(*protocol));
            packets.extend(kinds.map(|(protocol, port)| Packet {
                from: *from,
                to: *to,
                protocol: *protocol,
                port: *port,
            }));
        }
    }
    packets
}

proptest! {
    #![proptest_config(super::random::cases())]

    #[test]
    fn a_filter_lets_in_what_the_policy_means(world in worlds(), kinds in prop::sample::subsequence(KINDS.to_vec(), 4)) {
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        let (packets, flows) = (packets(&world.nodes, &kinds), Flows::new([7; 32]));
        for (number, node) in &world.nodes {
            let filter = filter_of(&roster.rules_for(NodeId(*number)), node);
            for packet in &packets {
                let verdict = check_inbound(&filter, &flows, &wire::bytes(*packet), Instant::ORIGIN);
                let meant = reference.lets_in(*packet, node);
                prop_assert_eq!(verdict == Verdict::Accept, meant, "{:?} at {} {:?}", packet, number, node);
            }
        }
    }

    #[test]
    fn capabilities_are_held_by_whom_the_policy_means(world in worlds()) {
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        let addresses = addresses(&world.nodes);
        for (number, node) in &world.nodes {
            let filter = filter_of(&roster.rules_for(NodeId(*number)), node);
            for from in &addresses {
                for to in addresses.iter().filter(|to| to.is_ipv4() == from.is_ipv4()) {
                    let held = filter.capabilities(*from, *to).into_iter().map(|(name, values)| {
                        (name.to_owned(), values.into_iter().map(str::to_owned).collect::<BTreeSet<_>>())
                    });
                    let held: BTreeMap<_, _> = held.collect();
                    prop_assert_eq!(held, reference.capabilities(*from, *to, node), "{} to {} at {}", from, to, number);
                }
            }
        }
    }

    #[test]
    fn nodes_see_those_whom_the_policy_joins(world in worlds()) {
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        for a in reference.ids() {
            for b in reference.ids().filter(|b| *b != a) {
                let meant = reference.sees(reference.node(a), reference.node(b));
                prop_assert_eq!(sees(&roster, a.0, b.0), meant, "{:?} and {:?}", a, b);
                let routes = reference.routes(a, b);
                let shown = roster.routes_through(a, b, |route| reference.in_charge(route));
                prop_assert_eq!(&shown, &routes, "{:?} through {:?}", a, b);
                // Routers of one network have to know who is in charge: that alone makes nobody visible.
                let shares = |route: &Prefix| roster.routes_of(a).contains(route);
                prop_assert!(meant || routes.iter().all(shares), "{:?} through {:?}", a, b);
            }
        }
    }

    #[test]
    fn people_log_in_where_the_policy_means(world in worlds()) {
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        for to in reference.ids() {
            let permits = roster.ssh_for(to);
            for from in addresses(&world.nodes) {
                for user in ["root", "ubuntu", "ann", "bob", "cid", "eve", "dee", "nobody"] {
                    let meant = reference.login(from, reference.node(to), user);
                    prop_assert_eq!(login(&permits, from, user), meant, "{} to {:?} as {}", from, to, user);
                }
            }
            for from in reference.ids() {
                let meant = reference.check_period(reference.node(from), reference.node(to));
                prop_assert_eq!(roster.ssh_check_period(from, to), meant);
            }
            for permit in permits {
                let rule = &policy.document().ssh[permit.rule];
                let mut recorders = permit.recorders;
                recorders.sort_unstable();
                prop_assert_eq!(recorders, reference.recorders(rule));
                prop_assert_eq!(permit.enforce_recorder, rule.enforce_recorder);
                prop_assert_eq!(&permit.accept_env, &rule.accept_env);
            }
        }
    }

    #[test]
    fn tags_routes_and_attributes_are_given_to_whom_the_policy_means(world in worlds()) {
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        for id in reference.ids() {
            let node = reference.node(id);
            for tag in ["tag:a", "tag:b", "tag:c", "tag:gone"] {
                prop_assert_eq!(policy.may_use_tag(tag, &node.subject()), reference.may_use_tag(node, tag), "{}", tag);
            }
            for route in ["10.0.0.0/8", "10.1.2.0/24", "11.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "::/0", "fd00:1::/64"] {
                let route: Prefix = route.parse().unwrap();
                prop_assert_eq!(policy.approves(&route, &node.subject()), reference.approves(node, &route), "{}", route);
            }
            let attributes = roster.attributes(id).into_iter().map(|capability| (capability.name, capability.values));
            prop_assert_eq!(attributes.collect::<BTreeMap<_, _>>(), reference.attributes(node), "{:?}", node);
        }
    }

    #[test]
    fn promises_are_broken_where_the_policy_breaks_them(world in worlds()) {
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        prop_assert_eq!(broken(&roster), reference.broken(), "{:?}", roster.run_tests());
    }
}

/// How many promises are broken, by the place of the test.
fn broken(roster: &Roster) -> BTreeMap<(u32, u32), usize> {
    let mut broken: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    roster.run_tests().iter().for_each(|failure| *broken.entry((failure.at.start, failure.at.end)).or_default() += 1);
    broken
}

/// What an SSH server does with these permits: the first one that fits decides.
fn login(permits: &[SshPermit], from: IpAddr, user: &str) -> Login {
    let becomes = |permit: &SshPermit| {
        let local = permit.users.get(user).or_else(|| permit.users.get("*")).cloned().unwrap_or_default();
        permit.principals.contains(&from) && !local.is_empty() && (local == "=" || local == user)
    };
    match permits.iter().find(|permit| becomes(permit)).map(|permit| permit.action) {
        Some(SshAction::Accept) => Login::Accepted,
        Some(SshAction::Check(_)) => Login::Checked,
        None => Login::Denied,
    }
}

/// Nothing is proved by tailnets where nothing is allowed: of each kind of question, some are answered either way.
#[test]
fn random_worlds_have_something_of_everything() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..600 {
        let world: World = worlds().new_tree(&mut runner).unwrap().current();
        let (policy, roster) = (world.policy(), world.roster());
        let reference = Reference::new(policy.document(), &world.nodes);
        let mut count = |what: &'static str, is: bool| *seen.entry(what).or_default() += usize::from(is);
        for a in reference.ids() {
            let permits = roster.ssh_for(a);
            let rules = roster.rules_for(a);
            let names: BTreeSet<&str> = rules
                .iter()
                .flat_map(|rule| &rule.grants)
                .flat_map(|grant| &grant.capabilities)
                .map(|capability| capability.name.as_str())
                .collect();
            count("packets", rules.iter().any(|rule| !rule.targets.is_empty()));
            count("capabilities", !names.is_empty());
            count("companions", names.contains("tailscale.com/cap/relay-target"));
            count("logins", permits.iter().any(|permit| permit.action == SshAction::Accept));
            count("checks", permits.iter().any(|permit| permit.action != SshAction::Accept));
            count("attributes", !roster.attributes(a).is_empty());
            for b in reference.ids().filter(|b| *b != a) {
                let routes = reference.routes(a, b);
                let via = reference
                    .routes(a, b)
                    .iter()
                    .any(|route| reference.in_charge(route) != Some(b) && route.prefix_len() > 0);
                count("visible", sees(&roster, a.0, b.0));
                count("hidden", !sees(&roster, a.0, b.0));
                count("routes", routes.iter().any(|route| route.prefix_len() > 0));
                count("exit routes", routes.iter().any(|route| route.prefix_len() == 0));
                count("steered", via);
            }
        }
        let document = policy.document();
        let broken = broken(&roster).len();
        count("broken promises", broken > 0);
        count("kept promises", document.tests.len() + document.ssh_tests.len() > broken);
        count("postures", document.grants.iter().flatten().any(|grant| !grant.source_posture.is_empty()));
        count("default postures", !document.default_source_posture.is_empty());
    }
    println!("{seen:#?}");
    assert_eq!(seen.len(), 15);
    assert!(seen.values().all(|number| *number > 5), "{seen:#?}");
}
