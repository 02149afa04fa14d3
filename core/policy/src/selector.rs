//! One word of a rule: which nodes, and for targets which ports.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wattle_netmap::{PortRange, Prefix};

use crate::class::Subject;
use crate::document::{Document, Spot};

/// A set of nodes, as one word of a rule names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// `*`
    Everyone,
    /// Users by the name that they sign in with; a group is its members.
    Users(BTreeSet<String>),
    /// `tag:name`
    Tag(String),
    /// An address, a prefix, or a host by its name.
    Prefix(Prefix),
    /// `autogroup:member`: every node that belongs to a user.
    Member,
    /// `autogroup:tagged`: every node that has a tag.
    Tagged,
    /// `autogroup:self`, only as a target: the nodes of the same user as the source.
    SameUser,
}

impl Selector {
    /// Reads a word. The error is a sentence without its place.
    pub(crate) fn read(word: &str, document: &Document) -> Result<Self, String> {
        if word == "*" {
            return Ok(Self::Everyone);
        }
        if let Some(group) = word.strip_prefix("autogroup:") {
            return match group {
                "member" => Ok(Self::Member),
                "tagged" => Ok(Self::Tagged),
                "self" => Ok(Self::SameUser),
                _ => {
                    Err(format!("\"{word}\" is not supported by this version (autogroup:member, tagged and self are)"))
                }
            };
        }
        if word.starts_with("group:") {
            let members = document.groups.get(word).ok_or_else(|| format!("no group is called \"{word}\""))?;
            return Ok(Self::Users(members.iter().map(|member| member.text.clone()).collect()));
        }
        if word.starts_with("tag:") {
            return match document.tag_owners.contains_key(word) {
                true => Ok(Self::Tag(word.to_owned())),
                false => Err(format!("\"tagOwners\" does not define \"{word}\"")),
            };
        }
        if word.contains('@') {
            return Ok(Self::Users(BTreeSet::from([word.to_owned()])));
        }
        if let Some(Spot { text, .. }) = document.hosts.get(word) {
            return prefix(text).map(Self::Prefix).ok_or_else(|| format!("host \"{word}\" is not an address"));
        }
        prefix(word).map(Self::Prefix).ok_or_else(|| {
            format!("\"{word}\" is no user (with @), group:, tag:, autogroup:, host of \"hosts\", address, prefix or *")
        })
    }

    /// Whether a node belongs to the set by who it is. Prefixes and `*` stand in packet rules as they are and don't count.
    pub(crate) fn names(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Users(names) => subject.user.is_some_and(|(_, login)| names.iter().any(|name| is_user(name, login))),
            Self::Tag(tag) => subject.tags.contains(tag),
            Self::Member => subject.user.is_some(),
            Self::Tagged => !subject.tags.is_empty(),
            Self::Everyone | Self::Prefix(_) | Self::SameUser => false,
        }
    }

    /// Whether a node belongs to the set.
    pub(crate) fn covers(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Prefix(prefix) => subject.addresses.iter().any(|address| prefix.contains(address)),
            Self::Users(_) | Self::Tag(_) | Self::Member | Self::Tagged | Self::SameUser => self.names(subject),
        }
    }
}

/// Whether a word of a policy means the user with this login name. `alice@` means the local user `alice`.
pub(crate) fn is_user(word: &str, login: &str) -> bool {
    word == login || word.strip_suffix('@').is_some_and(|local| local == login)
}

/// An address or a prefix.
pub(crate) fn prefix(text: &str) -> Option<Prefix> {
    text.parse::<Prefix>().ok().map(|prefix| prefix.trunc()).or_else(|| text.parse::<IpAddr>().ok().map(Prefix::from))
}

/// Splits `target:ports`. An IPv6 target may stand in brackets.
pub(crate) fn target_and_ports(word: &str) -> Result<(&str, Vec<PortRange>), String> {
    let (target, ports) = word
        .rsplit_once(':')
        .filter(|(target, _)| !matches!(*target, "tag" | "group" | "autogroup"))
        .ok_or_else(|| format!("\"{word}\" needs ports, such as \"{word}:*\" or \"{word}:22\""))?;
    let target = target.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(target);
    let ranges: Option<Vec<_>> = ports.split(',').map(|part| port_range(part.trim())).collect();
    let ranges = ranges
        .ok_or_else(|| format!("\"{ports}\" is not ports, such as \"22\", \"80,443\", \"8000-8999\" or \"*\""))?;
    Ok((target, ranges))
}

fn port_range(text: &str) -> Option<PortRange> {
    if text == "*" {
        return Some(PortRange::ANY);
    }
    // `parse` would take a plus sign.
    let port =
        |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    (first <= last).then_some(PortRange { first, last })
}

/// Protocol numbers of a name or number (IANA protocol numbers; the names are those of the policy language).
pub(crate) fn protocols(word: &str) -> Option<Vec<u8>> {
    let numbers: &[u8] = match word {
        "icmp" => &[1, 58],
        "igmp" => &[2],
        "ipv4" | "ip-in-ip" => &[4],
        "tcp" => &[6],
        "egp" => &[8],
        "igp" => &[9],
        "udp" => &[17],
        "gre" => &[47],
        "esp" => &[50],
        "ah" => &[51],
        "ipv6-icmp" => &[58],
        "sctp" => &[132],
        number => return number.parse::<u8>().ok().filter(|number| *number != 0).map(|number| vec![number]),
    };
    Some(numbers.to_vec())
}
