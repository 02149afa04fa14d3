//! Who sees whom, why, and what a change of policy changes.

use std::net::IpAddr;

use wattle_netmap::NodeId;

use super::{Spec, address, node, roster, router, sees, tagged, user_id};
use crate::{Gain, Party, Roster, difference};

pub(super) const POLICY: &str = r#"{
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

fn people() -> Vec<Spec> {
    vec![
        node(0, "alice@example.com"),
        node(1, "bob"),
        node(2, "bob"),
        node(3, "carol"),
        tagged(4, &["tag:server"]),
        tagged(9, &["tag:db"]),
    ]
}

pub(super) fn house() -> Roster {
    roster(POLICY, &people())
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
fn without_rules_everything_is_allowed_and_an_empty_list_allows_nothing() {
    for (policy, open) in [("{}", true), (r#"{"acls": []}"#, false), (r#"{"grants": []}"#, false)] {
        let roster = roster(policy, &[node(1, "a"), tagged(2, &["tag:x"])]);
        assert_eq!(sees(&roster, 0, 1), open, "{policy}");
        assert_eq!(roster.rules_for(NodeId(0)).is_empty(), !open, "{policy}");
    }
}

#[test]
fn an_explanation_names_the_rule_or_what_it_lacks() {
    let house = house();
    let allowed = house.explain(NodeId(0), address(4), 6, Some(22));
    assert_eq!(allowed.allowed.len(), 1);
    assert_eq!(allowed.allowed[0].rule.to_string(), "acls[0]");
    let span = allowed.allowed[0].rule.at.unwrap();
    assert!(POLICY[span.start as usize..span.end as usize].contains("22,443"));
    assert!(allowed.allowed[0].words.contains("group:admins to tag:server (ports 22 and 443)"), "{allowed:?}");

    let port = house.explain(NodeId(0), address(4), 6, Some(80));
    assert!(
        port.allowed.is_empty() && port.missed[0].words.contains("allows tcp, udp and icmp 22 and 443 only"),
        "{port:?}"
    );
    let source = house.explain(NodeId(3), address(4), 6, Some(443));
    assert!(source.missed.iter().any(|miss| miss.words.contains("it is for bob@")), "{source:?}");
    assert!(house.explain(NodeId(4), address(0), 6, Some(80)).replies_only, "the server may answer");
    assert!(!house.explain(NodeId(3), address(4), 6, Some(80)).replies_only);
    let own = house.explain(NodeId(1), address(2), 6, Some(5));
    assert_eq!(own.allowed[0].rule.to_string(), "acls[2]");
    assert!(house.explain(NodeId(1), address(0), 6, Some(5)).allowed.is_empty());
}

#[test]
fn an_explanation_says_what_the_filter_does() {
    let policy = r#"{"acls": [{"action": "accept", "proto": "tcp", "src": ["100.64.0.0/10"], "dst": ["*:22"]}]}"#;
    let roster = roster(policy, &[node(1, "a"), node(2, "b")]);
    let allows = |to: IpAddr, protocol| !roster.explain(NodeId(0), to, protocol, Some(22)).allowed.is_empty();
    assert!(allows(address(2), 6) && !allows(address(2), 17));
    assert!(allows(address(2), 1), "pings get through to whatever may be reached");
    assert!(!allows("fd7a:115c:a1e0::2".parse().unwrap(), 6), "the rule is for IPv4 addresses");
}

fn said(gains: &[Gain]) -> Vec<String> {
    let name = |party: &Party| match party {
        Party::User(user) => {
            let names = ["alice@example.com", "bob", "carol"];
            names.into_iter().find(|name| user_id(name) == *user).unwrap().to_owned()
        }
        other => other.to_string(),
    };
    let names = |parties: &[Party]| parties.iter().map(name).collect::<Vec<_>>().join(", ");
    let say = |gain: &Gain| {
        let verb = if gain.gains { "gain" } else { "lose" };
        let whom = if gain.own { "their own".to_owned() } else { names(&gain.whom) };
        format!("{} {verb} {whom}: {}", names(&gain.who), gain.access)
    };
    let mut said: Vec<String> = gains.iter().map(say).collect();
    said.sort();
    said
}

#[test]
fn a_difference_says_who_gains_and_loses_what() {
    let before = house();
    let after =
        roster(&POLICY.replace("22,443", "443,8000-8999").replace("autogroup:self:*", "autogroup:self:22"), &people());
    let said = said(&difference(&before, &after));
    assert_eq!(
        said,
        [
            "alice@example.com gain tag:server: port 8000-8999",
            "alice@example.com gain their own: port 22",
            "alice@example.com lose tag:server: port 22",
            "alice@example.com lose their own: everything",
            "bob gain their own: port 22",
            "bob lose their own: everything",
            "carol gain their own: port 22",
            "carol lose their own: everything",
        ]
        .map(str::to_owned)
        .into_iter()
        .collect::<Vec<_>>()
    );
    assert!(difference(&before, &house()).is_empty());
}

#[test]
fn the_matrix_holds_all_access_and_puts_the_alike_together() {
    let policy = r#"{
        "tagOwners": { "tag:gate": ["a@"] },
        "acls": [
            { "action": "accept", "src": ["autogroup:member"], "dst": ["tag:gate:80", "10.0.0.0/8:*", "autogroup:internet:*"] },
        ],
    }"#;
    let gate = router(9, "tag:gate", &["10.1.0.0/16", "0.0.0.0/0"]);
    let cells = roster(policy, &[node(1, "a"), node(2, "b"), gate]).matrix();
    let (a, b) = (Party::User(user_id("a")), Party::User(user_id("b")));
    for (whom, access) in [
        (Party::Tags(vec!["tag:gate".to_owned()]), "port 80"),
        (Party::Route("10.1.0.0/16".parse().unwrap()), "everything"),
        (Party::Internet, "everything"),
    ] {
        let cell = cells.iter().find(|cell| cell.whom == [whom.clone()]).unwrap();
        let mut who = cell.who.clone();
        who.sort();
        let mut both = vec![a.clone(), b.clone()];
        both.sort();
        assert_eq!((who, cell.access.to_string().as_str(), cell.rules[0].index), (both, access, 0), "{whom}");
    }
    assert_eq!(cells.len(), 3, "{cells:#?}");
}

#[test]
fn a_rule_by_way_of_routers_gives_access_to_what_these_serve() {
    let policy = r#"{
        "tagOwners": { "tag:left": [], "tag:right": [] },
        "grants": [{ "src": ["a@"], "dst": ["10.0.0.0/8", "100.64.0.0/10", "8.8.8.8"], "ip": ["*"], "via": ["tag:left"] }],
    }"#;
    let left = router(8, "tag:left", &["10.1.0.0/16", "0.0.0.0/0"]);
    let roster = roster(policy, &[node(1, "a"), left, router(9, "tag:right", &["10.2.0.0/16"])]);
    let reached = |to: [u8; 4]| !roster.explain(NodeId(0), to.into(), 6, Some(80)).allowed.is_empty();
    assert!(reached([10, 1, 0, 1]));
    assert!(!reached([10, 2, 0, 1]), "served by another");
    assert!(!reached([100, 64, 0, 9]) && !reached([8, 8, 8, 8]), "routers carry networks");
    let whom: Vec<Party> = roster.matrix().into_iter().flat_map(|cell| cell.whom).collect();
    assert_eq!(whom, [Party::Route("10.1.0.0/16".parse().unwrap())]);
}

