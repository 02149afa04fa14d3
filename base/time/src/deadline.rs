//! When a machine wants to be called again, with room for coalescing and a name for the reason.

use crate::Instant;

/// Call `handle_timeout` between `earliest` and `latest`. A timer that never fires, or always does, names itself by `why`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// Before this a call would do nothing.
    pub earliest: Instant,
    /// After this the machine is late.
    pub latest: Instant,
    /// What is waiting, for logs and for finding stuck timers.
    pub why: &'static str,
}

impl Deadline {
    /// A deadline without slack.
    pub const fn at(when: Instant, why: &'static str) -> Self {
        Self { earliest: when, latest: when, why }
    }

    /// A deadline that may be met anywhere between `earliest` and `latest`.
    pub const fn between(earliest: Instant, latest: Instant, why: &'static str) -> Self {
        Self { earliest, latest, why }
    }
}

/// The deadline that must be met first.
pub fn earliest(deadlines: impl IntoIterator<Item = Option<Deadline>>) -> Option<Deadline> {
    deadlines.into_iter().flatten().min_by_key(|deadline| deadline.latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_is_late_first_comes_first() {
        let soon = Deadline::between(Instant::from_nanos(1), Instant::from_nanos(50), "slack");
        let strict = Deadline::at(Instant::from_nanos(10), "strict");
        assert_eq!(earliest([Some(soon), None, Some(strict)]), Some(strict));
        assert_eq!(earliest([None, None]), None);
    }
}
