//! What IP sets are made of is defined, and no set is made of itself.

use std::collections::BTreeMap;

use super::super::document::{Addresses, Document};
use super::super::finding::{Findings, Wrong};
use super::super::quote::quote;
use super::reference;

pub(super) fn ip_sets(document: &Document, findings: &mut Findings) {
    for (name, parts) in &document.ip_sets {
        for part in parts {
            if findings.is_full() {
                return;
            }
            let defined = match &part.what.what {
                Addresses::Host(host) => reference::host(host, document),
                Addresses::IpSet(set) => reference::ip_set(set, document),
                Addresses::Prefix(_) | Addresses::Range(..) | Addresses::Internet => Ok(()),
            };
            if let Err(wrong) = defined {
                findings.refused(part.at, wrong.within(&format!("ipsets[{}]: ", quote(name))));
            }
        }
    }
    circles(document, findings);
}

/// Walks the sets depth first without recursion: the depth is up to whoever wrote the policy.
fn circles(document: &Document, findings: &mut Findings) {
    // Absent: not seen; false: on the way; true: done.
    let mut done: BTreeMap<&str, bool> = BTreeMap::new();
    for start in document.ip_sets.keys() {
        if done.contains_key(start.as_str()) {
            continue;
        }
        done.insert(start, false);
        let mut way: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((name, next)) = way.last_mut() {
            let Some(part) = document.ip_sets.get(*name).and_then(|parts| parts.get(*next)) else {
                done.insert(name, true);
                way.pop();
                continue;
            };
            *next += 1;
            let Addresses::IpSet(inner) = &part.what.what else {
                continue;
            };
            match done.get(inner.as_str()) {
                Some(true) => {}
                Some(false) => {
                    let message = format!("ipsets[{}]: circular reference to {}", quote(name), quote(inner));
                    findings.refused(part.at, Wrong::new(message).hint("an IP set cannot be made of itself"));
                }
                None => {
                    done.insert(inner, false);
                    way.push((inner, 0));
                }
            }
        }
    }
}
