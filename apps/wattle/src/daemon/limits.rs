//! Every limit of the daemon, with its reason.

use std::time::Duration;

/// Things that data threads handed over and the loop has not come to. A burst of handshakes of a full house fits; data
/// that the loop is too slow for is dropped, as any network may.
pub(super) const HANDOFFS_WAITING_MAX: usize = 1024;
/// Things that tasks (control, relays, lookups) brought. Their senders wait when it is full, which slows them down.
pub(super) const INPUTS_WAITING_MAX: usize = 256;
/// Handoffs and inputs taken in one go before timers get their turn.
pub(super) const INPUTS_AT_ONCE_MAX: usize = 64;
/// Calls of the LocalAPI that wait: people and their scripts.
pub(super) const CALLS_WAITING_MAX: usize = 64;
/// Packets that wait for one relay link. As many as the official client queues per connection; more come too late.
pub(super) const RELAY_QUEUE_MAX: usize = 32;
/// How old the addresses of the relay for peers may be when somebody asks for an allocation: NAT mappings last 30 s.
pub(super) const RELAY_ADDRESSES_FRESH: Duration = Duration::from_secs(25);
/// Events that a slow watcher of the bus may fall behind before it is let go.
pub(super) const WATCHER_EVENTS_MAX: usize = 128;
/// Watchers at once.
pub(super) const WATCHERS_MAX: usize = 64;
/// Chores (lookups, measurements, DNS queries) at once. The node asks for no more than a few; a burst of DNS queries
/// beyond this is dropped and asked again by its clients.
pub(super) const CHORES_MAX: usize = 300;
/// How long an upstream resolver may take.
pub(super) const DNS_ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The largest answer of an upstream resolver over UDP (EDNS sizes are below this).
pub(super) const DNS_ANSWER_BYTES_MAX: usize = 4096;
/// How long a call may wait for a ping or a measurement.
pub(super) const CALL_WAIT_MAX: Duration = Duration::from_secs(12);
/// How many dials must fail in a row before people who wait for `up` are told that the server cannot be reached: one
/// failure is normal while a network comes up.
pub(super) const DIALS_UNTIL_TOLD: u32 = 4;
/// The shortest wait between two timer calls: a timer that is stuck must not eat a core.
pub(super) const TICK_MIN: Duration = Duration::from_millis(1);
/// How long the end may take: the host's routes are taken away, and a server is told good-bye if it listens.
pub(super) const SHUTDOWN_WAIT: Duration = Duration::from_secs(3);
/// How long the coordination server may take to show that a connection survived a network change.
pub(super) const CONTROL_ANSWER_MAX: Duration = Duration::from_secs(3);
/// How far our clock may be from the coordination server's before people are told (as official clients do).
pub(super) const CLOCK_SKEW_MAX: Duration = Duration::from_secs(60);
