//! A set of small numbers (rules of a policy) as words of bits.

/// A set of rule numbers. Sets compare as if the shorter one went on with zeroes: the last word is never zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// Adds a number.
    pub(crate) fn insert(&mut self, number: usize) {
        let word = number / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (number % 64);
        }
    }

    /// Adds all of another set.
    pub(crate) fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// Keeps what is in the other set, too.
    pub(crate) fn intersect(&mut self, other: &Self) {
        self.0.truncate(other.0.len());
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
        self.trim();
    }

    /// Takes all of another set out.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
        self.trim();
    }

    /// Whether the sets share a number.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Whether it holds a number.
    pub(crate) fn contains(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// Whether it holds none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers that are in one of the sets but not in both.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        let length = self.0.len().max(other.0.len());
        let word = |bits: &Self, at: usize| bits.0.get(at).copied().unwrap_or_default();
        let mut difference = Self((0..length).map(|at| word(self, at) ^ word(other, at)).collect());
        difference.trim();
        difference
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.checked_sub(1)?;
                Some(at * 64 + bit)
            })
        })
    }

    /// Equal sets must be equal words.
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

impl FromIterator<usize> for Bits {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut bits = Self::default();
        numbers.into_iter().for_each(|number| bits.insert(number));
        bits
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(
            a in prop::collection::btree_set(0usize..200, 0..20), b in prop::collection::btree_set(0usize..200, 0..20),
        ) {
            let (set, other): (Bits, Bits) = (a.iter().copied().collect(), b.iter().copied().collect());
            let of = |bits: &Bits| bits.iter().collect::<BTreeSet<_>>();
            prop_assert_eq!(&of(&set), &a);
            prop_assert_eq!(set.meets(&other), !a.is_disjoint(&b));
            prop_assert_eq!(set.is_empty(), a.is_empty());
            prop_assert_eq!(of(&set.difference(&other)), &a ^ &b);
            let change = |change: fn(&mut Bits, &Bits)| { let mut set = set.clone(); change(&mut set, &other); set };
            prop_assert_eq!(&change(Bits::extend), &(&a | &b).into_iter().collect::<Bits>());
            prop_assert_eq!(&change(Bits::intersect), &(&a & &b).into_iter().collect::<Bits>());
            prop_assert_eq!(&change(Bits::subtract), &(&a - &b).into_iter().collect::<Bits>());
            (0..210).for_each(|number| assert_eq!(set.contains(number), a.contains(&number)));
        }
    }
}
