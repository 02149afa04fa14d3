//! Changes of the network and what they are worth: when everything is put in doubt, and when sockets are made anew.
//!
//! Decides only. An interface that flaps ten times a second must cost little, so that changes which come too fast are
//! gathered into one.

use std::time::Duration;

use wattle_host::Network;
use wattle_time::Instant;
use wattle_udp::Sent;

/// Changes that are acted on at once ...
const BURST: u32 = 3;
/// ... and how fast more of them are, in the long run: each costs a ping to every candidate of every peer in use.
const EVERY: Duration = Duration::from_secs(2);
/// Sockets that keep failing are made anew no more often (tailscale `magicsock.go maybeRebindOnError`).
const REBIND_EVERY: Duration = Duration::from_secs(5);

/// The network, and what is to be done about it.
#[derive(Debug)]
pub(super) struct Changes {
    network: Network,
    wish: Wish,
    left: u32,
    refilled: Instant,
    rebound: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wish {
    /// The network is another one.
    look: bool,
    /// What worked may fail.
    doubt: bool,
    /// The sockets fail.
    rebind: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Sockets anew, and everything in doubt.
    Break,
    /// Tell of the new addresses; what works goes on.
    Growth,
    /// Sockets anew, nothing else.
    Rebind,
}

impl Changes {
    pub(super) fn new(network: Network, now: Instant) -> Self {
        Self { network, wish: Wish::default(), left: BURST, refilled: now, rebound: None }
    }

    /// The network as it is.
    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// The host says that it changed.
    pub(super) fn note_network(&mut self, network: Network, is_break: bool) {
        self.network = network;
        self.wish.look = true;
        self.wish.doubt |= is_break;
    }

    /// The machine slept: the world went on without us.
    pub(super) fn note_woke(&mut self) {
        self.wish.doubt = true;
    }

    /// A datagram was not sent. Most failures say something about its destination; some about the socket.
    pub(super) fn note_unsent(&mut self, is_ipv4: bool, sent: Sent) {
        let has_way = if is_ipv4 { self.network.default_v4.is_some() } else { self.network.default_v6.is_some() };
        self.wish.rebind |= match sent {
            Sent::Forbidden | Sent::NoSource => true,
            Sent::NoRoute => has_way,
            Sent::Yes | Sent::Full | Sent::TooLarge | Sent::Refused => false,
        };
    }

    /// When to call [`Self::take`].
    pub(super) fn next(&self) -> Option<Instant> {
        if self.wish.look || self.wish.doubt {
            Some(if self.left > 0 { self.refilled } else { self.refilled + EVERY })
        } else {
            self.wish.rebind.then(|| self.rebound.map_or(self.refilled, |rebound| rebound + REBIND_EVERY))
        }
    }

    /// What is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Change> {
        while self.left < BURST && now.since(self.refilled) >= EVERY {
            self.left += 1;
            self.refilled = self.refilled + EVERY;
        }
        if self.left == BURST {
            self.refilled = now;
        }
        if self.next()? > now {
            return None;
        }
        let wish = std::mem::take(&mut self.wish);
        if wish.look || wish.doubt {
            self.left = self.left.saturating_sub(1);
        }
        if wish.doubt || wish.rebind {
            self.rebound = Some(now);
        }
        Some(match wish {
            Wish { doubt: true, .. } => Change::Break,
            // A failing socket beside a new address: rebinding comes again if it goes on failing.
            Wish { look: true, .. } => Change::Growth,
            Wish { .. } => Change::Rebind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(1_000_000_000_000);

    fn changes() -> Changes {
        Changes::new(Network { default_v4: Some(Default::default()), ..Network::default() }, START)
    }

    #[test]
    fn the_first_change_is_acted_on_at_once_and_flapping_costs_little() {
        let mut changes = changes();
        let (mut acted, mut now) = (Vec::new(), START);
        for _ in 0..600 {
            changes.note_network(Network::default(), true);
            acted.extend(changes.take(now));
            now = now + Duration::from_millis(100);
        }
        // A minute of it.
        assert!((30..=34).contains(&acted.len()), "{}", acted.len());
        assert!(acted.iter().all(|change| *change == Change::Break));
        // What came last is not forgotten.
        changes.note_network(Network::default(), false);
        let due = changes.next().unwrap();
        assert!(due.since(now) <= EVERY);
        assert!(changes.take(due.max(now)).is_some());
        assert_eq!((changes.next(), changes.take(now + EVERY * 100)), (None, None));
    }

    #[test]
    fn quiet_times_give_a_burst_back() {
        let mut changes = changes();
        for minute in 1..3 {
            let now = START + Duration::from_secs(60 * minute);
            for _ in 0..BURST {
                changes.note_woke();
                assert_eq!(changes.take(now), Some(Change::Break));
            }
            changes.note_woke();
            assert_eq!(changes.take(now), None);
            assert_eq!(changes.take(now + EVERY), Some(Change::Break));
        }
    }

    #[test]
    fn sockets_that_fail_are_made_anew_every_five_seconds_at_most() {
        let mut changes = changes();
        let mut rebinds = 0;
        for tenth in 0..200 {
            changes.note_unsent(true, Sent::Forbidden);
            rebinds += usize::from(changes.take(START + Duration::from_millis(100) * tenth) == Some(Change::Rebind));
        }
        assert_eq!(rebinds, 4);
    }

    #[test]
    fn a_destination_that_cannot_be_reached_is_no_fault_of_the_socket() {
        let mut changes = changes();
        for sent in [Sent::Full, Sent::TooLarge, Sent::Refused, Sent::Yes] {
            changes.note_unsent(true, sent);
        }
        changes.note_unsent(false, Sent::NoRoute);
        assert_eq!(changes.next(), None, "there is no IPv6 here");
        changes.note_unsent(true, Sent::NoRoute);
        assert!(changes.next().is_some());
    }
}
