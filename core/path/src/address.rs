//! Which addresses may be candidates at all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use wattle_netmap::is_tailnet_address;

/// The address as a candidate, or `None` if packets to it would go nowhere, to many, or into the overlay itself
/// (a tunnel inside the tunnel, tailscale issue 16375).
pub(crate) fn candidate(address: SocketAddr) -> Option<SocketAddr> {
    let ip = address.ip().to_canonical();
    let useless = ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    (address.port() != 0 && !useless && !is_tailnet_address(ip)).then(|| SocketAddr::new(ip, address.port()))
}

/// Whether the address is IPv6 link-local. Without its interface a peer's one means nothing to us.
pub(crate) fn is_ipv6_link_local(address: &SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// Whether the address belongs to a network of somebody's own.
pub(crate) fn is_private(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_lead_nowhere_are_no_candidates() {
        for text in [
            "0.0.0.0:1",
            "10.0.0.1:0",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "100.64.0.1:1",
            "[fd7a:115c:a1e0::1]:1",
            "[::]:1",
        ] {
            assert_eq!(candidate(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn mapped_addresses_become_ipv4() {
        assert_eq!(candidate("[::ffff:192.0.2.1]:7".parse().unwrap()), Some("192.0.2.1:7".parse().unwrap()));
    }
}
