//! Names and what they stand for: groups, hosts, tags, approvers, IP sets, postures, settings.

use std::net::IpAddr;

use super::super::document::{Addresses, Autogroup, Condition, Member, Operator, Owner, Role, Scalar};
use super::{accepted, refused, refuses};

#[test]
fn names_of_parts_and_fields_have_no_case() {
    let document = accepted(
        r#"{"Groups": {"group:a": ["x@y"]}, "ACLs": [{"Action": "accept", "Users": ["group:a"], "Ports": ["*:*"]}],
            "TAGOWNERS": {}, "RandomizeClientPort": true, "DisableIPv4": true, "OneCGNATRoute": "mac-never"}"#,
    );
    assert_eq!(document.acls.map(|acls| acls.len()), Some(1));
    assert!(document.randomize_client_port && document.disable_ipv4);
    assert_eq!(document.one_cgnat_route, Some(false));
}

#[test]
fn part_named_twice_in_another_case_is_refused() {
    refuses(r#"{"acls": [], "ACLs": []}"#, "\"ACLs\"", "duplicate object member name \"ACLs\"", "case");
}

#[test]
fn unknown_part_is_refused_with_the_near_name() {
    refuses(r#"{"group": {}}"#, "\"group\"", "json: unknown field \"group\"", "did you mean \"groups\"?");
    refuses(r#"{"firewall": {}}"#, "\"firewall\"", "json: unknown field \"firewall\"", "a policy has groups, hosts");
}

#[test]
fn remarks_of_tools_are_no_fields() {
    accepted(r##"{"acls": [{"#ha-meta": {"name": "x"}, "action": "accept", "src": ["*"], "dst": ["*:*"]}]}"##);
}

#[test]
fn null_says_nothing() {
    let document = accepted(r#"{"acls": null, "groups": {"group:a": null}, "randomizeClientPort": null}"#);
    assert_eq!((document.acls, document.groups["group:a"].len()), (None, 0));
}

#[test]
fn value_of_another_kind_is_refused() {
    refuses(r#"{"acls": {}}"#, "{}", "json: cannot unmarshal object into acls", "a list");
    refuses(r#"{"groups": []}"#, "[]", "json: cannot unmarshal array into groups", "an object");
    refuses(r#"{"disableIPv4": "yes"}"#, "\"yes\"", "json: cannot unmarshal string into disableIPv4", "true or false");
    refuses("7", "7", "json: cannot unmarshal number into a policy", "an object");
}

#[test]
fn parts_set_elsewhere_are_named_and_change_nothing() {
    let document = accepted(r#"{"derpMap": {"Regions": {}}, "attrConfig": {}}"#);
    let names: Vec<_> = document.without_effect.iter().map(|part| part.what).collect();
    assert_eq!(names, ["derpMap", "attrConfig"]);
}

#[test]
fn route_for_the_whole_range_has_two_values() {
    assert_eq!(accepted(r#"{"oneCGNATRoute": "mac-always"}"#).one_cgnat_route, Some(true));
    assert_eq!(accepted(r#"{"oneCGNATRoute": ""}"#).one_cgnat_route, None);
    refuses(r#"{"oneCGNATRoute": "always"}"#, "\"always\"", "oneCGNATRoute=\"always\": invalid value", "mac-always");
}

#[test]
fn group_has_users_and_domains() {
    let document = accepted(r#"{"groups": {"group:a": [" alice@example.com ", "bob@", "user:*@Example.com"]}}"#);
    let members: Vec<_> = document.groups["group:a"].iter().map(|member| member.what.clone()).collect();
    let user = |name: &str| Member::User(name.into());
    assert_eq!(members, [user("alice@example.com"), user("bob@"), Member::Domain("example.com".into())]);
}

#[test]
fn group_of_anything_but_users_is_refused() {
    refuses(
        r#"{"groups": {"group:a": ["group:b"], "group:b": []}}"#,
        "\"group:b\"",
        "groups[\"group:a\"]: \"group:b\": group members cannot be recursive",
        "list the members",
    );
    refuses(
        r#"{"groups": {"group:a": ["bob"]}}"#,
        "\"bob\"",
        "groups[\"group:a\"]: username must contain @, got: \"bob\"",
        "name@",
    );
    refuses(
        r#"{"groups": {"group:a": "bob@x"}}"#,
        "\"bob@x\"",
        "group value must be an array of users: group \"group:a\" got string: \"bob@x\"",
        "[\"bob@x\"]",
    );
    refuses(
        r#"{"groups": {"admins": []}}"#,
        "\"admins\"",
        "group must start with 'group:', got: \"admins\"",
        "\"group:admins\"",
    );
}

#[test]
fn groups_may_contain_each_other_nowhere() {
    let policy = r#"{"groups": {"group:a": ["group:b"], "group:b": ["group:a"]}}"#;
    assert_eq!(refused(policy).len(), 2);
}

#[test]
fn host_is_an_address_or_a_prefix_without_host_bits() {
    let document = accepted(r#"{"hosts": {"one": "10.1.2.3", "net": "10.1.2.3/8", "six": "fd7a::1/64"}}"#);
    let prefix = |name: &str| document.hosts[name].what.to_string();
    assert_eq!([prefix("one"), prefix("net"), prefix("six")], ["10.1.2.3/32", "10.0.0.0/8", "fd7a::/64"]);
}

#[test]
fn host_that_is_no_address_is_refused() {
    for address in ["example.com", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/", "256.0.0.1", ""] {
        let policy = format!(r#"{{"hosts": {{"h": "{address}"}}}}"#);
        let message = format!("hostname contains invalid IP address: hostname \"h\" address \"{address}\"");
        refuses(&policy, &format!("\"{address}\""), &message, "an address or a prefix");
    }
    refuses(
        r#"{"hosts": {"h": "fe80::1%eth0"}}"#,
        "\"fe80::1%eth0\"",
        "hostname contains invalid IP address: hostname \"h\" address \"fe80::1%eth0\"",
        "zone",
    );
}

#[test]
fn host_cannot_be_called_like_something_else() {
    refuses(
        r#"{"hosts": {"a@b": "10.0.0.1"}}"#,
        "\"a@b\"",
        "host names cannot include an @, please change the name for \"a@b\"",
        "a user",
    );
    refuses(r#"{"hosts": {"tag:a": "10.0.0.1"}}"#, "\"tag:a\"", "invalid hostname: \"tag:a\"", "no : or /");
}

#[test]
fn tag_names_are_letters_digits_and_dashes_from_a_letter_on() {
    accepted(r#"{"tagOwners": {"tag:Web-1": []}}"#);
    for (name, why) in [
        ("tag:1web", "tag names must start with a letter, after 'tag:'"),
        ("tag:", "tag names must start with a letter, after 'tag:'"),
        ("tag:-a", "tag names must start with a letter, after 'tag:'"),
        ("tag:übung", "tag names must start with a letter, after 'tag:'"),
        ("tag:web_1", "tag names can only contain numbers, letters, or dashes"),
        ("tag:web:22", "tag names can only contain numbers, letters, or dashes"),
        ("web", "tags must start with 'tag:'"),
    ] {
        let policy = format!(r#"{{"tagOwners": {{"{name}": []}}}}"#);
        refuses(&policy, &format!("\"{name}\""), &format!("tagOwners[\"{name}\"]: {why}"), "");
    }
}

#[test]
fn owners_are_people_and_tags_and_tags_may_own_each_other() {
    let document = accepted(
        r#"{"groups": {"group:g": []}, "tagOwners": {
            "tag:a": ["alice@x", "group:g", "tag:b", "autogroup:admin", "user:*@x", "group:synced@x"],
            "tag:b": ["tag:a", "tag:b"]}}"#,
    );
    let owners: Vec<_> = document.tag_owners["tag:a"].iter().map(|owner| owner.what.clone()).collect();
    assert_eq!(owners[3], Owner::Autogroup(Autogroup::Role(Role::Admin)));
    assert_eq!(owners[4], Owner::Domain("x".into()));
    assert_eq!(owners[5], Owner::Group("group:synced@x".into()));
}

#[test]
fn owner_that_is_nobody_is_refused() {
    refuses(
        r#"{"tagOwners": {"tag:a": ["tag:b"]}}"#,
        "\"tag:b\"",
        "tagOwners[\"tag:a\"]: tag not found: \"tag:b\"",
        "did you mean \"tag:a\"?",
    );
    refuses(
        r#"{"groups": {"group:admins": []}, "tagOwners": {"tag:a": ["group:admin"]}}"#,
        "\"group:admin\"",
        "tagOwners[\"tag:a\"]: group not found: \"group:admin\"",
        "did you mean \"group:admins\"?",
    );
    for owner in ["*", "bob", "autogroup:self", "autogroup:tagged", "10.0.0.1"] {
        let policy = format!(r#"{{"tagOwners": {{"tag:a": ["{owner}"]}}}}"#);
        let message = format!("tagOwners[\"tag:a\"]: invalid owner format: \"{owner}\"");
        refuses(&policy, &format!("\"{owner}\""), &message, "a user");
    }
}

#[test]
fn approvers_are_read_by_route() {
    let document = accepted(
        r#"{"tagOwners": {"tag:r": []}, "autoApprovers": {"routes": {"10.1.0.0/8": ["tag:r"], "::/0": []},
            "exitNode": ["autogroup:member"], "services": {"svc:web": ["tag:r"]}}}"#,
    );
    let approvers = document.auto_approvers;
    assert_eq!(approvers.routes[0].0.what.to_string(), "10.0.0.0/8");
    assert_eq!(approvers.exit_node[0].what, Owner::Autogroup(Autogroup::Member));
    assert_eq!(approvers.services["svc:web"][0].what, Owner::Tag("tag:r".into()));
}

#[test]
fn approvers_of_nothing_and_by_nobody_are_refused() {
    refuses(
        r#"{"autoApprovers": {"routes": {"lan": []}}}"#,
        "\"lan\"",
        "autoApprovers.routes[\"lan\"]: invalid prefix",
        "10.0.0.0/8",
    );
    refuses(
        r#"{"autoApprovers": {"exitNode": ["tag:x"]}}"#,
        "\"tag:x\"",
        "autoApprovers.exitNode: tag not found: \"tag:x\"",
        "tagOwners",
    );
    for (name, why) in [
        ("svc:", "must not be empty after the 'svc:' prefix"),
        ("web", "must start with 'svc:'"),
        ("svc:a.b", "must be a DNS label"),
    ] {
        let policy = format!(r#"{{"autoApprovers": {{"services": {{"{name}": []}}}}}}"#);
        let message = format!("autoApprovers.services[\"{name}\"]: \"{name}\" is not a valid service name: {why}");
        refuses(&policy, &format!("\"{name}\""), &message, "svc:web");
    }
    refuses(
        r#"{"autoApprovers": {"route": {}}}"#,
        "\"route\"",
        "json: unknown field \"route\"",
        "did you mean \"routes\"?",
    );
}

#[test]
fn ip_set_adds_and_removes_in_order() {
    let document = accepted(
        r#"{"hosts": {"db": "10.0.0.7"}, "ipsets": {"ipset:a": ["10.0.0.0/8", "remove host:db", "add ipset:b",
            "add autogroup:internet", "add  10.9.0.1-10.9.0.9"], "ipset:b": ["db"]}}"#,
    );
    let parts: Vec<_> = document.ip_sets["ipset:a"].iter().map(|part| part.what.clone()).collect();
    assert!(parts[1].remove && !parts[0].remove);
    assert_eq!(parts[1].what, Addresses::Host("db".into()));
    assert_eq!(parts[3].what, Addresses::Internet);
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    assert_eq!(parts[4].what, Addresses::Range(address("10.9.0.1"), address("10.9.0.9")));
}

#[test]
fn ip_set_of_no_addresses_is_refused() {
    let one = |part: &str, message: &str, hint: &str| {
        let policy = format!(r#"{{"ipsets": {{"ipset:a": ["{part}"]}}}}"#);
        refuses(&policy, &format!("\"{part}\""), &format!("ipsets[\"ipset:a\"]: {message}"), hint);
    };
    one("add tag:x", "invalid ipset target \"tag:x\"", "no users");
    one("drop 10.0.0.1", "invalid ipset operation \"drop\"", "remove");
    one("10.0.0.9-10.0.0.1", "invalid IP range \"10.0.0.9-10.0.0.1\"", "first");
    one("10.0.0.1-::1", "invalid IP range \"10.0.0.1-::1\"", "both");
    one("add nowhere", "unknown user or host: \"nowhere\"", "host not defined");
    one("ipset:b", "ipset not found: \"ipset:b\"", "did you mean \"ipset:a\"?");
    one("ipset:a", "circular reference to \"ipset:a\"", "itself");
}

#[test]
fn ip_sets_in_a_circle_are_refused_once() {
    let policy = r#"{"ipsets": {"ipset:a": ["ipset:b", "ipset:c"], "ipset:b": ["ipset:c"], "ipset:c": ["ipset:a"]}}"#;
    refuses(policy, "\"ipset:a\"", "ipsets[\"ipset:c\"]: circular reference to \"ipset:a\"", "itself");
}

#[test]
fn chain_of_ip_sets_is_as_long_as_it_likes() {
    let links: Vec<String> = (0..20_000).map(|i| format!(r#""ipset:{i}": ["ipset:{}"]"#, i + 1)).collect();
    accepted(&format!(r#"{{"ipsets": {{{}, "ipset:20000": []}}}}"#, links.join(",")));
}

#[test]
fn posture_has_conditions_of_every_kind() {
    let document = accepted(
        r#"{"postures": {"posture:p": ["node:os == 'macos'", "node:tsVersion>='1.40'", "node:os IN ['a', \"b\"]",
            "ip:country NOT IN ['US',]", "custom:tier IS SET", "custom:x NOT SET", "custom:n != 7.5",
            "node:tsAutoUpdate == true", "custom:score < -1", "a:b <= 1", "a:b > 1"]},
            "defaultSrcPosture": ["posture:p"]}"#,
    );
    let conditions: Vec<Condition> = document.postures["posture:p"].iter().map(|spot| spot.what.clone()).collect();
    let text = |text: &str| Scalar::Text(text.into());
    let condition = |attribute: &str, operator, values| Condition { attribute: attribute.into(), operator, values };
    assert_eq!(
        conditions,
        [
            condition("node:os", Operator::Equal, vec![text("macos")]),
            condition("node:tsVersion", Operator::GreaterOrEqual, vec![text("1.40")]),
            condition("node:os", Operator::In, vec![text("a"), text("b")]),
            condition("ip:country", Operator::NotIn, vec![text("US")]),
            condition("custom:tier", Operator::IsSet, vec![]),
            condition("custom:x", Operator::NotSet, vec![]),
            condition("custom:n", Operator::NotEqual, vec![Scalar::Number(7.5)]),
            condition("node:tsAutoUpdate", Operator::Equal, vec![Scalar::Bool(true)]),
            condition("custom:score", Operator::Less, vec![Scalar::Number(-1.0)]),
            condition("a:b", Operator::LessOrEqual, vec![Scalar::Number(1.0)]),
            condition("a:b", Operator::Greater, vec![Scalar::Number(1.0)]),
        ]
    );
}

#[test]
fn condition_that_says_nothing_is_refused() {
    for (text, why, hint) in [
        ("os == 'x'", "invalid attribute \"os\"", "node:os"),
        ("node:os = 'x'", "unknown operator \"=\"", "did you mean \"==\"?"),
        ("node:os IS", "unknown operator \"\"", "the operators are"),
        ("node:os == 'x", "text without an end", "quote"),
        ("node:os == macos", "invalid value \"macos\"", "single quotes"),
        ("node:os IN 'x'", "expected a list", "['macos', 'linux']"),
        ("node:os IN ['x' 'y']", "expected a comma or ]", "['macos', 'linux']"),
        ("node:os IN ['x'", "expected a comma or ]", "['macos', 'linux']"),
        ("a:b == 1 && c:d == 2", "unexpected \"&& c:d == 2\"", "one condition"),
        ("custom:n == NaN", "invalid value \"NaN\"", "a number"),
    ] {
        let policy = format!(r#"{{"postures": {{"posture:p": ["{text}"]}}}}"#);
        let message = format!("postures[\"posture:p\"]: invalid posture condition \"{text}\": {why}");
        refuses(&policy, &format!("\"{text}\""), &message, hint);
    }
}

#[test]
fn posture_that_nothing_defines_is_refused() {
    refuses(
        r#"{"postures": {"posture:mac": []}, "defaultSrcPosture": ["posture:mca"]}"#,
        "\"posture:mca\"",
        "defaultSrcPosture=\"posture:mca\": posture not found: \"posture:mca\"",
        "did you mean",
    );
}
