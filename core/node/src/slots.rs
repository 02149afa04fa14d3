//! Small numbers for peers, so that the packet path indexes an array where it would otherwise look up keys.

use std::collections::BTreeMap;

use wattle_keys::NodePublic;

/// A peer's place in the tables. Used again after the peer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// Who sits where.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    by_key: BTreeMap<NodePublic, Slot>,
    by_slot: Vec<Option<NodePublic>>,
    free: Vec<Slot>,
}

impl Slots {
    /// The peer's slot; a new one for a new peer.
    pub(crate) fn take(&mut self, key: NodePublic) -> Slot {
        if let Some(slot) = self.by_key.get(&key) {
            return *slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.by_slot.push(None);
            Slot(u32::try_from(self.by_slot.len() - 1).unwrap_or(u32::MAX))
        });
        if let Some(seat) = self.by_slot.get_mut(slot.0 as usize) {
            *seat = Some(key);
        }
        self.by_key.insert(key, slot);
        slot
    }

    /// Frees the peer's slot.
    pub(crate) fn release(&mut self, key: &NodePublic) -> Option<Slot> {
        let slot = self.by_key.remove(key)?;
        if let Some(seat) = self.by_slot.get_mut(slot.0 as usize) {
            *seat = None;
        }
        self.free.push(slot);
        Some(slot)
    }

    pub(crate) fn of(&self, key: &NodePublic) -> Option<Slot> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn key(&self, slot: Slot) -> Option<NodePublic> {
        self.by_slot.get(slot.0 as usize).copied().flatten()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = NodePublic> {
        self.by_key.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_slot_is_used_again() {
        let mut slots = Slots::default();
        let (a, b) = (NodePublic::from_bytes([1; 32]), NodePublic::from_bytes([2; 32]));
        let first = slots.take(a);
        assert_eq!(slots.take(a), first);
        assert_eq!(slots.release(&a), Some(first));
        assert_eq!(slots.key(first), None);
        assert_eq!(slots.take(b), first);
        assert_eq!((slots.of(&a), slots.key(first)), (None, Some(b)));
    }
}
