//! Which servers a run asks, and when.

use std::time::Duration;

use wattle_netmap::{DerpMap, DerpNode, DerpRegion, RegionId};

use crate::Report;
use crate::limits::PROBES_MAX;
use crate::timing::{FIRST_SPACING, SPACING_GROWTH, UNKNOWN_SPACING};

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

/// One STUN request to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) region: RegionId,
    /// Which of the region's nodes; later tries ask others.
    pub(crate) node: usize,
    pub(crate) family: Family,
    /// After the start of the run.
    pub(crate) after: Duration,
}

const FULL_TRIES: u32 = 3;
const HOME_TRIES: u32 = 4;
const NEAREST_TRIES: u32 = 2;
/// Regions asked in a later run, nearest first.
const LATER_REGIONS: usize = 3;

/// The regions that may be asked: those with a STUN server, unless the map forbids it.
pub(crate) fn measured(map: &DerpMap) -> impl Iterator<Item = &DerpRegion> {
    map.regions.values().filter(|region| !region.no_measure_no_home && region.nodes.iter().any(serves_stun))
}

/// Asks every region over every family we have.
pub(crate) fn full(map: &DerpMap, families: &[Family]) -> Vec<Probe> {
    let mut probes = Vec::new();
    for region in measured(map) {
        add(&mut probes, region, families, FULL_TRIES, |attempt| FIRST_SPACING * attempt);
    }
    probes
}

/// Asks the home region and the nearest few again.
pub(crate) fn incremental(map: &DerpMap, families: &[Family], last: &Report, home: Option<RegionId>) -> Vec<Probe> {
    let mut nearest: Vec<(Duration, &DerpRegion)> =
        measured(map).filter_map(|region| Some((*last.region_latencies.get(&region.id)?, region))).collect();
    nearest.sort_by_key(|(latency, region)| (*latency, region.id));
    nearest.truncate(LATER_REGIONS);
    let mut probes = Vec::new();
    if let Some(home) = home
        && !nearest.iter().any(|(_, region)| region.id == home)
        && let Some(region) = measured(map).find(|region| region.id == home)
    {
        let latency = last.region_latencies.get(&home).copied().unwrap_or(UNKNOWN_SPACING);
        add(&mut probes, region, families, HOME_TRIES, spacing(latency));
    }
    for (rank, (latency, region)) in nearest.into_iter().enumerate() {
        let tries = match rank {
            _ if Some(region.id) == home => HOME_TRIES,
            0 | 1 => NEAREST_TRIES,
            _ => 1,
        };
        add(&mut probes, region, families, tries, spacing(latency));
    }
    probes
}

/// A try waits until the one before it should have been answered.
fn spacing(latency: Duration) -> impl Fn(u32) -> Duration {
    move |attempt| (latency * 6 / 5 + SPACING_GROWTH * attempt) * attempt
}

fn add(probes: &mut Vec<Probe>, region: &DerpRegion, families: &[Family], tries: u32, after: impl Fn(u32) -> Duration) {
    for attempt in 0..tries {
        for family in families {
            let usable: Vec<usize> = region
                .nodes
                .iter()
                .enumerate()
                .filter(|(_, node)| serves_stun(node) && may_have(node, *family))
                .map(|(index, _)| index)
                .collect();
            if usable.is_empty() || probes.len() >= PROBES_MAX {
                continue;
            }
            let node = usable[attempt as usize % usable.len()];
            probes.push(Probe { region: region.id, node, family: *family, after: after(attempt) });
        }
    }
}

fn serves_stun(node: &DerpNode) -> bool {
    node.stun_port.is_some()
}

/// Whether the node has, or may turn out to have, an address of the family.
fn may_have(node: &DerpNode, family: Family) -> bool {
    let address = match family {
        Family::V4 => node.ipv4,
        Family::V6 => node.ipv6,
    };
    address != Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(regions: u16) -> DerpMap {
        let region = |id| DerpRegion {
            id: RegionId(id),
            nodes: vec![DerpNode { stun_port: Some(3478), ..DerpNode::default() }; 2],
            ..DerpRegion::default()
        };
        DerpMap { regions: (1..=regions).map(|id| (RegionId(id), region(id))).collect(), ..DerpMap::default() }
    }

    fn tries(probes: &[Probe], region: u16) -> usize {
        probes.iter().filter(|probe| probe.region == RegionId(region)).count()
    }

    #[test]
    fn a_full_run_asks_every_region_three_times_and_different_nodes() {
        let probes = full(&map(4), &[Family::V4]);
        assert_eq!(probes.len(), 12);
        let nodes: Vec<_> = probes.iter().take(3).map(|probe| (probe.node, probe.after.as_millis())).collect();
        assert_eq!(nodes, [(0, 0), (1, 100), (0, 200)]);
    }

    #[test]
    fn a_later_run_asks_the_home_region_and_the_nearest_three() {
        let latencies = (1..=6).map(|id| (RegionId(id), Duration::from_millis(u64::from(id) * 10))).collect();
        let last = Report { region_latencies: latencies, ..Report::default() };
        let probes = incremental(&map(6), &[Family::V4], &last, Some(RegionId(6)));
        assert_eq!([1, 2, 3, 4, 5, 6].map(|region| tries(&probes, region)), [2, 2, 1, 0, 0, 4]);
    }

    #[test]
    fn regions_not_to_be_measured_are_left_alone() {
        let mut map = map(2);
        map.regions.get_mut(&RegionId(1)).unwrap().no_measure_no_home = true;
        assert_eq!(tries(&full(&map, &[Family::V4]), 1), 0);
    }

    #[test]
    fn a_huge_map_makes_a_bounded_run() {
        assert_eq!(full(&map(5000), &[Family::V4, Family::V6]).len(), PROBES_MAX);
    }
}
