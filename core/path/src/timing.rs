//! How long things take. Values without a reason here are those of tailscale (`wgengine/magicsock/magicsock.go`,
//! the const block at `sessionActiveTimeout`), so that both ends keep the same pace.

use std::time::Duration;

/// Without outbound traffic for this long, heartbeats and rounds stop (`sessionActiveTimeout`).
pub const SESSION_ACTIVE: Duration = Duration::from_secs(45);
/// Between pings of the nominated path (`heartbeatInterval`).
pub const HEARTBEAT: Duration = Duration::from_secs(3);
/// After an answer the path is trusted for this long (`trustUDPAddrDuration`).
pub const TRUST: Duration = Duration::from_millis(6500);
/// An answer later than this does not count (`pingTimeoutDuration`).
pub const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Between pings of one candidate in rounds (`discoPingInterval`).
pub const PING_INTERVAL_MIN: Duration = Duration::from_secs(5);
/// Between rounds that look for something better than a trusted path (`upgradeUDPDirectInterval`) ...
pub const UPGRADE_INTERVAL: Duration = Duration::from_secs(60);
/// ... unless the path is at least this good (`goodEnoughLatency`).
pub const GOOD_ENOUGH_LATENCY: Duration = Duration::from_millis(5);
/// Own endpoints older than this are found anew before a peer is told them (`endpointsFreshEnoughDuration`).
pub const ENDPOINTS_FRESH: Duration = Duration::from_secs(27);

/// Waits between rounds while there is no trusted path, the last one for ever. Tailscale tries every 5 s for ever, which
/// pairs that can never be direct pay for all day; new facts (endpoints, calls, a network change) start over.
pub const RETRIES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
];
/// While the peer's data comes another way, a nominated path gets this long to carry some too. A WireGuard peer that
/// receives answers within 10 s (its passive keepalive), and may need one 5 s ping interval to find our address.
pub const TRIAL: Duration = Duration::from_secs(15);
/// Data sent, nothing authenticated back for this long: WireGuard's keepalive (10 s) and rekey (5 s) timeouts.
pub const UNANSWERED: Duration = Duration::from_secs(15);
/// How long a path that failed its trial is left alone; doubles with each failure ...
pub const REFUSAL: Duration = Duration::from_secs(60);
/// ... up to this.
pub const REFUSAL_MAX: Duration = Duration::from_secs(900);
/// A candidate that was only ever heard is forgotten this long after the last sign of it: NAT mappings live about so long.
pub const HEARD: Duration = Duration::from_secs(300);
/// All that was learnt about the paths of a peer is forgotten this long after its last sign of use.
pub const FORGET: Duration = Duration::from_secs(600);
/// How much later than due timers may be met, so that those of many peers are met together.
pub const SLACK: Duration = Duration::from_millis(100);
