//! `acls`, `grants` and `nodeAttrs`.

use wattle_netmap::PortRange;

use super::super::document::{Alias, Autogroup, Role};
use super::super::{alias, destination, protocols};
use super::{accepted, refused, refuses};

/// A policy with some names and one rule of a part.
fn policy(part: &str, rule: &str) -> String {
    format!(
        r#"{{"groups": {{"group:g": ["a@x"]}}, "tagOwners": {{"tag:t": []}}, "hosts": {{"h": "10.0.0.1"}},
           "ipsets": {{"ipset:s": []}}, "postures": {{"posture:p": []}}, "{part}": [{rule}]}}"#
    )
}

fn acl(src: &str, dst: &str) -> String {
    policy("acls", &format!(r#"{{"action": "accept", "src": ["{src}"], "dst": ["{dst}"]}}"#))
}

fn grant(src: &str, dst: &str) -> String {
    policy("grants", &format!(r#"{{"src": ["{src}"], "dst": ["{dst}"], "ip": ["*"]}}"#))
}

#[test]
fn every_kind_of_alias_is_read_and_written_back() {
    let prefix = |text: &str| Alias::Prefix(text.parse().unwrap());
    for (text, meaning) in [
        ("*", Alias::Any),
        ("alice@example.com", Alias::User("alice@example.com".into())),
        ("bob@", Alias::User("bob@".into())),
        ("user:*@example.com", Alias::Domain("example.com".into())),
        ("group:g", Alias::Group("group:g".into())),
        ("group:g@example.com", Alias::Group("group:g@example.com".into())),
        ("tag:t", Alias::Tag("tag:t".into())),
        ("autogroup:danger-all", Alias::Autogroup(Autogroup::DangerAll)),
        ("autogroup:it-admin", Alias::Autogroup(Autogroup::Role(Role::ItAdmin))),
        ("web-1", Alias::Host("web-1".into())),
        ("ipset:s", Alias::IpSet("ipset:s".into())),
        ("svc:web", Alias::Service("svc:web".into())),
        ("10.0.0.1", prefix("10.0.0.1/32")),
        ("10.0.0.0/8", prefix("10.0.0.0/8")),
        ("fd7a::1", prefix("fd7a::1/128")),
    ] {
        assert_eq!(alias(&format!("\t{text} ")), Ok(meaning.clone()));
        assert_eq!(meaning.to_string(), text);
    }
    assert_eq!(alias("autogroup:members"), Ok(Alias::Autogroup(Autogroup::Member)));
    assert_eq!(alias("10.0.0.1/8"), Ok(prefix("10.0.0.0/8")));
}

#[test]
fn what_is_no_alias_is_refused() {
    for (text, message, hint) in [
        ("", "invalid alias format: \"\"", "write *"),
        ("gruop:x", "invalid alias format: \"gruop:x\"", "did you mean \"group\"?"),
        ("10.0.0.0/99", "invalid alias format: \"10.0.0.0/99\"", "a prefix is"),
        ("fe80::1%eth0", "invalid alias format: \"fe80::1%eth0\"", "zone"),
        ("user:*@", "invalid alias format: \"user:*@\"", "user:*@domain"),
        ("user:bob@x", "invalid alias format: \"user:bob@x\"", "one user is name@domain"),
        ("autogroup:admins", "invalid autogroup: \"autogroup:admins\"", "did you mean \"autogroup:admin\"?"),
        ("autogroup:everybody", "invalid autogroup: \"autogroup:everybody\"", "autogroup:member"),
    ] {
        refuses(&grant("*", text), &format!("\"{text}\""), message, hint);
    }
}

#[test]
fn destination_has_ports() {
    let one = PortRange::one;
    let read = |text: &str| destination(text).map(|(alias, ports)| (alias.to_string(), ports));
    assert_eq!(read("tag:t:22,80-90"), Ok(("tag:t".into(), vec![one(22), PortRange { first: 80, last: 90 }])));
    assert_eq!(read("*:*"), Ok(("*".into(), vec![PortRange::ANY])));
    assert_eq!(read("[fd7a::1]:80"), Ok(("fd7a::1".into(), vec![one(80)])));
    assert_eq!(read("[fd7a::1]/64:80"), Ok(("fd7a::/64".into(), vec![one(80)])));
    assert_eq!(read("fd7a::1:80"), Ok(("fd7a::1".into(), vec![one(80)])));
    assert_eq!(read(" autogroup:internet:* "), Ok(("autogroup:internet".into(), vec![PortRange::ANY])));
}

#[test]
fn destination_without_sensible_ports_is_refused() {
    for (dst, why, hint) in [
        ("100.64.0.1", "hostport must contain a colon (\":\")", ":443"),
        ("h:0", "port range \"0\": first port must be >0, or use '*' for wildcard", "1 to 65535"),
        ("h:0-80", "port range \"0-80\": first port must be >0, or use '*' for wildcard", ""),
        ("h:90-80", "port range \"90-80\": first port must be >= last port", "80-90"),
        ("h:65536", "port range \"65536\": invalid first integer", "1 to 65535"),
        ("h:80-65536", "port range \"80-65536\": invalid last integer", ""),
        ("h:80-", "port range \"80-\": invalid last integer", ""),
        ("h:-80", "port range \"-80\": invalid first integer", ""),
        ("h:1-2-3", "port range \"1-2-3\": too many dashes(-)", "one dash"),
        ("h:+80", "port range \"+80\": invalid first integer", ""),
        ("h:ssh", "port range \"ssh\": invalid first integer", ""),
        ("tag:t", "port range \"t\": invalid first integer", ""),
        ("h:", "invalid port list: \"\"", "a port"),
        ("h:80,", "invalid port list: \"\"", ""),
        (":80", "input cannot start with a colon character", "tag:web:443"),
        ("[10.0.0.1]:80", "square brackets are only valid around IPv6 addresses: \"10.0.0.1\"", "[fd7a::1]:80"),
        ("[fd7a::1:80", "square brackets are only valid around IPv6 addresses: \"fd7a::1\"", ""),
        ("[fe80::1%eth0]:80", "square brackets are only valid around IPv6 addresses: \"fe80::1%eth0\"", ""),
    ] {
        refuses(&acl("*", dst), &format!("\"{dst}\""), &format!("dst=\"{dst}\": {why}"), hint);
    }
}

#[test]
fn destination_has_a_limit_of_ports() {
    let ports = |count: usize| vec!["80"; count].join(",");
    assert!(destination(&format!("*:{}", ports(crate::limits::PORT_RANGES_MAX))).is_ok());
    let message = destination(&format!("*:{}", ports(crate::limits::PORT_RANGES_MAX + 1))).unwrap_err();
    assert!(message.ends_with(": port list has 1001 elements"), "{message}");
}

#[test]
fn protocols_have_names_and_numbers() {
    for (text, numbers) in [
        ("", vec![]),
        ("tcp", vec![6]),
        ("UDP", vec![17]),
        ("icmp", vec![1]),
        ("ipv6-icmp", vec![58]),
        ("ip-in-ip", vec![4]),
        ("sctp", vec![132]),
        ("fc", vec![133]),
        ("99", vec![99]),
        ("255", vec![255]),
    ] {
        assert_eq!(protocols(text), Ok(numbers), "{text}");
    }
}

#[test]
fn protocol_that_is_none_is_refused() {
    let unknown = |name: &str| {
        format!("proto name \"{name}\" not known; use protocol number 0-255 or protocol name (icmp, tcp, udp, etc.)")
    };
    for (proto, message, hint) in [
        ("*", unknown("*"), "leave proto out"),
        ("tpc", unknown("tpc"), "did you mean \"tcp\"?"),
        ("-6", unknown("-6"), ""),
        ("+6", unknown("+6"), ""),
        ("06", "leading 0 not permitted in protocol number: \"06\"".into(), "without the zero"),
        ("0", "leading 0 not permitted in protocol number: \"0\"".into(), ""),
        ("256", unknown("256"), "protocol number out of range (0-255): 256"),
    ] {
        let rule = format!(r#"{{"action": "accept", "proto": "{proto}", "src": ["*"], "dst": ["*:*"]}}"#);
        refuses(&policy("acls", &rule), &format!("\"{proto}\""), &message, hint);
    }
}

#[test]
fn only_some_protocols_have_ports() {
    for proto in ["tcp", "6", "udp", "sctp", ""] {
        accepted(&policy(
            "acls",
            &format!(r#"{{"action": "accept", "proto": "{proto}", "src": ["*"], "dst": ["*:22"]}}"#),
        ));
    }
    refuses(
        &policy("acls", r#"{"action": "accept", "proto": "icmp", "src": ["*"], "dst": ["*:*", "h:22"]}"#),
        "\"h:22\"",
        "protocol does not support specific ports: \"icmp\", only \"*\" is allowed",
        "only tcp, udp and sctp",
    );
}

#[test]
fn only_accept_is_an_action() {
    refuses(
        &policy("acls", r#"{"action": "deny", "src": ["*"], "dst": ["*:*"]}"#),
        "\"deny\"",
        "action=\"deny\" is not supported",
        "accept",
    );
    let rule = r#"{"src": ["*"], "dst": ["*:*"]}"#;
    refuses(&policy("acls", rule), rule, "action=\"\" is not supported", "accept");
}

#[test]
fn old_and_new_names_of_a_field_exclude_each_other() {
    let rule = r#"{"action": "accept", "src": ["*"], "users": ["h"], "dst": ["*:*"]}"#;
    refuses(&policy("acls", rule), "[\"h\"]", "\"src\" and \"users\" both given", "old name");
}

#[test]
fn source_that_nothing_defines_is_refused() {
    for (src, message, hint) in [
        ("tag:x", "src=tag not found: \"tag:x\"", "did you mean \"tag:t\"?"),
        ("tag:nonexistent", "src=tag not found: \"tag:nonexistent\"", "add \"tag:nonexistent\": []"),
        ("group:nobody", "src=group not found: \"group:nobody\"", "group not defined in policy: \"group:nobody\""),
        ("alice", "src=unknown user or host: \"alice\"", "name@domain"),
        ("ipset:nothing", "src=ipset not found: \"ipset:nothing\"", "ipsets"),
        ("autogroup:self", "\"autogroup:self\" not valid on the src side of a rule", "destination"),
        (
            "autogroup:internet",
            "\"autogroup:internet\" not valid on the src side of a rule",
            "can only be used in ACL destinations",
        ),
        ("autogroup:nonroot", "\"autogroup:nonroot\" not valid on the src side of a rule", "sources are"),
    ] {
        refuses(&acl(src, "*:*"), &format!("\"{src}\""), message, hint);
        refuses(&grant(src, "*"), &format!("\"{src}\""), message, hint);
    }
}

#[test]
fn destination_that_nothing_defines_is_refused() {
    for (dst, message, hint) in [
        ("tag:nonexistent", "dst=\"tag:nonexistent\": tag not found: \"tag:nonexistent\"", "tagOwners"),
        ("group:nobody", "dst=\"group:nobody\": group not found: \"group:nobody\"", ""),
        ("nas", "dst=\"nas\": unknown user or host: \"nas\"", "host not defined in policy: \"nas\""),
        ("autogroup:danger-all", "cannot use autogroup:danger-all as a dst", "every node"),
        ("autogroup:shared", "\"autogroup:shared\" not valid on the dst side of a rule", "destinations are"),
    ] {
        refuses(&acl("*", &format!("{dst}:22")), &format!("\"{dst}:22\""), message, hint);
        refuses(&grant("*", dst), &format!("\"{dst}\""), message, hint);
    }
}

#[test]
fn groups_from_the_identity_provider_need_no_definition() {
    accepted(&acl("group:eng@example.com", "group:ops@example.com:22"));
}

#[test]
fn own_nodes_are_for_people() {
    let message = "autogroup:self can only be used with users, groups, or supported autogroups";
    for src in ["tag:t", "h", "10.0.0.1", "autogroup:tagged", "autogroup:danger-all", "autogroup:shared"] {
        refuses(&acl(src, "autogroup:self:*"), &format!("\"{src}\""), message, "more than people");
        refuses(&grant(src, "autogroup:self"), &format!("\"{src}\""), message, "more than people");
    }
    for src in ["a@x", "group:g", "autogroup:member", "autogroup:admin", "user:*@x"] {
        accepted(&acl(src, "autogroup:self:*"));
        accepted(&grant(src, "autogroup:self"));
    }
    accepted(&acl("*", "autogroup:self:*"));
    refuses(&grant("*", "autogroup:self"), "\"*\"", message, "autogroup:member");
}

#[test]
fn grant_grants_something() {
    for (rule, ok) in [
        (r#"{"src": ["*"], "dst": ["*"], "ip": ["*"]}"#, true),
        (r#"{"src": [], "dst": [], "ip": ["22"]}"#, true),
        (r#"{"src": ["*"], "dst": ["*"], "app": {"example.com/cap/x": [{}]}}"#, true),
        (r#"{"src": ["*"], "dst": ["*"]}"#, false),
        (r#"{"src": ["*"], "dst": ["*"], "ip": [], "app": {}}"#, false),
    ] {
        let policy = policy("grants", rule);
        if ok {
            accepted(&policy);
        } else {
            refuses(&policy, rule, "ip and app can not both be empty", "[\"*\"]");
        }
    }
}

#[test]
fn packets_of_a_grant_have_protocols_and_ports() {
    let rule = r#"{"src": ["*"], "dst": ["*"], "ip": ["*", "443", "80-90", "tcp:22", "icmp:*", "*:53", "17:53", "06:1", "0:1", "icmp:8"]}"#;
    let document = accepted(&policy("grants", rule));
    let ip: Vec<_> = document.grants.unwrap()[0].ip.iter().map(|ip| ip.what.clone()).collect();
    assert_eq!(ip[0], (vec![], vec![PortRange::ANY]));
    assert_eq!(ip[2], (vec![], vec![PortRange { first: 80, last: 90 }]));
    assert_eq!(ip[3], (vec![6], vec![PortRange::one(22)]));
    assert_eq!(ip[4], (vec![1], vec![PortRange::ANY]));
    assert_eq!(ip[5], (vec![], vec![PortRange::one(53)]));
    assert_eq!(ip[6], (vec![17], vec![PortRange::one(53)]));
    assert_eq!((ip[7].0.as_slice(), ip[8].0.as_slice()), ([6].as_slice(), [].as_slice()));
    assert_eq!(ip[9], (vec![1], vec![PortRange::one(8)]));
}

#[test]
fn packets_that_are_none_are_refused() {
    for (ip, message) in [
        ("", "empty string"),
        (":80", "empty protocol"),
        ("tcp:0", "port range \"0\": first port must be >0, or use '*' for wildcard"),
        ("tcp", "port range \"tcp\": invalid first integer"),
        ("tcp:", "invalid port list: \"\""),
        ("tcp:80,443", "port range \"80,443\": invalid first integer"),
    ] {
        let rule = format!(r#"{{"src": ["*"], "dst": ["*"], "ip": ["{ip}"]}}"#);
        refuses(&policy("grants", &rule), &format!("\"{ip}\""), message, "");
    }
}

#[test]
fn capability_is_named_by_domain_and_path() {
    let rule =
        |name: &str| policy("grants", &format!(r#"{{"src": ["*"], "dst": ["*"], "app": {{"{name}": [{{"a": 1}}]}}}}"#));
    for name in ["example.com/cap/x", "tailscale.com/cap/drive", "tailscale.com/cap/kubernetes"] {
        let document = accepted(&rule(name));
        let app = document.grants.unwrap().remove(0).app.unwrap();
        assert_eq!((app[0].name.as_str(), app[0].values.as_slice()), (name, [r#"{"a":1}"#.to_owned()].as_slice()));
    }
    for name in ["https://example.com/cap/x", "cap", "/cap", "example.com/"] {
        refuses(
            &rule(name),
            &format!("\"{name}\""),
            "capability name must have the form {domain}/{path}",
            "example.com/cap/reports",
        );
    }
    refuses(
        &rule("tailscale.com/cap/ingress"),
        "\"tailscale.com/cap/ingress\"",
        "capability name must not be in the tailscale.com domain",
        "tailscale.com/cap/drive",
    );
}

#[test]
fn grant_to_the_internet_is_about_packets_alone() {
    refuses(
        &policy("grants", r#"{"src": ["*"], "dst": ["autogroup:internet"], "app": {"example.com/cap/x": []}}"#),
        "\"autogroup:internet\"",
        "cannot use app grants with autogroup:internet",
        "\"ip\" alone",
    );
}

#[test]
fn grant_to_every_address_there_is_is_refused() {
    for dst in ["0.0.0.0/0", "::/0"] {
        refuses(
            &grant("*", dst),
            &format!("\"{dst}\""),
            &format!("dst \"{dst}\": to allow all IP addresses, use \"*\" or \"autogroup:internet\""),
            "exit nodes",
        );
    }
    accepted(&acl("*", "0.0.0.0/0:*"));
}

#[test]
fn only_defined_tags_carry_grants() {
    let via =
        |via: &str| policy("grants", &format!(r#"{{"src": ["*"], "dst": ["*"], "ip": ["*"], "via": ["{via}"]}}"#));
    accepted(&via("tag:t"));
    refuses(&via("group:g"), "\"group:g\"", "via can only be a tag", "no tag");
    refuses(&via("tag:router"), "\"tag:router\"", "tag \"tag:router\" not found", "tagOwners");
}

#[test]
fn posture_of_a_rule_is_defined() {
    for (posture, message) in [
        ("posture:q", "srcPosture=\"posture:q\": posture not found: \"posture:q\""),
        ("mac", "srcPosture=\"mac\": posture must start with 'posture:'"),
    ] {
        let rule = format!(r#"{{"src": ["*"], "dst": ["*"], "ip": ["*"], "srcPosture": ["{posture}"]}}"#);
        refuses(&policy("grants", &rule), &format!("\"{posture}\""), message, "");
    }
}

#[test]
fn attributes_are_for_nodes_and_people() {
    let rule = |target: &str| policy("nodeAttrs", &format!(r#"{{"target": ["{target}"], "attr": ["funnel"]}}"#));
    for target in
        ["*", "a@x", "group:g", "tag:t", "h", "10.0.0.1", "autogroup:member", "autogroup:tagged", "autogroup:owner"]
    {
        accepted(&rule(target));
    }
    accepted(&policy("nodeAttrs", r#"{"target": ["*"]}"#));
    for name in ["self", "internet", "danger-all", "nonroot", "shared"] {
        let message = format!("nodeAttrs target does not support this autogroup: \"autogroup:{name}\"");
        refuses(&rule(&format!("autogroup:{name}")), &format!("\"autogroup:{name}\""), &message, "autogroup:member");
    }
    refuses(&rule("tag:x"), "\"tag:x\"", "target=\"tag:x\": tag not found: \"tag:x\"", "tag:t");
}

#[test]
fn pool_of_addresses_lies_in_the_range_of_tailnets() {
    let rule = |pool: &str| policy("nodeAttrs", &format!(r#"{{"target": ["*"], "ipPool": ["{pool}"]}}"#));
    assert_eq!(accepted(&rule("100.81.1.2/16")).node_attributes[0].ip_pool[0].to_string(), "100.81.0.0/16");
    for (pool, message) in [
        ("10.0.0.0/8", "nodeAttrs ipPool must be within 100.64.0.0/10: \"10.0.0.0/8\""),
        ("100.0.0.0/8", "nodeAttrs ipPool must be within 100.64.0.0/10: \"100.0.0.0/8\""),
        ("fd7a:115c:a1e0::/64", "nodeAttrs ipPool must be within 100.64.0.0/10: \"fd7a:115c:a1e0::/64\""),
        (
            "100.100.100.100/32",
            "nodeAttrs ipPool must not overlap reserved Tailscale ranges: \"100.100.100.100/32\" overlaps \"100.100.100.0/24\"",
        ),
        (
            "100.115.0.0/16",
            "nodeAttrs ipPool must not overlap reserved Tailscale ranges: \"100.115.0.0/16\" overlaps \"100.115.92.0/23\"",
        ),
        ("pool", "nodeAttrs ipPool: invalid prefix \"pool\""),
    ] {
        refuses(&rule(pool), &format!("\"{pool}\""), message, "");
    }
}

#[test]
fn rules_beyond_the_limit_are_refused() {
    let rules = r#"{"src": [], "dst": [], "ip": ["*"]},"#.repeat(crate::limits::RULES_MAX + 1);
    let problems = refused(&policy("grants", &rules));
    assert_eq!((problems.len(), problems[0].1.as_str()), (1, "grants has 10001 rules"));
}
