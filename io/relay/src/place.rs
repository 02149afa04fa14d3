//! Where nodes find a relay: the piece of the map by which a coordination server tells them.

use std::net::IpAddr;

use wattle_netmap::{DerpNode, DerpRegion, RegionId};

/// One relay that is a region of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The region's number.
    pub region: u16,
    /// The region's short code.
    pub code: String,
    /// The region's name for people.
    pub name: String,
    /// Name or address by which nodes reach it.
    pub host: String,
    /// Its HTTPS port.
    pub relay_port: u16,
    /// Its STUN port, if it answers STUN.
    pub stun_port: Option<u16>,
    /// Whether port 80 of the host answers plain HTTP, by which nodes notice captive portals.
    pub plain_http: bool,
    /// `sha256-raw:` and the hash of its certificate, when no authority vouches for that.
    pub pin: Option<String>,
}

impl Place {
    /// The region as nodes are told of it.
    pub fn to_region(&self) -> DerpRegion {
        let id = RegionId(self.region);
        let address = self.host.parse::<IpAddr>().ok();
        let node = DerpNode {
            name: format!("{}a", self.region),
            region: id,
            host_name: self.host.clone(),
            cert_name: self.pin.clone().unwrap_or_default(),
            // An address instead of a name: there is nothing to look up, and nothing in the other family.
            ipv4: address.map(|address| Some(address).filter(IpAddr::is_ipv4)),
            ipv6: address.map(|address| Some(address).filter(IpAddr::is_ipv6)),
            stun_port: self.stun_port,
            derp_port: self.relay_port,
            can_port_80: self.plain_http,
            ..DerpNode::default()
        };
        let (code, name) = (self.code.clone(), self.name.clone());
        DerpRegion { id, code, name, nodes: vec![node], ..DerpRegion::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_used_as_it_is_and_a_name_looked_up() {
        let mut place = Place {
            region: 900,
            code: "r".to_owned(),
            name: "R".to_owned(),
            host: "192.0.2.1".to_owned(),
            relay_port: 3340,
            stun_port: None,
            plain_http: true,
            pin: Some("sha256-raw:00".to_owned()),
        };
        let node = place.to_region().nodes.remove(0);
        assert_eq!((node.ipv4, node.ipv6), (Some("192.0.2.1".parse().ok()), Some(None)));
        assert!(node.can_port_80);
        assert_eq!((node.derp_port, node.stun_port, node.cert_name.as_str()), (3340, None, "sha256-raw:00"));
        place.host = "relay.example.com".to_owned();
        let node = place.to_region().nodes.remove(0);
        assert_eq!((node.ipv4, node.ipv6, node.host_name.as_str()), (None, None, "relay.example.com"));
    }
}
