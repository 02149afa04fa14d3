//! What packet rules let in, and which of them a change changes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use wattle_netmap::{NodeId, PortRange, Prefix, RuleSource};

use super::access::{POLICY, house};
use super::{Spec, address, granted, lets_in, node, roster, router, sees, tagged};
use crate::language::document::Scalar;
use crate::{PacketCache, Policy, Roster};

#[test]
fn packet_rules_let_in_what_the_policy_allows_and_nothing_else() {
    let house = house();
    let server = house.rules_for(NodeId(4));
    assert!(lets_in(&server, address(0), address(4), 22) && lets_in(&server, address(0), address(4), 443));
    assert!(lets_in(&server, address(1), address(4), 443) && !lets_in(&server, address(1), address(4), 22));
    assert!(!lets_in(&server, address(3), address(4), 443));
    let laptop = house.rules_for(NodeId(1));
    assert!(lets_in(&laptop, address(2), address(1), 80) && !lets_in(&laptop, address(0), address(1), 80));
    assert_eq!(house.rules_for(NodeId(3)).len(), 1, "carol is let in by her own machines only");
}

#[test]
fn a_star_source_is_every_tailnet_address_without_the_hole_and_every_approved_route() {
    let policy = r#"{"acls": [{"action": "accept", "src": ["*"], "dst": ["100.64.0.0/24:80-90"]}]}"#;
    let roster = roster(policy, &[node(1, "a"), router(2, "tag:r", &["10.9.0.0/16", "0.0.0.0/0"])]);
    let rules = roster.rules_for(NodeId(0));
    assert!(lets_in(&rules, IpAddr::from([100, 115, 91, 255]), address(1), 85));
    assert!(!lets_in(&rules, IpAddr::from([100, 115, 92, 0]), address(1), 85));
    assert!(lets_in(&rules, IpAddr::from([10, 9, 1, 1]), address(1), 85));
    assert!(!lets_in(&rules, IpAddr::from([8, 8, 8, 8]), address(1), 85), "a default route is no subnet");
    assert!(!lets_in(&rules, address(2), address(1), 91));
    assert_eq!(rules[0].targets[0].to, RuleSource::Prefix("100.64.0.0/24".parse().unwrap()));
    assert_eq!(rules[0].targets[0].ports, PortRange { first: 80, last: 90 });
}

#[test]
fn danger_all_is_the_world() {
    let policy = r#"{"grants": [{"src": ["autogroup:danger-all"], "dst": ["*"], "ip": ["*"]}]}"#;
    let roster = roster(policy, &[node(1, "a")]);
    assert!(lets_in(&roster.rules_for(NodeId(0)), IpAddr::from([8, 8, 8, 8]), address(1), 1));
}

#[test]
fn capabilities_come_with_their_companions() {
    let policy = r#"{
        "tagOwners": { "tag:nas": ["a@"] },
        "grants": [{
            "src": ["autogroup:member"], "dst": ["tag:nas"],
            "app": { "tailscale.com/cap/drive": [{ "shares": ["*"] }], "example.com/cap/x": [1, 2] },
        }],
    }"#;
    let roster = roster(policy, &[node(1, "a"), tagged(2, &["tag:nas"])]);
    let (laptop, nas) = (roster.rules_for(NodeId(0)), roster.rules_for(NodeId(1)));
    assert_eq!(granted(&nas, address(1), address(2)), ["tailscale.com/cap/drive", "example.com/cap/x"]);
    assert_eq!(granted(&laptop, address(2), address(1)), ["tailscale.com/cap/drive-sharer"]);
    let values = &nas[0].grants[0].capabilities.iter().find(|cap| cap.name == "example.com/cap/x").unwrap().values;
    assert_eq!(**values, ["1".to_owned(), "2".to_owned()]);
    assert!(!lets_in(&nas, address(1), address(2), 80) && sees(&roster, 0, 1));
}

#[test]
fn companions_of_what_lies_behind_a_router_are_given_at_the_router() {
    let policy = r#"{
        "tagOwners": { "tag:nas": [], "tag:r": [] },
        "grants": [{ "src": ["10.1.2.0/24"], "dst": ["tag:nas"], "app": { "tailscale.com/cap/drive": [{}] } }],
    }"#;
    let roster = roster(policy, &[tagged(1, &["tag:nas"]), router(2, "tag:r", &["10.1.0.0/16"])]);
    let rules = roster.rules_for(NodeId(1));
    assert_eq!(granted(&rules, address(1), IpAddr::from([10, 1, 2, 3])), ["tailscale.com/cap/drive-sharer"]);
    assert!(granted(&rules, address(1), address(2)).is_empty());
}

