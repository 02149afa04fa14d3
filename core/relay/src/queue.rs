//! Frames that wait for one client's writer: one run of bytes, so that a packet costs a copy and no allocation,
//! and the writer takes many with one write. When full, the oldest gives way: fresh packets are worth more.

use std::collections::VecDeque;

use crate::limits::QUEUE_KEPT_BYTES;

/// A bounded queue of encoded frames.
pub(crate) struct FrameQueue {
    bytes: Vec<u8>,
    /// Where the oldest frame starts; before it is what was dropped or drained.
    head: usize,
    lengths: VecDeque<u32>,
    limit: usize,
}

impl FrameQueue {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), head: 0, lengths: VecDeque::new(), limit }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lengths.len() >= self.limit
    }

    /// Appends the frame that `parts` make together. Returns whether the oldest was dropped for it.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> bool {
        let dropped = self.is_full() && self.drop_oldest();
        if self.head * 2 > self.bytes.len() {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
        let length: usize = parts.iter().map(|part| part.len()).sum();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.lengths.push_back(u32::try_from(length).unwrap_or(u32::MAX));
        dropped
    }

    /// Moves whole frames, oldest first, to `into` until it holds `fill_to` bytes or more. Returns how many.
    pub(crate) fn drain(&mut self, into: &mut Vec<u8>, fill_to: usize) -> u64 {
        let (start, mut end, mut frames) = (self.head, self.head, 0);
        while into.len() + (end - start) < fill_to
            && let Some(length) = self.lengths.pop_front()
        {
            end += length as usize;
            frames += 1;
        }
        into.extend_from_slice(self.bytes.get(start..end).unwrap_or_default());
        self.head = end;
        if self.lengths.is_empty() {
            self.head = 0;
            self.bytes.clear();
            self.bytes.shrink_to(QUEUE_KEPT_BYTES);
        }
        frames
    }

    /// Frees what an idle queue keeps allocated.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            self.bytes = Vec::new();
            self.lengths = VecDeque::new();
        }
    }

    fn drop_oldest(&mut self) -> bool {
        self.lengths.pop_front().is_some_and(|length| {
            self.head += length as usize;
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_queue_drops_its_oldest() {
        let mut queue = FrameQueue::new(2);
        assert!(!queue.push(&[b"a", b"1"]));
        assert!(!queue.push(&[b"b"]));
        assert!(queue.push(&[b"c"]));
        let mut drained = Vec::new();
        assert_eq!(queue.drain(&mut drained, usize::MAX), 2);
        assert_eq!(drained, b"bc");
        assert!(queue.is_empty());
    }

    #[test]
    fn a_drain_takes_whole_frames_and_stops_when_full() {
        let mut queue = FrameQueue::new(8);
        for frame in [b"aaaa", b"bbbb", b"cccc"] {
            queue.push(&[frame]);
        }
        let mut drained = Vec::new();
        assert_eq!(queue.drain(&mut drained, 5), 2);
        assert_eq!(drained, b"aaaabbbb");
        assert!(!queue.is_empty());
    }

    proptest! {
        /// Against the obvious queue of vectors.
        #[test]
        fn behaves_like_a_queue_of_frames(steps in proptest::collection::vec((any::<bool>(), 0usize..40, 1usize..60), 0..200)) {
            let mut queue = FrameQueue::new(5);
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            for (number, (push, length, fill_to)) in steps.into_iter().enumerate() {
                if push {
                    let frame = vec![number as u8; length];
                    let dropped = queue.push(&[&frame]);
                    prop_assert_eq!(dropped, model.len() == 5);
                    if dropped {
                        model.pop_front();
                    }
                    model.push_back(frame);
                } else {
                    let (mut drained, mut expected) = (Vec::new(), Vec::new());
                    queue.drain(&mut drained, fill_to);
                    while expected.len() < fill_to && let Some(frame) = model.pop_front() {
                        expected.extend(frame);
                    }
                    prop_assert_eq!(drained, expected);
                }
                prop_assert_eq!(queue.is_empty(), model.is_empty());
            }
        }
    }
}
