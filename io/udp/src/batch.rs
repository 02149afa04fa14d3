//! Room for what one receive call brings, made once and used again.

use std::array;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::slice::ChunksMut;

use quinn_udp::RecvMeta;

use crate::limits::{GROUP_BYTES, GROUPS};

/// Buffers for received datagrams. Its pages are taken from the system as traffic fills them.
pub struct Batch {
    bytes: Vec<u8>,
    meta: [RecvMeta; GROUPS],
    filled: usize,
}

/// A run of datagrams of one sender, laid one behind the other.
#[derive(Debug)]
pub struct Group<'a> {
    /// Who sent them.
    pub from: SocketAddr,
    /// The length of each datagram; the last may be shorter. Never 0.
    pub stride: usize,
    /// The datagrams.
    pub bytes: &'a mut [u8],
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self { bytes: vec![0; GROUPS * GROUP_BYTES], meta: array::from_fn(|_| RecvMeta::default()), filled: 0 }
    }

    /// How many groups the last receive call brought.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// What the last receive call brought.
    pub fn groups_mut(&mut self) -> impl Iterator<Item = Group<'_>> {
        self.bytes.chunks_exact_mut(GROUP_BYTES).zip(&self.meta).take(self.filled).filter_map(|(bytes, meta)| {
            let bytes = bytes.get_mut(..meta.len)?;
            // An empty datagram says nothing to any protocol we speak.
            (!bytes.is_empty()).then_some(Group { from: meta.addr, stride: meta.stride.clamp(1, bytes.len()), bytes })
        })
    }

    /// Lets `receive` fill the buffers and say how many it filled.
    pub(crate) fn fill<E>(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut [RecvMeta]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        self.filled = 0;
        let mut chunks = self.bytes.chunks_exact_mut(GROUP_BYTES);
        let mut slices: [IoSliceMut<'_>; GROUPS] =
            array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        self.filled = receive(&mut slices, &mut self.meta)?.min(GROUPS);
        Ok(self.filled)
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("groups", &self.filled).finish_non_exhaustive()
    }
}

impl Group<'_> {
    /// The datagrams one by one.
    pub fn datagrams_mut(&mut self) -> ChunksMut<'_, u8> {
        self.bytes.chunks_mut(self.stride)
    }
}
