//! How long a message may be on the nominated path: pairs of a small and a padded ping. Only the padded one missing, several
//! times, is a hole; both missing is loss.

use std::time::Duration;

use wattle_time::Instant;
use wattle_wire::disco::TransactionId;

use crate::timing::{MTU_AGAIN, MTU_AGAIN_SMALL, MTU_TRIAL};

/// UDP payloads that are tried, longest first. The first is our longest message, a packet of the TUN device's 1280 bytes
/// with WireGuard's header and tag; the second fits the smallest IPv6 link (1280 with headers); the last what every IPv4
/// host must take (576).
const SIZES: [u16; 4] = [1312, 1232, 1024, 548];
/// A size that fails this many pairs in a row whose small ping was answered does not pass.
const HOLES: u32 = 3;
/// After this many, long messages no longer take a path that passed them before.
const HOLES_SUSPICIOUS: u32 = 2;
/// Pairs without any answer before it is left for later.
const MUTE_MAX: u32 = 6;

/// Our longest message.
pub(crate) const FULL: u16 = SIZES[0];

/// What passes without asking: messages up to this long pass every path that anything passes.
pub const SURE: u16 = 1232;

/// The search on one path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PathMtu {
    known: Known,
    trial: Option<Trial>,
    /// When it is looked at again while there is traffic.
    again_at: Option<Instant>,
    /// Nothing answered the last time: not before then.
    mute_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    /// Nothing was tried.
    #[default]
    Nothing,
    /// Our longest message passes.
    Full,
    /// No more than this.
    Limit(u16),
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    /// Index in [`SIZES`].
    size: usize,
    holes: u32,
    mute: u32,
    pair: Option<Pair>,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    small: TransactionId,
    padded: TransactionId,
    small_answered: bool,
    ends_at: Instant,
}

impl PathMtu {
    /// The largest UDP payload, as far as is known.
    pub(crate) fn limit(&self) -> u16 {
        if let Known::Limit(limit) = self.known { limit } else { u16::MAX }
    }

    /// Messages longer than this had better go another way.
    pub(crate) fn sure(&self) -> Option<u16> {
        match self.known {
            Known::Nothing => Some(SURE),
            Known::Limit(limit) => Some(limit),
            Known::Full => None,
        }
    }

    /// Begins, if it is time. The path has carried data.
    pub(crate) fn start_if_due(&mut self, now: Instant) {
        let due = match self.again_at {
            Some(again) => again <= now,
            None => self.known == Known::Nothing,
        };
        if self.trial.is_none() && due {
            self.trial = Some(Trial { size: 0, holes: 0, mute: 0, pair: None });
            self.again_at = None;
        }
    }

    /// Long messages are being sent: see that they still pass. Routes change under a path, and nobody tells.
    pub(crate) fn check(&mut self, now: Instant) {
        if self.trial.is_none()
            && self.mute_until.is_none_or(|until| now >= until)
            && !matches!(self.known, Known::Limit(_))
        {
            self.trial = Some(Trial { size: 0, holes: 0, mute: 0, pair: None });
            self.again_at = None;
        }
    }

    /// How long the padded ping of the next pair is; `None`: there is none to send.
    pub(crate) fn wants_pair(&self) -> Option<u16> {
        let trial = self.trial.filter(|trial| trial.pair.is_none())?;
        SIZES.get(trial.size).copied()
    }

    /// The pair was sent.
    pub(crate) fn note_pair(&mut self, small: TransactionId, padded: TransactionId, latency: Duration, now: Instant) {
        if let Some(trial) = &mut self.trial {
            let ends_at = now + MTU_TRIAL.max(latency * 3);
            trial.pair = Some(Pair { small, padded, small_answered: false, ends_at });
        }
    }

    /// A ping to the path was answered. Returns whether that changed what is known.
    pub(crate) fn note_pong(&mut self, transaction: TransactionId, now: Instant) -> bool {
        let Some(Trial { size, pair: Some(pair), .. }) = &mut self.trial else { return false };
        if pair.small == transaction {
            pair.small_answered = true;
        }
        if pair.padded != transaction {
            return false;
        }
        let size = *size;
        self.conclude(size, now)
    }

