//! Who belongs to groups, who may give tags, whose routes need no administrator.

use std::collections::BTreeMap;

use super::alias::{member, owner, prefix};
use super::document::{AutoApprovers, Member, Owner, Spot};
use super::fields::{Fields, each, names};
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
        let members = each(&entry.value, "a group", findings, |text| member_of(&entry.name, text));
        groups.insert(entry.name.clone(), members);
    }
    groups
}

/// A member of that group.
fn member_of(group: &str, text: &str) -> Result<Member, Wrong> {
    let about = format!("groups[{}]: ", quote(group));
    if text.trim().starts_with("group:") {
        return Err(Wrong::new(format!("{about}{}: group members cannot be recursive", quote(text)))
            .hint("list the members of that group here"));
    }
    member(text).map_err(|wrong| wrong.within(&about))
}

/// `tagOwners`
pub(super) fn tag_owners(value: &Value, findings: &mut Findings) -> BTreeMap<String, Vec<Spot<Owner>>> {
    let mut owners_of = BTreeMap::new();
    for entry in names(value, "tagOwners", findings) {
        let about = format!("tagOwners[{}]: ", quote(&entry.name));
        if let Err(wrong) = check_tag(&entry.name) {
            findings.unreadable(entry.name_span, wrong.within(&about));
        }
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
            if let Err(wrong) = check_service(&entry.name) {
                findings.unreadable(entry.name_span, wrong.within(&about));
            }
            approvers.services.insert(entry.name.clone(), owners(&entry.value, &about, findings));
        }
    }
    approvers
}

fn owners(value: &Value, about: &str, findings: &mut Findings) -> Vec<Spot<Owner>> {
    let what = about.trim_end_matches(": ");
    each(value, what, findings, |text| owner(text).map_err(|wrong| wrong.within(about)))
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

/// What services may be called (tailscale `tailcfg.ServiceName.Validate`), or a tag that services have.
fn check_service(text: &str) -> Result<(), Wrong> {
    let wrong = |why: &str| Err(Wrong::new(format!("{} is not a valid service name: {why}", quote(text))));
    match text.split_once(':') {
        Some(("tag", _)) => check_tag(text),
        Some(("svc", "")) => wrong("must not be empty after the 'svc:' prefix"),
        Some(("svc", name)) if name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-') => Ok(()),
        Some(("svc", _)) => wrong("must be a DNS label"),
        _ => wrong("must start with 'svc:'"),
    }
    .map_err(|wrong: Wrong| {
        wrong.maybe_hint(Some("svc:web is the service web; tag:web every service with that tag".into()))
    })
}
