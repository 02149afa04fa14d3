//! Relays: zero and negative ports and addresses that are no addresses mean something there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{DerpMap, DerpNode, DerpRegion, RegionId, Score};

use crate::control;

const STUN_PORT: u16 = 3478;
const DERP_PORT: u16 = 443;

/// A region number, when it is one.
pub(super) fn region_id(number: i64) -> Option<RegionId> {
    u16::try_from(number).ok().filter(|number| *number != 0).map(RegionId)
}

/// The parts of a map that a message carries; an absent part stays as it was.
pub(super) struct DerpParts {
    pub(super) regions: Option<BTreeMap<RegionId, DerpRegion>>,
    pub(super) scores: Option<BTreeMap<RegionId, Score>>,
}

pub(super) fn parts_from_wire(map: control::DerpMap) -> DerpParts {
    let region = |(id, region): (i64, Option<control::DerpRegion>)| {
        let id = region_id(id)?;
        Some((id, region_from_wire(id, region?)))
    };
    let score = |(id, factor): (i64, f64)| Some((region_id(id)?, score_from_wire(factor)));
    DerpParts {
        regions: map.regions.map(|regions| regions.into_iter().filter_map(region).collect()),
        scores: map
            .home_params
            .and_then(|params| params.region_score)
            .map(|scores| scores.into_iter().filter_map(score).collect()),
    }
}

pub(super) fn parts_to_wire(
    regions: Option<&BTreeMap<RegionId, DerpRegion>>,
    scores: Option<&BTreeMap<RegionId, Score>>,
) -> control::DerpMap {
    let score = |(id, score): (&RegionId, &Score)| (i64::from(id.0), f64::from(score.thousandths) / 1000.0);
    control::DerpMap {
        home_params: scores
            .map(|scores| control::DerpHomeParams { region_score: Some(scores.iter().map(score).collect()) }),
        regions: regions.map(|regions| {
            regions.iter().map(|(id, region)| (i64::from(id.0), Some(region_to_wire(region)))).collect()
        }),
        omit_default_regions: false,
    }
}

/// Reads a whole map; absent parts are empty.
pub fn derp_map_from_wire(map: control::DerpMap) -> DerpMap {
    let parts = parts_from_wire(map);
    DerpMap { regions: parts.regions.unwrap_or_default(), region_scores: parts.scores.unwrap_or_default() }
}

/// Writes a whole map.
pub fn derp_map_to_wire(map: &DerpMap) -> control::DerpMap {
    parts_to_wire(Some(&map.regions), Some(&map.region_scores).filter(|scores| !scores.is_empty()))
}

/// Factors from 0.001 to 1000; anything else is as good as 1.
fn score_from_wire(factor: f64) -> Score {
    let thousandths = (factor * 1000.0).round();
    let sensible = (1.0..=1_000_000.0).contains(&thousandths);
    Score { thousandths: if sensible { thousandths as u32 } else { 1000 } }
}

fn region_from_wire(id: RegionId, region: control::DerpRegion) -> DerpRegion {
    DerpRegion {
        id,
        code: region.region_code,
        name: region.region_name,
        avoid: region.avoid,
        no_measure_no_home: region.no_measure_no_home,
        nodes: region.nodes.into_iter().map(|node| node_from_wire(id, node)).collect(),
    }
}

fn region_to_wire(region: &DerpRegion) -> control::DerpRegion {
    control::DerpRegion {
        region_id: i64::from(region.id.0),
        region_code: region.code.clone(),
        region_name: region.name.clone(),
        avoid: region.avoid,
        no_measure_no_home: region.no_measure_no_home,
        nodes: region.nodes.iter().map(node_to_wire).collect(),
        ..control::DerpRegion::default()
    }
}

fn node_from_wire(region: RegionId, node: control::DerpNode) -> DerpNode {
    DerpNode {
        name: node.name,
        region,
        host_name: node.host_name,
        cert_name: node.cert_name,
        ipv4: address_from_wire(&node.ipv4, IpAddr::is_ipv4),
        ipv6: address_from_wire(&node.ipv6, IpAddr::is_ipv6),
        stun_port: if node.stun_port == 0 { Some(STUN_PORT) } else { u16::try_from(node.stun_port).ok() },
        stun_only: node.stun_only,
        derp_port: u16::try_from(node.derp_port).ok().filter(|port| *port != 0).unwrap_or(DERP_PORT),
        insecure_for_tests: node.insecure_for_tests,
        can_port_80: node.can_port_80,
    }
}

fn node_to_wire(node: &DerpNode) -> control::DerpNode {
    control::DerpNode {
        name: node.name.clone(),
        region_id: i64::from(node.region.0),
        host_name: node.host_name.clone(),
        cert_name: node.cert_name.clone(),
        ipv4: address_to_wire(node.ipv4),
        ipv6: address_to_wire(node.ipv6),
        stun_port: match node.stun_port {
            Some(STUN_PORT) => 0,
            Some(port) => i64::from(port),
            None => -1,
        },
        stun_only: node.stun_only,
        derp_port: if node.derp_port == DERP_PORT { 0 } else { i64::from(node.derp_port) },
        insecure_for_tests: node.insecure_for_tests,
        stun_test_ip: String::new(),
        can_port_80: node.can_port_80,
    }
}

/// Empty: look it up. Not an address of the family (customarily `none`): not reachable over it.
fn address_from_wire(text: &str, of_family: impl Fn(&IpAddr) -> bool) -> Option<Option<IpAddr>> {
    if text.is_empty() { None } else { Some(text.parse().ok().filter(of_family)) }
}

fn address_to_wire(address: Option<Option<IpAddr>>) -> String {
    match address {
        None => String::new(),
        Some(None) => "none".to_owned(),
        Some(Some(address)) => address.to_string(),
    }
}