    /// Lets time pass. Returns whether that changed what is known.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        let Some(trial) = &mut self.trial else { return false };
        let Some(pair) = trial.pair.take_if(|pair| pair.ends_at <= now) else { return false };
        if pair.small_answered {
            trial.holes += 1;
        } else {
            trial.mute += 1;
        }
        if trial.mute >= MUTE_MAX {
            self.trial = None;
            self.again_at = Some(now + MTU_AGAIN_SMALL);
            self.mute_until = self.again_at;
            return false;
        }
        if trial.holes < HOLES {
            // What goes on as if nothing were wrong may be vanishing: from now on it takes the relay.
            return trial.holes >= HOLES_SUSPICIOUS
                && self.known == Known::Full
                && std::mem::take(&mut self.known) == Known::Full;
        }
        *trial = Trial { size: trial.size + 1, holes: 0, mute: 0, pair: None };
        let size = trial.size;
        match SIZES.get(size) {
            // Until it is known what passes, the next smaller size may be hoped for.
            Some(limit) => std::mem::replace(&mut self.known, Known::Limit(*limit)) != self.known,
            None => self.conclude(SIZES.len() - 1, now),
        }
    }

    /// Whether a pair is on its way.
    pub(crate) fn is_searching(&self) -> bool {
        self.trial.is_some_and(|trial| trial.pair.is_some())
    }

    /// When the pair is judged, or the next search begins.
    pub(crate) fn due(&self) -> Option<(Instant, &'static str)> {
        match self.trial {
            Some(trial) => trial.pair.map(|pair| (pair.ends_at, "path MTU")),
            None => self.again_at.map(|again| (again, "path MTU again")),
        }
    }

    fn conclude(&mut self, size: usize, now: Instant) -> bool {
        let known = match SIZES.get(size) {
            Some(limit) if size > 0 => Known::Limit(*limit),
            _ => Known::Full,
        };
        self.trial = None;
        self.mute_until = None;
        self.again_at = Some(now + if known == Known::Full { MTU_AGAIN } else { MTU_AGAIN_SMALL });
        std::mem::replace(&mut self.known, known) != known
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a search on a path that passes messages up to `passes`, of which padded pings are lost when `lost` says so.
    fn search(mtu: &mut PathMtu, passes: u16, answers: bool, now: &mut Instant, mut lost: impl FnMut() -> bool) {
        mtu.start_if_due(*now);
        let mut number = 0;
        while let Some(size) = mtu.wants_pair() {
            number += 2;
            let [small, padded] = [number, number + 1].map(|byte: u8| TransactionId([byte; 12]));
            mtu.note_pair(small, padded, Duration::from_millis(20), *now);
            if answers {
                mtu.note_pong(small, *now);
            }
            if answers && size <= passes && !lost() {
                mtu.note_pong(padded, *now);
            }
            *now = *now + MTU_TRIAL;
            mtu.handle_timeout(*now);
        }
    }

    #[test]
    fn a_path_that_passes_everything_has_no_limit() {
        let (mut mtu, mut now) = (PathMtu::default(), Instant::ORIGIN);
        assert_eq!((mtu.limit(), mtu.sure()), (u16::MAX, Some(SURE)));
        search(&mut mtu, 1400, true, &mut now, || false);
        assert_eq!((mtu.limit(), mtu.sure()), (u16::MAX, None));
        assert_eq!(mtu.due(), Some((Instant::ORIGIN + MTU_AGAIN, "path MTU again")));
    }

    #[test]
    fn a_hole_is_found_within_two_seconds_and_looked_at_again() {
        let (mut mtu, mut now) = (PathMtu::default(), Instant::ORIGIN);
        search(&mut mtu, 1300, true, &mut now, || false);
        assert_eq!((mtu.limit(), mtu.sure()), (1232, Some(1232)));
        assert!(now.since(Instant::ORIGIN) <= Duration::from_secs(2));
        now = now + MTU_AGAIN_SMALL;
        search(&mut mtu, 1400, true, &mut now, || false);
        assert_eq!(mtu.limit(), u16::MAX, "the hole is gone");
    }

    #[test]
    fn long_messages_leave_a_path_that_begins_to_lose_them_within_a_second() {
        let (mut mtu, mut now) = (PathMtu::default(), Instant::ORIGIN);
        search(&mut mtu, 1400, true, &mut now, || false);
        let start = now;
        mtu.check(now);
        let mut left = None;
        while mtu.wants_pair().is_some() {
            let [small, padded] = [1, 2].map(|byte: u8| TransactionId([byte; 12]));
            mtu.note_pair(small, padded, Duration::from_millis(20), now);
            mtu.note_pong(small, now);
            now = now + MTU_TRIAL;
            if mtu.handle_timeout(now) && left.is_none() {
                left = Some((now.since(start), mtu.limit(), mtu.sure()));
            }
        }
        assert_eq!(left, Some((MTU_TRIAL * 2, u16::MAX, Some(SURE))), "by the relay, before the limit is known");
    }

    #[test]
    fn a_path_that_has_died_teaches_nothing() {
        let (mut mtu, mut now) = (PathMtu::default(), Instant::ORIGIN);
        search(&mut mtu, 1400, false, &mut now, || false);
        assert_eq!(mtu.limit(), u16::MAX);
    }

    proptest! {
        #[test]
        fn a_search_ends_and_knows_no_more_than_passes(passes in 548u16..2000, losses: u64) {
            let (mut mtu, mut now, mut losses) = (PathMtu::default(), Instant::ORIGIN, losses);
            search(&mut mtu, passes, true, &mut now, || {
                losses = losses.rotate_left(1);
                losses & 7 == 0
            });
            prop_assert!(now.since(Instant::ORIGIN) < Duration::from_secs(30));
            prop_assert!(mtu.trial.is_none() && mtu.wants_pair().is_none());
            prop_assert!(mtu.sure().is_none_or(|sure| sure <= passes));
            prop_assert!(mtu.sure().is_some() || passes >= SIZES[0]);
        }
    }
}
