//! Names for addresses: `hosts` and `ipsets`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::Prefix;

use super::alias::prefix;
use super::document::{Addresses, IpSetPart, Spot};
use super::fields::{each, names, text};
use super::finding::{Findings, Wrong};
use super::quote::quote;
use crate::hujson::Value;

/// `hosts`
pub(super) fn hosts(value: &Value, findings: &mut Findings) -> BTreeMap<String, Spot<Prefix>> {
    let mut hosts = BTreeMap::new();
    for entry in names(value, "hosts", findings) {
        let name = &entry.name;
        if name.contains('@') {
            let message = format!("host names cannot include an @, please change the name for {}", quote(name));
            findings.unreadable(entry.name_span, Wrong::new(message).hint("a name with an @ is a user"));
            continue;
        }
        if name.trim().is_empty() || name.contains([':', '/']) || name == "*" {
            let wrong = Wrong::new(format!("invalid hostname: {}", quote(name)));
            findings.unreadable(
                entry.name_span,
                wrong.hint("a name of a host has no : or /, or it would be something else"),
            );
            continue;
        }
        let Some((address, at)) = text(&entry.value, "a host", findings) else {
            continue;
        };
        match prefix(address.trim()) {
            Some(what) => {
                hosts.insert(name.clone(), Spot { what, at });
            }
            None => {
                let message = format!(
                    "hostname contains invalid IP address: hostname {} address {}",
                    quote(name),
                    quote(address)
                );
                findings.unreadable(at, Wrong::new(message).hint(address_hint(address)));
            }
        }
    }
    hosts
}

/// `ipsets`
pub(super) fn ip_sets(value: &Value, findings: &mut Findings) -> BTreeMap<String, Vec<Spot<IpSetPart>>> {
    let mut sets = BTreeMap::new();
    for entry in names(value, "ipsets", findings) {
        if !entry.name.starts_with("ipset:") || entry.name == "ipset:" {
            let wrong = Wrong::new(format!("ipset name must start with 'ipset:', got: {}", quote(&entry.name)));
            findings
                .unreadable(entry.name_span, wrong.hint(format!("write {}", quote(&format!("ipset:{}", entry.name)))));
        }
        let about = format!("ipsets[{}]: ", quote(&entry.name));
        let parts = each(&entry.value, "an IP set", findings, |text| part(text).map_err(|wrong| wrong.within(&about)));
        sets.insert(entry.name.clone(), parts);
    }
    sets
}

/// `add x`, `remove x`, or `x`, which adds.
fn part(text: &str) -> Result<IpSetPart, Wrong> {
    let (operation, target) = match text.trim().split_once(char::is_whitespace) {
        Some((operation, target)) => (operation, target.trim()),
        None => ("add", text.trim()),
    };
    let remove = match operation {
        "add" => false,
        "remove" => true,
        other => {
            return Err(Wrong::new(format!("invalid ipset operation {}", quote(other)))
                .hint("\"add\" and \"remove\" stand before a target"));
        }
    };
    addresses(target).map(|what| IpSetPart { remove, what })
}

fn addresses(target: &str) -> Result<Addresses, Wrong> {
    if let Some(prefix) = prefix(target) {
        return Ok(Addresses::Prefix(prefix));
    }
    if target == "autogroup:internet" {
        return Ok(Addresses::Internet);
    }
    if let Some((first, last)) = target.split_once('-')
        && let (Ok(first), Ok(last)) = (first.trim().parse::<IpAddr>(), last.trim().parse::<IpAddr>())
    {
        if first.is_ipv4() != last.is_ipv4() || first > last {
            return Err(Wrong::new(format!("invalid IP range {}", quote(target)))
                .hint("the first address stands first, and both are IPv4 or both IPv6"));
        }
        return Ok(Addresses::Range(first, last));
    }
    match target.split_once(':') {
        Some(("ipset", _)) => Ok(Addresses::IpSet(target.into())),
        Some(("host", name)) if !name.is_empty() => Ok(Addresses::Host(name.into())),
        None if !target.is_empty() && !target.contains(['/', '@', '*']) => Ok(Addresses::Host(target.into())),
        _ => Err(Wrong::new(format!("invalid ipset target {}", quote(target))).hint(
            "an address, a prefix, a range a-b, a host, an IP set or autogroup:internet; no users, groups or tags",
        )),
    }
}

fn address_hint(address: &str) -> &'static str {
    if address.contains('%') {
        "an IPv6 zone means nothing to other machines: leave out % and what follows"
    } else {
        "an address or a prefix, such as 100.64.0.1 or 10.0.0.0/8"
    }
}
