//! What the demo found, as data and as lines.

use std::time::Instant;

use serde::Serialize;

use super::probe::Probe;

/// The whole result.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) hosts: Vec<HostLine>,
    pub(crate) pairs: Vec<PairLine>,
    pub(crate) server_down: ServerDown,
    pub(crate) transfer_mib_per_second: f64,
    pub(crate) ok: bool,
}

#[derive(Serialize)]
pub(crate) struct HostLine {
    pub(crate) name: String,
    pub(crate) nat: String,
}

#[derive(Serialize)]
pub(crate) struct PairLine {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) path: &'static str,
    pub(crate) rtt_ms: Option<f64>,
    pub(crate) direct_after_ms: Option<u64>,
    pub(crate) sent: usize,
    pub(crate) lost: usize,
}

/// Pings over direct paths while the coordination server was dead.
#[derive(Serialize)]
pub(crate) struct ServerDown {
    pub(crate) sent: usize,
    pub(crate) lost: usize,
}

impl PairLine {
    /// From the first ping to a moment, path changes included.
    pub(crate) fn of(probe: &Probe, until: Instant) -> Self {
        let (sent, lost) = probe.counts(probe.started(), until);
        Self {
            from: probe.from().to_owned(),
            to: probe.to().to_owned(),
            path: if probe.is_direct() { "direct" } else { "relay" },
            rtt_ms: probe.rtt_before(until).map(|rtt| (rtt.as_secs_f64() * 1e5).round() / 100.0),
            direct_after_ms: probe.direct_after().and_then(|after| u64::try_from(after.as_millis()).ok()),
            sent,
            lost,
        }
    }
}

impl Report {
    /// For people.
    pub(crate) fn print(&self) {
        let lost: usize = self.pairs.iter().map(|pair| pair.lost).sum();
        let sent: usize = self.pairs.iter().map(|pair| pair.sent).sum();
        let direct = self.pairs.iter().filter(|pair| pair.path == "direct").count();
        println!(
            "\n{direct} pairs direct, {} relayed; {lost} of {sent} pings lost, path changes included",
            self.pairs.len() - direct
        );
        println!("server dead: {} of {} pings over direct paths lost", self.server_down.lost, self.server_down.sent);
        println!("file: {:.0} MiB/s", self.transfer_mib_per_second);
    }
}
