//! Routes: who may have them approved, who is shown them, and by way of whom.

use wattle_netmap::{NodeId, Prefix};

use super::{node, roster, router, sees, tagged};
use crate::{Policy, Roster};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// Routes of a peer as a viewer is shown them, when the router with the lowest number is in charge.
fn shown(roster: &Roster, viewer: u64, peer: u64) -> Vec<String> {
    let first = |route: &Prefix| roster.routers_of(route).min();
    let routes = roster.routes_through(NodeId(viewer), NodeId(peer), first);
    routes.iter().map(Prefix::to_string).collect()
}

#[test]
fn approvers_approve_their_prefix_and_what_lies_in_it() {
    let policy = r#"{
        "tagOwners": { "tag:router": [], "tag:exit": [] },
        "autoApprovers": { "routes": { "10.0.0.0/8": ["tag:router"], "0.0.0.0/0": ["tag:router"] }, "exitNode": ["tag:exit"] },
    }"#;
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let (router, exit) = (tagged(1, &["tag:router"]), tagged(2, &["tag:exit"]));
    for (route, by_router, by_exit) in [
        ("10.0.0.0/8", true, false),
        ("10.1.2.0/24", true, false),
        ("192.168.0.0/16", true, false),
        ("0.0.0.0/0", false, true),
        ("::/0", false, true),
        ("fd00::/64", false, false),
    ] {
        assert_eq!(policy.approves(&prefix(route), &router.subject()), by_router, "{route}");
        assert_eq!(policy.approves(&prefix(route), &exit.subject()), by_exit, "{route}");
    }
}

#[test]
fn a_route_is_shown_to_whoever_may_reach_into_it_and_by_the_router_in_charge() {
    let policy = r#"{
        "tagOwners": { "tag:r": [] },
        "acls": [
            { "action": "accept", "src": ["a@x"], "dst": ["10.1.2.0/24:22", "tag:r:1"] },
            { "action": "accept", "src": ["b@x"], "dst": ["tag:r:1"] },
        ],
    }"#;
    let r = |number| router(number, "tag:r", &["10.1.0.0/16", "10.2.0.0/16"]);
    let roster = roster(policy, &[node(0, "a@x"), node(1, "b@x"), r(2), r(3)]);
    assert_eq!(shown(&roster, 0, 2), ["10.1.0.0/16"]);
    assert!(shown(&roster, 0, 3).is_empty(), "the other router is in charge");
    assert!(sees(&roster, 1, 2) && shown(&roster, 1, 2).is_empty(), "sees the router, not what is behind it");
    assert_eq!(shown(&roster, 3, 2), ["10.1.0.0/16", "10.2.0.0/16"], "who serves the same route has to know");
}

#[test]
fn an_exit_node_is_shown_to_those_who_may_use_the_internet() {
    let policy = r#"{
        "tagOwners": { "tag:exit": [] },
        "acls": [
            { "action": "accept", "src": ["a@x"], "dst": ["autogroup:internet:*"] },
            { "action": "accept", "src": ["b@x"], "dst": ["tag:exit:80"] },
        ],
    }"#;
    let roster = roster(policy, &[node(0, "a@x"), node(1, "b@x"), router(2, "tag:exit", &["0.0.0.0/0", "::/0"])]);
    assert_eq!(shown(&roster, 0, 2), ["0.0.0.0/0", "::/0"]);
    assert!(sees(&roster, 1, 2) && shown(&roster, 1, 2).is_empty());
    let rules = roster.rules_for(NodeId(2));
    let public = std::net::IpAddr::from([8, 8, 8, 8]);
    assert!(super::lets_in(&rules, super::address(0), public, 443));
    assert!(!super::lets_in(&rules, super::address(1), public, 443));
    assert!(
        !super::lets_in(&rules, super::address(0), [192, 168, 0, 1].into(), 443),
        "private networks are not the internet"
    );
}

