//! The indices we gave out: each names one handshake or session of one peer. Random, so that nobody can guess a live one.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use wattle_keys::NodePublic;

/// Which peer an index belongs to.
#[derive(Default)]
pub(crate) struct Indices(BTreeMap<u32, NodePublic>);

impl Indices {
    /// A new index. At most four per peer are in use at once, so a free one is found at once.
    pub(crate) fn allot(&mut self, peer: NodePublic, rng: &mut ChaCha20Rng) -> u32 {
        loop {
            let index = rng.next_u32();
            if let std::collections::btree_map::Entry::Vacant(place) = self.0.entry(index) {
                place.insert(peer);
                return index;
            }
        }
    }

    pub(crate) fn free(&mut self, index: u32) {
        self.0.remove(&index);
    }

    pub(crate) fn peer(&self, index: u32) -> Option<NodePublic> {
        self.0.get(&index).copied()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
