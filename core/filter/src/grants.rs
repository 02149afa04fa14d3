//! Application capabilities: what a peer may do with services on this node. Asked for by WhoIs, never per packet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use wattle_netmap::{CapGrant, FilterRule};

use crate::CapabilityTable;
use crate::nest::{Nest, Span};
use crate::ranges::{self, PerVersion, Ranges, number};

/// All grants of a filter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    grants: Vec<Grant>,
    /// Which grants may be about an address, as numbers of `sets`.
    by_source: PerVersion<Nest<u128, u32>>,
    sets: Vec<Box<[u32]>>,
}

#[derive(Clone, Debug)]
struct Grant {
    sources: PerVersion<Ranges>,
    grants: Vec<CapGrant>,
}

impl Grants {
    pub(crate) fn new<'a>(rules: impl Iterator<Item = &'a FilterRule>, table: &CapabilityTable) -> Self {
        let with_grants = rules.filter(|rule| !rule.grants.is_empty());
        let grants: Vec<Grant> = with_grants
            .map(|rule| Grant { sources: ranges::of_sources(&rule.sources, table), grants: rule.grants.clone() })
            .collect();
        let mut sets: Vec<Box<[u32]>> = Vec::new();
        let mut nest = |of: fn(&Grant) -> &Ranges| {
            let numbered = (0u32..).zip(&grants);
            // The block around a range may hold more than it, so what is found is looked at once more.
            let around = |range| Span::new(ranges::block_around(range));
            let placed = numbered
                .flat_map(|(number, grant)| of(grant).iter().filter_map(around).map(move |span| (span, number)));
            Nest::new(placed.collect(), |found| {
                sets.push(found.into());
                sets.len() as u32 - 1
            })
        };
        let by_source = PerVersion { v4: nest(|grant| &grant.sources.v4), v6: nest(|grant| &grant.sources.v6) };
        Self { grants, by_source, sets }
    }

    /// Whether any grant is of this capability.
    pub(crate) fn name(&self, capability: &str) -> bool {
        let mut granted = self.grants.iter().flat_map(|grant| &grant.grants).flat_map(|grant| &grant.capabilities);
        granted.any(|granted| granted.name == capability)
    }

    pub(crate) fn held(&self, source: IpAddr, destination: IpAddr) -> BTreeMap<&str, Vec<&str>> {
        let around = self.by_source.of(source).around(number(source));
        let sets = around.filter_map(|set| self.sets.get(set as usize));
        // In the order of the rules, as their values are told.
        let found: BTreeSet<u32> = sets.flat_map(|set| set.iter().copied()).collect();
        let grants = found.into_iter().filter_map(|number| self.grants.get(number as usize));
        let mut held: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for grant in
            grants.filter(|grant| grant.sources.of(source).contains(number(source))).flat_map(|grant| &grant.grants)
        {
            if !grant.to.iter().any(|prefix| prefix.contains(&destination)) {
                continue;
            }
            for capability in &grant.capabilities {
                let values = capability.values.iter().map(String::as_str);
                held.entry(&capability.name).or_default().extend(values);
            }
        }
        held
    }
}
