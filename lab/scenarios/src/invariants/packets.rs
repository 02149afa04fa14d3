//! Packets that had to come, or had to stay away.

use std::collections::BTreeMap;
use std::time::Duration;

use wattle_time::Instant;

use super::clock;
use crate::reference::Verdict;
use crate::traffic::Said;

/// A packet that is under way may be overtaken by a change.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// A path may die without anybody being told, when a NAT forgets it: then there is a gap no longer than this.
const GAP_MAX: Duration = Duration::from_secs(3);
/// And of a hundred packets so many may be lost in such gaps ...
const LOST_PERCENT_MAX: u32 = 10;
/// ... unless there were only few.
const LOST_MIN: u32 = 10;
/// Of packets that chance may take, at least so many of a hundred come.
const MANY_PERCENT: u32 = 40;
/// Fewer say nothing.
const MANY_MIN: u32 = 20;

/// What was said by one to another, as far as it is judged.
#[derive(Default)]
struct Conversation {
    due: u32,
    lost: u32,
    /// The first and last of the packets lost in a row just now, and how many they are.
    gap: Option<(Instant, Instant, u32)>,
    longest: Option<(Instant, Instant, u32)>,
    many: (u32, u32),
    forbidden: Option<Instant>,
}

impl Conversation {
    fn note(&mut self, said: &Said, verdict: Verdict, overtaken: bool) {
        match verdict {
            Verdict::MustNot if said.came.is_some() => _ = self.forbidden.get_or_insert(said.at),
            Verdict::Must if !overtaken => {
                self.due += 1;
                if said.came.is_some() {
                    self.gap = None;
                    return;
                }
                self.lost += 1;
                let (first, count) = self.gap.map_or((said.at, 0), |(first, _, count)| (first, count));
                self.gap = Some((first, said.at, count + 1));
                let length = |gap: &(Instant, Instant, u32)| gap.1.since(gap.0);
                self.longest = self.longest.into_iter().chain(self.gap).max_by_key(length);
            }
            Verdict::Many if !overtaken => {
                self.many = (self.many.0 + 1, self.many.1 + u32::from(said.came.is_some()));
            }
            Verdict::Must | Verdict::Many | Verdict::MustNot | Verdict::Open => {}
        }
    }

    fn violations(&self, from: &str, to: &str) -> Vec<String> {
        let mut violations = Vec::new();
        if let Some(at) = self.forbidden {
            violations.push(format!("{}: a packet of {from} came to {to}, which no policy allows", clock(at)));
        }
        if let Some((first, last, count)) = self.longest.filter(|(first, last, _)| last.since(*first) > GAP_MAX) {
            let (first, last) = (clock(first), clock(last));
            violations.push(format!("{first} to {last}: {count} packets of {from} in a row did not come to {to}"));
        } else if self.lost >= LOST_MIN && self.lost * 100 > self.due * LOST_PERCENT_MAX {
            violations.push(format!("{} of {} packets of {from} did not come to {to}", self.lost, self.due));
        }
        let (count, came) = self.many;
        if count >= MANY_MIN && came * 100 < count * MANY_PERCENT {
            violations.push(format!("only {came} of {count} packets of {from} came to {to}"));
        }
        violations
    }
}

/// Judges what was said, in order, by the verdicts at that time. `changes` are the moments at which something happened.
pub(super) fn judge(
    said: &[Said],
    verdicts: &[Verdict],
    changes: &[Instant],
    names: &[String],
    now: Instant,
) -> Vec<String> {
    let mut conversations: BTreeMap<(usize, usize), Conversation> = BTreeMap::new();
    for (said, verdict) in said.iter().zip(verdicts) {
        let next = changes.iter().copied().find(|change| *change >= said.at).unwrap_or(now);
        let overtaken = next.since(said.at) <= UNDER_WAY;
        conversations.entry((said.from, said.to)).or_default().note(said, *verdict, overtaken);
    }
    conversations
        .iter()
        .flat_map(|((from, to), conversation)| conversation.violations(&names[*from], &names[*to]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_nanos(2_000_000_000_000);

    /// One packet a second, of which some are lost; the verdict of all is the same.
    fn judged(verdict: Verdict, lost: std::ops::Range<u64>) -> Vec<String> {
        let at = |second| crate::START + Duration::from_secs(second);
        let said =
            |second: u64| Said { from: 0, to: 1, at: at(second), came: (!lost.contains(&second)).then(|| at(second)) };
        let said: Vec<Said> = (0..60).map(said).collect();
        judge(&said, &[verdict; 60], &[], &["a".to_owned(), "b".to_owned()], NOW)
    }

    #[test]
    fn a_short_gap_is_forgiven_and_a_long_one_is_not() {
        assert_eq!(judged(Verdict::Must, 20..23), Vec::<String>::new());
        let violations = judged(Verdict::Must, 20..25);
        assert_eq!(violations, ["20.000s to 24.000s: 5 packets of a in a row did not come to b"]);
    }

    #[test]
    fn what_no_policy_allows_must_not_come() {
        assert_eq!(judged(Verdict::MustNot, 0..60), Vec::<String>::new());
        assert_eq!(judged(Verdict::MustNot, 0..59).len(), 1);
    }

    #[test]
    fn where_chance_takes_packets_many_come_all_the_same() {
        assert_eq!(judged(Verdict::Many, 0..30), Vec::<String>::new());
        assert_eq!(judged(Verdict::Many, 0..40).len(), 1);
    }
}
