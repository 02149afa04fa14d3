//! The laws of deltas, on generated maps.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use wattle_keys::{DiscoPublic, NodePublic};
use wattle_time::UnixTime;

use crate::*;

/// Few numbers, so that changes often meet the same peer.
fn id() -> impl Strategy<Value = NodeId> {
    (1u64..6).prop_map(NodeId)
}

fn time() -> impl Strategy<Value = UnixTime> {
    (0i64..3).prop_map(UnixTime::from_secs)
}

fn endpoints() -> impl Strategy<Value = Vec<Endpoint>> {
    let endpoint = (1u16..4).prop_map(|port| Endpoint {
        address: SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), port)),
        kind: EndpointKind::Unknown,
    });
    vec(endpoint, 0..3)
}

fn capabilities() -> impl Strategy<Value = Vec<Capability>> {
    vec("[ab]", 0..2).prop_map(|names| names.into_iter().map(|name| Capability { name, values: Vec::new() }).collect())
}

prop_compose! {
    fn node()(
        id in id(),
        name in "[a-c]",
        key in 0u8..3,
        disco in option::of(0u8..3),
        endpoints in endpoints(),
        region in option::of(1u16..4),
        times in (option::of(time()), option::of(time())),
        online: Option<bool>,
        capability_version in 0u16..3,
        capabilities in capabilities(),
    ) -> Node {
        Node {
            name,
            disco: disco.map(|byte| DiscoPublic::from_bytes([byte; 32])),
            endpoints,
            home_region: region.map(RegionId),
            key_expiry: times.0,
            last_seen: times.1,
            online,
            capability_version,
            capabilities,
            ..Node::new(id, NodePublic::from_bytes([key; 32]))
        }
    }
}

prop_compose! {
    fn patch()(
        region in option::of(1u16..4),
        endpoints in option::of(endpoints()),
        key in option::of(0u8..3),
        online: Option<bool>,
        last_seen in option::of(option::of(time())),
        key_expiry in option::of(time()),
        capabilities in option::of(capabilities()),
    ) -> NodePatch {
        NodePatch {
            home_region: region.map(RegionId),
            endpoints,
            key: key.map(|byte| NodePublic::from_bytes([byte; 32])),
            online,
            last_seen,
            key_expiry,
            capabilities,
            ..NodePatch::default()
        }
    }
}

fn keyed(nodes: Vec<Node>) -> BTreeMap<NodeId, Node> {
    nodes.into_iter().map(|node| (node.id, node)).collect()
}

fn rule() -> impl Strategy<Value = Vec<FilterRule>> {
    vec(Just(FilterRule { sources: vec![RuleSource::Any], ..FilterRule::default() }), 0..3)
}

prop_compose! {
    fn users()(names in btree_map(0u64..3, "[xy]", 0..3)) -> BTreeMap<UserId, User> {
        let user = |(id, login_name)| (UserId(id), User { id: UserId(id), login_name, ..User::default() });
        names.into_iter().map(user).collect()
    }
}

fn regions() -> impl Strategy<Value = BTreeMap<RegionId, DerpRegion>> {
    btree_set(1u16..4, 0..3).prop_map(|ids| {
        ids.into_iter().map(|id| (RegionId(id), DerpRegion { id: RegionId(id), ..DerpRegion::default() })).collect()
    })
}

fn scores() -> impl Strategy<Value = BTreeMap<RegionId, Score>> {
    btree_map((1u16..4).prop_map(RegionId), (1u32..3).prop_map(|thousandths| Score { thousandths }), 0..3)
}

fn dns() -> impl Strategy<Value = DnsConfig> {
    any::<bool>().prop_map(|proxied| DnsConfig { proxied, ..DnsConfig::default() })
}

prop_compose! {
    fn netmap()(
        self_node in node(),
        peers in vec(node(), 0..6),
        users in users(),
        regions in regions(),
        region_scores in scores(),
        dns in dns(),
        rules in btree_map("[ab]", rule(), 0..3),
        domain in "[de]",
        health in btree_map("[hi]", "[jk]", 0..3),
    ) -> Netmap {
        let derp = DerpMap { regions, region_scores };
        Netmap { self_node: Some(self_node), peers: keyed(peers), users, derp, dns, rules, domain, health }
    }
}

prop_compose! {
    fn delta()(
        self_node in option::of(node().prop_map(Box::new)),
        all_peers in option::weighted(0.2, vec(node(), 0..6)),
        removed in btree_set(id(), 0..3),
        changed in vec(node(), 0..3),
        patched in btree_map(id(), patch(), 0..3),
        users in users(),
        derp in (option::of(regions()), option::of(scores())),
        dns in option::of(dns()),
        rules in (any::<bool>(), btree_map("[ab]", option::of(rule()), 0..3)),
        domain in option::of("[de]"),
        health in (any::<bool>(), btree_map("[hi]", option::of("[jk]"), 0..3)),
    ) -> Delta {
        Delta {
            self_node,
            all_peers,
            removed,
            changed: keyed(changed),
            patched,
            users,
            derp_regions: derp.0,
            region_scores: derp.1,
            dns,
            clear_rules: rules.0,
            rules: rules.1,
            domain,
            clear_health: health.0,
            health: health.1,
        }
    }
}

proptest! {
    #[test]
    fn the_change_between_two_maps_leads_from_one_to_the_other(old in netmap(), mut new in netmap()) {
        for (id, user) in &old.users {
            new.users.entry(*id).or_insert_with(|| user.clone());
        }
        let mut map = old.clone();
        map.apply(Delta::between(&old, &new));
        prop_assert_eq!(map, new);
    }

    #[test]
    fn there_is_no_change_between_equal_maps(map in netmap()) {
        prop_assert!(Delta::between(&map, &map).is_empty());
    }

    #[test]
    fn merged_changes_do_what_they_do_in_a_row(map in netmap(), first in delta(), second in delta(), third in delta()) {
        let mut in_a_row = map.clone();
        for delta in [&first, &second, &third] {
            in_a_row.apply(delta.clone());
        }
        let mut merged = first;
        merged.merge(second);
        merged.merge(third);
        let mut at_once = map;
        at_once.apply(merged);
        prop_assert_eq!(at_once, in_a_row);
    }

    #[test]
    fn a_patch_leads_to_the_node_it_was_made_for(old in node(), new in node()) {
        if let Some(patch) = NodePatch::between(&old, &new) {
            let mut patched = old;
            patch.apply_to(&mut patched);
            prop_assert_eq!(patched, new);
        }
    }
}

#[test]
fn a_new_endpoint_is_a_patch_and_a_new_name_is_not() {
    let old = Node::new(NodeId(1), NodePublic::from_bytes([1; 32]));
    let endpoint = Endpoint { address: SocketAddr::from(([192, 0, 2, 1], 41641)), kind: EndpointKind::Stun };
    let moved = Node { endpoints: vec![endpoint], ..old.clone() };
    assert!(NodePatch::between(&old, &moved).is_some_and(|patch| patch.endpoints == Some(vec![endpoint])));
    assert_eq!(NodePatch::between(&moved, &old), None, "endpoints cannot be taken away by a patch");
    let renamed = Node { name: "other".to_owned(), ..old.clone() };
    assert_eq!(NodePatch::between(&old, &renamed), None);
}

#[test]
fn a_patch_of_an_unknown_peer_is_ignored() {
    let mut map = Netmap::default();
    let patch = NodePatch { online: Some(true), ..NodePatch::default() };
    map.apply(Delta { patched: [(NodeId(9), patch)].into(), ..Delta::default() });
    assert_eq!(map, Netmap::default());
}