#[test]
fn capabilities_for_nobody_are_given_nowhere_and_those_for_people_without_nodes_wait() {
    let grant = |src: &str| {
        let policy = format!(
            r#"{{"groups": {{"group:g": []}}, "grants": [{{"src": {src}, "dst": ["*"], "app": {{"example.com/cap/x": [{{}}]}}}}]}}"#
        );
        roster(&policy, &[node(1, "a")]).rules_for(NodeId(0)).len()
    };
    assert_eq!((grant("[]"), grant(r#"["group:g"]"#)), (0, 1));
}

#[test]
fn postures_are_asked_of_sources() {
    let policy = r#"{
        "postures": { "posture:new": ["node:os == 'linux'", "node:tsVersion >= '1.60'"] },
        "acls": [{ "action": "accept", "src": ["*"], "srcPosture": ["posture:new"], "dst": ["*:22"] }],
    }"#;
    let with = |number: u8, version: &str| {
        let attribute = |name: &str, value: &str| (name.to_owned(), Scalar::Text(value.to_owned()));
        let attributes = BTreeMap::from([attribute("node:os", "linux"), attribute("node:tsVersion", version)]);
        Spec { attributes, ..node(number, "a") }
    };
    let mut roster = roster(policy, &[with(1, "1.62.1"), with(2, "1.58"), tagged(3, &["tag:x"])]);
    let rules = roster.rules_for(NodeId(2));
    assert!(lets_in(&rules, address(1), address(3), 22) && !lets_in(&rules, address(2), address(3), 22));
    assert!(sees(&roster, 0, 1) && !sees(&roster, 1, 2));
    let shift = roster.insert(NodeId(1), &with(2, "1.60.0").subject());
    assert!(roster.class(NodeId(2)).unwrap().heeds(&shift));
    assert!(lets_in(&roster.rules_for(NodeId(2)), address(2), address(3), 22) && sees(&roster, 1, 2));
}

#[test]
fn a_rule_for_many_is_one_interval_and_shared() {
    let nodes: Vec<Spec> = (1..=100).map(|number| node(number, "a")).collect();
    let roster = roster(r#"{"acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["*:*"]}]}"#, &nodes);
    let mut cache = PacketCache::default();
    let (one, two) = (roster.chunks_for(NodeId(1), &mut cache), roster.chunks_for(NodeId(2), &mut cache));
    assert!(Arc::ptr_eq(&one[0].rules[0].sources, &two[0].rules[0].sources));
    assert_eq!(one[0].rules[0].sources.sources, [RuleSource::Range(address(1), address(100))]);
    assert_eq!(one[0].fingerprint, two[0].fingerprint, "to everybody is the same for everybody");
}

#[test]
fn a_cache_does_not_confuse_policies() {
    let under = |network: &str| {
        let policy = format!(r#"{{"acls": [{{"action": "accept", "src": ["{network}"], "dst": ["*:*"]}}]}}"#);
        roster(&policy, &[node(1, "a")])
    };
    let (one, two) = (under("10.0.0.0/8"), under("192.168.0.0/16"));
    let mut cache = PacketCache::default();
    for roster in [&one, &two, &one] {
        let fresh = roster.chunks_for(NodeId(0), &mut PacketCache::default());
        assert_eq!(roster.chunks_for(NodeId(0), &mut cache), fresh);
    }
}

#[test]
fn an_edited_policy_keeps_the_fingerprints_of_what_it_does_not_change() {
    let before = house();
    let text = POLICY.replace("22,443", "22").replace("// Three people", "// Several people");
    let after = Policy::parse(text.as_bytes()).unwrap();
    let nodes =
        [node(0, "alice@example.com"), node(1, "bob"), node(2, "bob"), node(3, "carol"), tagged(4, &["tag:server"])];
    let after = Roster::with_nodes(Arc::new(after), (0..).map(NodeId).zip(nodes.iter().map(Spec::subject)));
    let prints = |roster: &Roster, node: u64| -> Vec<u64> {
        roster.chunks_for(NodeId(node), &mut PacketCache::default()).iter().map(|chunk| chunk.fingerprint).collect()
    };
    let (old, new) = (prints(&before, 4), prints(&after, 4));
    assert_ne!(old[0], new[0]);
    assert_eq!(old[1..], new[1..]);
    assert_eq!(prints(&before, 1), prints(&after, 1));
}

fn any_spec() -> impl Strategy<Value = Spec> {
    (0u8..20, prop::sample::select(vec![0, 1, 2, 3, 4, 5])).prop_map(|(number, kind)| match kind {
        0 => node(number, "alice@example.com"),
        1 => node(number, "bob"),
        2 => node(number, "carol"),
        3 => tagged(number, &["tag:server"]),
        4 => router(number, "tag:db", &["10.0.0.0/8"]),
        _ => tagged(number, &["tag:db", "tag:server"]),
    })
}

/// A policy with something of everything that makes one node's rules depend on another.
const MIXED: &str = r#"{
    "groups": { "group:admins": ["alice@example.com"] },
    "tagOwners": { "tag:server": ["group:admins"], "tag:db": ["tag:server"] },
    "acls": [
        { "action": "accept", "src": ["group:admins"], "dst": ["tag:server:22,443", "tag:db:*"] },
        { "action": "accept", "src": ["*"], "dst": ["tag:server:80", "10.1.0.0/16:*"] },
        { "action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*"] },
    ],
    "grants": [
        { "src": ["autogroup:member"], "dst": ["tag:db"], "app": { "tailscale.com/cap/relay": [{}] } },
        { "src": ["tag:server"], "dst": ["10.0.0.0/8"], "ip": ["tcp:1"], "via": ["tag:db"] },
    ],
}"#;

proptest! {
    /// What one change tells about its effect is what asking everything again shows, and changing is like making anew.
    #[test]
    fn packet_rules_change_only_for_nodes_that_heed_the_change(
        before in prop::collection::vec(any_spec(), 1..8), number in 0u64..8, change in prop::option::of(any_spec()),
    ) {
        let mut nodes: BTreeMap<u64, Spec> = (0..).zip(before).collect();
        // Addresses never change in the life of a node and are never shared.
        nodes.iter_mut().for_each(|(number, spec)| spec.addresses = vec![address(*number as u8)]);
        let mut roster = Roster::new(Arc::new(Policy::parse(MIXED.as_bytes()).unwrap()));
        nodes.iter().for_each(|(number, spec)| _ = roster.insert(NodeId(*number), &spec.subject()));
        let mut cache = PacketCache::default();
        let mut chunks = |roster: &Roster, number: u64| roster.chunks_for(NodeId(number), &mut cache);
        let rules: BTreeMap<u64, _> = nodes.keys().map(|number| (*number, chunks(&roster, *number))).collect();
        let shift = match change {
            Some(spec) => {
                let spec = Spec { addresses: vec![address(number as u8)], ..spec };
                let shift = roster.insert(NodeId(number), &spec.subject());
                nodes.insert(number, spec);
                shift
            }
            None => { nodes.remove(&number); roster.remove(NodeId(number)) }
        };
        for (other, rules) in rules.iter().filter(|(other, _)| **other != number) {
            if !roster.class(NodeId(*other)).unwrap().heeds(&shift) {
                prop_assert_eq!(&chunks(&roster, *other), rules);
            }
        }
        let anew = nodes.iter().map(|(number, spec)| (NodeId(*number), spec.subject()));
        let anew = Roster::with_nodes(roster.policy().clone(), anew);
        for number in nodes.keys() {
            prop_assert_eq!(anew.class(NodeId(*number)), roster.class(NodeId(*number)));
            prop_assert_eq!(chunks(&anew, *number), chunks(&roster, *number));
        }
    }

    /// Visibility and packet rules agree: who is let in is visible.
    #[test]
    fn whoever_is_let_in_is_visible(nodes in prop::collection::vec(any_spec(), 2..8), port in 0u16..500) {
        let mut nodes = nodes;
        for (number, spec) in nodes.iter_mut().enumerate() {
            spec.addresses = vec![address(number as u8)];
        }
        let roster = roster(MIXED, &nodes);
        for (a, from) in nodes.iter().enumerate() {
            for (b, to) in nodes.iter().enumerate().filter(|(b, _)| a != *b) {
                if lets_in(&roster.rules_for(NodeId(b as u64)), from.addresses[0], to.addresses[0], port) {
                    prop_assert!(sees(&roster, a as u64, b as u64));
                }
            }
        }
    }
}

#[test]
fn an_address_of_the_world_reaches_nobody_by_accident() {
    let policy = r#"{"acls": [{"action": "accept", "src": ["10.0.0.0/8"], "dst": ["*:*"]}]}"#;
    let roster = roster(policy, &[node(1, "a"), router(2, "tag:r", &["10.1.0.0/16"]), node(3, "b")]);
    assert!(sees(&roster, 0, 1), "the router brings what is behind it");
    assert!(!sees(&roster, 0, 2));
    let rules = roster.rules_for(NodeId(0));
    assert!(lets_in(&rules, IpAddr::from([10, 1, 0, 1]), address(1), 5) && !lets_in(&rules, address(2), address(1), 5));
    let prefix: Prefix = "10.0.0.0/8".parse().unwrap();
    assert_eq!(rules[0].sources, [RuleSource::Prefix(prefix)]);
}

/// A node with an address of each kind.
fn both(spec: Spec) -> Spec {
    let last = spec.addresses[0].to_string().rsplit('.').next().unwrap().to_owned();
    let second = format!("fd7a:115c:a1e0::{last}").parse().unwrap();
    Spec { addresses: vec![spec.addresses[0], second], ..spec }
}

fn linux(spec: Spec) -> Spec {
    Spec { attributes: BTreeMap::from([("node:os".to_owned(), Scalar::Text("linux".to_owned()))]), ..spec }
}

#[test]
fn with_a_posture_too_a_rule_lists_the_addresses_that_it_names_and_no_others() {
    let policy = r#"{
        "postures": { "posture:linux": ["node:os == 'linux'"] },
        "grants": [{ "src": ["100.64.0.1"], "srcPosture": ["posture:linux"], "dst": ["*"], "ip": ["*"] }],
    }"#;
    let roster = roster(policy, &[both(linux(node(1, "a"))), both(node(2, "b"))]);
    let rules = roster.rules_for(NodeId(1));
    let second = "fd7a:115c:a1e0::1".parse().unwrap();
    assert!(lets_in(&rules, address(1), address(2), 22) && !lets_in(&rules, second, address(2), 22));
}

#[test]
fn what_lies_behind_a_router_has_no_posture() {
    let policy = r#"{
        "tagOwners": { "tag:r": [] },
        "postures": { "posture:linux": ["node:os == 'linux'"] },
        "acls": [{ "action": "accept", "src": ["10.0.0.0/8"], "srcPosture": ["posture:linux"], "dst": ["a@:22"] }],
    }"#;
    let roster = roster(policy, &[node(1, "a"), linux(router(2, "tag:r", &["10.1.0.0/16"]))]);
    assert!(!sees(&roster, 0, 1) && roster.rules_for(NodeId(0)).is_empty());
    assert!(roster.explain(NodeId(1), address(1), 6, Some(22)).allowed.is_empty());
}

