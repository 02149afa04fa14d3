//! Owners, roles, groups, tags and what nodes are given for them.

use wattle_netmap::NodeId;

use super::access::POLICY;
use super::{Spec, node, roster, sees, tagged};
use crate::Policy;
use crate::language::document::Role;

#[test]
fn tags_belong_to_their_owners_and_to_the_owners_of_these() {
    let policy = Policy::parse(POLICY.as_bytes()).unwrap();
    let (alice, bob) = (node(0, "alice@example.com"), node(1, "bob"));
    assert!(policy.may_use_tag("tag:server", &alice.subject()) && !policy.may_use_tag("tag:server", &bob.subject()));
    assert!(policy.may_use_tag("tag:db", &tagged(4, &["tag:server"]).subject()));
    assert!(policy.may_use_tag("tag:db", &alice.subject()), "alice owns tag:server, which owns tag:db");
    assert!(policy.knows_tag("tag:db") && !policy.knows_tag("tag:web"));
    assert!(Policy::allow_all().knows_tag("tag:web") && !Policy::allow_all().knows_tag("tag:1 2"));
    assert!(!Policy::allow_all().may_use_tag("tag:web", &alice.subject()));
}

#[test]
fn tags_that_own_each_other_belong_to_whoever_owns_one() {
    let policy = r#"{"tagOwners": {"tag:a": ["tag:b"], "tag:b": ["tag:a", "x@example.com"], "tag:c": ["tag:c"]}}"#;
    let policy = Policy::parse(policy.as_bytes()).unwrap();
    let owner = node(1, "x@example.com");
    assert!(policy.may_use_tag("tag:a", &owner.subject()) && policy.may_use_tag("tag:b", &owner.subject()));
    assert!(!policy.may_use_tag("tag:c", &owner.subject()));
}

#[test]
fn words_for_people_select_their_untagged_nodes() {
    for (word, selected) in [
        ("alice@example.com", [true, false, false, false]),
        ("carol@", [false, false, true, false]),
        ("user:*@example.com", [true, false, false, false]),
        ("group:staff", [true, true, false, false]),
        ("group:provided", [false, true, false, false]),
        ("autogroup:member", [true, true, true, false]),
        ("autogroup:tagged", [false, false, false, true]),
        ("autogroup:owner", [true, false, false, false]),
        ("autogroup:admin", [true, true, false, false]),
        ("autogroup:auditor", [false, false, true, false]),
        ("autogroup:it-admin", [false, false, false, false]),
    ] {
        let policy = format!(
            r#"{{
                "groups": {{ "group:staff": ["alice@example.com", "bob@other.org", "gone@x.org"], "group:provided": [] }},
                "tagOwners": {{ "tag:server": [] }},
                "nodeAttrs": [{{ "target": ["{word}"], "attr": ["custom:yes"] }}],
            }}"#
        );
        let nodes = [
            Spec { role: Role::Owner, ..node(0, "alice@example.com") },
            Spec { role: Role::Admin, groups: vec!["provided".to_owned()], ..node(1, "bob@other.org") },
            Spec { role: Role::Auditor, ..node(2, "carol") },
            tagged(3, &["tag:server"]),
        ];
        let roster = roster(&policy, &nodes);
        let has = |number| !roster.attributes(NodeId(number)).is_empty();
        assert_eq!([0, 1, 2, 3].map(has), selected, "{word}");
    }
}

#[test]
fn attributes_add_up_and_switches_are_for_everybody() {
    let policy = r#"{
        "tagOwners": { "tag:server": [] },
        "randomizeClientPort": true, "disableIPv4": true, "oneCGNATRoute": "mac-never",
        "nodeAttrs": [
            { "target": ["*"], "attr": ["a"] },
            { "target": ["tag:server", "100.64.0.1"], "attr": ["a", "b", "funnel"], "app": { "example.com/c": [{ "n": 1 }] } },
        ],
    }"#;
    let roster = roster(policy, &[tagged(0, &["tag:server"]), node(1, "x"), node(2, "x")]);
    let names = |number| -> Vec<String> {
        roster.attributes(NodeId(number)).into_iter().map(|capability| capability.name).collect()
    };
    let all = ["a", "disable-ipv4", "one-cgnat?v=false", "randomize-client-port"];
    assert_eq!(names(2), all);
    assert_eq!(names(0), names(1), "by tag or by address");
    assert!(names(0).iter().any(|name| name == "https://tailscale.com/cap/funnel-ports?ports=443,8443,10000"));
    let app = roster.attributes(NodeId(0)).into_iter().find(|capability| capability.name == "example.com/c").unwrap();
    assert_eq!(app.values, ["{\"n\":1}"]);
}

#[test]
fn who_is_renamed_or_given_a_role_is_somebody_else_to_the_policy() {
    let policy = r#"{"acls": [{"action": "accept", "src": ["autogroup:admin"], "dst": ["autogroup:member:*"]}]}"#;
    let mut roster = roster(policy, &[node(0, "a"), node(1, "b")]);
    assert!(!sees(&roster, 0, 1));
    let shift = roster.insert(NodeId(0), &Spec { role: Role::Admin, ..node(0, "a") }.subject());
    assert!(!shift.is_empty() && sees(&roster, 0, 1));
    assert!(roster.insert(NodeId(0), &Spec { role: Role::Admin, ..node(0, "a") }.subject()).is_empty());
}
