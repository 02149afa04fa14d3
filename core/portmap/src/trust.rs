//! Which external addresses can be one.

use std::net::Ipv4Addr;

/// Whether peers could reach this address from outside. A router that is itself behind a NAT names a private one: its
/// mapping leads nowhere.
pub(crate) fn is_outside(address: Ipv4Addr, own: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let carrier_grade = first == 100 && second & 0xc0 == 64;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || carrier_grade
        || first == 0
        || first >= 240
        || address == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_reserved_and_our_own_addresses_are_not_outside() {
        let own = Ipv4Addr::new(203, 0, 113, 9);
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "203.0.113.9",
        ] {
            assert!(!is_outside(text.parse().unwrap(), own), "{text}");
        }
        for text in ["198.18.1.4", "203.0.113.7", "100.128.0.1", "9.9.9.9"] {
            assert!(is_outside(text.parse().unwrap(), own), "{text}");
        }
    }
}
