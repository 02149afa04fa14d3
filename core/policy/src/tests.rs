//! Policies that people write, and what they mean.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use wattle_netmap::{FilterRule, NodeId, PortRange, Prefix, RuleSource, UserId};

use crate::{Policy, PolicyError, Roster, Subject};

/// A node for tests: number, user and tags.
#[derive(Clone, Debug)]
struct Spec {
    user: Option<&'static str>,
    tags: Vec<String>,
    addresses: Vec<IpAddr>,
}

fn node(number: u8, user: &'static str) -> Spec {
    Spec { user: Some(user), tags: Vec::new(), addresses: vec![IpAddr::from([100, 64, 0, number])] }
}

fn tagged(number: u8, tag: &str) -> Spec {
    Spec { user: None, tags: vec![tag.to_owned()], addresses: vec![IpAddr::from([100, 64, 0, number])] }
}

fn user_id(login: &str) -> UserId {
    UserId(login.bytes().map(u64::from).sum())
}

impl Spec {
    fn subject(&self) -> Subject<'_> {
        Subject { user: self.user.map(|login| (user_id(login), login)), tags: &self.tags, addresses: &self.addresses }
    }
}

fn roster(policy: &str, nodes: &[Spec]) -> Roster {
    let mut roster = Roster::new(Arc::new(Policy::parse(policy).unwrap()));
    for (number, node) in nodes.iter().enumerate() {
        roster.insert(NodeId(number as u64), &node.subject());
    }
    roster
}

fn sees(roster: &Roster, a: u64, b: u64) -> bool {
    roster.class(NodeId(a)).unwrap().sees(roster.class(NodeId(b)).unwrap())
}

/// Whether the packet rules of a node let another one in on a TCP port.
fn lets_in(rules: &[FilterRule], from: IpAddr, to: IpAddr, port: u16) -> bool {
    let matches = |source: &RuleSource, address: IpAddr| match source {
        RuleSource::Any => true,
        RuleSource::Prefix(prefix) => prefix.contains(&address),
        RuleSource::Range(first, last) => (*first..=*last).contains(&address),
        RuleSource::HasCapability(_) => false,
    };
    rules.iter().any(|rule| {
        (rule.protocols.is_empty() || rule.protocols.contains(&6))
            && rule.sources.iter().any(|source| matches(source, from))
            && rule.targets.iter().any(|target| matches(&target.to, to) && target.ports.contains(port))
    })
}

const POLICY: &str = r#"{
    // Three people, one server.
    "groups": { "group:admins": ["alice@example.com"] },
    "hosts": { "printer": "100.64.0.9" },
    "tagOwners": { "tag:server": ["group:admins"], "tag:db": ["tag:server"] },
    "acls": [
        { "action": "accept", "src": ["group:admins"], "dst": ["tag:server:22,443", "tag:db:*"] },
        { "action": "accept", "src": ["bob@"], "dst": ["tag:server:443"], "proto": "tcp" },
        { "action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*", "printer:631"] },
    ],
}"#;

fn house() -> Roster {
    let nodes = [
        node(0, "alice@example.com"),
        node(1, "bob"),
        node(2, "bob"),
        node(3, "carol"),
        tagged(4, "tag:server"),
        tagged(9, "tag:db"),
    ];
    roster(POLICY, &nodes)
}

#[test]
fn a_peer_is_visible_when_a_rule_lets_either_side_reach_the_other() {
    let house = house();
    assert!(sees(&house, 0, 4) && sees(&house, 4, 0), "admin and server");
    assert!(sees(&house, 1, 2), "two machines of one user");
    assert!(!sees(&house, 0, 1), "machines of two users");
    assert!(!sees(&house, 3, 4), "carol and the server");
    assert!(sees(&house, 3, 5), "everybody and the printer");
    assert!(!sees(&house, 4, 5), "tags that no rule joins");
}

#[test]
fn packet_rules_let_in_what_the_policy_allows_and_nothing_else() {
    let house = house();
    let server = house.rules_for(NodeId(4));
    let address = |number: u8| IpAddr::from([100, 64, 0, number]);
    assert!(lets_in(&server, address(0), address(4), 22) && lets_in(&server, address(0), address(4), 443));
    assert!(lets_in(&server, address(1), address(4), 443) && !lets_in(&server, address(1), address(4), 22));
    assert!(!lets_in(&server, address(3), address(4), 443));
    let laptop = house.rules_for(NodeId(1));
    assert!(lets_in(&laptop, address(2), address(1), 80) && !lets_in(&laptop, address(0), address(1), 80));
    assert_eq!(house.rules_for(NodeId(3)).len(), 1, "carol is let in by her own machines only");
}

