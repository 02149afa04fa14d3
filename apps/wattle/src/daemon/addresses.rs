//! Which addresses this host has.

use std::net::{IpAddr, UdpSocket};

/// Whether an address is still this host's: a connection from one that is not is dead. The kernel knows best; it lets
/// nobody bind an address that is not there. Of a link-local one it would have to know the interface: those are believed.
pub(super) fn is_ours(address: IpAddr) -> bool {
    let is_link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    is_link_local || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_ours_and_one_for_documentation_is_not() {
        assert!(is_ours("127.0.0.1".parse().unwrap()));
        assert!(!is_ours("192.0.2.1".parse().unwrap()));
        assert!(is_ours("fe80::1".parse().unwrap()));
    }
}
