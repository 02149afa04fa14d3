//! Who answers what: suffixes that we answer for ourselves, and resolvers for the rest.

use std::collections::BTreeMap;

use wattle_netmap::{Netmap, Resolver};

use crate::limits::UPSTREAMS_MAX;
use crate::names::normalized;

/// Suffixes and who is in charge of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upstreams {
    by_suffix: BTreeMap<Box<str>, Charge>,
    /// For names that no suffix fits.
    others: Vec<String>,
}

/// Who is in charge of a suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// We are: what we do not know does not exist.
    Ours,
    /// These resolvers.
    Theirs(Vec<String>),
}

/// Who is asked for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Responsible<'a> {
    /// We answer for this suffix.
    Us(&'a str),
    /// These resolvers do.
    Upstreams(&'a [String]),
    /// Nobody that we know of.
    Nobody,
}

impl Upstreams {
    pub(crate) fn of_netmap(map: &Netmap) -> Self {
        let mut by_suffix = BTreeMap::new();
        let mut root = None;
        for (suffix, resolvers) in &map.dns.routes {
            match (suffix.trim_matches('.'), resolvers.as_slice()) {
                // The root with resolvers is another way to say "for all others"; we are never in charge of it.
                ("", resolvers) => root = Some(addresses(resolvers)),
                (suffix, []) => drop(by_suffix.insert(normalized(suffix), Charge::Ours)),
                (suffix, resolvers) => {
                    drop(by_suffix.insert(normalized(suffix), Charge::Theirs(addresses(resolvers))));
                }
            }
        }
        if let Some(suffix) = map.name_suffix().filter(|suffix| !suffix.is_empty()) {
            by_suffix.insert(normalized(suffix), Charge::Ours);
        }
        let others = [&map.dns.resolvers, &map.dns.fallback_resolvers].into_iter().find(|list| !list.is_empty());
        let others = others.map(|list| addresses(list)).or(root).unwrap_or_default();
        Self { by_suffix, others }
    }

    /// The longest suffix decides. `name` is in lowercase.
    pub(crate) fn responsible(&self, name: &str) -> Responsible<'_> {
        let mut suffix = name;
        loop {
            match self.by_suffix.get_key_value(suffix) {
                Some((suffix, Charge::Ours)) => return Responsible::Us(suffix),
                Some((_, Charge::Theirs(resolvers))) => return Responsible::Upstreams(resolvers),
                None => {}
            }
            match suffix.split_once('.') {
                Some((_, shorter)) => suffix = shorter,
                None => return self.for_others(),
            }
        }
    }

    /// For names that no suffix fits.
    pub(crate) fn for_others(&self) -> Responsible<'_> {
        if self.others.is_empty() { Responsible::Nobody } else { Responsible::Upstreams(&self.others) }
    }
}

fn addresses(resolvers: &[Resolver]) -> Vec<String> {
    resolvers.iter().take(UPSTREAMS_MAX).map(|resolver| resolver.address.clone()).collect()
}
