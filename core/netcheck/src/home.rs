//! The choice of the home region, and its reluctance: every move makes all peers learn a new way to us.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use wattle_keys::NodePublic;
use wattle_netmap::{DerpMap, RegionId, Score};
use wattle_time::Instant;

use crate::Report;
use crate::limits::HISTORY_MAX;
use crate::timing::{DOWN, FRAME_FRESH, HISTORY, HOME_GAIN_MIN};

/// The home region and what it was chosen from.
#[derive(Debug, Default)]
pub(crate) struct Home {
    region: Option<RegionId>,
    history: VecDeque<(Instant, BTreeMap<RegionId, Duration>)>,
    frame_at: Option<(RegionId, Instant)>,
    /// Regions whose relay could not be reached, and when that was said.
    down: BTreeMap<RegionId, Instant>,
}

impl Home {
    pub(crate) fn region(&self) -> Option<RegionId> {
        self.region
    }

    /// A relay of the region said something.
    pub(crate) fn note_frame(&mut self, region: RegionId, now: Instant) {
        if self.region == Some(region) {
            self.frame_at = Some((region, now));
        }
    }

    /// The home's relay could not be reached for a while, whatever STUN says of the region.
    pub(crate) fn note_down(&mut self, region: RegionId, now: Instant) {
        self.down.insert(region, now);
        self.frame_at.take_if(|(heard, _)| *heard == region);
    }

    /// There is a connection to a relay of the region.
    pub(crate) fn note_open(&mut self, region: RegionId) {
        self.down.remove(&region);
    }

    /// Another network: what was measured before says nothing about it.
    pub(crate) fn forget(&mut self) {
        self.history.clear();
        self.down.clear();
    }

    /// Chooses anew after a run. While control is away nobody could be told of a move, so there is none.
    pub(crate) fn choose(&mut self, map: &DerpMap, report: &Report, node: &NodePublic, control: bool, now: Instant) {
        self.history.push_back((now, report.region_latencies.clone()));
        while self.history.len() > HISTORY_MAX || self.history.front().is_some_and(|(at, _)| now.since(*at) > HISTORY) {
            self.history.pop_front();
        }
        let current = self.region.filter(|region| may_be_home(map, *region));
        if current.is_some() && !control {
            return;
        }
        self.down.retain(|region, since| map.regions.contains_key(region) && now.since(*since) < DOWN);
        let leaves = current.is_some_and(|current| self.down.contains_key(&current));
        let nearest = map
            .regions
            .keys()
            .filter(|region| may_be_home(map, **region))
            // Who has to leave takes one that was down earlier rather than none.
            .filter(|region| if leaves { current != Some(**region) } else { !self.down.contains_key(region) })
            // One that has not answered this time may be gone, however near it was.
            .filter(|region| report.region_latencies.contains_key(region))
            .filter_map(|region| Some((self.down.get(region).copied(), self.recent_best(map, *region)?, *region)))
            .min()
            .map(|(_, latency, region)| (latency, region));
        self.region = match (current, nearest) {
            (None, None) => fallback(map, node),
            (Some(current), None) => Some(current),
            (None, Some((_, nearest))) => Some(nearest),
            (Some(_), Some((_, nearest))) if leaves => Some(nearest),
            (Some(current), Some((gained, nearest))) => {
                Some(if self.stays(map, report, current, gained, now) { current } else { nearest })
            }
        };
        if let Some(region) = self.region.filter(|region| current != Some(*region)) {
            self.down.remove(&region);
        }
    }

    /// Whether a region as near as `gained` is not worth leaving the current one for.
    fn stays(&self, map: &DerpMap, report: &Report, current: RegionId, gained: Duration, now: Instant) -> bool {
        match report.region_latencies.get(&current) {
            Some(latency) => {
                let latency = scored(map, current, *latency);
                latency.saturating_sub(gained) < HOME_GAIN_MIN || gained > latency * 2 / 3
            }
            // STUN said nothing of it; its relay may be well.
            None => self.frame_at.is_some_and(|(region, at)| region == current && now.since(at) <= FRAME_FRESH),
        }
    }

    fn recent_best(&self, map: &DerpMap, region: RegionId) -> Option<Duration> {
        let shortest = self.history.iter().filter_map(|(_, latencies)| latencies.get(&region)).min()?;
        Some(scored(map, region, *shortest))
    }
}

fn scored(map: &DerpMap, region: RegionId, latency: Duration) -> Duration {
    let score = map.region_scores.get(&region).map_or(1000, |Score { thousandths }| *thousandths);
    latency.saturating_mul(score) / 1000
}

fn may_be_home(map: &DerpMap, region: RegionId) -> bool {
    map.regions.get(&region).is_some_and(|region| {
        !region.avoid && !region.no_measure_no_home && region.nodes.iter().any(|node| !node.stun_only)
    })
}

/// Any region, always the same one for this node, so that nodes without measurements spread over regions.
fn fallback(map: &DerpMap, node: &NodePublic) -> Option<RegionId> {
    let regions: Vec<RegionId> = map.regions.keys().copied().filter(|region| may_be_home(map, *region)).collect();
    let [first, second, ..] = *node.as_bytes();
    let index = usize::from(u16::from_be_bytes([first, second])).checked_rem(regions.len())?;
    regions.get(index).copied()
}

#[cfg(test)]
mod tests {
    use wattle_netmap::{DerpNode, DerpRegion};

    use super::*;

