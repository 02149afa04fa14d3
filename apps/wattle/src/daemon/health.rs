//! What is wrong, in sentences that say what to do.
//!
//! A warning about the network is told only when it lasts: a link that is being made again, or a laptop that is being
//! carried to the next room, is no news.

use std::time::Duration;

use wattle_netcheck::Report;
use wattle_time::Instant;

/// How long something must be wrong before it is told.
const LASTS: Duration = Duration::from_secs(10);

/// What the loop sees of our own network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'a> {
    /// Whether we should be connected at all.
    pub(super) wanted: bool,
    /// The name of the home region; `None`: no relay could be chosen.
    pub(super) home: Option<&'a str>,
    /// The last measurement.
    pub(super) report: Option<&'a Report>,
    /// The UDP port that we have.
    pub(super) port: u16,
}

/// Since when what is wrong.
#[derive(Debug)]
pub(super) struct Health {
    port_wanted: u16,
    has_network: bool,
    offline_since: Option<Instant>,
    relay_lost_since: Option<Instant>,
}

impl Health {
    /// Nothing is wrong yet. `port_wanted` is the UDP port that people asked for; 0: any.
    pub(super) fn new(port_wanted: u16) -> Self {
        Self { port_wanted, has_network: true, offline_since: None, relay_lost_since: None }
    }

    /// Whether any interface has an address now.
    pub(super) fn note_network(&mut self, has_network: bool) {
        self.has_network = has_network;
    }

    /// Takes a look, so that it is known later how long things have been as they are.
    pub(super) fn observe(&mut self, wanted: bool, relay_connected: bool, now: Instant) {
        let since = |before: Option<Instant>, wrong: bool| wrong.then(|| before.unwrap_or(now));
        self.offline_since = since(self.offline_since, wanted && !self.has_network);
        self.relay_lost_since = since(self.relay_lost_since, wanted && self.has_network && !relay_connected);
    }

    /// The warnings.
    pub(super) fn warnings(&self, sight: &Sight<'_>, now: Instant) -> Vec<String> {
        let lasts = |since: Option<Instant>| since.is_some_and(|since| now.since(since) >= LASTS);
        if !sight.wanted {
            return Vec::new();
        }
        if lasts(self.offline_since) {
            return vec!["this machine has no network: no interface has an address; connect it to one".to_owned()];
        }
        let mut warnings = Vec::new();
        let report = sight.report;
        if report.is_some_and(|report| report.captive_portal == Some(true)) {
            warnings.push(
                "a captive portal answers in place of the internet: open any web page in a browser and sign in there"
                    .to_owned(),
            );
        }
        if lasts(self.relay_lost_since) {
            warnings.push(match sight.home {
                Some(home) => format!(
                    "no connection to the relay {home:?}: peers that have no direct path yet cannot reach this \
                     machine; check that it may connect to the relay's port"
                ),
                None => "no relay answers: peers that have no direct path yet cannot reach this machine; check that \
                         HTTPS to the relays is allowed (wattle netcheck)"
                    .to_owned(),
            });
        }
        if report.is_some_and(|report| !report.udp && !report.region_latencies.is_empty()) {
            warnings.push(
                "UDP is blocked here, so every connection goes through a relay and is slower: allow outbound UDP, at \
                 least to port 3478 and from port 41641"
                    .to_owned(),
            );
        }
        let (wanted, had) = (self.port_wanted, sight.port);
        if wanted != 0 && had != wanted {
            warnings.push(format!(
                "UDP port {wanted} is taken by another program; port {had} is used, and a port forwarded by hand on a \
                 router does not reach it: free the port or start the daemon with another --port"
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Sight<'static> {
        Sight { wanted: true, home: Some("home"), report: None, port: 41641 }
    }

    fn at(seconds: u64) -> Instant {
        Instant::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn a_relay_that_is_away_for_a_moment_is_no_news() {
        let (mut health, sight) = (Health::new(41641), well());
        health.observe(true, false, at(0));
        health.observe(true, false, at(9));
        assert!(health.warnings(&sight, at(9)).is_empty());
        assert!(health.warnings(&sight, at(10)).concat().contains("home"));
        health.observe(true, true, at(11));
        health.observe(true, false, at(12));
        assert!(health.warnings(&sight, at(13)).is_empty());
    }

    #[test]
    fn without_a_network_nothing_else_is_said() {
        let (mut health, off) = (Health::new(41641), Sight { home: None, ..well() });
        health.note_network(false);
        health.observe(true, false, at(0));
        let warnings = health.warnings(&off, at(20));
        assert_eq!(warnings.len(), 1);
        assert!(warnings.concat().contains("no network"));
    }

    #[test]
    fn a_taken_port_is_told() {
        let sight = Sight { port: 50_000, ..well() };
        assert!(Health::new(41641).warnings(&sight, at(0)).concat().contains("50000"));
        assert!(Health::new(0).warnings(&sight, at(0)).is_empty());
    }

    #[test]
    fn what_is_down_because_people_want_it_is_well() {
        let sight = Sight { wanted: false, port: 1, ..well() };
        let mut health = Health::new(41641);
        health.observe(false, false, at(0));
        assert!(health.warnings(&sight, at(99)).is_empty());
    }
}
