//! What a policy claims about itself: `tests` and `sshTests`.
//!
//! Whatever is wrong with a claim, the hosted service says that tests failed; the hint says why.

use super::document::{Scalar, Spot, SshTest, Test};
use super::fields::{Fields, names};
use super::finding::{Findings, Wrong};
use super::posture::scalar;
use super::protocol::{is_testable, protocols};
use super::quote::quote;
use crate::hujson::{Span, Value};

/// `user` and `allow` are the old names of `src` and `accept`.
const TEST_FIELDS: [&str; 7] = ["src", "proto", "accept", "deny", "srcPostureAttrs", "user", "allow"];
const SSH_TEST_FIELDS: [&str; 5] = ["src", "dst", "accept", "deny", "check"];

/// A rule of `tests`.
pub(super) fn test(rule: &Value, findings: &mut Findings) -> Option<Test> {
    let fields = Fields::read(rule, "a test", &TEST_FIELDS, findings)?;
    let source = fields.either("src", "user", findings);
    let source = source.and_then(|value| super::fields::text(value, "src", findings));
    let accept = match fields.either("accept", "allow", findings) {
        Some(value) => super::fields::texts(value, "accept", findings),
        None => Vec::new(),
    };
    let deny = fields.texts("deny", findings);
    if accept.is_empty() && deny.is_empty() {
        findings.refused(rule.span, failed("a test says what is reachable in \"accept\", or what is not in \"deny\""));
    }
    let mut numbers = Vec::new();
    if let Some((text, at)) = fields.text("proto", findings) {
        match protocols(text) {
            Ok(known) if is_testable(&known) => numbers = known,
            Ok(_) => findings.refused(at, failed("a test is about tcp, udp or sctp")),
            Err(wrong) => findings.refused(at, failed(wrong.message)),
        }
    }
    let (source, at) = source.unwrap_or(("", rule.span));
    if source.trim().is_empty() {
        findings.refused(at, failed("a test says from whom: \"src\" is a user, a group, a tag, a host or an address"));
    }
    Some(Test {
        at: rule.span,
        source: Spot { what: source.trim().to_owned(), at },
        protocols: numbers,
        accept: spots(accept),
        deny: spots(deny),
        source_posture: attributes(&fields, findings),
    })
}

/// A rule of `sshTests`.
pub(super) fn ssh_test(rule: &Value, findings: &mut Findings) -> Option<SshTest> {
    let fields = Fields::read(rule, "an SSH test", &SSH_TEST_FIELDS, findings)?;
    let (source, at) = fields.text("src", findings).unwrap_or(("", rule.span));
    if source.trim().is_empty() {
        findings.refused(
            at,
            failed_ssh("SSH tests entry must have a non-empty src", "a user, a group, a tag, a host or an address"),
        );
    }
    let targets = fields.texts("dst", findings);
    if targets.is_empty() {
        findings.refused(
            rule.span,
            failed_ssh("SSH tests entry must have at least one dst", "a tag, a user, a host or an address"),
        );
    }
    let [accept, deny, check] = ["accept", "deny", "check"].map(|name| fields.texts(name, findings));
    if accept.is_empty() && deny.is_empty() && check.is_empty() {
        findings.refused(
            rule.span,
            failed_ssh(
                "no accept, deny, or check assertions specified",
                "local users, in \"accept\", \"deny\" or \"check\"",
            ),
        );
    }
    for (user, at) in accept.iter().chain(&deny).chain(&check) {
        if user.trim().is_empty() {
            findings.refused(*at, failed_ssh("user \"\" is not valid", "the name of a local user cannot be empty"));
        }
    }
    let [accept, deny, check] = [accept, deny, check].map(trimmed);
    Some(SshTest {
        at: rule.span,
        source: Spot { what: source.trim().to_owned(), at },
        targets: spots(targets),
        accept,
        deny,
        check,
    })
}

/// A claim that cannot hold.
pub(super) fn failed(why: impl Into<String>) -> Wrong {
    Wrong::new("test(s) failed").hint(why)
}

/// The same for `sshTests`, of which the service says why.
pub(super) fn failed_ssh(why: &str, hint: &str) -> Wrong {
    Wrong::new(format!("test(s) failed: {why}")).hint(hint)
}

fn spots(texts: Vec<(&str, Span)>) -> Vec<Spot<String>> {
    texts.into_iter().map(|(text, at)| Spot { what: text.trim().to_owned(), at }).collect()
}

fn trimmed(texts: Vec<(&str, Span)>) -> Vec<String> {
    texts.into_iter().map(|(text, _)| text.trim().to_owned()).collect()
}

fn attributes(fields: &Fields<'_>, findings: &mut Findings) -> Vec<(String, Scalar)> {
    let Some(value) = fields.value("srcPostureAttrs") else {
        return Vec::new();
    };
    let mut attributes = Vec::new();
    for entry in names(value, "srcPostureAttrs", findings) {
        match scalar(&entry.value) {
            Some(scalar) => attributes.push((entry.name.clone(), scalar)),
            None => {
                let wrong = Wrong::new(format!("srcPostureAttrs[{}]: invalid value", quote(&entry.name)));
                findings.unreadable(entry.value.span, wrong.hint("a text, a number, true or false"));
            }
        }
    }
    attributes
}
