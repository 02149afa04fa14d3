//! What stands for nodes, people or addresses: text to [`Alias`], [`Owner`] and [`Member`], and back.
//!
//! Here only the form counts: whether a group or a tag is defined is the checker's business.

use std::fmt;
use std::net::IpAddr;

use wattle_netmap::Prefix;

use super::document::{Alias, Autogroup, Member, Owner, Role};
use super::finding::Wrong;
use super::near::did_you_mean;
use super::quote::quote;

/// The autogroups by the name after `autogroup:`.
const AUTOGROUPS: [(&str, Autogroup); 13] = [
    ("internet", Autogroup::Internet),
    ("member", Autogroup::Member),
    ("tagged", Autogroup::Tagged),
    ("self", Autogroup::Self_),
    ("nonroot", Autogroup::NonRoot),
    ("owner", Autogroup::Role(Role::Owner)),
    ("admin", Autogroup::Role(Role::Admin)),
    ("it-admin", Autogroup::Role(Role::ItAdmin)),
    ("network-admin", Autogroup::Role(Role::NetworkAdmin)),
    ("billing-admin", Autogroup::Role(Role::BillingAdmin)),
    ("auditor", Autogroup::Role(Role::Auditor)),
    ("danger-all", Autogroup::DangerAll),
    ("shared", Autogroup::Shared),
];

/// One source or destination, without ports.
pub(super) fn alias(text: &str) -> Result<Alias, Wrong> {
    let text = text.trim();
    if let Some(prefix) = prefix(text) {
        return Ok(Alias::Prefix(prefix));
    }
    if text == "*" {
        return Ok(Alias::Any);
    }
    match text.split_once(':') {
        // A group may have an `@`: one that comes from the identity provider does.
        Some(("group", _)) => Ok(Alias::Group(text.into())),
        Some(("tag", _)) => Ok(Alias::Tag(text.into())),
        Some(("autogroup", _)) => autogroup(text).map(Alias::Autogroup),
        Some(("ipset", _)) => Ok(Alias::IpSet(text.into())),
        Some(("svc", _)) => Ok(Alias::Service(text.into())),
        _ if text.contains('@') => user(text, Alias::User, Alias::Domain),
        Some(("host", name)) if !name.is_empty() => Ok(Alias::Host(name.into())),
        None if !text.is_empty() && !text.contains('/') => Ok(Alias::Host(text.into())),
        _ => Err(Wrong::new(format!("invalid alias format: {}", quote(text))).maybe_hint(form_hint(text))),
    }
}

/// Who may give a tag or have routes approved.
pub(super) fn owner(text: &str) -> Result<Owner, Wrong> {
    let text = text.trim();
    match text.split_once(':') {
        Some(("group", _)) => return Ok(Owner::Group(text.into())),
        Some(("tag", _)) => return Ok(Owner::Tag(text.into())),
        Some(("autogroup", _)) => match autogroup(text)? {
            people @ (Autogroup::Member | Autogroup::Role(_)) => return Ok(Owner::Autogroup(people)),
            Autogroup::Internet
            | Autogroup::Tagged
            | Autogroup::Self_
            | Autogroup::NonRoot
            | Autogroup::DangerAll
            | Autogroup::Shared => {}
        },
        _ if text.contains('@') => return user(text, Owner::User, Owner::Domain),
        _ => {}
    }
    Err(Wrong::new(format!("invalid owner format: {}", quote(text)))
        .hint("a user (name@domain), a group, a tag, or an autogroup of people such as autogroup:admin"))
}

/// Who belongs to a group.
pub(super) fn member(text: &str) -> Result<Member, Wrong> {
    let text = text.trim();
    if !text.contains('@') {
        return Err(Wrong::new(format!("username must contain @, got: {}", quote(text)))
            .hint("the login name with its domain; a user of this server alone is written name@"));
    }
    user(text, Member::User, Member::Domain)
}

/// An address or a prefix; bits after the prefix are cleared. IPv6 zones mean nothing to other machines: no prefix.
pub(super) fn prefix(text: &str) -> Option<Prefix> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => most,
        Some(digits) if digits.len() > 1 && digits.starts_with('0') => return None,
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    Prefix::new(address, length).ok().map(|prefix| prefix.trunc())
}

/// `autogroup:name`
fn autogroup(text: &str) -> Result<Autogroup, Wrong> {
    let name = text.strip_prefix("autogroup:").unwrap_or(text);
    // The plural is how the service once spelled it.
    let name = if name == "members" { "member" } else { name };
    AUTOGROUPS.iter().find(|(known, _)| *known == name).map(|(_, autogroup)| *autogroup).ok_or_else(|| {
        let known: Vec<String> = AUTOGROUPS.iter().map(|(known, _)| format!("autogroup:{known}")).collect();
        let hint = did_you_mean(text, known.iter().map(String::as_str))
            .unwrap_or_else(|| format!("the autogroups are {}", known.join(", ")));
        Wrong::new(format!("invalid autogroup: {}", quote(text))).hint(hint)
    })
}

/// A login name, or everybody of a domain: `user:*@domain`, in lower case as names of domains are.
fn user<T>(text: &str, one: impl Fn(String) -> T, all: impl Fn(String) -> T) -> Result<T, Wrong> {
    match text.strip_prefix("user:*@") {
        Some(domain) if !domain.is_empty() && !domain.contains(['@', ':']) => Ok(all(domain.to_ascii_lowercase())),
        None if !text.contains(':') => Ok(one(text.into())),
        _ => Err(Wrong::new(format!("invalid alias format: {}", quote(text)))
            .hint("one user is name@domain, everybody of a domain user:*@domain")),
    }
}

/// Why a text is no alias.
fn form_hint(text: &str) -> Option<String> {
    let kinds = ["group", "tag", "autogroup", "ipset", "svc", "host"];
    if text.contains('%') {
        return Some("an IPv6 zone means nothing to other machines: leave out % and what follows".into());
    }
    match text.split_once(':') {
        _ if text.contains('/') => Some("a prefix is an address, a slash and a length: 10.0.0.0/8".into()),
        Some((kind, _)) => did_you_mean(kind, kinds),
        None => Some("write *, a user, a host, an address, a prefix, or group:, tag:, autogroup: with a name".into()),
    }
}

impl Autogroup {
    /// The name after `autogroup:`.
    pub(crate) fn name(self) -> &'static str {
        AUTOGROUPS.iter().find(|(_, known)| *known == self).map_or("member", |(name, _)| name)
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::User(name)
            | Self::Group(name)
            | Self::Tag(name)
            | Self::Host(name)
            | Self::IpSet(name)
            | Self::Service(name) => f.write_str(name),
            Self::Domain(domain) => write!(f, "user:*@{domain}"),
            Self::Autogroup(autogroup) => write!(f, "autogroup:{}", autogroup.name()),
            Self::Prefix(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => prefix.addr().fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}
