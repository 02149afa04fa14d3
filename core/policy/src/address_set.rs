//! Sets of addresses as sorted intervals with gaps between them.
//!
//! A tailnet hands out addresses one after the other, so a set of ten thousand nodes is often one interval.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wattle_netmap::{Prefix, RuleSource};

/// A set of IPv4 and IPv6 addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressSet {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
}

impl AddressSet {
    /// Every address there is.
    pub fn world() -> Self {
        Self { v4: Intervals(vec![(0, u32::MAX)]), v6: Intervals(vec![(0, u128::MAX)]) }
    }

    /// Adds addresses from the first to the last. Ends of different kinds, or the wrong way round, add nothing.
    pub fn insert(&mut self, first: IpAddr, last: IpAddr) {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.v4.insert(first.into(), last.into()),
            (IpAddr::V6(first), IpAddr::V6(last)) => self.v6.insert(first.into(), last.into()),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
    }

    /// Takes addresses from the first to the last out.
    pub fn remove(&mut self, first: IpAddr, last: IpAddr) {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.v4.remove(first.into(), last.into()),
            (IpAddr::V6(first), IpAddr::V6(last)) => self.v6.remove(first.into(), last.into()),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
    }

    /// Adds the addresses of a prefix.
    pub fn insert_prefix(&mut self, prefix: &Prefix) {
        self.insert(prefix.network(), prefix.broadcast());
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        self.v4.extend(&other.v4);
        self.v6.extend(&other.v6);
    }

    /// Takes all of another set out.
    pub fn subtract(&mut self, other: &Self) {
        other.iter().for_each(|(first, last)| self.remove(first, last));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    /// Whether an address is among them.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.overlaps(address.into(), address.into()),
            IpAddr::V6(address) => self.v6.overlaps(address.into(), address.into()),
        }
    }

    /// Whether the sets share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (small, large) = if self.size() < other.size() { (self, other) } else { (other, self) };
        small.v4.0.iter().any(|(first, last)| large.v4.overlaps(*first, *last))
            || small.v6.0.iter().any(|(first, last)| large.v6.overlaps(*first, *last))
    }

    /// Whether a prefix holds one of them.
    pub fn overlaps_prefix(&self, prefix: &Prefix) -> bool {
        match (prefix.network(), prefix.broadcast()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => self.v4.overlaps(first.into(), last.into()),
            (IpAddr::V6(first), IpAddr::V6(last)) => self.v6.overlaps(first.into(), last.into()),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether all of them are in another set.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.v4.0.iter().all(|(first, last)| other.v4.covers(*first, *last))
            && self.v6.0.iter().all(|(first, last)| other.v6.covers(*first, *last))
    }

    /// The intervals, IPv4 first, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> + '_ {
        let v4 = self.v4.0.iter().map(|(a, b)| (IpAddr::V4(Ipv4Addr::from(*a)), IpAddr::V4(Ipv4Addr::from(*b))));
        let v6 = self.v6.0.iter().map(|(a, b)| (IpAddr::V6(Ipv6Addr::from(*a)), IpAddr::V6(Ipv6Addr::from(*b))));
        v4.chain(v6)
    }

    /// The intervals as packet rules spell them: a prefix where one fits, else a range.
    pub fn sources(&self) -> impl Iterator<Item = RuleSource> + '_ {
        self.iter().map(|(first, last)| match exact_prefix(first, last) {
            Some(prefix) => RuleSource::Prefix(prefix),
            None => RuleSource::Range(first, last),
        })
    }

    /// The fewest prefixes that make up the set.
    pub fn prefixes(&self) -> Vec<Prefix> {
        let mut prefixes = Vec::new();
        for (first, last) in self.iter() {
            match (first, last) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    prefixes.extend(ipnet::Ipv4Subnets::new(first, last, 0).map(Prefix::from));
                }
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    prefixes.extend(ipnet::Ipv6Subnets::new(first, last, 0).map(Prefix::from));
                }
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
            }
        }
        prefixes
    }

    /// How many intervals it takes.
    pub fn size(&self) -> usize {
        self.v4.0.len() + self.v6.0.len()
    }
}

impl FromIterator<(IpAddr, IpAddr)> for AddressSet {
    /// Many at once: sorted first, which is cheaper than one insertion after the other.
    fn from_iter<I: IntoIterator<Item = (IpAddr, IpAddr)>>(intervals: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for interval in intervals {
            match interval {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((u32::from(first), u32::from(last))),
                (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((u128::from(first), u128::from(last))),
                (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
            }
        }
        Self { v4: Intervals::from_unsorted(v4), v6: Intervals::from_unsorted(v6) }
    }
}

impl FromIterator<IpAddr> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        addresses.into_iter().map(|address| (address, address)).collect()
    }
}

impl From<Prefix> for AddressSet {
    fn from(prefix: Prefix) -> Self {
        std::iter::once((prefix.network(), prefix.broadcast())).collect()
    }
}

