//! What changes of the map do to the packet filter.

use std::net::SocketAddr;

use wattle_keys::NodePrivate;
use wattle_netmap::{Capability, FilterRule, NodePatch, PortRange, RuleSource, RuleTarget};
use wattle_packet::protocol;
use wattle_session::{HostReport, Session};
use wattle_time::{Instant, UnixTime};

use super::*;
use crate::{Preferences, Tables};

const NOW: Now = Now { mono: Instant::from_nanos(1_000_000_000), wall: UnixTime::from_secs(1_700_000_000) };
const OWN: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);
const PRINTERS: &str = "example.com/cap/printer";

fn node() -> Node {
    let key = NodePrivate::from_bytes([9; 32]);
    let config = wattle_session::Config {
        version: 113,
        node_key: Some(key.clone()),
        host: HostReport::default(),
        ephemeral: false,
    };
    Node::new(Session::new(config, [1; 32]), Some(key), Preferences::default(), [2; 32], NOW)
}

fn map_node(id: NodeId) -> MapNode {
    let addresses = vec![Prefix::from(address(id))];
    let key = NodePublic::from_bytes([id.0 as u8; 32]);
    MapNode { allowed_ips: addresses.clone(), addresses, ..MapNode::new(id, key) }
}

fn address(id: NodeId) -> IpAddr {
    IpAddr::from([100, 64, 0, id.0 as u8])
}

fn rules(sources: Vec<RuleSource>) -> Delta {
    let targets = vec![RuleTarget { to: RuleSource::Any, ports: PortRange::one(631) }];
    let rule = FilterRule { sources, targets, ..FilterRule::default() };
    Delta { rules: BTreeMap::from([("base".to_owned(), Some(vec![rule]))]), ..Delta::default() }
}

/// A node that knows itself, one peer and one rule.
fn with_map(sources: Vec<RuleSource>) -> Node {
    let mut node = node();
    let map =
        Delta { self_node: Some(Box::new(map_node(OWN))), all_peers: Some(vec![map_node(PEER)]), ..rules(sources) };
    change(&mut node, map);
    node
}

/// The tables that a change publishes.
fn change(node: &mut Node, delta: Delta) -> Option<Arc<Tables>> {
    let mut out = Out::default();
    node.apply(delta, NOW, &mut out);
    node.finish(&mut out);
    out.tables
}

fn lets_in(node: &Node, peer: NodeId) -> bool {
    node.filter().allows(protocol::TCP, address(peer), SocketAddr::new(address(OWN), 631))
}

fn patch(names: &[&str]) -> Delta {
    let named = names.iter().map(|name| Capability { name: (*name).to_owned(), values: vec![] });
    let patch = NodePatch { capabilities: Some(named.collect()), ..NodePatch::default() };
    Delta { patched: BTreeMap::from([(PEER, patch)]), ..Delta::default() }
}

#[test]
fn who_has_a_capability_comes_in_from_when_the_map_says_so() {
    let mut node = with_map(vec![RuleSource::HasCapability(PRINTERS.to_owned())]);
    assert!(!lets_in(&node, PEER));
    change(&mut node, patch(&[PRINTERS, "other"]));
    assert!(lets_in(&node, PEER));
    change(&mut node, patch(&["other"]));
    assert!(!lets_in(&node, PEER));
    let capabilities = vec![Capability { name: PRINTERS.to_owned(), values: vec![] }];
    let printer = MapNode { capabilities, ..map_node(NodeId(3)) };
    change(&mut node, Delta { changed: BTreeMap::from([(printer.id, printer)]), ..Delta::default() });
    assert!(lets_in(&node, NodeId(3)));
    change(&mut node, Delta { removed: BTreeSet::from([NodeId(3)]), ..Delta::default() });
    assert!(!lets_in(&node, NodeId(3)));
}

#[test]
fn a_filter_that_peers_cannot_change_is_kept_when_they_come_and_go() {
    let mut node = with_map(vec![RuleSource::Any]);
    let before = node.tables.filter.clone();
    let newcomer = map_node(NodeId(3));
    change(&mut node, Delta { changed: BTreeMap::from([(newcomer.id, newcomer)]), ..Delta::default() });
    change(&mut node, patch(&[PRINTERS]));
    assert!(Arc::ptr_eq(&before, &node.tables.filter));
    change(&mut node, rules(vec![]));
    assert!(!Arc::ptr_eq(&before, &node.tables.filter) && !lets_in(&node, PEER));
}

#[test]
fn a_peer_is_jailed_and_let_out_by_the_map() {
    let mut node = with_map(vec![RuleSource::Any]);
    let is_jailed = |tables: Option<Arc<Tables>>| tables.unwrap().peers.iter().flatten().any(|peer| peer.jailed);
    for jailed in [true, false] {
        let peer = MapNode { jailed, ..map_node(PEER) };
        let tables = change(&mut node, Delta { changed: BTreeMap::from([(PEER, peer)]), ..Delta::default() });
        assert_eq!(is_jailed(tables), jailed);
    }
    let to = SocketAddr::new(address(OWN), 631);
    assert!(!node.tables.jailed_filter.allows(protocol::TCP, address(PEER), to));
}

#[test]
fn shields_go_up_and_come_down_at_once() {
    let mut node = with_map(vec![RuleSource::Any]);
    for shields_up in [true, false] {
        node.set_preferences(Preferences { shields_up, ..Preferences::default() }, &mut Out::default());
        assert_eq!(lets_in(&node, PEER), !shields_up);
    }
}
