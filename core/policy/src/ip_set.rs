//! What IP sets are made of, in the end.

use std::collections::BTreeMap;

use crate::language::document::{Addresses, Document};
use crate::{AddressSet, ranges};

/// The addresses of every `ipset:name`: parts are added and removed in the order of the text. Each set is worked out
/// once, however many others refer to it; a circle of sets, which the checker refuses, counts as empty.
pub(crate) fn all(document: &Document) -> BTreeMap<String, AddressSet> {
    let mut known: BTreeMap<String, AddressSet> = BTreeMap::new();
    // Chains of sets may be longer than the stack of a thread, so what is waited for stands on a list.
    let mut open: Vec<&str> = document.ip_sets.keys().map(String::as_str).collect();
    let mut waiting: BTreeMap<&str, ()> = BTreeMap::new();
    while let Some(name) = open.pop() {
        if known.contains_key(name) {
            continue;
        }
        let first_visit = waiting.insert(name, ()).is_none();
        let needs = needed(name, document).filter(|inner| !known.contains_key(*inner) && !waiting.contains_key(inner));
        let needs: Vec<&str> = if first_visit { needs.collect() } else { Vec::new() };
        if needs.is_empty() {
            let set = made_of(name, document, &known);
            known.insert(name.to_owned(), set);
        } else {
            open.push(name);
            open.extend(needs);
        }
    }
    known
}

fn needed<'a>(name: &str, document: &'a Document) -> impl Iterator<Item = &'a str> {
    let parts = document.ip_sets.get(name).into_iter().flatten();
    parts.filter_map(|part| match &part.what.what {
        Addresses::IpSet(inner) => Some(inner.as_str()),
        Addresses::Internet | Addresses::Host(_) | Addresses::Prefix(_) | Addresses::Range(..) => None,
    })
}

fn made_of(name: &str, document: &Document, known: &BTreeMap<String, AddressSet>) -> AddressSet {
    let mut set = AddressSet::default();
    for part in document.ip_sets.get(name).into_iter().flatten() {
        let addresses = match &part.what.what {
            Addresses::Host(host) => {
                document.hosts.get(host).map(|prefix| AddressSet::from(prefix.what)).unwrap_or_default()
            }
            Addresses::IpSet(inner) => known.get(inner).cloned().unwrap_or_default(),
            Addresses::Prefix(prefix) => AddressSet::from(*prefix),
            Addresses::Internet => ranges::internet(),
            Addresses::Range(first, last) => std::iter::once((*first, *last)).collect(),
        };
        match part.what.remove {
            true => set.subtract(&addresses),
            false => set.extend(&addresses),
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_made_of_sets_in_the_order_of_their_parts() {
        let text = br#"{
            "hosts": { "gate": "10.0.0.1" },
            "ipsets": {
                "ipset:all": ["add 10.0.0.0/24", "remove ipset:some", "add host:gate"],
                "ipset:some": ["10.0.0.0/30", "remove 10.0.0.3"],
            },
        }"#;
        let sets = all(&crate::language::read(text).unwrap());
        let has = |name: &str, last: u8| sets[name].contains([10, 0, 0, last].into());
        assert_eq!([0, 1, 2, 3, 4].map(|last| has("ipset:all", last)), [false, true, false, true, true]);
        assert_eq!([0, 1, 2, 3, 4].map(|last| has("ipset:some", last)), [true, true, true, false, false]);
    }
}