#[test]
fn via_steers_each_source_to_its_router() {
    let policy = r#"{
        "tagOwners": { "tag:left": [], "tag:right": [] },
        "grants": [
            { "src": ["a@x"], "dst": ["10.0.0.0/8"], "ip": ["*"], "via": ["tag:left"] },
            { "src": ["b@x"], "dst": ["10.0.0.0/8", "autogroup:internet"], "ip": ["tcp:80"], "via": ["tag:right"] },
        ],
    }"#;
    let routes = ["10.1.0.0/16", "0.0.0.0/0"];
    let (left, right) = (router(2, "tag:left", &routes), router(3, "tag:right", &routes));
    let roster = roster(policy, &[node(0, "a@x"), node(1, "b@x"), left, right]);
    assert_eq!((shown(&roster, 0, 2), shown(&roster, 0, 3)), (vec!["10.1.0.0/16".to_owned()], vec![]));
    assert_eq!((shown(&roster, 1, 2), shown(&roster, 1, 3).len()), (vec![], 2));
    assert!(sees(&roster, 0, 2) && !sees(&roster, 0, 3) && !sees(&roster, 0, 1));
    let inside = std::net::IpAddr::from([10, 1, 2, 3]);
    let (left, right) = (roster.rules_for(NodeId(2)), roster.rules_for(NodeId(3)));
    assert!(
        super::lets_in(&left, super::address(0), inside, 1) && !super::lets_in(&left, super::address(1), inside, 80)
    );
    assert!(
        super::lets_in(&right, super::address(1), inside, 80) && !super::lets_in(&right, super::address(1), inside, 81)
    );
}

#[test]
fn where_a_plain_rule_covers_the_route_too_the_router_in_charge_carries_it() {
    let policy = r#"{
        "tagOwners": { "tag:left": [], "tag:right": [] },
        "grants": [
            { "src": ["a@x"], "dst": ["10.0.0.0/8"], "ip": ["*"], "via": ["tag:right"] },
            { "src": ["a@x"], "dst": ["10.1.0.0/16"], "ip": ["*"] },
        ],
    }"#;
    let (left, right) = (router(2, "tag:left", &["10.1.0.0/16"]), router(3, "tag:right", &["10.1.0.0/16"]));
    let roster = roster(policy, &[node(0, "a@x"), node(1, "b@x"), left, right]);
    assert_eq!((shown(&roster, 0, 2), shown(&roster, 0, 3)), (vec!["10.1.0.0/16".to_owned()], vec![]));
}

#[test]
fn a_router_with_other_tags_may_leave_the_lead_to_another() {
    let policy = r#"{
        "tagOwners": { "tag:left": [], "tag:right": [] },
        "grants": [{ "src": ["a@x"], "dst": ["10.0.0.0/8"], "ip": ["*"], "via": ["tag:left"] }],
    }"#;
    let of = |number, tag| router(number, tag, &["10.1.0.0/16"]);
    let mut roster = roster(policy, &[node(0, "a@x"), of(1, "tag:left"), of(2, "tag:left")]);
    assert_eq!((shown(&roster, 0, 1).len(), shown(&roster, 0, 2).len()), (1, 0));
    let shift = roster.insert(NodeId(1), &of(1, "tag:right").subject());
    assert_eq!((shown(&roster, 0, 1).len(), shown(&roster, 0, 2).len()), (0, 1));
    assert!(shift.routes, "what others are shown through the second is different now");
}

#[test]
fn a_rule_to_everything_leaves_steering_to_via() {
    let policy = r#"{
        "tagOwners": { "tag:left": [], "tag:right": [] },
        "grants": [
            { "src": ["*"], "dst": ["*"], "ip": ["*"] },
            { "src": ["a@x"], "dst": ["10.0.0.0/8", "autogroup:internet"], "ip": ["*"], "via": ["tag:right"] },
        ],
    }"#;
    let routes = ["10.1.0.0/16", "0.0.0.0/0"];
    let (left, right) = (router(2, "tag:left", &routes), router(3, "tag:right", &routes));
    let roster = roster(policy, &[node(0, "a@x"), node(1, "b@x"), left, right]);
    assert_eq!((shown(&roster, 0, 2), shown(&roster, 0, 3).len()), (vec![], 2));
    assert_eq!((shown(&roster, 1, 2).len(), shown(&roster, 1, 3)), (2, vec!["0.0.0.0/0".to_owned()]));
}

#[test]
fn capabilities_everywhere_show_no_routes() {
    let policy = r#"{
        "tagOwners": { "tag:r": [] },
        "grants": [
            { "src": ["a@x"], "dst": ["*"], "app": { "example.com/cap/x": [{}] } },
            { "src": ["b@x"], "dst": ["10.1.2.0/24"], "app": { "example.com/cap/x": [{}] } },
        ],
    }"#;
    let roster = roster(policy, &[node(0, "a@x"), node(1, "b@x"), router(2, "tag:r", &["10.1.0.0/16"])]);
    assert!(sees(&roster, 0, 2) && shown(&roster, 0, 2).is_empty());
    assert_eq!(shown(&roster, 1, 2), ["10.1.0.0/16"]);
}
