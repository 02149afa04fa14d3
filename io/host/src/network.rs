//! What the node needs to know about the network its host is in.

use std::net::IpAddr;

use crate::limits::ADDRESSES;

/// The host's network, apart from the tunnel. Two that are equal are the same network as far as a node cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Addresses that others may reach us at, sorted; never the TUN's, loopback or link-local ones.
    pub addresses: Vec<IpAddr>,
    /// Where IPv4 packets for the Internet go; `None`: nowhere.
    pub default_v4: Option<DefaultRoute>,
    /// Where IPv6 packets for the Internet go; `None`: nowhere.
    pub default_v6: Option<DefaultRoute>,
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

    /// From what the kernel lists: the address and whether its interface counts.
    pub(crate) fn new(
        addresses: impl IntoIterator<Item = IpAddr>,
        default_v4: Option<DefaultRoute>,
        default_v6: Option<DefaultRoute>,
    ) -> Self {
        let mut addresses: Vec<IpAddr> = addresses.into_iter().filter(|&address| is_candidate(address)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ADDRESSES);
        Self { addresses, default_v4, default_v6 }
    }
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

    #[test]
    fn only_addresses_that_others_can_reach_are_listed_once_and_in_order() {
        let given =
            ["127.0.0.1", "fe80::1", "192.168.1.7", "2001:db8::7", "169.254.3.4", "10.0.0.1", "10.0.0.1", "::1"];
        let network = Network::new(given.map(|text| text.parse().unwrap()), None, None);
        let texts: Vec<String> = network.addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(texts, ["10.0.0.1", "192.168.1.7", "2001:db8::7"]);
        assert!(!network.is_online());
    }

    #[test]
    fn a_host_with_thousands_of_addresses_lists_a_few() {
        let many = (0..5000u32).map(|number| IpAddr::V4((0x0a00_0000 + number).into()));
        assert_eq!(Network::new(many, None, None).addresses.len(), ADDRESSES);
    }
}
