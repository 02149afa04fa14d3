//! `ssh`

use super::super::document::SshAction;
use super::{accepted, refused, refuses};

fn policy(rule: &str) -> String {
    format!(
        r#"{{"groups": {{"group:g": ["a@x"]}}, "tagOwners": {{"tag:t": []}}, "hosts": {{"h": "10.0.0.1"}}, "ssh": [{rule}]}}"#
    )
}

fn rule(src: &str, dst: &str) -> String {
    policy(&format!(r#"{{"action": "accept", "src": ["{src}"], "dst": ["{dst}"], "users": ["root"]}}"#))
}

/// A rule with one more field.
fn with(field: &str) -> String {
    policy(&format!(r#"{{"action": "check", "src": ["a@x"], "dst": ["tag:t"], "users": ["root"], {field}}}"#))
}

fn action(text: &str) -> SshAction {
    accepted(&with(text)).ssh[0].action
}

#[test]
fn action_is_trimmed_and_must_be_known() {
    let action = |text: &str| policy(&format!(r#"{{"action": "{text}", "src": [], "dst": [], "users": ["root"]}}"#));
    assert_eq!(accepted(&action(" accept ")).ssh[0].action, SshAction::Accept);
    assert_eq!(accepted(&action("check")).ssh[0].action, SshAction::Check(12 * 3_600));
    refuses(&action("deny"), "\"deny\"", "\"deny\" is not a valid action", "\"accept\", or \"check\"");
    refuses(&action(" "), "\" \"", "action must be specified", "");
    let none = r#"{"src": [], "dst": [], "users": ["root"]}"#;
    refuses(&policy(none), none, "action must be specified", "");
}

#[test]
fn users_are_trimmed_and_named() {
    let users = |users: &str| policy(&format!(r#"{{"action": "accept", "src": [], "dst": [], "users": {users}}}"#));
    let document =
        accepted(&users(r#"["\troot", "localpart:*@x", "autogroup:nonroot", "group:foo", "localpart:foo"]"#));
    assert_eq!(document.ssh[0].users[..2], ["root", "localpart:*@x"]);
    refuses(&users("[]"), "[]", "users must be specified", "autogroup:nonroot");
    refuses(&users(r#"["*"]"#), "\"*\"", "user \"*\" is not valid", "autogroup:nonroot");
    refuses(&users(r#"["  "]"#), "\"  \"", "user \"\" is not valid", "");
    let none = r#"{"action": "accept", "src": [], "dst": []}"#;
    refuses(&policy(none), none, "users must be specified", "");
}

#[test]
fn check_holds_for_a_week_at_most() {
    assert_eq!(action(r#""checkPeriod": "168h""#), SshAction::Check(168 * 3_600));
    assert_eq!(action(r#""checkPeriod": "30s""#), SshAction::Check(30));
    assert_eq!(action(r#""checkPeriod": "0s""#), SshAction::Check(0));
    assert_eq!(action(r#""checkPeriod": "always""#), SshAction::Check(0));
    for (period, message) in [
        ("-1m", "checkPeriod -1m0s must be a positive duration"),
        ("168h0m1s", "checkPeriod 168h0m1s is above the max (168h)"),
        ("7d", "time: unknown unit \"d\" in duration \"7d\""),
        ("", "time: invalid duration \"\""),
        ("Always", "time: invalid duration \"Always\""),
    ] {
        refuses(&with(&format!(r#""checkPeriod": "{period}""#)), &format!("\"{period}\""), message, "");
    }
}

#[test]
fn only_a_check_has_a_period() {
    let accept = r#"{"action": "accept", "src": [], "dst": [], "users": ["root"], "checkPeriod": "1h"}"#;
    refuses(&policy(accept), "\"1h\"", "checkPeriod is only valid with action \"check\"", "leave it out");
}

#[test]
fn environment_has_names_or_patterns() {
    let document = accepted(&with(r#""acceptEnv": ["**", "X*"], "recorder": ["tag:t"], "enforceRecorder": true"#));
    assert_eq!(document.ssh[0].accept_env, ["**", "X*"]);
    assert!(document.ssh[0].enforce_recorder);
    refuses(&with(r#""acceptEnv": [""]"#), "\"\"", "acceptEnv values cannot be empty", "LC_*");
}

#[test]
fn recorder_is_defined() {
    refuses(&with(r#""recorder": ["tag:r"]"#), "\"tag:r\"", "recorder=\"tag:r\": tag not found: \"tag:r\"", "tag:t");
}

#[test]
fn who_logs_in_is_known() {
    for src in ["a@x", "group:g", "tag:t", "autogroup:member", "autogroup:tagged", "autogroup:admin", "user:*@x"] {
        accepted(&rule(src, "tag:t"));
    }
    for (src, message) in [
        ("*", "invalid src \"*\""),
        ("h", "invalid src \"h\""),
        ("10.0.0.1", "invalid src \"10.0.0.1\""),
        ("autogroup:internet", "\"autogroup:internet\" is not allowed in src"),
        ("autogroup:self", "\"autogroup:self\" is not allowed in src"),
        ("tag:x", "src=tag not found: \"tag:x\""),
        ("group:x", "src=group not found: \"group:x\""),
    ] {
        refuses(&rule(src, "tag:t"), &format!("\"{src}\""), message, "");
    }
}

#[test]
fn where_one_logs_in_is_a_tag_or_ones_own() {
    for dst in ["tag:t", "a@x", "autogroup:self", "autogroup:member", "autogroup:tagged"] {
        accepted(&rule("a@x", dst));
    }
    for (dst, message, hint) in [
        ("h", "invalid dst \"h\"", "give the node a tag"),
        ("10.0.0.1", "invalid dst \"10.0.0.1\"", "give the node a tag"),
        ("*", "invalid dst \"*\"", "wildcard (*) is not supported"),
        ("group:g", "invalid dst \"group:g\"", "tags"),
        ("autogroup:internet", "invalid dst \"autogroup:internet\"", "tags"),
        ("tag:x", "dst=\"tag:x\": tag not found: \"tag:x\"", "tag:t"),
    ] {
        refuses(&rule("a@x", dst), &format!("\"{dst}\""), message, hint);
    }
}

#[test]
fn nobody_logs_in_to_devices_of_others() {
    let same = "users in dst are only allowed from the same user";
    for src in ["tag:t", "autogroup:tagged", "group:g", "autogroup:member", "b@x"] {
        refuses(&rule(src, "a@x"), "\"a@x\"", same, "");
    }
    refuses(
        &rule("tag:t", "autogroup:self"),
        "\"autogroup:self\"",
        "autogroup:self destination requires source to contain only users or groups, not tags or autogroup:tagged",
        "its own",
    );
    refuses(
        &rule("autogroup:tagged", "autogroup:member"),
        "\"autogroup:member\"",
        "tags in SSH source cannot access autogroup:member (user-owned devices)",
        "autogroup:tagged",
    );
}

#[test]
fn every_wrong_target_is_named() {
    let policy = policy(r#"{"action": "accept", "src": ["tag:t"], "dst": ["a@x", "b@x"], "users": ["root"]}"#);
    assert_eq!(refused(&policy).len(), 2);
}
