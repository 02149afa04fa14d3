//! Every limit of the node, with its reason.

use std::time::Duration;

/// Packets that wait for a relay connection while it is made. As many as the official client queues per connection
/// (`derpWriteQueueDepth`); more would only be stale when they arrive.
pub(crate) const RELAY_PACKETS_WAITING_MAX: usize = 32;
/// Relay regions that are connected at once. A tailnet has few; a hostile map must not make us open hundreds.
pub(crate) const RELAY_LINKS_MAX: usize = 32;
/// A relay link other than the home is closed when it was of no use for this long (`derpInactiveCleanupTime`).
pub(crate) const RELAY_IDLE: Duration = Duration::from_secs(60);
/// The first and the longest wait before a lost relay link is made again.
pub(crate) const RELAY_BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// A home relay that was lost and is not back after this long is left for the next best region. With that and the way of the
/// news to peers, TCP loses no more than its first three retransmissions (at 0.2, 0.6 and 1.4 s).
pub(crate) const HOME_PATIENCE: Duration = Duration::from_secs(1);
/// One that is dialled for the first time, or after a change of the network, gets longer: TLS takes several round trips.
pub(crate) const HOME_PATIENCE_FIRST: Duration = Duration::from_secs(5);
/// How long a relay may ask us to stay away while it restarts. One that says more is not worth waiting for: others take over.
pub(crate) const RELAY_RESTART_MAX: Duration = Duration::from_secs(5);
/// How often a relay that said it restarts is called meanwhile ...
pub(crate) const RELAY_EAGER_WAIT: Duration = Duration::from_secs(1);
/// ... and for how long at most, whatever it said.
pub(crate) const RELAY_EAGER_MAX: Duration = Duration::from_secs(120);
/// The longest packet of the tunnel's interface, as of official clients (`net/tstun/mtu.go DefaultTUNMTU`).
pub(crate) const TUNNEL_MTU: usize = 1280;
/// Pings of people that wait for their answers.
pub(crate) const PINGS_WAITING_MAX: usize = 64;
/// How long a ping of a person waits.
pub(crate) const PING_PATIENCE: Duration = Duration::from_secs(10);
/// DNS queries that wait for upstream answers. The official resolver allows as many.
pub(crate) const DNS_QUERIES_WAITING_MAX: usize = 256;
/// How long a DNS query waits for an upstream.
pub(crate) const DNS_PATIENCE: Duration = Duration::from_secs(10);
/// After a pause this long what goes out is a new burst, of which an answer is awaited from its first packet on.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);
/// Activity with one peer is told to the slow half this often at most; path timers need no finer.
pub(crate) const ACTIVITY_EVERY: Duration = Duration::from_secs(1);
/// How often the wall clock is handed to the tunnel for its time stamps.
pub(crate) const WALL_CLOCK_EVERY: Duration = Duration::from_secs(60);
