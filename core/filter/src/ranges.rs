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

    pub(crate) fn map<U>(self, mut each: impl FnMut(T) -> U) -> PerVersion<U> {
        PerVersion { v4: each(self.v4), v6: each(self.v6) }
    }
}

pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Sorted ranges with gaps between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ranges(Vec<Range>);

impl Ranges {
    pub(crate) fn new(mut ranges: Vec<Range>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    pub(crate) fn contains(&self, address: u128) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= address);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| address <= *last)
    }

    /// The part of a range that lies in these, as ranges.
    pub(crate) fn intersect(&self, (first, last): Range) -> impl Iterator<Item = Range> {
        let from = self.0.partition_point(|(_, end)| *end < first);
        let touching = self.0[from..].iter().take_while(move |(start, _)| *start <= last);
        touching.map(move |(start, end)| (first.max(*start), last.min(*end)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range> {
        self.0.iter().copied()
    }
}

/// The addresses that sources stand for.
pub(crate) fn of_sources(sources: &[RuleSource], table: &CapabilityTable) -> PerVersion<Ranges> {
    let mut ranges = PerVersion::<Vec<Range>>::default();
    for source in sources {
        match source {
            RuleSource::Any => {
                ranges.v4.push((0, u128::from(u32::MAX)));
                ranges.v6.push((0, u128::MAX));
            }
            RuleSource::Prefix(prefix) => push_prefix(*prefix, &mut ranges),
            RuleSource::Range(first, last) => {
                if first.is_ipv4() == last.is_ipv4() && first <= last {
                    ranges.of_mut(*first).push((number(*first), number(*last)));
                }
            }
            RuleSource::HasCapability(name) => {
                table.having(name).iter().for_each(|prefix| push_prefix(*prefix, &mut ranges));
            }
        }
    }
    ranges.map(Ranges::new)
}

pub(crate) fn of_prefixes(prefixes: &[Prefix]) -> PerVersion<Ranges> {
    let mut ranges = PerVersion::<Vec<Range>>::default();
    prefixes.iter().for_each(|prefix| push_prefix(*prefix, &mut ranges));
    ranges.map(Ranges::new)
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
        fn intersection_holds_what_both_hold(raw: Vec<(u8, u8)>, other: (u8, u8), address: u8) {
            let whole = Ranges::new(raw.iter().map(|(a, b)| (u128::from(*a.min(b)), u128::from(*a.max(b)))).collect());
            let other = (u128::from(other.0.min(other.1)), u128::from(other.0.max(other.1)));
            let address = u128::from(address);
            let both = Ranges::new(whole.intersect(other).collect());
            let expected = whole.contains(address) && (other.0..=other.1).contains(&address);
            prop_assert_eq!(both.contains(address), expected);
        }
    }
}
