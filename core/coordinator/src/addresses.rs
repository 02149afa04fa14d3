//! Addresses of nodes: given once, kept for life.

use std::net::{Ipv4Addr, Ipv6Addr};

use wattle_netmap::{Prefix, TAILNET_V4, TAILNET_V6};

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

/// The address for the node with this number: the first free one of the pools from its number on, so that an address that a
/// deleted node had is not given to the next one. No pools: any address.
pub(crate) fn choose(number: u64, pools: &[Prefix], taken: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    let all = [Prefix::V4(TAILNET_V4)];
    let pools = if pools.is_empty() { &all } else { pools };
    pools.iter().find_map(|pool| {
        let Prefix::V4(pool) = pool else { return None };
        let base = u32::from(pool.network());
        let size = POOL.min(1u32.checked_shl(32 - u32::from(pool.prefix_len())).unwrap_or(POOL));
        let start = u32::try_from(number % u64::from(size)).unwrap_or_default();
        (0..size)
            .map(|step| Ipv4Addr::from(base | (start.wrapping_add(step) % size)))
            .find(|address| usable(*address) && !taken(*address))
    })
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
        assert_eq!(choose(1, &[], |_| false), Some(Ipv4Addr::new(100, 64, 0, 1)));
        assert_eq!(choose(1, &[], |address| address.octets()[3] < 7), Some(Ipv4Addr::new(100, 64, 0, 7)));
        assert_eq!(beside(Ipv4Addr::new(100, 64, 0, 1)).to_string(), "fd7a:115c:a1e0::6440:1");
    }

    #[test]
    fn an_address_comes_from_the_first_pool_that_has_one() {
        let pools = ["100.80.7.4/31", "100.81.0.0/24"].map(|pool| pool.parse().unwrap());
        let choose = |taken: u8| choose(9, &pools, |address| address.octets()[1] == 80 && address.octets()[3] <= taken);
        assert_eq!(choose(3), Some(Ipv4Addr::new(100, 80, 7, 5)));
        assert_eq!(choose(5), Some(Ipv4Addr::new(100, 81, 0, 9)));
        assert_eq!(super::choose(9, &pools[..1], |_| true), None);
    }

    proptest! {
        #[test]
        fn no_node_gets_an_address_that_means_something_else(number: u64) {
            let address = choose(number, &[], |_| false).unwrap();
            prop_assert!(TAILNET_V4.contains(&address));
            prop_assert!(!matches!(address.octets(), [100, 115, 92 | 93, _] | [100, 100, 100, 100] | [.., 0 | 255]));
        }
    }
}