#[test]
fn each_part_of_a_set_is_here_or_elsewhere_by_itself() {
    let policy = r#"{
        "tagOwners": { "tag:r": [] },
        "ipsets": { "ipset:both": ["8.8.8.8", "10.0.0.0/8", "192.168.0.0/16"] },
        "acls": [{ "action": "accept", "src": ["a@"], "dst": ["ipset:both:*"] }],
    }"#;
    let roster = roster(policy, &[node(1, "a"), router(2, "tag:r", &["0.0.0.0/0", "10.1.0.0/16"])]);
    let rules = roster.rules_for(NodeId(1));
    let reached = |to: [u8; 4]| lets_in(&rules, address(1), IpAddr::from(to), 443);
    assert!(reached([8, 8, 8, 8]), "the internet beyond");
    assert!(reached([10, 1, 0, 1]), "the network behind");
    assert!(!reached([192, 168, 0, 1]), "neither");
}

#[test]
fn by_via_a_router_carries_its_networks_and_not_what_is_public_besides() {
    let policy = r#"{
        "tagOwners": { "tag:r": [] },
        "grants": [{ "src": ["a@"], "dst": ["10.0.0.0/8", "8.8.8.8"], "ip": ["*"], "via": ["tag:r"] }],
    }"#;
    let roster = roster(policy, &[node(1, "a"), router(2, "tag:r", &["0.0.0.0/0", "10.1.0.0/16"])]);
    let rules = roster.rules_for(NodeId(1));
    assert!(lets_in(&rules, address(1), [10, 1, 0, 1].into(), 443));
    assert!(!lets_in(&rules, address(1), [8, 8, 8, 8].into(), 443));
}

