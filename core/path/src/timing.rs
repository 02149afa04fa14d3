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
/// How long direct paths have before a peer relay is asked for: most are there by then.
pub const PEER_RELAY_GRACE: Duration = Duration::from_millis(500);
/// Between searches for peer relays while there is no path (`discoverUDPRelayPathsInterval`) ...
pub const PEER_RELAY_SEARCH: Duration = Duration::from_secs(30);
/// ... while there is one through a relay (`upgradeUDPRelayInterval`) ...
pub const PEER_RELAY_UPGRADE: Duration = Duration::from_secs(60);
/// ... and after one was lost.
pub const PEER_RELAY_RETRY: Duration = Duration::from_secs(10);
/// A request for an allocation is repeated once after this long (`udprelay/endpoint ServerRetryAfter`) ...
pub const ALLOCATE_REPEAT: Duration = Duration::from_secs(3);
/// ... and given up after this long (`allocateUDPRelayEndpointRequestTimeout`).
pub const ALLOCATE_TIMEOUT: Duration = Duration::from_secs(10);
/// A handshake with a peer relay takes no longer, whatever lifetime it names (`maxHandshakeLifetime`).
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(30);
/// When binds that nobody has answered are repeated, from the first on.
pub const BIND_REPEATS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(7)];
/// Between pings through a relay that has answered, until the peer has bound as well.
pub const HANDSHAKE_PING_INTERVAL: Duration = Duration::from_secs(2);
/// A ping through a peer relay that is not answered for this long, or for four round trips, is late: DERP runs beside
/// the relay again ...
pub const PASSAGE_PING_LATE: Duration = Duration::from_secs(1);
/// ... and it is repeated this often, until [`PING_TIMEOUT`] ends it.
pub const PASSAGE_PING_AGAIN: Duration = Duration::from_secs(1);
/// A way through a peer relay that is not used is forgotten this long after: the relay forgets it after 300 s.
pub const PASSAGE_KEPT: Duration = Duration::from_secs(270);
/// How much faster another relay must be, beside a fifth.
pub const PASSAGE_GAIN_MIN: Duration = Duration::from_millis(5);
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
/// Latencies this far apart are smoothed together: three heartbeats.
pub const SMOOTHED: Duration = Duration::from_secs(10);
/// A candidate that was only ever heard is forgotten this long after the last sign of it: NAT mappings live about so long.
pub const HEARD: Duration = Duration::from_secs(300);
/// All that was learnt about the paths of a peer is forgotten this long after its last sign of use.
pub const FORGET: Duration = Duration::from_secs(600);
/// How much later than due timers may be met, so that those of many peers are met together.
pub const SLACK: Duration = Duration::from_millis(50);

/// While data goes out, how often it is looked at whether anything comes back.
pub const LOOK: Duration = Duration::from_millis(500);
/// Without outbound data for this long there is no more looking. A little more than the data path's reports are apart.
pub const QUIET: Duration = Duration::from_millis(1200);
/// Data went out and nothing came back for this long, or for four round trips: then it is asked whether data passes.
/// Delayed acknowledgements of TCP take up to 200 ms, its first retransmission at least 200 ms.
pub const SILENCE: Duration = Duration::from_millis(400);
/// An answered heartbeat is late after this long, or after four round trips.
pub const HEARTBEAT_LATE: Duration = Duration::from_secs(1);
/// A path that carries data and has answered no disco ping for this long is one that disco does not pass.
pub const MUTE: Duration = Duration::from_secs(15);
/// How long a question whether data passes waits for its answer at least, or three round trips; half way it is repeated.
pub const QUESTION: Duration = Duration::from_millis(300);
/// Between such questions while they are answered: data that flows one way only would put one after the other ...
pub const QUESTION_PACE: Duration = Duration::from_secs(1);
/// ... and up to this long if it goes on. With the answer's patience it stays below three seconds.
pub const QUESTION_PACE_MAX: Duration = Duration::from_secs(2);
/// Waits between questions to a path that did not answer the last one, the last one for ever.
pub const TRIAL_PACE: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_millis(500),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];
/// A path that answers pings, but not these many questions in a row whether data passes, to a peer whose data comes
/// another way meanwhile for [`TRIAL_SHORT`], has failed.
pub const TRIAL_QUESTIONS: u32 = 3;
/// See [`TRIAL_QUESTIONS`].
pub const TRIAL_SHORT: Duration = Duration::from_secs(2);
/// When neither data nor pings pass any more, everything is tried anew, at most once in this time.
pub const RESCUE_INTERVAL: Duration = Duration::from_secs(2);
/// A path this old that has carried data is left only for one that stays better.
pub const SETTLED: Duration = Duration::from_secs(1);
/// How long another path must stay better, ...
pub const DWELL: Duration = Duration::from_secs(5);
/// ... and how many of its answers must say so. A heartbeat apart, they take two heartbeats.
pub const DWELL_ANSWERS: u32 = 3;
/// A pair of a small and a full-size ping is judged after this long at least.
pub const MTU_TRIAL: Duration = Duration::from_millis(300);
/// A path that passes full-size packets is asked again after this long; routes change under a path.
pub const MTU_AGAIN: Duration = Duration::from_secs(300);
/// One that does not is asked sooner: it may have been loss.
pub const MTU_AGAIN_SMALL: Duration = Duration::from_secs(60);
/// A network change is acted on at most once in this time: an interface that flaps must not make a packet storm.
pub const NETWORK_CHANGE_MIN: Duration = Duration::from_secs(1);
