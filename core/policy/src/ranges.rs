//! The sets of addresses that the policy language has words for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wattle_netmap::{Prefix, TAILNET_V4, TAILNET_V6};

use crate::AddressSet;

/// What `*` means as a source: every address that tailnets use, which leaves out what ChromeOS uses for itself
/// (tailscale `net/tsaddr.ChromeOSVMRange`, 100.115.92.0/23).
pub(crate) fn tailnet() -> AddressSet {
    let mut set = AddressSet::from(Prefix::from(TAILNET_V4));
    set.remove(v4(100, 115, 92, 0), v4(100, 115, 93, 255));
    set.insert_prefix(&TAILNET_V6.into());
    set
}

/// What `autogroup:internet` means: global unicast addresses, without private, link-local and tailnet ones
/// (headscale `hscontrol/util.TheInternet`, which was aligned with captures of the hosted service).
pub(crate) fn internet() -> AddressSet {
    let mut set = AddressSet::default();
    set.insert(v4(0, 0, 0, 0), v4(255, 255, 255, 255));
    for (first, last) in [
        (v4(10, 0, 0, 0), v4(10, 255, 255, 255)),
        (v4(172, 16, 0, 0), v4(172, 31, 255, 255)),
        (v4(192, 168, 0, 0), v4(192, 168, 255, 255)),
        (v4(169, 254, 0, 0), v4(169, 254, 255, 255)),
    ] {
        set.remove(first, last);
    }
    set.subtract(&AddressSet::from(Prefix::from(TAILNET_V4)));
    let global = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
    let last = Ipv6Addr::new(0x3fff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff);
    set.insert(global.into(), last.into());
    set
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}
