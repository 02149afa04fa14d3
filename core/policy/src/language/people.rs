//! Who belongs to groups, who may give tags, whose routes need no administrator.

use std::collections::BTreeMap;

use super::alias::{member, owner, prefix};
use super::document::{AutoApprovers, Member, Owner, Spot};
use super::fields::{Fields, names, texts};
use super::finding::{Findings, Wrong};
use super::quote::quote;
use crate::hujson::{Kind, Value};

/// `groups`
pub(super) fn groups(value: &Value, findings: &mut Findings) -> BTreeMap<String, Vec<Spot<Member>>> {
    let mut groups = BTreeMap::new();
    for entry in names(value, "groups", findings) {
        if !entry.name.starts_with("group:") {
            let wrong = Wrong::new(format!("group must start with 'group:', got: {}", quote(&entry.name)));
            findings
                .unreadable(entry.name_span, wrong.hint(format!("write {}", quote(&format!("group:{}", entry.name)))));
        }
        if let Kind::String(text) = &entry.value.kind {
            let message = format!(
                "group value must be an array of users: group {} got string: {}",
                quote(&entry.name),
                quote(text)
            );
            findings.unreadable(entry.value.span, Wrong::new(message).hint(format!("write [{}]", quote(text))));
            continue;
        }
        let members = texts(&entry.value, "a group", findings).into_iter().filter_map(|(text, at)| {
            let read = if text.trim().starts_with("group:") {
                let message =
                    format!("groups[{}]: {}: group members cannot be recursive", quote(&entry.name), quote(text));
                Err(Wrong::new(message).hint("list the members of that group here"))
            } else {
                member(text).map_err(|wrong| wrong.within(&format!("groups[{}]: ", quote(&entry.name))))
            };
            findings.note(at, read).map(|what| Spot { what, at })
        });
        let members = members.collect();
        groups.insert(entry.name.clone(), members);
    }
    groups
}

/// `tagOwners`
pub(super) fn tag_owners(value: &Value, findings: &mut Findings) -> BTreeMap<String, Vec<Spot<Owner>>> {
    let mut owners_of = BTreeMap::new();
    for entry in names(value, "tagOwners", findings) {
        let about = format!("tagOwners[{}]: ", quote(&entry.name));
        findings.note(entry.name_span, check_tag(&entry.name).map_err(|wrong| wrong.within(&about)));
        owners_of.insert(entry.name.clone(), owners(&entry.value, &about, findings));
    }
    owners_of
}

/// `autoApprovers`
pub(super) fn auto_approvers(value: &Value, findings: &mut Findings) -> AutoApprovers {
    let mut approvers = AutoApprovers::default();
    let Some(fields) = Fields::read(value, "autoApprovers", &["routes", "exitNode", "services"], findings) else {
        return approvers;
    };
    if let Some(routes) = fields.value("routes") {
        for entry in names(routes, "autoApprovers.routes", findings) {
            let about = format!("autoApprovers.routes[{}]: ", quote(&entry.name));
            let by = owners(&entry.value, &about, findings);
            match prefix(entry.name.trim()) {
                Some(route) => approvers.routes.push((Spot { what: route, at: entry.name_span }, by)),
                None => findings.unreadable(
                    entry.name_span,
                    Wrong::new(format!("{about}invalid prefix"))
                        .hint("a route is an address, a slash and a length: 10.0.0.0/8"),
                ),
            }
        }
    }
    if let Some(exit) = fields.value("exitNode") {
        approvers.exit_node = owners(exit, "autoApprovers.exitNode: ", findings);
    }
    if let Some(services) = fields.value("services") {
        for entry in names(services, "autoApprovers.services", findings) {
            let about = format!("autoApprovers.services[{}]: ", quote(&entry.name));
            if !entry.name.starts_with("svc:") && !entry.name.starts_with("tag:") {
                let wrong = Wrong::new(format!("{about}invalid service name"));
                findings.unreadable(
                    entry.name_span,
                    wrong.hint("svc: and the name of a service, or tag: and a tag of services"),
                );
            }
            approvers.services.insert(entry.name.clone(), owners(&entry.value, &about, findings));
        }
    }
    approvers
}

fn owners(value: &Value, about: &str, findings: &mut Findings) -> Vec<Spot<Owner>> {
    texts(value, about.trim_end_matches(": "), findings)
        .into_iter()
        .filter_map(|(text, at)| {
            let read = owner(text).map_err(|wrong| wrong.within(about));
            findings.note(at, read).map(|what| Spot { what, at })
        })
        .collect()
}

/// What tags may be called (tailscale `tailcfg.CheckTag`).
pub(super) fn check_tag(text: &str) -> Result<(), Wrong> {
    let Some(name) = text.strip_prefix("tag:") else {
        return Err(Wrong::new("tags must start with 'tag:'").hint(format!("write {}", quote(&format!("tag:{text}")))));
    };
    if !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return Err(Wrong::new("tag names must start with a letter, after 'tag:'").hint("a letter from a to z"));
    }
    if !name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-') {
        return Err(Wrong::new("tag names can only contain numbers, letters, or dashes").hint("such as tag:web-1"));
    }
    Ok(())
}
