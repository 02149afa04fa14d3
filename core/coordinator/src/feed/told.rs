//! What a stream was told, as far as that cannot be found out from the log: kept by the stream, bounded by the policy's
//! rules and the tailnet's routers.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use wattle_netmap::{Node, NodeId, Prefix};
use wattle_policy::language::document::SshAction;
use wattle_policy::{PacketCache, SshPermit};

use super::Revision;

/// What one stream was told. A fresh one was told nothing.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// All until this.
    pub(super) revision: Option<Revision>,
    /// Packet rules, by fingerprint.
    pub(super) chunks: BTreeSet<u64>,
    /// SSH permits, by fingerprint of all.
    pub(super) ssh: Option<u64>,
    /// The node itself, without what it knows better.
    pub(super) itself: Option<Box<Node>>,
    /// Peers that were shown with routes.
    pub(super) routes: BTreeMap<NodeId, Arc<[Prefix]>>,
}

impl Told {
    /// What the stream has seen; `None`: nothing.
    pub fn revision(&self) -> Option<Revision> {
        self.revision
    }
}

/// Parts of answers that many streams are told. Kept beside the state by whoever asks; it never has to be thrown away.
#[derive(Debug, Default)]
pub struct FeedCache {
    pub(super) packets: PacketCache,
}

/// Equal permits, as nodes are told them, have equal fingerprints.
pub(super) fn fingerprint(permits: &[SshPermit]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for SshPermit { rule: _, principals, users, action, accept_env, recorders, enforce_recorder } in permits {
        let check = matches!(action, SshAction::Check(_));
        (principals, users, check, accept_env, recorders, enforce_recorder).hash(&mut hasher);
    }
    hasher.finish()
}

/// A node without what it knows of itself before others do.
pub(super) fn settled(node: &Node) -> Box<Node> {
    let endpoints = Vec::new();
    Box::new(Node { online: None, last_seen: None, disco: None, home_region: None, endpoints, ..node.clone() })
}
