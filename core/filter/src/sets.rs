//! The sets of sources that stand at each place, and whether a source is in one of them. Usually they were made one set
//! before; equal ones are kept once.

use std::cmp::Reverse;

use crate::known::{Known, in_order};
use crate::limits::Budget;
use crate::sources::Turns;

/// What sets of stretches are made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    /// The sets at places where there are several.
    several: Box<[Set]>,
    several_max: usize,
    words: Box<[u32]>,
}

/// A set, in whichever form is the smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// From here until there.
    Span { begin: u32, end: u32 },
    /// Where it begins, ends, begins again: a part of the words.
    Turns { from: u32, to: u32 },
    /// One bit for each stretch, from this word on.
    Bits { from: u32 },
    /// What is in any of several sets; these are not such again.
    Several { from: u32, to: u32 },
}

impl Sets {
    /// Whether a stretch is in a set.
    pub(crate) fn hold(&self, set: Set, stretch: u32) -> bool {
        match set {
            Set::Several { from, to } => {
                let sets = self.several.get(from as usize..to as usize).unwrap_or_default();
                sets.iter().any(|set| self.hold_one(*set, stretch))
            }
            one => self.hold_one(one, stretch),
        }
    }

    fn hold_one(&self, set: Set, stretch: u32) -> bool {
        match set {
            Set::Span { begin, end } => begin <= stretch && stretch < end,
            Set::Turns { from, to } => {
                let turns = self.words.get(from as usize..to as usize).unwrap_or_default();
                turns.partition_point(|turn| *turn <= stretch) % 2 == 1
            }
            Set::Bits { from } => {
                let word = self.words.get((from + stretch / 32) as usize);
                word.is_some_and(|word| word & (1 << (stretch % 32)) != 0)
            }
            Set::Several { .. } => false,
        }
    }

    /// How many there are at the fullest place.
    pub(crate) const fn several_max(&self) -> usize {
        self.several_max
    }

    /// How much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.several) + size_of_val(&*self.words)
    }
}

impl Set {
    /// In two words: the kind in the two upper bits of the first. No number here needs them.
    pub(crate) const fn pack(self) -> [u32; 2] {
        match self {
            Self::Span { begin, end } => [begin, end],
            Self::Turns { from, to } => [1 << 30 | from, to],
            Self::Bits { from } => [2 << 30 | from, 0],
            Self::Several { from, to } => [3 << 30 | from, to],
        }
    }

    pub(crate) const fn unpack([first, to]: [u32; 2]) -> Self {
        let from = first & ((1 << 30) - 1);
        match first >> 30 {
            0 => Self::Span { begin: from, end: to },
            1 => Self::Turns { from, to },
            2 => Self::Bits { from },
            _ => Self::Several { from, to },
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::Span { begin: 0, end: 0 }
    }
}

/// Gathers which of the given sets stand at each place.
#[derive(Debug, Default)]
pub(crate) struct SetsBuilder {
    places: Known<Box<[u32]>>,
}

impl SetsBuilder {
    /// The place where these sets stand, sorted.
    pub(crate) fn place(&mut self, sets: &[u32]) -> u32 {
        if let Some(place) = self.places.get(sets) {
            return *place;
        }
        let place = self.places.len() as u32;
        self.places.insert(sets.into(), place);
        place
    }

    /// Makes one set of those at each place, the longest lists first, as far as that is cheap; returns them by place.
    /// `stretches` is how many there are.
    pub(crate) fn build(self, given: &[Turns], stretches: usize, budget: &Budget) -> (Sets, Vec<Set>) {
        let mut lists: Vec<(Box<[u32]>, u32)> = in_order(self.places).into_iter().zip(0..).collect();
        let numbers =
            given.iter().map(Vec::len).sum::<usize>() + lists.iter().map(|(list, _)| list.len()).sum::<usize>();
        let mut work = Work {
            given,
            kept: vec![None; given.len()],
            words: Vec::new(),
            stretches,
            turns_left: budget.union_turns,
            words_left: budget.union_words + budget.union_words_per_number * numbers,
        };
        let (mut by_place, mut several, mut several_max) = (vec![Set::default(); lists.len()], Vec::new(), 0);
        lists.sort_unstable_by_key(|(list, place)| (Reverse(list.len()), *place));
        for (list, place) in lists {
            let sets = work.lay(&list);
            several_max = several_max.max(sets.len());
            let set = match sets[..] {
                [one] => one,
                _ => {
                    let from = several.len() as u32;
                    several.extend(sets);
                    Set::Several { from, to: several.len() as u32 }
                }
            };
            if let Some(at) = by_place.get_mut(place as usize) {
                *at = set;
            }
        }
        (Sets { several: several.into(), several_max, words: work.words.into() }, by_place)
    }
}

/// What is laid down so far.
struct Work<'a> {
    given: &'a [Turns],
    /// The given sets that were laid down as they are.
    kept: Vec<Option<Set>>,
    words: Vec<u32>,
    stretches: usize,
    turns_left: usize,
    words_left: usize,
}

