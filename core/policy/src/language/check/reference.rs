//! Names that stand for something defined elsewhere in the policy.

use super::super::document::{Alias, Document, Spot};
use super::super::finding::{Findings, Wrong};
use super::super::near::did_you_mean;
use super::super::quote::quote;

/// In which part of a rule a name stands: the hosted service says so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Target,
    /// `target` of `nodeAttrs`.
    Attribute,
    /// `recorder` of `ssh`.
    Recorder,
}

impl Side {
    /// What the service says before the reason.
    pub(super) fn before(self, name: &str) -> String {
        match self {
            Self::Source => "src=".into(),
            Self::Target => format!("dst={}: ", quote(name)),
            Self::Attribute => format!("target={}: ", quote(name)),
            Self::Recorder => format!("recorder={}: ", quote(name)),
        }
    }
}

/// An alias of a rule is defined.
pub(super) fn alias(side: Side, alias: &Spot<Alias>, document: &Document, findings: &mut Findings) {
    if findings.is_full() {
        return;
    }
    if let Err(wrong) = defined(&alias.what, document) {
        findings.refused(alias.at, wrong.within(&side.before(&alias.what.to_string())));
    }
}

/// What the alias names is defined.
pub(super) fn defined(alias: &Alias, document: &Document) -> Result<(), Wrong> {
    match alias {
        Alias::Group(name) => group(name, document),
        Alias::Tag(name) => tag(name, document),
        Alias::Host(name) => host(name, document),
        Alias::IpSet(name) => ip_set(name, document),
        Alias::Any | Alias::User(_) | Alias::Domain(_) | Alias::Autogroup(_) | Alias::Service(_) | Alias::Prefix(_) => {
            Ok(())
        }
    }
}

/// Groups with an `@` come from the identity provider: they need no definition.
pub(super) fn group(name: &str, document: &Document) -> Result<(), Wrong> {
    if document.groups.contains_key(name) || name.contains('@') {
        return Ok(());
    }
    let near = did_you_mean(name, document.groups.keys().map(String::as_str));
    Err(Wrong::new(format!("group not found: {}", quote(name)))
        .hint(near.unwrap_or_else(|| format!("group not defined in policy: {}", quote(name)))))
}

pub(super) fn tag(name: &str, document: &Document) -> Result<(), Wrong> {
    if document.tag_owners.contains_key(name) {
        return Ok(());
    }
    Err(Wrong::new(format!("tag not found: {}", quote(name))).hint(tag_hint(name, document)))
}

/// Which tag was meant, or where tags are defined.
pub(super) fn tag_hint(name: &str, document: &Document) -> String {
    did_you_mean(name, document.tag_owners.keys().map(String::as_str))
        .unwrap_or_else(|| format!("tagOwners has no such tag: add {}: []", quote(name)))
}

pub(super) fn host(name: &str, document: &Document) -> Result<(), Wrong> {
    if document.hosts.contains_key(name) {
        return Ok(());
    }
    let near = did_you_mean(name, document.hosts.keys().map(String::as_str));
    Err(Wrong::new(format!("unknown user or host: {}", quote(name))).hint(
        near.unwrap_or_else(|| format!("host not defined in policy: {}; a user is written name@domain", quote(name))),
    ))
}

pub(super) fn ip_set(name: &str, document: &Document) -> Result<(), Wrong> {
    if document.ip_sets.contains_key(name) {
        return Ok(());
    }
    let near = did_you_mean(name, document.ip_sets.keys().map(String::as_str));
    Err(Wrong::new(format!("ipset not found: {}", quote(name)))
        .hint(near.unwrap_or_else(|| "ipsets has no set of that name".into())))
}

/// Every posture is defined.
pub(super) fn postures(names: &[Spot<String>], what: &str, document: &Document, findings: &mut Findings) {
    for name in names {
        if !document.postures.contains_key(&name.what) && !findings.is_full() {
            let near = did_you_mean(&name.what, document.postures.keys().map(String::as_str));
            let wrong = Wrong::new(format!("{what}={}: posture not found: {}", quote(&name.what), quote(&name.what)));
            findings
                .refused(name.at, wrong.hint(near.unwrap_or_else(|| "postures has no posture of that name".into())));
        }
    }
}
