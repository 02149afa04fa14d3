//! The rules of one IP version, arranged so that a packet does not meet those that are not about it.
//!
//! Destinations are a nest of blocks. At each block stands a nest of services, equal ones once. At each block of those
//! stand the sources: a set of stretches of the axis of sources. A verdict is one search for the stretch of the source,
//! one for the destination, one for the service at each block around the destination, and one in the set at each block
//! around the service. Depth is bounded by the width of addresses and ports, never by the number of rules, and rules
//! that are the same to a packet (destinations that are not ours taken away) are one block.
//!
//! Memory grows with the numbers in the rules: a rule costs a place for each block of its destinations times each block
//! of its services (a prefix is one, a port with the usual protocols three, a range of ports at most 48 for each
//! protocol), whatever the number of its sources, which are kept once. The sets at a place are united within a budget:
//! no structure can answer for large sets in every combination both fast and in memory that is not their product, so
//! beyond the budget they are asked one by one. [`Matcher::walk_max`] tells of that.

use crate::known::{Known, in_order};
use crate::limits::Budget;
use crate::nest::{Nest, Number, Span};
use crate::packed::{PackedNests, Packer};
use crate::ranges::{Range, Ranges, blocks};
use crate::sets::{Set, Sets, SetsBuilder};
use crate::sources::Stretches;

/// Which sources reach which services where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matcher<N> {
    sources: Stretches<N>,
    /// To nests of services.
    destinations: Nest<N, u32>,
    services: PackedNests,
    sets: Sets,
    /// What there was no place for.
    walked: Box<[Walked<N>]>,
}

/// A part of a rule, as it came.
#[derive(Clone, Copy, Debug)]
struct Walked<N> {
    destinations: Span<N>,
    services: Span<u32>,
    set: Set,
}

impl<N: Number> Matcher<N> {
    /// Whether a rule allows this service from there to there.
    pub(crate) fn allows(&self, source: N, destination: N, service: u32) -> bool {
        let stretch = self.sources.of(source);
        let mut sets = self.destinations.around(destination).flat_map(|nest| self.services.around(nest, service));
        sets.any(|set| self.sets.hold(set, stretch))
            || self.walked.iter().any(|rule| {
                rule.destinations.contains(destination)
                    && rule.services.contains(service)
                    && self.sets.hold(rule.set, stretch)
            })
    }

    /// How much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let walked = size_of_val(&*self.walked);
        self.sources.bytes() + self.destinations.bytes() + self.services.bytes() + self.sets.bytes() + walked
    }

    /// How many sets and rules are walked through at most, where everything else is searched.
    pub(crate) const fn walk_max(&self) -> usize {
        self.sets.several_max() + self.walked.len()
    }
}

/// Services that are open to a set of sources.
type Opened = (Span<u32>, u32);

/// Takes rules one by one.
#[derive(Debug)]
pub(crate) struct MatcherBuilder<'a, N> {
    /// Our own addresses and routes: no packet to others gets as far as the rules.
    local: &'a Ranges,
    budget: Budget,
    sets: Known<Ranges>,
    /// What is open at blocks of destinations.
    placed: Vec<(Span<N>, Opened)>,
    places: usize,
    walked: Vec<(Span<N>, Opened)>,
    /// Used again and again.
    parts: Vec<Span<N>>,
}

impl<'a, N: Number> MatcherBuilder<'a, N> {
    pub(crate) fn new(local: &'a Ranges, budget: Budget) -> Self {
        let (placed, walked, parts) = Default::default();
        Self { local, budget, sets: Known::default(), placed, places: 0, walked, parts }
    }

    /// Lets these sources reach services at the destinations of ranges.
    pub(crate) fn push<'s>(&mut self, sources: Ranges, targets: impl Iterator<Item = (Range, &'s [Span<u32>])>) {
        if sources.is_empty() {
            return;
        }
        // Most rules of a large network are not about us, in one IP version at least: their sources are not kept.
        let local = self.local;
        let mut targets = targets.filter(|(range, _)| local.narrow(*range).is_some()).peekable();
        if targets.peek().is_none() {
            return;
        }
        let next = self.sets.len() as u32;
        let set = *self.sets.entry(sources).or_insert(next);
        targets.for_each(|(range, services)| self.open(set, range, services));
    }

    fn open(&mut self, set: u32, range: Range, services: &[Span<u32>]) {
        let Some(destinations) = self.local.narrow(range).and_then(Span::new) else { return };
        self.parts.clear();
        self.parts.extend(blocks(range, 1).filter_map(|block| self.local.narrow(block)).filter_map(Span::new));
        let places = self.parts.len() * services.iter().map(|services| service_blocks(services).count()).sum::<usize>();
        let opened = services.iter().map(|services| (*services, set));
        if self.places + places > self.budget.places {
            self.walked.extend(opened.map(|opened| (destinations, opened)));
        } else {
            self.places += places;
            self.placed.extend(opened.flat_map(|opened| self.parts.iter().map(move |part| (*part, opened))));
        }
    }

    pub(crate) fn build(self) -> Matcher<N> {
        let (sources, turns) = Stretches::new(&in_order(self.sets));
        let mut sets = SetsBuilder::default();
        let mut services: Vec<Nest<u32, u32>> = Vec::new();
        let mut known = Known::<Box<[Opened]>>::default();
        let destinations = Nest::new(self.placed, |opened| match known.get(opened) {
            Some(nest) => *nest,
            None => {
                services.push(nest_services(opened, &mut sets));
                let nest = services.len() as u32 - 1;
                known.insert(opened.into(), nest);
                nest
            }
        });
        let walked: Vec<(Span<N>, Span<u32>, u32)> = self
            .walked
            .into_iter()
            .map(|(destinations, (services, set))| (destinations, services, sets.place(&[set])))
            .collect();
        let (sets, by_place) = sets.build(&turns, sources.len(), &self.budget);
        let at = |place: u32| by_place.get(place as usize).copied().unwrap_or_default();
        let mut packer = Packer::default();
        let begins: Vec<u32> = services.iter().map(|nest| packer.push(nest, at)).collect();
        let destinations = destinations.map(|nest: u32| begins.get(nest as usize).copied().unwrap_or(u32::MAX));
        let walked =
            walked.into_iter().map(|(destinations, services, place)| Walked { destinations, services, set: at(place) });
        Matcher { sources, destinations, services: packer.finish(), sets, walked: walked.collect() }
    }
}

/// The services that are open, to places of sets.
fn nest_services(opened: &[Opened], sets: &mut SetsBuilder) -> Nest<u32, u32> {
    let mut placed = Vec::with_capacity(opened.len());
    for (services, set) in opened {
        placed.extend(service_blocks(services).map(|block| (block, *set)));
    }
    Nest::new(placed, |sources| sets.place(sources))
}

/// In steps of two bits: half as many blocks around a service, and hardly more of them in all.
fn service_blocks(services: &Span<u32>) -> impl Iterator<Item = Span<u32>> {
    blocks((u128::from(services.first), u128::from(services.last)), 2).filter_map(Span::new)
}

#[cfg(test)]
mod tests;
