//! Sets of addresses as sorted ranges: prefixes, ranges and "everybody" all become the same, and a lookup is one binary
//! search.

use std::net::IpAddr;

use wattle_netmap::{Prefix, RuleSource};

use crate::CapabilityTable;

/// First and last address of a range, as numbers within their IP version.
pub(crate) type Range = (u128, u128);

/// The same thing for each IP version. The two never mix: a v4-mapped IPv6 address is not the IPv4 address.
#[derive(Clone, Debug, Default)]
pub(crate) struct PerVersion<T> {
    pub(crate) v4: T,
    pub(crate) v6: T,
}

impl<T> PerVersion<T> {
    pub(crate) const fn of(&self, address: IpAddr) -> &T {
        match address {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        }
    }

    fn of_mut(&mut self, address: IpAddr) -> &mut T {
        match address {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        }
    }
}

impl PerVersion<Vec<Range>> {
    fn sorted(self) -> PerVersion<Ranges> {
        PerVersion { v4: Ranges::new(self.v4), v6: Ranges::new(self.v6) }
    }
}

pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Sorted ranges with gaps between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ranges(Vec<Range>);

impl Ranges {
    pub(crate) fn new(mut ranges: Vec<Range>) -> Self {
        ranges.sort_unstable();
        ranges.dedup_by(|(first, last), previous| {
            let joins = *first <= previous.1.saturating_add(1);
            previous.1 = if joins { previous.1.max(*last) } else { previous.1 };
            joins
        });
        Self(ranges)
    }

    pub(crate) fn contains(&self, address: u128) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= address);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| address <= *last)
    }

    /// What is left of a range when all that is not in these is taken away: from the first to the last that remains.
    pub(crate) fn narrow(&self, (first, last): Range) -> Option<Range> {
        let from = self.0.get(self.0.partition_point(|(_, end)| *end < first))?;
        let to = self.0.get(self.0.partition_point(|(start, _)| *start <= last).checked_sub(1)?)?;
        let (first, last) = (first.max(from.0), last.min(to.1));
        (first <= last).then_some((first, last))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Range> {
        self.0.iter().copied()
    }
}

/// Blocks that make up a range: as few as there can be if their lengths are powers of `1 << step`, each beginning at a
/// multiple of its length. With steps of one bit a prefix is one block, and a range of addresses at most 254; with two
/// bits a range of ports is at most 48.
pub(crate) fn blocks((first, last): Range, step: u32) -> impl Iterator<Item = Range> {
    let mut next = (first <= last).then_some(first);
    std::iter::from_fn(move || {
        let first = next?;
        let fits = match (last - first).checked_add(1) {
            Some(length) => length.ilog2(),
            None => u128::BITS,
        };
        let bits = first.trailing_zeros().min(fits);
        let end = match bits - bits % step {
            u128::BITS => u128::MAX,
            bits => first + ((1 << bits) - 1),
        };
        next = if end < last { Some(end + 1) } else { None };
        Some((first, end))
    })
}

/// The smallest block that holds a range.
pub(crate) fn block_around((first, last): Range) -> Range {
    let apart = u128::BITS - (first ^ last).leading_zeros();
    let rest = 1u128.checked_shl(apart).map_or(u128::MAX, |length| length - 1);
    (first & !rest, first | rest)
}

/// The addresses that sources stand for.
pub(crate) fn of_sources(sources: &[RuleSource], table: &CapabilityTable) -> PerVersion<Ranges> {
    let mut ranges = PerVersion { v4: Vec::with_capacity(sources.len()), v6: Vec::with_capacity(sources.len()) };
    for source in sources {
        if let RuleSource::HasCapability(name) = source {
            table.having(name).iter().for_each(|prefix| push_prefix(*prefix, &mut ranges));
        }
        let PerVersion { v4, v6 } = of_addresses(source);
        ranges.v4.extend(v4);
        ranges.v6.extend(v6);
    }
    ranges.sorted()
}

/// The addresses that something stands for which is not about capabilities.
pub(crate) fn of_addresses(source: &RuleSource) -> PerVersion<Option<Range>> {
    let mut ranges = PerVersion::default();
    match source {
        RuleSource::Any => ranges = PerVersion { v4: Some((0, u128::from(u32::MAX))), v6: Some((0, u128::MAX)) },
        RuleSource::Prefix(prefix) => {
            *ranges.of_mut(prefix.network()) = Some((number(prefix.network()), number(prefix.broadcast())));
        }
        RuleSource::Range(first, last) if first.is_ipv4() == last.is_ipv4() && first <= last => {
            *ranges.of_mut(*first) = Some((number(*first), number(*last)));
        }
        RuleSource::Range(..) | RuleSource::HasCapability(_) => {}
    }
    ranges
}

pub(crate) fn of_prefixes(prefixes: &[Prefix]) -> PerVersion<Ranges> {
    let mut ranges = PerVersion::<Vec<Range>>::default();
    prefixes.iter().for_each(|prefix| push_prefix(*prefix, &mut ranges));
    ranges.sorted()
}

fn push_prefix(prefix: Prefix, ranges: &mut PerVersion<Vec<Range>>) {
    ranges.of_mut(prefix.network()).push((number(prefix.network()), number(prefix.broadcast())));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lookup_equals_a_walk(raw: Vec<(u8, u8)>, address: u8) {
            let ranges: Vec<Range> = raw.iter().map(|(a, b)| (u128::from(*a.min(b)), u128::from(*a.max(b)))).collect();
            let address = u128::from(address);
            let expected = ranges.iter().any(|(first, last)| (*first..=*last).contains(&address));
            let merged = Ranges::new(ranges);
            prop_assert_eq!(merged.contains(address), expected);
            prop_assert!(merged.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }

        #[test]
        fn narrowing_takes_away_only_what_is_not_there(raw: Vec<(u8, u8)>, other: (u8, u8), address: u8) {
            let whole = Ranges::new(raw.iter().map(|(a, b)| (u128::from(*a.min(b)), u128::from(*a.max(b)))).collect());
            let other = (u128::from(other.0.min(other.1)), u128::from(other.0.max(other.1)));
            let address = u128::from(address);
            let narrowed = whole.narrow(other);
            let inside = narrowed.is_some_and(|(first, last)| (first..=last).contains(&address));
            if whole.contains(address) {
                prop_assert_eq!(inside, (other.0..=other.1).contains(&address));
            }
            if let Some((first, last)) = narrowed {
                prop_assert!(whole.contains(first) && whole.contains(last));
            }
        }

        #[test]
        fn the_block_around_a_range_holds_it(a: u128, b: u128, narrow in 0u32..128) {
            let (a, b) = (a >> narrow, b >> narrow);
            let (first, last) = block_around((a.min(b), a.max(b)));
            prop_assert!(first <= a.min(b) && a.max(b) <= last);
            prop_assert_eq!(blocks((first, last), 1).count(), 1);
        }
    }
}
