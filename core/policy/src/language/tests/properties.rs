//! Whatever stands in a policy, reading it ends and nothing breaks.

use proptest::prelude::*;

use super::super::duration;
use super::super::{alias, destination, protocols, read};

/// Every part of the language once.
const POLICY: &str = r#"{
    "groups": {"group:g": ["a@x", "user:*@x"]}, "hosts": {"h": "10.0.0.1"},
    "ipsets": {"ipset:s": ["add 10.0.0.0/8", "remove h", "10.0.0.1-10.0.0.9"]},
    "tagOwners": {"tag:t": ["autogroup:admin", "tag:t"]},
    "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:t"]}, "exitNode": ["group:g"], "services": {"svc:w": ["tag:t"]}},
    "postures": {"posture:p": ["node:os IN ['linux', 'macos']", "node:tsVersion >= '1.40'", "custom:x IS SET"]},
    "defaultSrcPosture": ["posture:p"],
    "acls": [{"action": "accept", "proto": "tcp", "src": ["*"], "dst": ["tag:t:22,80-90", "[fd7a::1]:*"]}],
    "grants": [{"src": ["group:g"], "dst": ["autogroup:self"], "ip": ["tcp:443"], "app": {"example.com/cap": [{}]}, "via": ["tag:t"]}],
    "nodeAttrs": [{"target": ["*"], "attr": ["funnel"], "ipPool": ["100.81.0.0/16"]}],
    "ssh": [{"action": "check", "src": ["a@x"], "dst": ["tag:t"], "users": ["root"], "checkPeriod": "1h30m"}],
    "tests": [{"src": "a@x", "accept": ["h:80"], "srcPostureAttrs": {"node:os": "linux"}}],
    "sshTests": [{"src": "a@x", "dst": ["tag:t"], "check": ["root"]}],
    "randomizeClientPort": false, "oneCGNATRoute": "mac-always",
}"#;

#[test]
fn every_truncation_is_refused_or_read() {
    assert!(read(POLICY.as_bytes()).is_ok());
    for end in 0..POLICY.len() {
        let answer = read(&POLICY.as_bytes()[..end]);
        assert!(answer.is_err(), "{end}");
        assert!(!answer.unwrap_err().report("p").is_empty());
    }
}

proptest! {
    #[test]
    fn random_bytes_break_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        if let Err(problems) = read(&bytes) {
            prop_assert!(!problems.report("p").is_empty() && !problems.to_string().is_empty());
        }
    }

    #[test]
    fn changed_policies_break_nothing(
        changes in proptest::collection::vec((0..POLICY.len(), "[\"\\[\\]{},:*@a-z0-9%/ é-]{0,3}"), 1..6)
    ) {
        let mut policy = POLICY.to_owned();
        for (place, text) in changes {
            let place = place.min(policy.len());
            let end = (place + text.len()).min(policy.len());
            if policy.is_char_boundary(place) && policy.is_char_boundary(end) {
                policy.replace_range(place..end, &text);
            }
        }
        if let Err(problems) = read(policy.as_bytes()) {
            prop_assert!(!problems.report("p").is_empty());
            for problem in &problems.0 {
                prop_assert!(problem.at.end as usize <= policy.len() + 1 && problem.line > 0 && problem.column > 0);
            }
        }
    }

    #[test]
    fn random_texts_are_read_or_refused(text in ".{0,40}") {
        _ = (alias(&text), destination(&text), protocols(&text), duration::parse(&text));
    }

    #[test]
    fn aliases_are_read_as_they_are_written(text in "(tag:|group:|autogroup:|svc:|ipset:|user:\\*@|)[a-z0-9@.:/-]{0,12}") {
        if let Ok(meaning) = alias(&text) {
            prop_assert_eq!(alias(&meaning.to_string()), Ok(meaning));
        }
    }

    #[test]
    fn durations_are_read_as_they_are_shown(nanoseconds in any::<i64>()) {
        prop_assume!(nanoseconds != i64::MIN);
        prop_assert_eq!(duration::parse(&duration::show(nanoseconds)), Ok(nanoseconds));
    }
}
