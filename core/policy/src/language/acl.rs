//! A rule of `acls`: who may send what to where.

use super::document::Acl;
use super::fields::Fields;
use super::finding::{Findings, Wrong};
use super::ports::destination;
use super::protocol::{ports_allowed, protocols};
use super::quote::quote;
use super::rule::{aliases, each, postures};
use crate::hujson::Value;

/// `users` and `ports` are the old names of `src` and `dst`.
const FIELDS: [&str; 7] = ["action", "src", "dst", "proto", "srcPosture", "users", "ports"];

pub(super) fn acl(rule: &Value, findings: &mut Findings) -> Option<Acl> {
    let fields = Fields::read(rule, "a rule of acls", &FIELDS, findings)?;
    match fields.value("action") {
        Some(_) => match fields.text("action", findings) {
            Some(("accept", _)) | None => {}
            Some((other, at)) => findings.unreadable(at, unsupported(other)),
        },
        None => findings.unreadable(fields.at, unsupported("")),
    }
    let protocol = fields.text("proto", findings);
    let protocols = protocol.and_then(|(text, at)| findings.read(at, || protocols(text))).unwrap_or_default();
    let sources = aliases(fields.either("src", "users", findings), "src", findings);
    let targets = match fields.either("dst", "ports", findings) {
        Some(targets) => each(targets, "dst", findings, destination),
        None => Vec::new(),
    };
    for target in &targets {
        let name = protocol.map(|(text, _)| text).unwrap_or_default();
        if let Err(wrong) = ports_allowed(&protocols, &target.what.1, name) {
            findings.refused(target.at, wrong);
        }
    }
    Some(Acl { at: rule.span, sources, targets, protocols, source_posture: postures(&fields, "srcPosture", findings) })
}

fn unsupported(action: &str) -> Wrong {
    Wrong::new(format!("action={} is not supported", quote(action)))
        .hint("the only action is \"accept\": what no rule accepts is denied")
}
