//! A set of small numbers (rules of a policy) as words of bits.

/// A set of rule numbers. Sets of different lengths compare as if the shorter one went on with zeroes.
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

    /// Whether the sets share a number.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Whether it holds a number.
    pub(crate) fn contains(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// The numbers that are in one of the sets but not in both.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        let length = self.0.len().max(other.0.len());
        let word = |bits: &Self, at: usize| bits.0.get(at).copied().unwrap_or_default();
        Self((0..length).map(|at| word(self, at) ^ word(other, at)).collect())
    }

    /// The numbers, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let word = *word;
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| at * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[usize]) -> Bits {
        let mut bits = Bits::default();
        numbers.iter().for_each(|number| bits.insert(*number));
        bits
    }

    #[test]
    fn sets_of_different_lengths_work_together() {
        let (short, long) = (set(&[1, 63]), set(&[1, 64, 200]));
        assert!(short.meets(&long) && !set(&[2]).meets(&long));
        assert_eq!(short.difference(&long).iter().collect::<Vec<_>>(), [63, 64, 200]);
        assert!(long.contains(200) && !long.contains(201) && !short.contains(500));
    }
}