#[test]
fn a_star_source_is_every_tailnet_address_without_the_hole() {
    let roster =
        roster(r#"{"acls": [{"action": "accept", "src": ["*"], "dst": ["100.64.0.0/24:80-90"]}]}"#, &[node(1, "a")]);
    let rules = roster.rules_for(NodeId(0));
    let to = IpAddr::from([100, 64, 0, 1]);
    assert!(lets_in(&rules, IpAddr::from([100, 115, 91, 255]), to, 85));
    assert!(!lets_in(&rules, IpAddr::from([100, 115, 92, 0]), to, 85));
    assert!(!lets_in(&rules, IpAddr::from([100, 64, 0, 2]), to, 91));
    assert_eq!(rules[0].targets[0].to, RuleSource::Prefix(Prefix::from(to)));
    assert_eq!(rules[0].targets[0].ports, PortRange { first: 80, last: 90 });
}

#[test]
fn without_a_policy_or_rules_everything_is_allowed_and_an_empty_list_allows_nothing() {
    for (policy, open) in [("{}", true), (r#"{"acls": []}"#, false)] {
        let roster = roster(policy, &[node(1, "a"), tagged(2, "tag:x")]);
        assert_eq!(sees(&roster, 0, 1), open, "{policy}");
        assert_eq!(roster.rules_for(NodeId(0)).is_empty(), !open, "{policy}");
    }
}

#[test]
fn tags_belong_to_their_owners() {
    let policy = Policy::parse(POLICY).unwrap();
    let (alice, bob) = (node(0, "alice@example.com"), node(1, "bob"));
    assert!(policy.may_use_tag("tag:server", &alice.subject()) && !policy.may_use_tag("tag:server", &bob.subject()));
    assert!(policy.may_use_tag("tag:db", &tagged(4, "tag:server").subject()));
    assert!(policy.knows_tag("tag:db") && !policy.knows_tag("tag:web"));
    assert!(Policy::allow_all().knows_tag("tag:web") && !Policy::allow_all().knows_tag("tag:1 2"));
    assert!(!Policy::allow_all().may_use_tag("tag:web", &alice.subject()));
}

#[test]
fn errors_say_where() {
    for (text, line, column, message) in [
        ("{\n  \"acl\": []\n}", 2, 3, "unknown field \"acl\""),
        ("{\n  \"acls\": [\n    {\"action\": \"drop\", \"src\": [], \"dst\": []}]}", 3, 16, "is not \"accept\""),
        (
            "{\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:x\"], \"dst\": []}]}",
            1,
            40,
            "does not define \"tag:x\"",
        ),
        ("{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*\"]}]}", 1, 54, "needs ports"),
        ("{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:90-80\"]}]}", 1, 54, "is not ports"),
        ("{\"groups\": {\"group:a\": [\"bob\"]}}", 1, 25, "is not a user"),
        ("{\"hosts\": {\"a\": \"1.2.3\"}}", 1, 17, "is not the address"),
        ("{\"acls\": [], \"ACLs\": []}", 1, 14, "a second time"),
        ("{\"grants\": []}", 1, 2, "not supported"),
        ("{'acls': []}", 1, 2, "Single-quoted"),
        ("", 1, 1, "empty"),
    ] {
        let PolicyError { line: at_line, column: at_column, message: said } = Policy::parse(text).unwrap_err();
        assert_eq!((at_line, at_column), (line, column), "{text}: {said}");
        assert!(said.contains(message), "{text}: {said}");
    }
}

#[test]
fn deep_nesting_and_long_texts_are_refused() {
    assert!(Policy::parse(&"[".repeat(100_000)).is_err());
    assert!(Policy::parse(&" ".repeat(crate::limits::TEXT_BYTES_MAX + 1)).is_err());
}

fn any_spec() -> impl Strategy<Value = Spec> {
    (0u8..20, prop::sample::select(vec![0, 1, 2, 3, 4])).prop_map(|(number, kind)| match kind {
        0 => node(number, "alice@example.com"),
        1 => node(number, "bob"),
        2 => node(number, "carol"),
        3 => tagged(number, "tag:server"),
        _ => tagged(number, "tag:db"),
    })
}

proptest! {
    #[test]
    fn any_text_is_handled(text in "[{}\\[\\]\":,/*a-z0-9 \n]{0,200}") {
        let _ignored = Policy::parse(&text);
    }

    /// What one change tells about its effect is what asking everything again shows.
    #[test]
    fn packet_rules_change_only_for_nodes_that_heed_the_change(
        before in prop::collection::vec(any_spec(), 1..8), number in 0u64..8, change in prop::option::of(any_spec()),
    ) {
        let mut before: BTreeMap<u64, Spec> = (0..).zip(before).collect();
        // Addresses never change in the life of a node and are never shared.
        before.iter_mut().for_each(|(number, spec)| spec.addresses = vec![IpAddr::from([100, 64, 0, *number as u8])]);
        let mut roster = Roster::new(Arc::new(Policy::parse(POLICY).unwrap()));
        before.iter().for_each(|(number, spec)| _ = roster.insert(NodeId(*number), &spec.subject()));
        let rules: BTreeMap<u64, _> = before.keys().map(|number| (*number, roster.rules_for(NodeId(*number)))).collect();
        let old = roster.class(NodeId(number)).cloned();
        let new = match change {
            Some(mut spec) => {
                spec.addresses = vec![IpAddr::from([100, 64, 0, number as u8])];
                Some(roster.insert(NodeId(number), &spec.subject()))
            }
            None => { roster.remove(NodeId(number)); None }
        };
        for (other, rules) in rules.iter().filter(|(other, _)| **other != number) {
            let class = roster.class(NodeId(*other)).unwrap();
            if !class.heeds(old.as_deref(), new.as_deref()) {
                prop_assert_eq!(&roster.rules_for(NodeId(*other)), rules);
            }
        }
    }

    /// Visibility and packet rules agree: who is let in is visible.
    #[test]
    fn whoever_is_let_in_is_visible(nodes in prop::collection::vec(any_spec(), 2..8), port in 0u16..500) {
        let mut nodes = nodes;
        for (number, spec) in nodes.iter_mut().enumerate() {
            spec.addresses = vec![IpAddr::from([100, 64, 0, number as u8])];
        }
        let roster = roster(POLICY, &nodes);
        for (a, from) in nodes.iter().enumerate() {
            for (b, to) in nodes.iter().enumerate().filter(|(b, _)| a != *b) {
                if lets_in(&roster.rules_for(NodeId(b as u64)), from.addresses[0], to.addresses[0], port) {
                    prop_assert!(sees(&roster, a as u64, b as u64));
                }
            }
        }
    }
}
