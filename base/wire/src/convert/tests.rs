//! What absent, null and empty mean, and that what we write is what we read.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use wattle_keys::{DiscoPublic, NodePublic};
use wattle_netmap::{
    Capability, Delta, DerpMap, DerpNode, DerpRegion, DnsConfig, Endpoint, EndpointKind, FilterRule, Netmap, Node,
    NodeId, NodePatch, PortRange, RegionId, RuleSource, RuleTarget, Score, StableId, User, UserId,
};
use wattle_time::UnixTime;

use super::*;
use crate::control::{self, MapResponse};
use crate::version::DISPLAY_MESSAGES;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const NODE_KEY: &str = "nodekey:0101010101010101010101010101010101010101010101010101010101010101";

fn read(text: &str) -> Delta {
    delta_from_wire(serde_json::from_str(text).unwrap(), NOW).unwrap()
}

#[test]
fn no_allowed_ips_mean_the_nodes_own_addresses() {
    let text = format!(r#"{{"ID":3,"Key":"{NODE_KEY}","Name":"Ash.Example.ts.net.","Addresses":["100.64.0.3/32"]}}"#);
    let node = node_from_wire(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(node.allowed_ips, node.addresses);
    assert_eq!(node.name, "ash.example.ts.net");
    assert_eq!(node_to_wire(&node, Viewer::Peer).allowed_ips, None);
    let shut = Node { allowed_ips: Vec::new(), ..node };
    assert_eq!(node_to_wire(&shut, Viewer::Peer).allowed_ips, Some(Vec::new()));
}

#[test]
fn the_old_text_of_a_home_region_is_understood() {
    let text = format!(r#"{{"ID":3,"Key":"{NODE_KEY}","DERP":"127.3.3.40:901"}}"#);
    let node = node_from_wire(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(node.home_region, Some(RegionId(901)));
    assert_eq!(node_to_wire(&node, Viewer::Peer).home_derp, 901);
}

#[test]
fn a_node_without_a_key_is_left_out_among_peers_and_refused_as_self() {
    assert!(read(r#"{"PeersChanged":[{"ID":3}]}"#).changed.is_empty());
    let nameless: MapResponse = serde_json::from_str(r#"{"Node":{"ID":3}}"#).unwrap();
    assert_eq!(delta_from_wire(nameless, NOW), Err(ConvertError::Nameless { id: 3 }));
}

#[test]
fn patches_lie_beside_a_full_list_in_vain() {
    let delta =
        read(&format!(r#"{{"Peers":[{{"ID":3,"Key":"{NODE_KEY}"}}],"PeersRemoved":[3],"OnlineChange":{{"3":true}}}}"#));
    assert_eq!(delta.all_peers.map(|peers| peers.len()), Some(1));
    assert!(delta.removed.is_empty() && delta.patched.is_empty());
}

#[test]
fn seen_and_online_and_patch_become_one() {
    let delta = read(
        r#"{"PeerSeenChange":{"3":true,"4":false},"OnlineChange":{"3":false},"PeersChangedPatch":[{"NodeID":3,"Online":true,"DERPRegion":2}]}"#,
    );
    let expected = NodePatch {
        last_seen: Some(Some(NOW)),
        online: Some(true),
        home_region: Some(RegionId(2)),
        ..NodePatch::default()
    };
    assert_eq!(delta.patched[&NodeId(3)], expected);
    assert_eq!(delta.patched[&NodeId(4)].last_seen, Some(None));
}

#[test]
fn a_star_drops_the_rules_before_the_named_ones_come() {
    let delta = read(r#"{"PacketFilters":{"*":null,"web":[{"SrcIPs":["*"]}],"old":null},"PacketFilter":[]}"#);
    assert!(delta.clear_rules);
    assert_eq!(delta.rules["old"], None);
    assert_eq!(delta.rules["base"], Some(Vec::new()));
    assert_eq!(delta.rules["web"].as_ref().map(Vec::len), Some(1));
    let nothing = read(r#"{"Domain":"example.com"}"#);
    assert!(!nothing.clear_rules && nothing.rules.is_empty());
}

#[test]
fn what_cannot_be_read_of_a_rule_allows_nothing() {
    let rules = read(
        r#"{"PacketFilter":[
            {"SrcIPs":["nonsense","100.64.0.9-100.64.0.1","100.64.0.1-fd7a::1"],"DstPorts":[{"IP":"*","Ports":{"First":0,"Last":65535}}]},
            {"SrcIPs":["*"],"IPProto":[300],"DstPorts":[{"IP":"*","Ports":{"First":0,"Last":65535}}]},
            {"SrcIPs":["10.0.0.0"],"SrcBits":[8]},
            {"SrcIPs":["*"],"DstPorts":[{"IP":"cap:x","Ports":{"First":1,"Last":1}},{"IP":"10.0.0.1","Bits":8,"Ports":{"First":1,"Last":1}}]}]}"#,
    )
    .rules["base"]
        .clone()
        .unwrap();
    assert_eq!(rules.len(), 2);
    assert!(rules[0].sources.is_empty() && rules[1].targets.is_empty());
}

#[test]
fn the_first_message_of_a_stream_says_all() {
    let response: MapResponse = serde_json::from_str(&format!(r#"{{"Node":{{"ID":1,"Key":"{NODE_KEY}"}}}}"#)).unwrap();
    let delta = first_delta_from_wire(response, NOW).unwrap();
    assert_eq!(delta.all_peers, Some(Vec::new()));
    assert!(delta.clear_rules && delta.clear_health && delta.derp_regions.is_none());
}

#[test]
fn absent_parts_of_a_relay_map_stay() {
    let delta = read(r#"{"DERPMap":{"HomeParams":{"RegionScore":{"1":0.5,"2":-3}},"Regions":null}}"#);
    assert_eq!(delta.derp_regions, None);
    let scores = delta.region_scores.unwrap();
    assert_eq!((scores[&RegionId(1)].thousandths, scores[&RegionId(2)].thousandths), (500, 1000));
}

#[test]
fn ports_and_addresses_of_relays_have_their_special_values() {
    let map: control::DerpMap = serde_json::from_str(
        r#"{"Regions":{"1":{"RegionID":1,"Nodes":[{"Name":"1a","STUNPort":-1,"IPv6":"none"},{"Name":"1b","DERPPort":8443}]},"0":{},"99999999":{}}}"#,
    )
    .unwrap();
    let map = derp_map_from_wire(map);
    assert_eq!(map.regions.keys().copied().collect::<Vec<_>>(), [RegionId(1)]);
    let nodes = &map.regions[&RegionId(1)].nodes;
    assert_eq!((nodes[0].stun_port, nodes[0].derp_port, nodes[0].ipv4, nodes[0].ipv6), (None, 443, None, Some(None)));
    assert_eq!((nodes[1].stun_port, nodes[1].derp_port), (Some(3478), 8443));
}

#[test]
fn routes_without_resolvers_are_written_as_an_empty_list() {
    let dns = DnsConfig { routes: [("example.ts.net".to_owned(), Vec::new())].into(), ..DnsConfig::default() };
    assert_eq!(serde_json::to_string(&dns_to_wire(&dns)).unwrap(), r#"{"Routes":{"example.ts.net":[]}}"#);
}

#[test]
fn old_clients_are_told_of_health_in_the_old_words() {
    let health = [("full".to_owned(), Some("the disk is full".to_owned()))].into();
    let delta = Delta { clear_health: true, health, ..Delta::default() };
    let old = delta_to_wire(&delta, DISPLAY_MESSAGES - 1);
    assert_eq!(old.health, Some(vec!["the disk is full".to_owned()]));
    assert!(old.display_messages.is_empty());
    let new = delta_to_wire(&delta, DISPLAY_MESSAGES);
    assert!(new.health.is_none() && new.display_messages["*"].is_none() && new.display_messages["full"].is_some());
}

prop_compose! {
    fn node()(
        id in 1u64..9,
        key in 1u8..4,
        disco in option::of(1u8..4),
        ports in vec(1u16.., 0..3),
        region in option::of(1u16..),
        online: Option<bool>,
        seen in option::of(0i64..2_000_000_000),
        caps in btree_map("[a-c]{1,3}", vec(Just("[1]".to_owned()), 0..2), 0..3),
        routes in vec(0u8.., 0..3),
        flags: (bool, bool, bool),
    ) -> Node {
        let addresses = vec!["100.64.0.7/32".parse().unwrap()];
        let routes = routes.into_iter().map(|byte| format!("10.{byte}.0.0/16").parse().unwrap());
        let allowed_ips = addresses.iter().copied().chain(routes).collect();
        Node {
            stable_id: StableId(format!("n{id}")),
            name: "ash.example.ts.net".to_owned(),
            user: UserId(id),
            disco: disco.map(|byte| DiscoPublic::from_bytes([byte; 32])),
            endpoints: ports.into_iter().map(|port| Endpoint { address: ([192, 0, 2, 1], port).into(), kind: EndpointKind::Unknown }).collect(),
            home_region: region.map(RegionId),
            online,
            last_seen: seen.map(UnixTime::from_secs),
            capabilities: caps.into_iter().map(|(name, values)| Capability { name, values }).collect(),
            addresses,
            allowed_ips,
            authorized: flags.0,
            expired: flags.1,
            jailed: flags.2,
            ..Node::new(NodeId(id), NodePublic::from_bytes([key; 32]))
        }
    }
}

fn source() -> impl Strategy<Value = RuleSource> {
    prop_oneof![
        Just(RuleSource::Any),
        (0u8..33).prop_map(|length| RuleSource::Prefix(format!("10.0.0.0/{length}").parse().unwrap())),
        (0u8..129).prop_map(|length| RuleSource::Prefix(format!("fd00::/{length}").parse().unwrap())),
        (0u8.., 0u8..).prop_map(|(a, b)| RuleSource::Range([10, 0, 0, a.min(b)].into(), [10, 0, 0, a.max(b)].into())),
    ]
}

prop_compose! {
    fn rule()(sources in vec(source(), 0..3), targets in vec((source(), 0u16.., 0u16..), 0..3), protocols in vec(0u8.., 0..3), cap: bool) -> FilterRule {
        let named = cap.then(|| RuleSource::HasCapability("is-admin".to_owned()));
        let target = |(to, first, last)| RuleTarget { to, ports: PortRange { first, last } };
        FilterRule {
            sources: sources.into_iter().chain(named).collect(),
            targets: targets.into_iter().map(target).collect(),
            protocols,
            grants: Vec::new(),
        }
    }
}

prop_compose! {
    fn derp()(stun in option::of(1u16..), port in 1u16.., v4 in option::of(option::of(0u8..)), score in 1u32..2000) -> DerpMap {
        let ipv4 = v4.map(|inner| inner.map(|byte| [192, 0, 2, byte].into()));
        let node = DerpNode { name: "7a".to_owned(), region: RegionId(7), ipv4, stun_port: stun, derp_port: port, ..DerpNode::default() };
        let region = DerpRegion { id: RegionId(7), nodes: vec![node], ..DerpRegion::default() };
        DerpMap {
            regions: [(RegionId(7), region)].into(),
            region_scores: [(RegionId(7), Score { thousandths: score })].into(),
        }
    }
}

prop_compose! {
    fn netmap()(
        own in node(),
        peers in vec(node(), 0..5),
        derp in derp(),
        rules in btree_map("[ab]", vec(rule(), 0..3), 0..3),
        health in btree_map("[hi]", "[j-l]{1,9}", 0..3),
        proxied: bool,
    ) -> Netmap {
        let users: BTreeMap<_, _> =
            peers.iter().map(|peer| (peer.user, User { id: peer.user, ..User::default() })).collect();
        Netmap {
            self_node: Some(own),
            peers: peers.into_iter().map(|peer| (peer.id, peer)).collect(),
            users,
            derp,
            dns: DnsConfig { proxied, domains: vec!["example.ts.net".to_owned()], ..DnsConfig::default() },
            rules,
            domain: "example.com".to_owned(),
            health,
        }
    }
}

proptest! {
    #[test]
    fn a_map_comes_through_the_wire_as_it_was(old in netmap(), new in netmap()) {
        let mut here = Netmap::default();
        let mut there = Netmap::default();
        for target in [&old, &new] {
            let delta = Delta::between(&here, target);
            here.apply(delta.clone());
            let text = serde_json::to_string(&delta_to_wire(&delta, crate::version::OURS)).unwrap();
            there.apply(read(&text));
            prop_assert_eq!(&there, &here);
        }
    }

    #[test]
    fn a_node_round_trips(node in node()) {
        prop_assert_eq!(node_from_wire(node_to_wire(&node, Viewer::Peer)), Ok(node));
    }
}
