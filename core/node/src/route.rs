//! Which peer a packet goes to: the longest prefix that holds its destination. Built when the map changes, never
//! altered.

use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;
use wattle_netmap::Prefix;

use crate::Slot;

/// From addresses to peers.
#[derive(Debug, Default)]
pub struct Routes {
    peers: JointPrefixMap<IpNet, Slot>,
}

impl Routes {
    /// The table of these routes. Of two peers with one prefix the first keeps it.
    pub fn build(routes: impl IntoIterator<Item = (Prefix, Slot)>) -> Self {
        let mut peers = JointPrefixMap::default();
        for (prefix, slot) in routes {
            let prefix = prefix.trunc();
            if peers.get(&prefix).is_none() {
                peers.insert(prefix, slot);
            }
        }
        Self { peers }
    }

    /// The peer that this address belongs to.
    pub fn lookup(&self, address: IpAddr) -> Option<Slot> {
        self.peers.get_lpm(&IpNet::from(address)).map(|(_, slot)| *slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let routes = Routes::build([
            (prefix("10.0.0.0/8"), Slot(1)),
            (prefix("10.1.0.0/16"), Slot(2)),
            (prefix("fd7a:115c:a1e0::1/128"), Slot(3)),
        ]);
        assert_eq!(routes.lookup("10.1.2.3".parse().unwrap()), Some(Slot(2)));
        assert_eq!(routes.lookup("10.2.2.3".parse().unwrap()), Some(Slot(1)));
        assert_eq!(routes.lookup("fd7a:115c:a1e0::1".parse().unwrap()), Some(Slot(3)));
        assert_eq!(routes.lookup("192.0.2.1".parse().unwrap()), None);
    }

    #[test]
    fn nobody_takes_a_prefix_from_another() {
        let routes = Routes::build([(prefix("100.64.0.1/32"), Slot(1)), (prefix("100.64.0.1/32"), Slot(2))]);
        assert_eq!(routes.lookup("100.64.0.1".parse().unwrap()), Some(Slot(1)));
    }
}
