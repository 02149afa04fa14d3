//! Words for addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::Prefix;

use super::{Reference, Spec};
use crate::language::document::{Addresses, Alias, Autogroup, Document};

/// What tailnets use, without what ChromeOS keeps for itself.
const TAILNET: [&str; 2] = ["100.64.0.0/10", "fd7a:115c:a1e0::/48"];
const CHROME_OS: &str = "100.115.92.0/23";
/// What is not the internet, of IPv4; of IPv6 it is just one prefix.
const PRIVATE: [&str; 5] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"];
const GLOBAL: &str = "2000::/3";

fn within(prefix: &str, address: IpAddr) -> bool {
    prefix.parse::<Prefix>().unwrap().contains(&address)
}

pub(super) fn is_tailnet(address: IpAddr) -> bool {
    TAILNET.iter().any(|prefix| within(prefix, address)) && !within(CHROME_OS, address)
}

pub(super) fn is_internet(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !PRIVATE.iter().any(|prefix| within(prefix, address)),
        IpAddr::V6(_) => within(GLOBAL, address),
    }
}

pub(crate) fn is_exit(node: &Spec) -> bool {
    node.routes.iter().any(|route| route.prefix_len() == 0)
}

/// The networks behind a node.
pub(super) fn networks(node: &Spec) -> impl Iterator<Item = &Prefix> {
    node.routes.iter().filter(|route| route.prefix_len() > 0)
}

pub(super) fn meet(a: &Prefix, b: &Prefix) -> bool {
    a.contains(b) || b.contains(a)
}

impl Reference<'_> {
    /// Whether a word for a place holds an address.
    pub(super) fn holds(&self, word: &Alias, address: IpAddr) -> bool {
        match word {
            Alias::Prefix(prefix) => prefix.contains(&address),
            Alias::Host(name) => self.document.hosts.get(name).is_some_and(|host| host.what.contains(&address)),
            Alias::IpSet(name) => self.set_holds(name, address),
            Alias::Any | Alias::User(_) | Alias::Domain(_) | Alias::Group(_) | Alias::Tag(_) => false,
            Alias::Autogroup(_) | Alias::Service(_) => false,
        }
    }

    /// The last part that is about an address decides.
    fn set_holds(&self, name: &str, address: IpAddr) -> bool {
        let mut holds = false;
        for part in self.document.ip_sets.get(name).into_iter().flatten() {
            let is_about = match &part.what.what {
                Addresses::Host(host) => self.holds(&Alias::Host(host.clone()), address),
                Addresses::IpSet(inner) => self.set_holds(inner, address),
                Addresses::Prefix(prefix) => prefix.contains(&address),
                Addresses::Range(first, last) => {
                    first.is_ipv4() == address.is_ipv4() && (*first..=*last).contains(&address)
                }
                Addresses::Internet => is_internet(address),
            };
            if is_about {
                holds = !part.what.remove;
            }
        }
        holds
    }

    /// Whether some node brings an address into the tailnet by a route that was approved.
    pub(super) fn is_routed(&self, address: IpAddr) -> bool {
        self.nodes.values().flat_map(networks).any(|route| route.contains(&address))
    }

    /// An address for each piece of a prefix.
    pub(super) fn samples(&self, prefix: Prefix) -> impl Iterator<Item = IpAddr> {
        let inside = self.cuts.iter().copied().filter(move |cut| prefix.contains(cut));
        std::iter::once(prefix.network()).chain(inside)
    }

    /// An address for each piece of all addresses.
    pub(super) fn everywhere(&self) -> impl Iterator<Item = IpAddr> {
        self.cuts.iter().copied()
    }

    /// Whether a word for a place has addresses of a prefix.
    pub(super) fn reaches_into(&self, word: &Alias, prefix: &Prefix) -> bool {
        self.samples(*prefix).any(|address| self.holds(word, address))
    }

    /// The prefix of a set that an address is in: the widest around it of which the set holds everything.
    pub(super) fn part_around(&self, holds: impl Fn(IpAddr) -> bool, address: IpAddr) -> Prefix {
        let around = |length: u8| Prefix::new(address, length).unwrap().trunc();
        let widths = if address.is_ipv4() { 0..=32 } else { 0..=128 };
        widths.map(around).find(|prefix| self.samples(*prefix).all(&holds)).unwrap()
    }

    /// The same, of a word for a place.
    pub(super) fn part(&self, word: &Alias, address: IpAddr) -> Prefix {
        self.part_around(|address| self.holds(word, address), address)
    }

    pub(super) fn is_all_internet(&self, prefix: Prefix) -> bool {
        self.samples(prefix).all(is_internet)
    }
}

/// The first addresses of all prefixes and ranges, and the first ones after them.
pub(super) fn cuts(document: &Document, nodes: &BTreeMap<u64, Spec>) -> Vec<IpAddr> {
    let mut prefixes: Vec<Prefix> = TAILNET.iter().chain(&PRIVATE).map(|text| text.parse().unwrap()).collect();
    prefixes.extend([CHROME_OS, GLOBAL, "0.0.0.0/0", "::/0"].map(|text| text.parse::<Prefix>().unwrap()));
    prefixes.extend(document.hosts.values().map(|host| host.what));
    for node in nodes.values() {
        prefixes.extend(node.routes.iter().copied().chain(node.addresses.iter().map(|address| Prefix::from(*address))));
    }
    let mut words: Vec<Alias> = Vec::new();
    for rule in super::rules::rules(document) {
        words.extend(rule.sources.into_iter().cloned());
        words.extend(rule.targets.into_iter().map(|(word, _)| word.clone()));
    }
    for test in &document.ssh_tests {
        words.extend(crate::language::alias(&test.source.what));
    }
    for test in &document.tests {
        words.extend(crate::language::alias(&test.source.what));
        let targets = test.accept.iter().chain(&test.deny);
        words
            .extend(targets.filter_map(|target| crate::language::destination(&target.what).ok()).map(|(word, _)| word));
    }
    prefixes
        .extend(words.iter().filter_map(|word| if let Alias::Prefix(prefix) = word { Some(*prefix) } else { None }));
    let mut ends: Vec<(IpAddr, IpAddr)> =
        prefixes.iter().map(|prefix| (prefix.network(), prefix.broadcast())).collect();
    for part in document.ip_sets.values().flatten() {
        match &part.what.what {
            Addresses::Prefix(prefix) => ends.push((prefix.network(), prefix.broadcast())),
            Addresses::Range(first, last) => ends.push((*first, *last)),
            Addresses::Host(_) | Addresses::IpSet(_) | Addresses::Internet => {}
        }
    }
    let mut cuts: Vec<IpAddr> =
        ends.into_iter().flat_map(|(first, last)| [Some(first), after(last)]).flatten().collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_add(1).map(|number| IpAddr::V4(number.into())),
        IpAddr::V6(address) => u128::from(address).checked_add(1).map(|number| IpAddr::V6(number.into())),
    }
}

/// Whether a word is for a place.
pub(super) fn is_place(word: &Alias) -> bool {
    match word {
        Alias::Host(_) | Alias::IpSet(_) | Alias::Prefix(_) | Alias::Service(_) => true,
        Alias::Any | Alias::User(_) | Alias::Domain(_) | Alias::Group(_) | Alias::Tag(_) => false,
        Alias::Autogroup(_) => false,
    }
}

pub(super) fn is_internet_word(word: &Alias) -> bool {
    *word == Alias::Autogroup(Autogroup::Internet)
}

pub(super) fn is_self(word: &Alias) -> bool {
    *word == Alias::Autogroup(Autogroup::Self_)
}
