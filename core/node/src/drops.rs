//! Why the packet path drops packets, and how often it did.

use std::sync::atomic::{AtomicU64, Ordering};

use wattle_tunnel::{OpenError, SealError};

/// Why one packet or message went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Out: not an IP packet.
    NotIp,
    /// Out: its destination is nobody's.
    NoRoute,
    /// Out: there is a session, but no way to the peer.
    NoWay,
    /// Out: no room to seal it.
    TooLarge,
    /// Out: the socket had no room.
    SocketFull,
    /// Out: the socket did not take it.
    SocketRefused,
    /// Either way: the slow half is busy.
    SlowHalfBusy,
    /// In: neither data nor anything else that we speak.
    Malformed,
    /// In: no session has this index (any more).
    NoSession,
    /// In: it does not authenticate.
    Forged,
    /// In: it came before, or much too late.
    Replayed,
    /// In: the source address is not the peer's.
    NotTheirs,
    /// In: the host did not take it.
    HostRefused,
    /// In: the packet filter, with its own reason.
    Filtered(wattle_filter::DropReason),
}

impl From<OpenError> for DropReason {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Malformed => Self::Malformed,
            OpenError::Forged => Self::Forged,
            OpenError::Replayed => Self::Replayed,
            OpenError::Expired => Self::NoSession,
        }
    }
}

impl From<SealError> for DropReason {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NoRoom => Self::TooLarge,
            // The caller hands such packets to the slow half, so this is never counted for them.
            SealError::Expired => Self::NoSession,
        }
    }
}

const PLAIN: [DropReason; 13] = [
    DropReason::NotIp,
    DropReason::NoRoute,
    DropReason::NoWay,
    DropReason::TooLarge,
    DropReason::SocketFull,
    DropReason::SocketRefused,
    DropReason::SlowHalfBusy,
    DropReason::Malformed,
    DropReason::NoSession,
    DropReason::Forged,
    DropReason::Replayed,
    DropReason::NotTheirs,
    DropReason::HostRefused,
];
const FILTERED: usize = wattle_filter::DropReason::ALL.len();

impl DropReason {
    /// All of them, for metrics.
    pub fn all() -> impl Iterator<Item = Self> {
        PLAIN.into_iter().chain(wattle_filter::DropReason::ALL.into_iter().map(Self::Filtered))
    }

    /// The reason as a label of a counter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotIp => "not_ip",
            Self::NoRoute => "no_route",
            Self::NoWay => "no_way",
            Self::TooLarge => "too_large",
            Self::SocketFull => "socket_full",
            Self::SocketRefused => "socket_refused",
            Self::SlowHalfBusy => "slow_half_busy",
            Self::Malformed => "malformed",
            Self::NoSession => "no_session",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::NotTheirs => "not_theirs",
            Self::HostRefused => "host_refused",
            Self::Filtered(reason) => match reason {
                wattle_filter::DropReason::TooShort => "filter_too_short",
                wattle_filter::DropReason::Malformed => "filter_malformed",
                wattle_filter::DropReason::Multicast => "filter_multicast",
                wattle_filter::DropReason::LinkLocal => "filter_link_local",
                wattle_filter::DropReason::NotLocal => "filter_not_local",
                wattle_filter::DropReason::NoRule => "filter_no_rule",
                wattle_filter::DropReason::ShieldsUp => "filter_shields_up",
            },
        }
    }
}

/// Counters of drops, shared by all data threads.
#[derive(Debug, Default)]
pub struct Drops {
    plain: [AtomicU64; PLAIN.len()],
    filtered: [AtomicU64; FILTERED],
}

impl Drops {
    /// Counts one.
    pub fn note(&self, reason: DropReason) {
        if let Some(counter) = self.counter(reason) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many were dropped for this reason.
    pub fn count(&self, reason: DropReason) -> u64 {
        self.counter(reason).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    fn counter(&self, reason: DropReason) -> Option<&AtomicU64> {
        match reason {
            DropReason::Filtered(reason) => {
                let at = wattle_filter::DropReason::ALL.iter().position(|other| *other == reason)?;
                self.filtered.get(at)
            }
            reason => self.plain.get(PLAIN.iter().position(|other| *other == reason)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_counter_and_a_name_of_its_own() {
        let drops = Drops::default();
        for reason in DropReason::all() {
            drops.note(reason);
        }
        assert!(DropReason::all().all(|reason| drops.count(reason) == 1));
        let names: BTreeSet<&str> = DropReason::all().map(DropReason::as_str).collect();
        assert_eq!(names.len(), DropReason::all().count());
    }
}
