//! `tests` and `sshTests`: claims that can never hold.

use super::super::document::Scalar;
use super::{accepted, refuses};

fn policy(part: &str, claim: &str) -> String {
    format!(
        r#"{{"groups": {{"group:g": []}}, "tagOwners": {{"tag:t": []}}, "hosts": {{"h": "10.0.0.1", "net": "10.0.0.0/8"}},
           "{part}": [{claim}]}}"#
    )
}

#[test]
fn test_claims_connections() {
    let document = accepted(&policy(
        "tests",
        r#"{"src": " a@x ", "proto": "tcp", "accept": ["tag:t:22", " h:80 "], "deny": ["10.0.0.1:1"],
            "srcPostureAttrs": {"node:os": "linux", "custom:n": 1.5, "custom:b": true}}"#,
    ));
    let test = &document.tests[0];
    assert_eq!((test.source.what.as_str(), test.accept[1].what.as_str(), &test.protocols), ("a@x", "h:80", &vec![6]));
    assert_eq!(
        test.source_posture,
        [
            ("node:os".to_owned(), Scalar::Text("linux".into())),
            ("custom:n".to_owned(), Scalar::Number(1.5)),
            ("custom:b".to_owned(), Scalar::Bool(true))
        ]
    );
}

#[test]
fn test_has_its_old_names_too() {
    let document = accepted(&policy("tests", r#"{"user": "a@x", "allow": ["h:80"]}"#));
    assert_eq!((document.tests[0].source.what.as_str(), document.tests[0].accept.len()), ("a@x", 1));
}

#[test]
fn test_that_is_not_about_one_connection_fails() {
    for (target, hint) in [
        ("h:*", "a single port"),
        ("h:80-81", "a single port"),
        ("h:80,81", "a single port"),
        ("net:80", "a CIDR range"),
        ("10.0.0.0/8:80", "not a CIDR range"),
        ("10.0.0.1/32:80", "not a CIDR range"),
        ("autogroup:internet:80", "exit nodes decide"),
        ("nas:80", "unknown user or host: \"nas\""),
        ("tag:x:80", "tag not found: \"tag:x\""),
        ("h", "hostport must contain a colon"),
    ] {
        let claim = policy("tests", &format!(r#"{{"src": "a@x", "accept": ["{target}"]}}"#));
        refuses(&claim, &format!("\"{target}\""), "test(s) failed", hint);
    }
}

#[test]
fn test_that_claims_nothing_fails() {
    let nothing = r#"{"src": "a@x"}"#;
    refuses(&policy("tests", nothing), nothing, "test(s) failed", "\"accept\"");
    let nobody = r#"{"src": "", "deny": ["h:80"]}"#;
    refuses(&policy("tests", nobody), "\"\"", "test(s) failed", "\"src\"");
    for (proto, hint) in [("icmp", "tcp, udp or sctp"), ("bogus", "not known")] {
        let claim = format!(r#"{{"src": "a@x", "proto": "{proto}", "deny": ["h:80"]}}"#);
        refuses(&policy("tests", &claim), &format!("\"{proto}\""), "test(s) failed", hint);
    }
    let stranger = r#"{"src": "group:x", "deny": ["h:80"]}"#;
    refuses(&policy("tests", stranger), "\"group:x\"", "test(s) failed", "group not found");
}

#[test]
fn ssh_test_claims_logins() {
    let claim = r#"{"src": " a@x ", "dst": [" tag:t", "a@x", "h", "10.0.0.1", "autogroup:self"], "accept": [" root"],
        "deny": ["x"], "check": ["y"]}"#;
    let document = accepted(&policy("sshTests", claim));
    let test = &document.ssh_tests[0];
    assert_eq!((test.source.what.as_str(), test.targets[0].what.as_str()), ("a@x", "tag:t"));
    assert_eq!(
        (test.accept.as_slice(), test.check.as_slice()),
        (["root".to_owned()].as_slice(), ["y".to_owned()].as_slice())
    );
}

#[test]
fn ssh_test_is_about_many_people_at_once() {
    for source in ["autogroup:member", "autogroup:tagged", "autogroup:admin", "group:g"] {
        let claim = format!(r#"{{"src": "{source}", "dst": ["tag:t"], "deny": ["root"]}}"#);
        assert_eq!(accepted(&policy("sshTests", &claim)).ssh_tests[0].source.what, source);
    }
}

#[test]
fn ssh_test_of_what_is_no_node_fails() {
    for (target, message) in [
        ("tag:t:22", "SSH tests dst contains unknown tag \"tag:t:22\""),
        ("tag:x", "SSH tests dst contains unknown tag \"tag:x\""),
        ("10.0.0.0/8", "SSH tests dst contains disallowed element \"10.0.0.0/8\""),
        ("net", "SSH tests dst contains disallowed element \"net\""),
        ("h:22", "SSH tests dst contains disallowed element \"h:22\""),
        ("autogroup:internet", "SSH tests dst contains disallowed element \"autogroup:internet\""),
    ] {
        let claim = format!(r#"{{"src": "a@x", "dst": ["{target}"], "accept": ["root"]}}"#);
        let message = format!("test(s) failed: {message}");
        refuses(&policy("sshTests", &claim), &format!("\"{target}\""), &message, "");
    }
}

#[test]
fn ssh_test_that_claims_nothing_fails() {
    for (claim, at, message) in [
        (r#"{"src": "", "dst": ["h"], "deny": ["x"]}"#, "\"\"", "SSH tests entry must have a non-empty src"),
        (
            r#"{"src": "autogroup:self", "dst": ["h"], "deny": ["x"]}"#,
            "\"autogroup:self\"",
            "SSH tests src contains disallowed element \"autogroup:self\"",
        ),
        (
            r#"{"src": "tag:x", "dst": ["h"], "deny": ["x"]}"#,
            "\"tag:x\"",
            "SSH tests src contains unknown tag \"tag:x\"",
        ),
        (
            r#"{"src": "a@x", "dst": [], "deny": ["x"]}"#,
            r#"{"src": "a@x", "dst": [], "deny": ["x"]}"#,
            "SSH tests entry must have at least one dst",
        ),
        (
            r#"{"src": "a@x", "dst": ["h"]}"#,
            r#"{"src": "a@x", "dst": ["h"]}"#,
            "no accept, deny, or check assertions specified",
        ),
        (r#"{"src": "a@x", "dst": ["h"], "check": [" "]}"#, "\" \"", "user \"\" is not valid"),
    ] {
        refuses(&policy("sshTests", claim), at, &format!("test(s) failed: {message}"), "");
    }
}
