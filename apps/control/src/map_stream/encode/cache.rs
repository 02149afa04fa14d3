//! JSON that many streams are told: a peer's is made once per change of the peer and way to show its routes, and a list of
//! sources once for all rules that have it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wattle_coordinator::{Revision, ShownPeer};
use wattle_netmap::{FilterRule, NodeId, Prefix};
use wattle_policy::{Chunk, PacketRule};
use wattle_wire::RawJson;
use wattle_wire::convert::{Viewer, node_to_wire, rule_to_wire, sources_to_wire};

use crate::limits::{PEER_VARIANTS_MAX, SOURCE_LISTS_MAX};

/// The latest JSON of every peer that some stream was shown, and of lists of sources.
#[derive(Debug, Default)]
pub(crate) struct JsonCache {
    peers: Mutex<BTreeMap<NodeId, PeerJson>>,
    sources: Mutex<BTreeMap<u64, RawJson>>,
}

/// The JSON of one peer, for each way in which its routes are shown.
#[derive(Debug)]
struct PeerJson {
    revision: Revision,
    variants: Vec<(Option<Arc<[Prefix]>>, RawJson)>,
}

impl JsonCache {
    /// The peer's JSON, made anew when it has changed since it was made last.
    pub(super) fn peer(&self, peer: &ShownPeer) -> RawJson {
        let (id, revision) = (peer.view.node.id, peer.view.revision);
        if let Some(known) = lock(&self.peers).get(&id).filter(|known| known.revision == revision)
            && let Some((_, json)) = known.variants.iter().find(|(routes, _)| *routes == peer.routes)
        {
            return json.clone();
        }
        let json = RawJson::encode(&node_to_wire(&peer.node(), Viewer::Peer)).unwrap_or_default();
        let mut peers = lock(&self.peers);
        let known = peers.entry(id).or_insert_with(|| PeerJson { revision, variants: Vec::new() });
        if known.revision != revision || known.variants.len() >= PEER_VARIANTS_MAX {
            *known = PeerJson { revision, variants: Vec::new() };
        }
        known.variants.push((peer.routes.clone(), json.clone()));
        json
    }

    /// The JSON of packet rules.
    pub(super) fn rules(&self, chunk: &Chunk) -> RawJson {
        let rule = |PacketRule { sources, targets, protocols, grants }: &PacketRule| {
            let (targets, protocols, grants) = (targets.clone(), protocols.clone(), grants.clone());
            let rule = FilterRule { sources: Vec::new(), targets, protocols, grants };
            rule_to_wire(self.sources(sources.fingerprint, || sources_to_wire(&sources.sources)), &rule)
        };
        RawJson::encode(&chunk.rules.iter().map(rule).collect::<Vec<_>>()).unwrap_or_default()
    }

    fn sources(&self, fingerprint: u64, write: impl FnOnce() -> Vec<String>) -> RawJson {
        if let Some(json) = lock(&self.sources).get(&fingerprint) {
            return json.clone();
        }
        let json = RawJson::encode(&write()).unwrap_or_default();
        let mut sources = lock(&self.sources);
        // Which lists are still in use is not known here; to make some again now and then costs less than to count.
        if sources.len() >= SOURCE_LISTS_MAX {
            sources.clear();
        }
        sources.insert(fingerprint, json.clone());
        json
    }

    /// The node is gone.
    pub(crate) fn forget(&self, node: NodeId) {
        lock(&self.peers).remove(&node);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
