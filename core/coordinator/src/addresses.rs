//! Addresses of nodes: given once, kept for life.

use std::net::{Ipv4Addr, Ipv6Addr};

use wattle_netmap::{TAILNET_V4, TAILNET_V6};

/// Addresses of the IPv4 pool, taken or not.
const POOL: u32 = 1 << 22;

/// Whether a node may have an address of the pool.
fn usable(address: Ipv4Addr) -> bool {
    match address.octets() {
        // ChromeOS keeps 100.115.92.0/23 for itself (tailscale `net/tsaddr.ChromeOSVMRange`).
        [100, 115, 92 | 93, _] => false,
        // The service address and its neighbours, where every node answers DNS (`net/tsaddr.TailscaleServiceIP`).
        [100, 100, 0 | 100, _] => false,
        // Ends of networks confuse people and old software.
        [_, _, _, 0 | 255] => false,
        _ => true,
    }
}

/// The address for the node with this number: the first free one from its number on, so that an address that a deleted
/// node had is not given to the next one.
pub(crate) fn choose(number: u64, taken: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    let start = u32::try_from(number % u64::from(POOL)).unwrap_or_default();
    let base = u32::from(TAILNET_V4.network());
    (0..POOL)
        .map(|step| Ipv4Addr::from(base | (start.wrapping_add(step) % POOL)))
        .find(|address| usable(*address) && !taken(*address))
}

/// The IPv6 address that goes with an IPv4 address: the tailnet prefix, and the IPv4 address as its last four bytes.
pub(crate) fn beside(ipv4: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(TAILNET_V6.network()) | u128::from(u32::from(ipv4)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_nodes_have_the_first_addresses() {
        assert_eq!(choose(1, |_| false), Some(Ipv4Addr::new(100, 64, 0, 1)));
        assert_eq!(choose(1, |address| address.octets()[3] < 7), Some(Ipv4Addr::new(100, 64, 0, 7)));
        assert_eq!(beside(Ipv4Addr::new(100, 64, 0, 1)).to_string(), "fd7a:115c:a1e0::6440:1");
    }

    proptest! {
        #[test]
        fn no_node_gets_an_address_that_means_something_else(number: u64) {
            let address = choose(number, |_| false).unwrap();
            prop_assert!(TAILNET_V4.contains(&address));
            prop_assert!(!matches!(address.octets(), [100, 115, 92 | 93, _] | [100, 100, 100, 100] | [.., 0 | 255]));
        }
    }
}
