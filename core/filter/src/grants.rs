//! Application capabilities: what a peer may do with services on this node. Asked for by WhoIs, never per packet.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{CapGrant, FilterRule};

use crate::CapabilityTable;
use crate::ranges::{self, PerVersion, Ranges, number};

/// All grants of a filter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants(Vec<Grant>);

#[derive(Clone, Debug)]
struct Grant {
    sources: PerVersion<Ranges>,
    grants: Vec<CapGrant>,
}

impl Grants {
    pub(crate) fn new<'a>(rules: impl Iterator<Item = &'a FilterRule>, table: &CapabilityTable) -> Self {
        let with_grants = rules.filter(|rule| !rule.grants.is_empty());
        Self(
            with_grants
                .map(|rule| Grant { sources: ranges::of_sources(&rule.sources, table), grants: rule.grants.clone() })
                .collect(),
        )
    }

    pub(crate) fn held(&self, source: IpAddr, destination: IpAddr) -> BTreeMap<&str, Vec<&str>> {
        let mut held: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let about_source = self.0.iter().filter(|grant| grant.sources.of(source).contains(number(source)));
        for grant in about_source.flat_map(|grant| &grant.grants) {
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
