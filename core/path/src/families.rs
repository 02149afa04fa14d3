//! Which addresses are worth trying from where we are.

use std::net::{IpAddr, SocketAddr};

/// The address families of our own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// Whether we have an IPv4 address.
    pub v4: bool,
    /// Whether we have an IPv6 address.
    pub v6: bool,
}

impl Default for Families {
    /// Until something is known.
    fn default() -> Self {
        Self { v4: true, v6: true }
    }
}

impl Families {
    /// Why a ping to the address would be wasted; `None`: it may be tried. `own` are our own endpoints.
    pub(crate) fn obstacle(self, address: &SocketAddr, own: &[SocketAddr]) -> Option<&'static str> {
        let loopback = address.ip().is_loopback();
        match address.ip() {
            IpAddr::V4(_) if !self.v4 && !loopback => Some("we have no IPv4"),
            IpAddr::V6(_) if !self.v6 && !loopback => Some("we have no IPv6"),
            _ if own.contains(address) => Some("it is our own address"),
            // A node names loopback addresses only when it has nothing else, and then we are on the same machine.
            _ if loopback && !own.is_empty() && !own.iter().any(|own| own.ip().is_loopback()) => {
                Some("it is a loopback address")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_families_our_own_addresses_and_loopback_are_not_tried() {
        let own: Vec<SocketAddr> = vec!["192.168.1.5:41641".parse().unwrap()];
        let v4_only = Families { v4: true, v6: false };
        let tried = |text: &str| v4_only.obstacle(&text.parse().unwrap(), &own).is_none();
        assert!(tried("192.168.1.6:41641") && tried("203.0.113.1:1"));
        assert!(!tried("[2001:db8::1]:1") && !tried("192.168.1.5:41641") && !tried("127.0.0.1:41641"));
        let on_loopback = ["127.0.0.1:5".parse().unwrap()];
        assert_eq!(v4_only.obstacle(&"127.0.0.1:6".parse().unwrap(), &on_loopback), None);
    }
}