#[test]
fn an_explanation_knows_what_packets_there_are() {
    let policy = r#"{"acls": [
        { "action": "accept", "src": ["100.64.0.1"], "dst": ["*:22"], "proto": "tcp" },
    ]}"#;
    let second = |number: u8| std::net::IpAddr::from([0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, u16::from(number)]);
    let both = |number| Spec { addresses: vec![address(number), second(number)], ..node(number, "a") };
    let roster = roster(policy, &[both(1), both(2)]);
    let allowed = |to, protocol| !roster.explain(NodeId(0), to, protocol, Some(22)).allowed.is_empty();
    assert!(allowed(address(2), 6) && !allowed(second(2), 6), "no IPv6 packet comes from an IPv4 address");
    assert!(allowed(address(2), 1), "a ping gets through wherever something else does");
    assert!(!allowed(address(2), 17));
    let missed = roster.explain(NodeId(0), second(2), 6, Some(22)).missed;
    assert!(missed[0].words.contains("other addresses of this source"), "{missed:?}");
}

#[test]
fn a_router_and_a_node_within_what_it_routes_are_not_alike() {
    let policy = r#"{"acls": [{ "action": "accept", "src": ["100.64.0.4/30"], "dst": ["*:22"] }]}"#;
    let router = Spec { routes: vec!["100.64.0.0/29".parse().unwrap()], ..node(1, "a") };
    let cells = roster(policy, &[router, node(4, "b")]).matrix();
    let who: Vec<&Party> = cells.iter().flat_map(|cell| &cell.who).collect();
    assert!(!who.is_empty() && who.iter().all(|party| **party == Party::User(user_id("b"))), "{cells:#?}");
}

#[test]
fn access_to_own_nodes_is_by_the_rules_for_them() {
    let policy = r#"{"acls": [
        { "action": "accept", "src": ["a@"], "dst": ["a@:80"] },
        { "action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:22"] },
    ]}"#;
    let cells = roster(policy, &[node(1, "a"), node(2, "a")]).matrix();
    let by = |own| -> Vec<usize> {
        cells.iter().filter(|cell| cell.own == own).flat_map(|cell| &cell.rules).map(|rule| rule.index).collect()
    };
    assert_eq!((by(false), by(true)), (vec![0], vec![1]));
}
