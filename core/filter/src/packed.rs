//! Nests of services, many of them, and each in one piece of memory: a router has one for each of its thousands of
//! destinations, with a rule or two, and a packet should find all of it in one or two cache lines.
//!
//! Words of one nest: how many turns there are; the services where they are; the innermost block after each, as an
//! offset from here or zero; then the blocks, each a set in two words and the block around it.

use crate::nest::Nest;
use crate::sets::Set;

/// Nests, each named by where it begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackedNests(Box<[u32]>);

/// Packs nests one by one.
#[derive(Debug, Default)]
pub(crate) struct Packer(Vec<u32>);

const BLOCK_WORDS: u32 = 3;

impl PackedNests {
    /// The sets at the blocks around a service, from the innermost.
    pub(crate) fn around(&self, nest: u32, service: u32) -> impl Iterator<Item = Set> {
        let words = self.0.get(nest as usize..).unwrap_or_default();
        let block = |at: u32| match words.get(at as usize..(at + BLOCK_WORDS) as usize) {
            Some(&[first, second, outer]) if at != 0 => Some((Set::unpack([first, second]), outer)),
            _ => None,
        };
        let innermost = words.split_first().and_then(|(turns, rest)| {
            let (starts, rest) = rest.split_at_checked(*turns as usize)?;
            let turn = starts.partition_point(|start| *start <= service).checked_sub(1)?;
            rest.get(turn).copied()
        });
        std::iter::successors(innermost.and_then(block), move |(_, outer)| block(*outer)).map(|(set, _)| set)
    }

    /// How much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl Packer {
    /// Packs a nest; says where it begins.
    pub(crate) fn push(&mut self, nest: &Nest<u32, u32>, set_at: impl Fn(u32) -> Set) -> u32 {
        let begin = self.0.len() as u32;
        let turns = nest.turns().len() as u32;
        let offset = |block: Option<u32>| block.map_or(0, |block| 1 + 2 * turns + BLOCK_WORDS * block);
        self.0.push(turns);
        self.0.extend(nest.turns().map(|(at, _)| at));
        self.0.extend(nest.turns().map(|(_, innermost)| offset(innermost)));
        for (place, outer) in nest.blocks() {
            self.0.extend(set_at(place).pack());
            self.0.push(offset(outer));
        }
        begin
    }

    pub(crate) fn finish(self) -> PackedNests {
        PackedNests(self.0.into())
    }
}