    const NODE: NodePublic = NodePublic::from_bytes([7; 32]);

    fn map() -> DerpMap {
        let region = |id| DerpRegion { id, nodes: vec![DerpNode::default()], ..DerpRegion::default() };
        let regions = [1, 2, 3].map(RegionId).into_iter().map(|id| (id, region(id))).collect();
        DerpMap { regions, ..DerpMap::default() }
    }

    fn report(latencies: &[(u16, u64)]) -> Report {
        let region_latencies = latencies.iter().map(|(id, ms)| (RegionId(*id), Duration::from_millis(*ms))).collect();
        Report { region_latencies, ..Report::default() }
    }

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    fn home_after(runs: &[(u64, &[(u16, u64)])]) -> Option<u16> {
        let mut home = Home::default();
        for (seconds, latencies) in runs {
            home.choose(&map(), &report(latencies), &NODE, true, at(*seconds));
        }
        home.region().map(|region| region.0)
    }

    #[test]
    fn the_nearest_region_becomes_home() {
        assert_eq!(home_after(&[(0, &[(1, 50), (2, 20), (3, 90)])]), Some(2));
    }

    #[test]
    fn a_region_a_little_nearer_is_not_worth_moving() {
        assert_eq!(home_after(&[(0, &[(1, 15)]), (20, &[(1, 15), (2, 6)])]), Some(1), "less than 10 ms");
        assert_eq!(home_after(&[(0, &[(1, 100)]), (20, &[(1, 100), (2, 70)])]), Some(1), "less than a third");
        assert_eq!(home_after(&[(0, &[(1, 100)]), (20, &[(1, 100), (2, 60)])]), Some(2));
    }

    #[test]
    fn one_good_run_counts_for_five_minutes() {
        assert_eq!(home_after(&[(0, &[(1, 20), (2, 90)]), (20, &[(1, 60), (2, 50)])]), Some(1));
        assert_eq!(home_after(&[(0, &[(1, 20), (2, 90)]), (400, &[(1, 90), (2, 50)])]), Some(2));
    }

    #[test]
    fn home_stays_while_its_relay_speaks_or_control_is_away() {
        let mut home = Home::default();
        home.choose(&map(), &report(&[(1, 10)]), &NODE, true, at(0));
        home.choose(&map(), &report(&[(2, 5)]), &NODE, false, at(20));
        assert_eq!(home.region(), Some(RegionId(1)), "control is away");
        home.note_frame(RegionId(1), at(395));
        home.choose(&map(), &report(&[(2, 5)]), &NODE, true, at(400));
        assert_eq!(home.region(), Some(RegionId(1)), "the relay speaks");
        home.choose(&map(), &report(&[(2, 5)]), &NODE, true, at(800));
        assert_eq!(home.region(), Some(RegionId(2)));
    }

    #[test]
    fn a_region_whose_relay_is_down_is_left_at_once_and_not_taken_again_soon() {
        let mut home = Home::default();
        let all = report(&[(1, 10), (2, 30), (3, 20)]);
        home.choose(&map(), &all, &NODE, true, at(0));
        home.note_frame(RegionId(1), at(4));
        home.note_down(RegionId(1), at(5));
        home.choose(&map(), &all, &NODE, true, at(5));
        assert_eq!(home.region(), Some(RegionId(3)));
        home.choose(&map(), &all, &NODE, true, at(100));
        assert_eq!(home.region(), Some(RegionId(3)), "STUN answers, but the relay was down");
        home.note_down(RegionId(3), at(200));
        let others = report(&[(1, 10), (3, 20)]);
        home.choose(&map(), &others, &NODE, true, at(200));
        assert_eq!(home.region(), Some(RegionId(1)), "one that was down is better than one that is");
        home.choose(&map(), &others, &NODE, true, at(201));
        assert_eq!(home.region(), Some(RegionId(1)), "and it gets another chance");
        home.note_open(RegionId(1));
        let far = report(&[(1, 10), (3, 90)]);
        home.choose(&map(), &far, &NODE, true, at(1000));
        assert_eq!(home.region(), Some(RegionId(1)));
    }

    #[test]
    fn a_region_that_does_not_answer_any_more_is_not_chosen_for_its_past() {
        assert_eq!(home_after(&[(0, &[(1, 50), (2, 5)]), (20, &[(1, 50), (3, 60)])]), Some(1));
    }

    #[test]
    fn without_measurements_a_node_always_picks_the_same() {
        let first = home_after(&[(0, &[])]);
        assert!(first.is_some());
        assert_eq!(home_after(&[(0, &[])]), first);
    }

    #[test]
    fn scores_and_marks_of_the_map_count() {
        let mut map = map();
        map.region_scores.insert(RegionId(1), Score { thousandths: 250 });
        map.regions.get_mut(&RegionId(2)).unwrap().avoid = true;
        let mut home = Home::default();
        home.choose(&map, &report(&[(1, 100), (2, 1), (3, 30)]), &NODE, true, at(0));
        assert_eq!(home.region(), Some(RegionId(1)));
    }

    #[test]
    fn a_region_that_left_the_map_is_left_even_without_control() {
        let mut home = Home::default();
        home.choose(&map(), &report(&[(1, 10)]), &NODE, true, at(0));
        let mut smaller = map();
        smaller.regions.remove(&RegionId(1));
        home.choose(&smaller, &report(&[(2, 30)]), &NODE, false, at(9));
        assert_eq!(home.region(), Some(RegionId(2)));
    }
}
