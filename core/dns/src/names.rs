//! Who has which name: the names of nodes, extra records and the one of the service itself, both ways.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{Netmap, Node};

use crate::limits::{ADDRESSES_PER_NAME_MAX, EXTRA_RECORDS_MAX};
use crate::{SERVICE_V4, SERVICE_V6};

/// A name that official clients give the service address.
const SERVICE_NAME: &str = "magicdns.localhost-tailscale-daemon";

/// Sorted, so that a lookup is a binary search and ten thousand nodes need no hash table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// By name, lowercase, without the last dot.
    forward: Vec<(Box<str>, Vec<IpAddr>)>,
    /// By address, to an index of `forward`.
    reverse: Vec<(IpAddr, usize)>,
}

impl Names {
    pub(crate) fn of_netmap(map: &Netmap) -> Self {
        let mut forward: BTreeMap<Box<str>, Vec<IpAddr>> = BTreeMap::new();
        let mut canonical: BTreeMap<IpAddr, Box<str>> = BTreeMap::new();
        let mut add = |name: &str, address: IpAddr, is_canonical: bool| {
            let name = normalized(name);
            let addresses = forward.entry(name.clone()).or_default();
            if addresses.len() < ADDRESSES_PER_NAME_MAX && !addresses.contains(&address) {
                addresses.push(address);
            }
            if is_canonical {
                canonical.entry(address).or_insert(name);
            }
        };
        for node in map.self_node.iter().chain(map.peers.values()).filter(|node| !node.name.is_empty()) {
            addresses(node).for_each(|address| add(&node.name, address, true));
        }
        for record in map.dns.extra_records.iter().take(EXTRA_RECORDS_MAX) {
            let Ok(address) = record.value.parse::<IpAddr>() else { continue };
            let kind = if address.is_ipv4() { "A" } else { "AAAA" };
            if record.kind.is_empty() || record.kind.eq_ignore_ascii_case(kind) {
                add(&record.name, address, false);
            }
        }
        add(SERVICE_NAME, SERVICE_V4.into(), true);
        add(SERVICE_NAME, SERVICE_V6.into(), true);

        let forward: Vec<(Box<str>, Vec<IpAddr>)> = forward.into_iter().collect();
        let index = |name: &str| forward.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok();
        let reverse = canonical.into_iter().filter_map(|(address, name)| Some((address, index(&name)?))).collect();
        Self { forward, reverse }
    }

    /// The addresses of a full name in lowercase; `None`: no such name.
    pub(crate) fn addresses(&self, name: &str) -> Option<&[IpAddr]> {
        let at = self.forward.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.forward.get(at).map(|(_, addresses)| addresses.as_slice())
    }

    pub(crate) fn name_of(&self, address: IpAddr) -> Option<&str> {
        let at = self.reverse.binary_search_by_key(&address, |(known, _)| *known).ok()?;
        let (_, index) = self.reverse.get(at)?;
        self.forward.get(*index).map(|(name, _)| name.as_ref())
    }
}

fn addresses(node: &Node) -> impl Iterator<Item = IpAddr> {
    node.addresses.iter().map(|prefix| prefix.addr())
}

/// Lowercase, without the last dot.
pub(crate) fn normalized(name: &str) -> Box<str> {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into_boxed_str()
}