/// Sets larger than all smaller ones together are not copied into a union with them. So many at a place, at most.
const LEFT_APART_MAX: usize = 3;

impl<'a> Work<'a> {
    fn lay(&mut self, list: &[u32]) -> Vec<Set> {
        let mut sets = Vec::new();
        let mut by_size: Vec<(usize, u32)> = list.iter().map(|set| (self.turns(*set).len(), *set)).collect();
        by_size.sort_unstable_by_key(|(size, set)| (Reverse(*size), *set));
        let mut rest: usize = by_size.iter().map(|(size, _)| size).sum();
        let mut apart = 0;
        while let Some((size, set)) = by_size.get(apart)
            && apart < LEFT_APART_MAX
            && *size > rest - size
        {
            rest -= size;
            apart += 1;
            sets.push(self.keep(*set));
        }
        let others: Vec<u32> = by_size.into_iter().skip(apart).map(|(_, set)| set).collect();
        match (&others[..], self.union(&others, rest)) {
            ([], _) => {}
            ([one], _) => sets.push(self.keep(*one)),
            (_, Some(union)) => sets.push(union),
            (_, None) => sets.extend(others.iter().map(|set| self.keep(*set))),
        }
        sets
    }

    fn turns(&self, set: u32) -> &'a [u32] {
        self.given.get(set as usize).map_or(&[], |turns| turns)
    }

    /// A given set as it is; laid down once.
    fn keep(&mut self, set: u32) -> Set {
        if let Some(Some(kept)) = self.kept.get(set as usize) {
            return *kept;
        }
        let laid = self.lay_down(self.turns(set));
        if let Some(kept) = self.kept.get_mut(set as usize) {
            *kept = Some(laid);
        }
        laid
    }

    fn union(&mut self, sets: &[u32], turns: usize) -> Option<Set> {
        let words = turns.min(self.stretches.div_ceil(32));
        if sets.len() < 2 || turns > self.turns_left || words > self.words_left {
            return None;
        }
        self.turns_left -= turns;
        // Beginning and end in one number sort twice as fast as pairs do.
        let mut spans: Vec<u64> = Vec::with_capacity(turns.div_ceil(2));
        for set in sets {
            spans.extend(self.turns(*set).chunks(2).map(|span| {
                let end = span.get(1).copied().unwrap_or(u32::MAX);
                u64::from(span.first().copied().unwrap_or(end)) << 32 | u64::from(end)
            }));
        }
        spans.sort_unstable();
        let mut union = Turns::with_capacity(turns);
        for (begin, end) in spans.into_iter().map(|span| ((span >> 32) as u32, span as u32)) {
            match union.last_mut() {
                Some(last) if begin <= *last => *last = end.max(*last),
                _ => union.extend([begin, end]),
            }
        }
        let before = self.words.len();
        let laid = self.lay_down(&union);
        self.words_left = self.words_left.saturating_sub(self.words.len() - before);
        Some(laid)
    }

    fn lay_down(&mut self, turns: &[u32]) -> Set {
        if let [begin, end] = *turns {
            return Set::Span { begin, end };
        }
        if let [begin] = *turns {
            return Set::Span { begin, end: u32::MAX };
        }
        let from = self.words.len();
        let words = self.stretches.div_ceil(32);
        if turns.len() <= words {
            self.words.extend_from_slice(turns);
            return Set::Turns { from: from as u32, to: self.words.len() as u32 };
        }
        self.words.resize(from + words, 0);
        let bits = &mut self.words[from..];
        for span in turns.chunks(2) {
            let end = span.get(1).map_or(self.stretches, |end| (*end as usize).min(self.stretches));
            for stretch in span.first().map_or(end, |begin| *begin as usize)..end {
                bits[stretch / 32] |= 1 << (stretch % 32);
            }
        }
        Set::Bits { from: from as u32 }
    }
}
