//! Capabilities: a sorted list of names with values here, a map (and a list of bare names, the older form) there.

use wattle_netmap::Capability;

use crate::RawJson;
use crate::control::CapMap;

/// Both wire forms as one list; the map wins where both name a capability.
pub(super) fn from_wire(map: &CapMap, bare: &[String]) -> Vec<Capability> {
    let values = |values: &Vec<RawJson>| values.iter().map(|value| value.as_str().to_owned()).collect();
    let mut all: Vec<Capability> =
        map.iter().map(|(name, list)| Capability { name: name.clone(), values: values(list) }).collect();
    let unvalued = bare.iter().filter(|name| !map.contains_key(*name));
    all.extend(unvalued.map(|name| Capability { name: name.clone(), values: Vec::new() }));
    all.sort();
    all.dedup();
    all
}

/// The newer form. Values that are no JSON are left out.
pub(super) fn to_wire(capabilities: &[Capability]) -> CapMap {
    let values = |list: &[String]| list.iter().filter_map(|value| RawJson::parse(value.clone()).ok()).collect();
    capabilities.iter().map(|capability| (capability.name.clone(), values(&capability.values))).collect()
}
