//! Blocks of numbers that nest, and what stands at each. All blocks around a number are found innermost first, by one
//! search and then from block to block; the others are never met.
//!
//! A block is a power of two long and begins at a multiple of its length, as prefixes are, so that any two are apart or
//! one holds the other. What is left when all numbers but some are taken away nests all the same.

use std::cmp::Ordering;

use crate::steps::Steps;

/// A number that ranges are about: an address or a service.
pub(crate) trait Number: Copy + Ord + TryFrom<u128> {
    /// The number after this one.
    fn next(self) -> Option<Self>;
}

impl Number for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// The numbers from the first to the last. Sorts what holds others before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Span<N> {
    pub(crate) first: N,
    pub(crate) last: N,
}

impl<N: Number> Span<N> {
    /// The span of a range; none if it does not fit on the axis.
    pub(crate) fn new((first, last): (u128, u128)) -> Option<Self> {
        Some(Self { first: N::try_from(first).ok()?, last: N::try_from(last).ok()? })
    }

    pub(crate) fn contains(&self, number: N) -> bool {
        self.first <= number && number <= self.last
    }
}

impl<N: Number> Ord for Span<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.first.cmp(&other.first).then(other.last.cmp(&self.last))
    }
}

impl<N: Number> PartialOrd for Span<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Blocks with what stands at them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nest<N, C> {
    /// Where another block becomes the innermost one, and which.
    starts: Steps<N>,
    innermost: Box<[u32]>,
    blocks: Box<[Block<C>]>,
}

#[derive(Clone, Copy, Debug)]
struct Block<C> {
    content: C,
    /// The block around it.
    outer: u32,
}

const NONE: u32 = u32::MAX;

fn some(block: u32) -> Option<u32> {
    (block != NONE).then_some(block)
}

impl<N: Number, C: Copy> Nest<N, C> {
    /// Puts things at spans, any two of which are apart or one within the other. `content` is asked once for each span
    /// what its things, sorted and each once, are kept as.
    pub(crate) fn new<T: Ord + Copy>(mut placed: Vec<(Span<N>, T)>, mut content: impl FnMut(&[T]) -> C) -> Self {
        placed.sort_unstable();
        placed.dedup();
        let (mut outline, mut blocks, mut things) = (Outline::default(), Vec::new(), Vec::new());
        for at_one_span in placed.chunk_by(|a, b| a.0 == b.0) {
            let Some((span, _)) = at_one_span.first() else { continue };
            things.clear();
            things.extend(at_one_span.iter().map(|(_, thing)| *thing));
            outline.close(|last| last < span.first);
            blocks.push(Block { content: content(&things), outer: outline.innermost_open() });
            outline.open(*span, blocks.len() as u32 - 1);
        }
        outline.close(|_| true);
        let Outline { starts, innermost, .. } = outline;
        Self { starts: Steps::new(starts), innermost: innermost.into(), blocks: blocks.into() }
    }

    /// What stands at the blocks around a number, from the innermost.
    pub(crate) fn around(&self, number: N) -> impl Iterator<Item = C> {
        let innermost =
            self.starts.up_to(number).checked_sub(1).and_then(|at| self.innermost.get(at)).copied().unwrap_or(NONE);
        let block = |number: u32| self.blocks.get(number as usize);
        std::iter::successors(block(innermost), move |inner| block(inner.outer)).map(|block| block.content)
    }

    /// Where another block becomes the innermost one, and which.
    pub(crate) fn turns(&self) -> impl ExactSizeIterator<Item = (N, Option<u32>)> {
        self.starts.iter().zip(&self.innermost).map(|(at, block)| (at, some(*block)))
    }

    /// What stands at each block, and which block is around it.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (C, Option<u32>)> {
        self.blocks.iter().map(|block| (block.content, some(block.outer)))
    }

    /// The same blocks with something else at them.
    pub(crate) fn map<D>(self, mut content: impl FnMut(C) -> D) -> Nest<N, D> {
        let blocks = self.blocks.iter().map(|block| Block { content: content(block.content), outer: block.outer });
        Nest { blocks: blocks.collect(), starts: self.starts, innermost: self.innermost }
    }

    /// How much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.starts.bytes() + size_of_val(&*self.innermost) + size_of_val(&*self.blocks)
    }
}

/// The stretches on which one block is the innermost, as they come up.
struct Outline<N> {
    starts: Vec<N>,
    innermost: Vec<u32>,
    /// The blocks around where we are, the innermost last.
    open: Vec<(Span<N>, u32)>,
}

impl<N: Number> Outline<N> {
    fn innermost_open(&self) -> u32 {
        self.open.last().map_or(NONE, |(_, block)| *block)
    }

    fn open(&mut self, span: Span<N>, block: u32) {
        self.turn(span.first, block);
        self.open.push((span, block));
    }

    fn close(&mut self, is_over: impl Fn(N) -> bool) {
        while let Some((span, _)) = self.open.pop_if(|(span, _)| is_over(span.last)) {
            if let Some(after) = span.last.next() {
                self.turn(after, self.innermost_open());
            }
        }
    }

    fn turn(&mut self, at: N, block: u32) {
        if self.starts.last() == Some(&at) {
            self.starts.pop();
            self.innermost.pop();
        }
        self.starts.push(at);
        self.innermost.push(block);
    }
}

impl<N> Default for Outline<N> {
    fn default() -> Self {
        Self { starts: Vec::new(), innermost: Vec::new(), open: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ranges;

    proptest! {
        #[test]
        fn what_is_around_a_number_is_found_from_the_innermost(
            placed in prop::collection::vec((0u8..=20, 0u32..8), 0..20), at in 0u32..300, top: bool,
        ) {
            // Blocks of 2^(0..=5) numbers within 0..256, or at the end of the axis.
            let base = if top { u32::MAX - 255 } else { 0 };
            let placed: Vec<(Span<u32>, u32)> = placed.iter().map(|(place, thing)| {
                let length = 1u32 << (place % 6);
                let first = base + u32::from(place * 11) / length * length;
                (Span { first, last: first + (length - 1) }, *thing)
            }).collect();
            let at = base.saturating_add(at);
            let mut expected: Vec<(Span<u32>, u32)> = placed.iter().filter(|(span, _)| span.contains(at)).copied().collect();
            expected.sort_by_key(|(span, thing)| (span.last - span.first, *thing));
            expected.dedup();
            let mut kept: Vec<Vec<u32>> = Vec::new();
            let nest = Nest::new(placed, |things| { kept.push(things.to_vec()); kept.len() as u32 - 1 });
            let found: Vec<u32> = nest.around(at).flat_map(|content| kept[content as usize].clone()).collect();
            prop_assert_eq!(found, expected.iter().map(|(_, thing)| *thing).collect::<Vec<_>>());
            prop_assert!(nest.starts.len() == nest.innermost.len());
        }

        #[test]
        fn blocks_cover_a_range_and_nothing_else(a: u128, b: u128, narrow in 0u32..128, step in 1u32..3) {
            let (a, b) = (a >> narrow, b >> narrow);
            let (first, last) = (a.min(b), a.max(b));
            let blocks: Vec<_> = ranges::blocks((first, last), step).collect();
            prop_assert!(blocks.len() <= 2 * (128 / step as usize) * ((1 << step) - 1));
            prop_assert_eq!((blocks[0].0, blocks[blocks.len() - 1].1), (first, last));
            prop_assert!(blocks.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
            for (first, last) in blocks {
                let rest = last - first;
                prop_assert!(rest & rest.wrapping_add(1) == 0 && first & rest == 0);
                prop_assert!(rest.count_ones() % step == 0);
            }
        }
    }
}
