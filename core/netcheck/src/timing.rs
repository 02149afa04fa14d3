//! How long things take. Values without a reason here are those of tailscale.

use std::time::Duration;

/// Without a STUN answer for this long, UDP counts as blocked (`stunProbeTimeout`).
pub const STUN_TIMEOUT: Duration = Duration::from_secs(3);
/// For measurements over HTTPS (`httpsProbeTimeout`).
pub const HTTPS_TIMEOUT: Duration = Duration::from_secs(5);
/// A run that does not end by itself ends after this (`ReportTimeout`).
pub const RUN_TIMEOUT: Duration = Duration::from_secs(5);
/// Between the tries of a first run (`makeProbePlanInitial`).
pub const FIRST_SPACING: Duration = Duration::from_millis(100);
/// Between tries when no latency is known (`makeProbePlan`) ...
pub const UNKNOWN_SPACING: Duration = Duration::from_millis(200);
/// ... and this more for each try.
pub const SPACING_GROWTH: Duration = Duration::from_millis(50);
/// A run this long after the last full one is full (`fullReportInterval`).
pub const FULL_INTERVAL: Duration = Duration::from_secs(300);
/// Between runs while there is traffic: random between these (`scheduleSTUN` of `magicsock.go`), below the 30 s after
/// which NATs forget mappings.
pub const PERIOD_MIN: Duration = Duration::from_secs(20);
/// See [`PERIOD_MIN`].
pub const PERIOD_MAX: Duration = Duration::from_secs(26);
/// Without traffic for this long there are no more runs (`sessionActiveTimeout`).
pub const ACTIVE: Duration = Duration::from_secs(45);
/// Runs asked for follow each other no faster: a flapping interface must not make a packet storm.
pub const RUN_SPACING_MIN: Duration = Duration::from_secs(1);
/// Waits before trying again while no region has answered at all, the last one for ever.
pub const RETRIES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];
/// How far back latencies count for the home region (`addReportHistoryAndSetPreferredDERP`).
pub const HISTORY: Duration = Duration::from_secs(300);
/// A region less than this nearer is not worth moving home (`preferredDERPAbsoluteDiff`).
pub const HOME_GAIN_MIN: Duration = Duration::from_millis(10);
/// A relay frame heard within this long shows that the home region lives (`PreferredDERPFrameTime`).
pub const FRAME_FRESH: Duration = Duration::from_secs(8);
/// How long a region is not taken as home after its relay could not be reached, unless it is reached meanwhile.
pub const DOWN: Duration = Duration::from_secs(300);
/// Who has lost its home waits so long for more answers after the first.
pub const HOMELESS_PATIENCE: Duration = Duration::from_millis(200);
/// How long a reflexive endpoint is told after it was last seen (`endpointTrackerLifetime`).
pub const RECENT: Duration = Duration::from_secs(310);
/// After this long a relay's name is looked up again; the old addresses serve until then.
pub const NAME_FRESH: Duration = Duration::from_secs(600);
/// A name whose look-up failed is not looked up again before.
pub const NAME_RETRY: Duration = Duration::from_secs(10);
