//! The piece of a DERP map by which a coordination server tells nodes of this relay.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{DerpMap, DerpNode, DerpRegion, RegionId};
use wattle_wire::convert::derp_map_to_wire;

/// Where nodes find the relay.
pub(crate) struct Place {
    pub(crate) region: u16,
    pub(crate) host_name: String,
    pub(crate) relay_port: u16,
    pub(crate) stun_port: Option<u16>,
    pub(crate) pin: Option<String>,
}

impl Place {
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&derp_map_to_wire(&self.to_map()))
    }

    fn to_map(&self) -> DerpMap {
        let region = RegionId(self.region);
        let address = self.host_name.parse::<IpAddr>().ok();
        let node = DerpNode {
            name: format!("{}a", self.region),
            region,
            host_name: self.host_name.clone(),
            cert_name: self.pin.clone().unwrap_or_default(),
            // An address for a name: nothing is to be looked up, and the other family is not there.
            ipv4: address.map(|address| Some(address).filter(IpAddr::is_ipv4)),
            ipv6: address.map(|address| Some(address).filter(IpAddr::is_ipv6)),
            stun_port: self.stun_port,
            derp_port: self.relay_port,
            ..DerpNode::default()
        };
        let region = DerpRegion {
            id: region,
            code: format!("r{}", self.region),
            name: self.host_name.clone(),
            nodes: vec![node],
            ..DerpRegion::default()
        };
        DerpMap { regions: BTreeMap::from([(region.id, region)]), ..DerpMap::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snippet_names_port_and_pin() {
        let place = Place {
            region: 900,
            host_name: "192.0.2.1".to_owned(),
            relay_port: 3340,
            stun_port: None,
            pin: Some("sha256-raw:00".to_owned()),
        };
        let json = place.to_json().unwrap();
        for part in
            ["\"DERPPort\": 3340", "\"STUNPort\": -1", "\"CertName\": \"sha256-raw:00\"", "\"IPv4\": \"192.0.2.1\""]
        {
            assert!(json.contains(part), "{part} in {json}");
        }
    }
}
