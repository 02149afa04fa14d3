//! Everything a node is told, at one moment.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::{DerpMap, DnsConfig, FilterRule, Node, NodeId, User, UserId};

/// The network as one node sees it. Changed only by [`crate::Delta`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Netmap {
    /// The node itself; `None` until control has sent it.
    pub self_node: Option<Node>,
    /// The nodes that it may know of.
    pub peers: BTreeMap<NodeId, Node>,
    /// The users that these belong to.
    pub users: BTreeMap<UserId, User>,
    /// The relays.
    pub derp: DerpMap,
    /// Names.
    pub dns: DnsConfig,
    /// Packet rules by name; the filter is all of them in order of their names.
    pub rules: BTreeMap<String, Vec<FilterRule>>,
    /// The tailnet's name for people, such as `example.com`.
    pub domain: String,
    /// What control wants people to know, by a key.
    pub health: BTreeMap<String, String>,
}

impl Netmap {
    /// The packet rules in order.
    pub fn filter_rules(&self) -> impl Iterator<Item = &FilterRule> {
        self.rules.values().flatten()
    }

    /// The node, self included, that has this tailnet address.
    pub fn node_by_address(&self, address: IpAddr) -> Option<&Node> {
        let has = |node: &&Node| node.addresses.iter().any(|prefix| prefix.addr() == address);
        self.self_node.iter().chain(self.peers.values()).find(has)
    }

    /// The suffix of node names (MagicDNS), without dots at its ends.
    pub fn name_suffix(&self) -> Option<&str> {
        let name = self.self_node.as_ref()?.name.as_str();
        name.split_once('.').map(|(_, suffix)| suffix)
    }
}
