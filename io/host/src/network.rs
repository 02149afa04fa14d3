//! What the node needs to know about the network its host is in.

use std::net::IpAddr;

use crate::limits::ADDRESSES;

/// The host's network, apart from the tunnel. Two that are equal are the same network as far as a node cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Interfaces with addresses that others may reach us at, by number; never the TUN or loopback.
    pub interfaces: Vec<Interface>,
    /// Where IPv4 packets for the Internet go; `None`: nowhere.
    pub default_v4: Option<DefaultRoute>,
    /// Where IPv6 packets for the Internet go; `None`: nowhere.
    pub default_v6: Option<DefaultRoute>,
}

/// One interface that is up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its number in the kernel.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its addresses, sorted; link-local ones are left out.
    pub addresses: Vec<IpAddr>,
}

/// The way to the Internet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefaultRoute {
    /// The interface's number.
    pub interface: Option<u32>,
    /// The next router; `None` on point-to-point links.
    pub gateway: Option<IpAddr>,
    /// The address that packets leave from.
    pub source: Option<IpAddr>,
}

impl Network {
    /// Whether there is any way to the Internet.
    pub fn is_online(&self) -> bool {
        self.default_v4.is_some() || self.default_v6.is_some()
    }

    /// All addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().copied())
    }

    /// The interface that leads to the Internet, over IPv4 if there is a choice.
    pub fn default_interface(&self) -> Option<&Interface> {
        let route = self.default_v4.or(self.default_v6)?;
        self.interfaces.iter().find(|interface| Some(interface.index) == route.interface)
    }

    /// Whether what worked in the other network may fail in this one: an address or the way to the Internet is another.
    /// Addresses that only came into being are no reason to doubt anything.
    pub fn is_a_break_from(&self, other: &Self) -> bool {
        let broken = |old: Option<DefaultRoute>, new: Option<DefaultRoute>| old.is_some() && old != new;
        broken(other.default_v4, self.default_v4)
            || broken(other.default_v6, self.default_v6)
            || (!other.is_online() && self.is_online())
            || other.addresses().any(|old| self.addresses().all(|new| new != old))
    }

    /// From what the kernel lists.
    pub(crate) fn new(
        interfaces: impl IntoIterator<Item = Interface>,
        default_v4: Option<DefaultRoute>,
        default_v6: Option<DefaultRoute>,
    ) -> Self {
        let mut interfaces: Vec<Interface> =
            interfaces.into_iter().filter(|interface| !is_another_overlay(&interface.name)).collect();
        interfaces.sort_unstable_by_key(|interface| interface.index);
        let mut room = ADDRESSES;
        for interface in &mut interfaces {
            interface.addresses.retain(|&address| is_candidate(address));
            interface.addresses.sort_unstable();
            interface.addresses.dedup();
            interface.addresses.truncate(room);
            room -= interface.addresses.len();
        }
        interfaces.retain(|interface| !interface.addresses.is_empty());
        Self { interfaces, default_v4, default_v6 }
    }
}

/// Overlays that find their own paths: two that carry each other's packets only make more of them (tailscale
/// `net/netmon/state.go isProblematicInterface`).
fn is_another_overlay(name: &str) -> bool {
    name.starts_with("zt") || name.starts_with("tailscale")
}

/// Whether another machine could reach this address.
fn is_candidate(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !local && !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Interface { index, name: name.to_owned(), addresses }
    }

    fn way(interface: u32) -> Option<DefaultRoute> {
        Some(DefaultRoute { interface: Some(interface), ..DefaultRoute::default() })
    }

    #[test]
    fn only_addresses_that_others_can_reach_are_listed_once_and_in_order() {
        let wlan = ["127.0.0.1", "fe80::1", "192.168.1.7", "2001:db8::7", "169.254.3.4", "10.0.0.1", "10.0.0.1", "::1"];
        let given = [interface(7, "zt5u4", &["10.9.9.9"]), interface(3, "wlan0", &wlan), interface(2, "eth0", &[])];
        let network = Network::new(given, None, way(3));
        let texts: Vec<String> = network.addresses().map(|address| address.to_string()).collect();
        assert_eq!(texts, ["10.0.0.1", "192.168.1.7", "2001:db8::7"]);
        assert_eq!(network.default_interface().map(|interface| interface.name.as_str()), Some("wlan0"));
    }

    #[test]
    fn a_host_with_thousands_of_addresses_lists_a_few() {
        let many = (0..5000u32).map(|number| IpAddr::V4((0x0a00_0000 + number).into())).collect();
        let many = Interface { index: 1, name: "eth0".to_owned(), addresses: many };
        assert_eq!(Network::new([many], None, None).addresses().count(), ADDRESSES);
    }

    #[test]
    fn what_is_added_breaks_nothing_and_what_is_lost_does() {
        let lan = interface(2, "eth0", &["192.168.1.7"]);
        let before = Network::new([lan.clone()], way(2), None);
        let with_bridge = Network::new([lan.clone(), interface(5, "br0", &["172.17.0.1"])], way(2), way(2));
        assert!(!with_bridge.is_a_break_from(&before));
        assert!(before.is_a_break_from(&with_bridge));
        assert!(Network::new([lan.clone()], way(3), None).is_a_break_from(&before));
        let offline = Network::new([lan], None, None);
        assert!(offline.is_a_break_from(&before) && before.is_a_break_from(&offline));
        assert!(!before.is_a_break_from(&before));
    }
}
