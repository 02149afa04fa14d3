//! Claims that could never hold, however the tailnet looks: `tests` and `sshTests`.

use wattle_netmap::Prefix;

use super::super::alias::alias;
use super::super::claim::{failed, failed_ssh};
use super::super::document::{Alias, Autogroup, Document, Spot};
use super::super::finding::{Findings, Wrong};
use super::super::ports::destination;
use super::super::quote::quote;
use super::reference;

/// A test is about one connection: one address, one port.
pub(super) fn tests(document: &Document, findings: &mut Findings) {
    for test in &document.tests {
        note(&test.source, source, document, findings);
        for target in test.accept.iter().chain(&test.deny) {
            note(target, one_connection, document, findings);
        }
    }
}

fn note(
    place: &Spot<String>,
    check: fn(&str, &Document) -> Result<(), Wrong>,
    document: &Document,
    findings: &mut Findings,
) {
    if findings.is_full() {
        return;
    }
    if let Err(wrong) = check(&place.what, document) {
        findings.refused(place.at, wrong);
    }
}

fn source(text: &str, document: &Document) -> Result<(), Wrong> {
    if text.is_empty() {
        // Said when it was read.
        return Ok(());
    }
    let alias = alias(text).map_err(|wrong| failed(wrong.message))?;
    reference::defined(&alias, document).map_err(because)
}

fn one_connection(text: &str, document: &Document) -> Result<(), Wrong> {
    let (alias, ports) = destination(text).map_err(|wrong| failed(wrong.message))?;
    if alias == Alias::Autogroup(Autogroup::Internet) {
        return Err(failed("autogroup:internet not valid as a test destination: exit nodes decide, not rules"));
    }
    match ports.as_slice() {
        [port] if port.first == port.last => {}
        _ => return Err(failed("test destination port must be a single port")),
    }
    // Even a prefix of one address is refused when written as a prefix.
    if matches!(alias, Alias::Prefix(_)) && text.contains('/') {
        return Err(failed("test destination must be a single host, not a CIDR range"));
    }
    if is_wide(&alias, document) {
        return Err(failed("test destination must be a single host: this host stands for a CIDR range"));
    }
    reference::defined(&alias, document).map_err(because)
}

/// An SSH test is about nodes one can log in to.
pub(super) fn ssh_tests(document: &Document, findings: &mut Findings) {
    for test in &document.ssh_tests {
        note(&test.source, ssh_source, document, findings);
        for target in &test.targets {
            note(target, ssh_target, document, findings);
        }
    }
}

fn ssh_source(text: &str, document: &Document) -> Result<(), Wrong> {
    if text.is_empty() {
        return Ok(());
    }
    let alias = alias(text).map_err(|wrong| failed_ssh(&wrong.message, &wrong.hint.unwrap_or_default()))?;
    match &alias {
        Alias::Autogroup(Autogroup::Member | Autogroup::Tagged | Autogroup::Role(_)) => {}
        Alias::Autogroup(_) | Alias::Any => {
            let message = format!("SSH tests src contains disallowed element {}", quote(text));
            return Err(failed_ssh(&message, "a user, a group, a tag, people of a role, a host or an address"));
        }
        Alias::Tag(tag) if !document.tag_owners.contains_key(tag) => {
            let message = format!("SSH tests src contains unknown tag {}", quote(tag));
            return Err(failed_ssh(&message, &reference::tag_hint(tag, document)));
        }
        _ => {}
    }
    reference::defined(&alias, document).map_err(|wrong| failed_ssh(&wrong.message, &wrong.hint.unwrap_or_default()))
}

fn ssh_target(text: &str, document: &Document) -> Result<(), Wrong> {
    let disallowed =
        |hint: &str| failed_ssh(&format!("SSH tests dst contains disallowed element {}", quote(text)), hint);
    match alias(text) {
        Err(_) => Err(disallowed("a tag, a user, a host or an address, without a port")),
        Ok(Alias::Autogroup(Autogroup::Internet)) => Err(disallowed("nobody logs in there")),
        Ok(Alias::Tag(tag)) if !document.tag_owners.contains_key(&tag) => {
            let message = format!("SSH tests dst contains unknown tag {}", quote(&tag));
            Err(failed_ssh(&message, &reference::tag_hint(&tag, document)))
        }
        Ok(alias) if is_wide(&alias, document) => Err(disallowed("one address, not a CIDR range")),
        Ok(_) => Ok(()),
    }
}

/// Whether an address, or the host of that name, is more than one address.
fn is_wide(alias: &Alias, document: &Document) -> bool {
    let wide = |prefix: &Prefix| prefix.prefix_len() < prefix.max_prefix_len();
    match alias {
        Alias::Prefix(prefix) => wide(prefix),
        Alias::Host(name) => document.hosts.get(name).is_some_and(|host| wide(&host.what)),
        _ => false,
    }
}

/// A name that nothing defines, in a test.
fn because(wrong: Wrong) -> Wrong {
    let Wrong { message, hint } = wrong;
    failed(match hint {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    })
}