#[test]
fn a_node_heeds_whatever_changes_what_its_owner_may_do_there() {
    let policy = r#"{
        "postures": { "posture:linux": ["node:os == 'linux'"] },
        "grants": [{
            "src": ["autogroup:member"], "srcPosture": ["posture:linux"], "dst": ["autogroup:self"], "ip": ["22"],
            "app": { "tailscale.com/cap/drive": [{}] },
        }],
    }"#;
    let mut roster = roster(policy, &[linux(node(1, "a")), linux(node(2, "a")), node(4, "b")]);
    let before = roster.rules_for(NodeId(0));
    let moved = roster.insert(NodeId(1), &linux(node(3, "a")).subject());
    let after = roster.rules_for(NodeId(0));
    assert_ne!(before, after);
    assert!(roster.class(NodeId(0)).unwrap().heeds(&moved) && !roster.class(NodeId(2)).unwrap().heeds(&moved));
    let joined = roster.insert(NodeId(3), &node(5, "a").subject());
    assert_eq!(granted(&roster.rules_for(NodeId(0)), address(5), address(1)), ["tailscale.com/cap/drive-sharer"]);
    assert!(roster.class(NodeId(0)).unwrap().heeds(&joined), "it is no source, but one of those who are known");
}

#[test]
fn a_source_heeds_who_is_no_longer_known_for_what_they_offer() {
    let policy = r#"{
        "tagOwners": { "tag:nas": [], "tag:r": [] },
        "grants": [{
            "src": ["a@"], "dst": ["tag:nas", "10.0.0.0/8"],
            "app": { "tailscale.com/cap/drive": [{}] },
        }],
    }"#;
    let mut roster = roster(policy, &[node(1, "a"), router(2, "tag:nas", &["10.1.0.0/16"])]);
    assert_eq!(granted(&roster.rules_for(NodeId(0)), address(2), address(1)).len(), 1);
    let shift = roster.insert(NodeId(1), &router(2, "tag:r", &["10.1.0.0/16"]).subject());
    assert!(granted(&roster.rules_for(NodeId(0)), address(2), address(1)).is_empty());
    assert_eq!(shift.before, shift.after, "it is a target for what it routes");
    assert!(roster.class(NodeId(0)).unwrap().heeds(&shift));
}

