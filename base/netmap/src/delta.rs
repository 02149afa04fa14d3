//! What changed in a map. The rule of every field: `None` (or empty) means unchanged.

mod apply;
mod between;
mod merge;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use wattle_keys::{DiscoPublic, NodePublic};
use wattle_time::UnixTime;

use crate::{Capability, DerpRegion, DnsConfig, Endpoint, FilterRule, Node, NodeId, RegionId, Score, User, UserId};

/// A change of a [`crate::Netmap`]. Applied in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// The node itself, whole.
    pub self_node: Option<Box<Node>>,
    /// All peers, replacing what was there.
    pub all_peers: Option<Vec<Node>>,
    /// Peers that are gone.
    pub removed: BTreeSet<NodeId>,
    /// Peers that are new or changed, whole.
    pub changed: BTreeMap<NodeId, Node>,
    /// Parts of peers that changed. Patches of unknown peers are ignored.
    pub patched: BTreeMap<NodeId, NodePatch>,
    /// Users, added to those known. They are never taken away: a peer that comes back needs its user.
    pub users: BTreeMap<UserId, User>,
    /// The relay regions, replacing what was there.
    pub derp_regions: Option<BTreeMap<RegionId, DerpRegion>>,
    /// The latency factors of regions, replacing what was there.
    pub region_scores: Option<BTreeMap<RegionId, Score>>,
    /// Names.
    pub dns: Option<DnsConfig>,
    /// Whether all rules are dropped before `rules` are looked at.
    pub clear_rules: bool,
    /// Rules by name; `None` removes the name.
    pub rules: BTreeMap<String, Option<Vec<FilterRule>>>,
    /// The tailnet's name.
    pub domain: Option<String>,
    /// Whether all that control wants people to know is dropped before `health` is looked at.
    pub clear_health: bool,
    /// What control wants people to know, by a key; `None` removes the key.
    pub health: BTreeMap<String, Option<String>>,
}

/// A part of a peer that changed. `None` means unchanged.
///
/// Nothing but `last_seen` can be taken away by a patch, because the wire cannot say it: that takes the whole peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodePatch {
    /// Home region.
    pub home_region: Option<RegionId>,
    /// Endpoints, replacing those known; not empty.
    pub endpoints: Option<Vec<Endpoint>>,
    /// Node key.
    pub key: Option<NodePublic>,
    /// Disco key.
    pub disco: Option<DiscoPublic>,
    /// Whether it is connected to control.
    pub online: Option<bool>,
    /// When it last was. The inner `None` says that it is not told any more.
    pub last_seen: Option<Option<UnixTime>>,
    /// Key expiry.
    pub key_expiry: Option<UnixTime>,
    /// Client capability version.
    pub capability_version: Option<u16>,
    /// Capabilities, replacing those known; not empty.
    pub capabilities: Option<Vec<Capability>>,
}

impl Delta {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl NodePatch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
