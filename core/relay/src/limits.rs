//! Every bound of a relay, with its reason.

use std::time::Duration;

/// Data packets that wait for one client. As many as the official relay holds (`derpserver.go perClientSendQueueDepth`):
/// more would only be delay.
pub const DATA_QUEUE_FRAMES: usize = 32;
/// Disco packets that wait for one client, apart from data so that a full data queue never hides a better path.
pub const DISCO_QUEUE_FRAMES: usize = 32;
/// Control frames (peer gone, pong, health) that wait for one client. A client that does not read loses hints, not memory.
pub const CONTROL_QUEUE_FRAMES: usize = 64;
/// Bytes one `drain` hands to the driver. One large write; what waits longer can still be dropped as stale.
pub const DRAIN_BYTES: usize = 64 << 10;
/// What an emptied queue may keep allocated until the next keepalive: some full-size packets, so that traffic does
/// not allocate.
pub const QUEUE_KEPT_BYTES: usize = 64 << 10;

/// From the connection to an opened login; as the official relay.
pub const LOGIN_TIME: Duration = Duration::from_secs(10);
/// Clients give a connection up after 120 s without a frame.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Spread of keepalives, so that clients that came together do not wake us together.
pub const KEEP_ALIVE_JITTER: Duration = Duration::from_secs(5);

/// Connections, logged in or not. Each costs a few KiB: about 1 GiB when full.
pub const CLIENTS: usize = 100_000;
/// Connections with one key. A node has one; some more are left over from roaming.
pub const CONNECTIONS_PER_KEY: usize = 8;
/// Receivers whom a leaving client's peer-gone is owed. Beyond it the hint is lost, and the receiver's path times out.
pub const HEARD_BY: usize = 16_384;
/// Peer-gone answers to disco packets for absent peers: so many at once ...
pub const NOT_HERE_BURST: u64 = 3;
/// ... and then so many a second.
pub const NOT_HERE_PER_SECOND: u64 = 1;
/// A rate limit below one largest frame would stop a client for good.
pub const MIN_BURST_BYTES: u64 = (64 << 10) + 64;

/// Allocations of a peer relay. Each takes about 600 bytes, and 4,000 pairs of nodes that cannot reach each other are
/// many for one relay.
pub const ALLOCATIONS: usize = 4096;
/// Allocations that one node asked for: it may talk to so many others at once through this relay.
pub const ALLOCATIONS_PER_ASKER: usize = 512;
/// Requests for allocations that one node may make at once: after a restart it asks for all its peers.
pub const ALLOCATION_BURST: u64 = 256;
/// And then so many a second. Each new one costs two curve multiplications.
pub const ALLOCATIONS_PER_SECOND: u64 = 16;
/// Addresses that clients are told. Each costs every client a message per handshake.
pub const ADDRESSES_TOLD: usize = 32;
/// Binds of one client of an allocation that are answered at once: one for each address it tries, and repetitions ...
pub const BIND_BURST: u64 = 2 * ADDRESSES_TOLD as u64;
/// ... and then so many a second.
pub const BINDS_PER_SECOND: u64 = 4;
/// How long both clients have for their handshakes (`udprelay/server.go defaultBindLifetime`).
pub const BIND_LIFETIME: Duration = Duration::from_secs(30);
/// How long an allocation stays when one of its clients is silent (`defaultSteadyStateLifetime`).
pub const STEADY_LIFETIME: Duration = Duration::from_secs(300);
/// Between looks for allocations that are over.
pub const EXPIRY_INTERVAL: Duration = Duration::from_secs(30);
/// How long challenges are made with one secret (`macSecretRotationInterval`); they are recognised twice as long.
pub const CHALLENGE_SECRET_LIFETIME: Duration = Duration::from_secs(120);