/// The prefix that is exactly this interval, if there is one.
fn exact_prefix(first: IpAddr, last: IpAddr) -> Option<Prefix> {
    let length = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (u32::from(first) ^ u32::from(last)).leading_zeros(),
        (IpAddr::V6(first), IpAddr::V6(last)) => (u128::from(first) ^ u128::from(last)).leading_zeros(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    let prefix = Prefix::new(first, u8::try_from(length).ok()?).ok()?;
    (prefix.network() == first && prefix.broadcast() == last).then_some(prefix)
}

/// A number with neighbours.
trait Number: Copy + Ord {
    fn next(self) -> Option<Self>;
    fn previous(self) -> Option<Self>;
}

impl Number for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl Number for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

/// Sorted intervals, both ends included, with a gap between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Intervals<T>(Vec<(T, T)>);

impl<T: Number> Intervals<T> {
    fn from_unsorted(mut intervals: Vec<(T, T)>) -> Self {
        intervals.retain(|(first, last)| first <= last);
        intervals.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::new();
        for (first, last) in intervals {
            match merged.last_mut() {
                Some(before) if before.1.next().is_none_or(|next| first <= next) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    fn insert(&mut self, mut first: T, mut last: T) {
        if first > last {
            return;
        }
        // What touches the new interval or is its neighbour becomes part of it.
        let begin = self.0.partition_point(|(_, end)| end.next().is_some_and(|next| next < first));
        let end = self.0.partition_point(|(start, _)| start.previous().is_none_or(|previous| previous <= last));
        if let Some(touched) = self.0.get(begin..end.max(begin)) {
            first = touched.first().map_or(first, |(start, _)| first.min(*start));
            last = touched.last().map_or(last, |(_, end)| last.max(*end));
        }
        self.0.splice(begin..end.max(begin), [(first, last)]);
    }

    fn remove(&mut self, first: T, last: T) {
        if first > last {
            return;
        }
        let begin = self.0.partition_point(|(_, end)| *end < first);
        let end = self.0.partition_point(|(start, _)| *start <= last).max(begin);
        let touched = self.0.get(begin..end).unwrap_or_default();
        let left = touched.first().and_then(|(start, _)| Some((*start, first.previous()?))).filter(|(a, b)| a <= b);
        let right = touched.last().and_then(|(_, end)| Some((last.next()?, *end))).filter(|(a, b)| a <= b);
        let rest: Vec<(T, T)> = left.into_iter().chain(right).collect();
        self.0.splice(begin..end, rest);
    }

    fn extend(&mut self, other: &Self) {
        if other.0.len() <= 4 {
            other.0.iter().for_each(|(first, last)| self.insert(*first, *last));
        } else {
            let both = self.0.iter().chain(&other.0).copied().collect();
            *self = Self::from_unsorted(both);
        }
    }

    fn overlaps(&self, first: T, last: T) -> bool {
        let at = self.0.partition_point(|(_, end)| *end < first);
        self.0.get(at).is_some_and(|(start, _)| *start <= last)
    }

    fn covers(&self, first: T, last: T) -> bool {
        let at = self.0.partition_point(|(_, end)| *end < first);
        self.0.get(at).is_some_and(|(start, end)| *start <= first && last <= *end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn v4(number: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, number])
    }

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), 0u8..40, 0u8..6), 0..40)) {
            let (mut set, mut plain) = (AddressSet::default(), BTreeSet::new());
            for (add, first, length) in steps {
                let last = first + length;
                match add {
                    true => { set.insert(v4(first), v4(last)); plain.extend(first..=last); }
                    false => { set.remove(v4(first), v4(last)); plain.retain(|n| !(first..=last).contains(n)); }
                }
                for number in 0..50 {
                    prop_assert_eq!(set.contains(v4(number)), plain.contains(&number));
                }
            }
            prop_assert_eq!(&set, &plain.iter().map(|number| v4(*number)).collect::<AddressSet>());
            let again: AddressSet = set.prefixes().iter().map(|prefix| (prefix.network(), prefix.broadcast())).collect();
            prop_assert_eq!(&set, &again);
            for pair in set.iter().collect::<Vec<_>>().windows(2) {
                prop_assert!(pair[0].1 < pair[1].0);
            }
        }

        #[test]
        fn sets_are_compared_as_sets(a in prop::collection::btree_set(0u8..30, 0..20), b in prop::collection::btree_set(0u8..30, 0..20)) {
            let make = |numbers: &BTreeSet<u8>| numbers.iter().map(|number| v4(*number)).collect::<AddressSet>();
            prop_assert_eq!(make(&a).overlaps(&make(&b)), !a.is_disjoint(&b));
            prop_assert_eq!(make(&a).is_subset(&make(&b)), a.is_subset(&b));
            let mut both = make(&a);
            both.extend(&make(&b));
            prop_assert_eq!(&both, &make(&a.union(&b).copied().collect()));
            both.subtract(&make(&b));
            prop_assert_eq!(&both, &make(&a.difference(&b).copied().collect()));
        }
    }

    #[test]
    fn the_ends_of_the_number_line_are_no_trap() {
        let mut set = AddressSet::world();
        let (zero, end) = (IpAddr::from([0; 4]), IpAddr::from([255; 4]));
        set.insert(end, end);
        assert_eq!(set, AddressSet::world());
        set.remove(zero, zero);
        set.remove(end, end);
        assert!(!set.contains(zero) && !set.contains(end) && set.contains(v4(1)));
        assert_eq!(AddressSet::world().prefixes().len(), 2);
    }

    #[test]
    fn an_interval_is_spelt_as_a_prefix_where_one_fits() {
        let mut set = AddressSet::default();
        set.insert(v4(0), v4(7));
        set.insert(v4(9), v4(10));
        let spelt: Vec<RuleSource> = set.sources().collect();
        assert_eq!(spelt[0], RuleSource::Prefix("10.0.0.0/29".parse().unwrap()));
        assert_eq!(spelt[1], RuleSource::Range(v4(9), v4(10)));
    }
}
