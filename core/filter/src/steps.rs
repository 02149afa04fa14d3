//! A sorted list of numbers, and how many of them are not above a given one. Searched in two steps, so that a search in
//! a hundred thousand touches a few cache lines.

use crate::nest::Number;

/// Sorted numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps<N> {
    numbers: Box<[N]>,
    /// Every sixty-fourth.
    samples: Box<[N]>,
}

const STRIDE: usize = 64;

impl<N: Number> Steps<N> {
    /// Of sorted numbers.
    pub(crate) fn new(numbers: Vec<N>) -> Self {
        let samples = numbers.iter().step_by(STRIDE).copied().collect();
        Self { numbers: numbers.into(), samples }
    }

    /// How many are at most `number`.
    pub(crate) fn up_to(&self, number: N) -> usize {
        let Some(before) = self.samples.partition_point(|sample| *sample <= number).checked_sub(1) else { return 0 };
        let from = before * STRIDE;
        let window = self.numbers.get(from..self.numbers.len().min(from + STRIDE)).unwrap_or_default();
        from + window.partition_point(|step| *step <= number)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = N> {
        self.numbers.iter().copied()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// How much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.numbers) + size_of_val(&*self.samples)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_search_equals_a_walk(mut numbers in prop::collection::vec(0u32..1000, 0..300), at in 0u32..1001) {
            numbers.sort_unstable();
            let expected = numbers.iter().filter(|number| **number <= at).count();
            prop_assert_eq!(Steps::new(numbers).up_to(at), expected);
        }
    }
}
