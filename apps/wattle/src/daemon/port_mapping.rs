//! The port that the home router forwards to us: when there is to be one, and what came of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use tokio::sync::mpsc;
use wattle_host::{BYPASS_MARK, Network};
use wattle_netmap::Netmap;
use wattle_portmap::{Gateway, Portmap, Protocols, Status};

/// The node attribute by which a coordination server turns UPnP off (tailscale `tailcfg NodeAttrDisableUPnP`).
const UPNP_OFF: &str = "debug-disable-upnp";

/// Keeps our port mapped, as long as we are up.
pub(super) struct PortMapping {
    portmap: Portmap,
    wanted: Option<Gateway>,
}

impl PortMapping {
    /// Not asking anybody yet. Needs a tokio runtime.
    pub(super) fn start() -> Result<(Self, mpsc::Receiver<Status>), wattle_clock::NoRandomness> {
        let (portmap, status) = Portmap::start(Some(BYPASS_MARK), Protocols::ALL, wattle_clock::seed()?);
        Ok((Self { portmap, wanted: None }, status))
    }

    /// Wants our port mapped, or not any more.
    pub(super) fn want(&mut self, gateway: Option<Gateway>) {
        if self.wanted != gateway {
            self.wanted = gateway;
            self.portmap.set_gateway(gateway);
        }
    }

    /// The network broke: whatever the router is called, it may be another one.
    pub(super) fn look_again(&self) {
        self.portmap.set_gateway(self.wanted);
    }

    /// What a map says about it.
    pub(super) fn obey(&self, map: &Netmap) {
        let has = |node: &wattle_netmap::Node| node.capabilities.iter().any(|capability| capability.name == UPNP_OFF);
        self.portmap.set_protocols(Protocols { upnp: !map.self_node.as_ref().is_some_and(has), ..Protocols::ALL });
    }

    /// Somebody is about to be told of the mapping.
    pub(super) fn refresh(&self) {
        self.portmap.refresh();
    }

    /// Gives the mapping back.
    pub(super) async fn release(self) {
        self.portmap.release().await;
    }
}

/// The router that can map our port, if we are behind one.
pub(super) fn gateway(network: &Network, port: u16) -> Option<Gateway> {
    let route = network.default_v4?;
    match (route.gateway?, route.source?) {
        (IpAddr::V4(router), IpAddr::V4(own)) if is_inside(own) && port != 0 => {
            Some(Gateway { router, own: SocketAddrV4::new(own, port) })
        }
        _ => None,
    }
}

/// Whether an address is one that routers translate. Public ones are reached as they are.
fn is_inside(own: Ipv4Addr) -> bool {
    let [first, second, ..] = own.octets();
    own.is_private() || (first == 100 && second & 0xc0 == 64)
}

#[cfg(test)]
mod tests {
    use wattle_host::DefaultRoute;

    use super::*;

    fn network(router: &str, own: &str) -> Network {
        let route = DefaultRoute { interface: Some(2), gateway: router.parse().ok(), source: own.parse().ok() };
        Network { default_v4: Some(route), ..Network::default() }
    }

    #[test]
    fn only_hosts_behind_a_router_have_one_to_ask() {
        let home = gateway(&network("192.168.1.1", "192.168.1.9"), 41641).unwrap();
        assert_eq!(home.own, "192.168.1.9:41641".parse().unwrap());
        assert_eq!(gateway(&network("203.0.113.1", "203.0.113.9"), 41641), None);
        assert_eq!(gateway(&network("", "192.168.1.9"), 41641), None);
        assert_eq!(gateway(&Network::default(), 41641), None);
    }
}