#[test]
fn who_is_selected_by_other_words_of_the_same_rule_has_changed() {
    let policy = r#"{
        "tagOwners": { "tag:a": [], "tag:b": [] },
        "acls": [{ "action": "accept", "src": ["*"], "dst": ["tag:a:22", "tag:b:80"] }],
    }"#;
    let mut roster = roster(policy, &[node(1, "a"), tagged(2, &["tag:a"])]);
    let shift = roster.insert(NodeId(1), &tagged(2, &["tag:b"]).subject());
    let rules = roster.rules_for(NodeId(1));
    assert!(lets_in(&rules, address(1), address(2), 80) && !lets_in(&rules, address(1), address(2), 22));
    assert!(shift.before == shift.after && !shift.is_empty());
}

#[test]
fn a_target_heeds_a_source_with_a_posture_that_is_listed_by_another_word() {
    let policy = r#"{
        "postures": { "posture:linux": ["node:os == 'linux'"] },
        "tagOwners": { "tag:server": [] },
        "acls": [{ "action": "accept", "src": ["a@", "100.64.0.0/10"], "srcPosture": ["posture:linux"], "dst": ["tag:server:*"] }],
    }"#;
    let mut roster = roster(policy, &[both(linux(node(1, "a"))), tagged(2, &["tag:server"])]);
    let second = "fd7a:115c:a1e0::1".parse().unwrap();
    let server = "fd7a:115c:a1e0::2".parse().unwrap();
    roster.insert(NodeId(1), &both(tagged(2, &["tag:server"])).subject());
    assert!(lets_in(&roster.rules_for(NodeId(1)), second, server, 22));
    let shift = roster.insert(NodeId(0), &both(linux(node(1, "b"))).subject());
    assert!(!lets_in(&roster.rules_for(NodeId(1)), second, server, 22), "b is there by an IPv4 address only");
    assert!(roster.class(NodeId(1)).unwrap().heeds(&shift));
}
