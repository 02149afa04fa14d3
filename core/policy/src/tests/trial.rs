//! Tests within policies.

use super::{node, roster, tagged};

fn failures(rules: &str) -> Vec<String> {
    let policy = format!(
        r#"{{
            "tagOwners": {{ "tag:server": [] }},
            "hosts": {{ "web": "100.64.0.2" }},
            "acls": [
                {{ "action": "accept", "src": ["alice@example.com"], "dst": ["tag:server:22"] }},
                {{ "action": "accept", "src": ["autogroup:member"], "proto": "udp", "dst": ["web:53"] }},
            ],
            "ssh": [{{ "action": "check", "src": ["alice@example.com"], "dst": ["tag:server"], "users": ["root"] }}],
            {rules}
        }}"#
    );
    let nodes = [node(0, "alice@example.com"), node(1, "bob@example.com"), tagged(2, &["tag:server"])];
    roster(&policy, &nodes).run_tests().into_iter().map(|failure| failure.message).collect()
}

#[test]
fn promises_are_kept_or_named() {
    let kept = r#""tests": [
        { "src": "alice@example.com", "accept": ["tag:server:22"], "deny": ["tag:server:80"] },
        { "src": "bob@example.com", "proto": "udp", "accept": ["web:53"], "deny": ["tag:server:22"] },
    ],"#;
    assert_eq!(failures(kept), Vec::<String>::new());
    let broken = r#""tests": [
        { "src": "bob@example.com", "accept": ["tag:server:22"] },
        { "src": "bob@example.com", "proto": "tcp", "deny": ["tag:server:53"], "accept": ["web:53"] },
        { "src": "autogroup:member", "accept": ["tag:server:22"] },
        { "src": "alice@example.com", "deny": ["tag:server:22"] },
        { "src": "carol@example.com", "accept": ["tag:server:22"] },
    ],"#;
    assert_eq!(
        failures(broken),
        [
            "bob@example.com -> tag:server:22: expected ALLOWED, got DENIED",
            "bob@example.com -> web:53: expected ALLOWED, got DENIED",
            "autogroup:member -> tag:server:22: expected ALLOWED, got DENIED",
            "alice@example.com -> tag:server:22: expected DENIED, got ALLOWED",
            "source \"carol@example.com\" resolved to no IP addresses",
        ]
    );
}

#[test]
fn ssh_promises_tell_checks_from_plain_logins() {
    let kept = r#""sshTests": [
        { "src": "alice@example.com", "dst": ["tag:server"], "accept": ["root"], "check": ["root"], "deny": ["ubuntu"] },
        { "src": "bob@example.com", "dst": ["tag:server"], "deny": ["root"] },
    ],"#;
    assert_eq!(failures(kept), Vec::<String>::new());
    let broken = r#""sshTests": [
        { "src": "bob@example.com", "dst": ["tag:server"], "accept": ["root"] },
        { "src": "alice@example.com", "dst": ["tag:server"], "check": ["ubuntu"], "deny": ["root"] },
        { "src": "alice@example.com", "dst": ["bob@example.com"], "accept": ["root"] },
    ],"#;
    let failed = failures(broken);
    assert_eq!(failed.len(), 4, "{failed:?}");
    assert!(failed[0].ends_with("expected ALLOWED, got DENIED"));
    assert!(failed.iter().any(|failure| failure.ends_with("expected ALLOWED via check, got DENIED")));
}

#[test]
fn a_rule_without_protocols_is_not_about_sctp() {
    let sctp = r#""tests": [{ "src": "alice@example.com", "proto": "sctp", "deny": ["tag:server:22"] }],"#;
    assert_eq!(failures(sctp), Vec::<String>::new());
}
