//! What stateful filtering remembers: to whom packets went, and when last.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use wattle_time::Instant;

/// Remote ends by who sent to them. What has run out is swept now and then, not searched for.
#[derive(Debug)]
pub(crate) struct Flows<K> {
    noted: BTreeMap<(K, Option<SocketAddr>), Instant>,
    sweep_at: usize,
}

/// Below this many there is no need to sweep.
pub(crate) const SWEEP_MIN: usize = 64;

impl<K: Ord + Copy> Flows<K> {
    pub(crate) const fn new() -> Self {
        Self { noted: BTreeMap::new(), sweep_at: SWEEP_MIN }
    }

    pub(crate) fn note(&mut self, who: K, remote: Option<SocketAddr>, now: Instant, lifetime: Duration) {
        if self.noted.len() >= self.sweep_at {
            self.noted.retain(|_, at| now.since(*at) < lifetime);
            self.sweep_at = self.noted.len() * 2 + SWEEP_MIN;
        }
        self.noted.insert((who, remote), now);
    }

    pub(crate) fn is_alive(&self, who: K, remote: Option<SocketAddr>, now: Instant, lifetime: Duration) -> bool {
        self.noted.get(&(who, remote)).is_some_and(|at| now.since(*at) < lifetime)
    }

    pub(crate) fn clear(&mut self) {
        self.noted.clear();
    }
}
