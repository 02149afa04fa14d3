//! Every limit of a session, with its reason.

use std::time::Duration;

/// No message on the stream for this long: the connection is dead (official clients wait as long; servers send a
/// keepalive about every minute).
pub(crate) const STREAM_SILENCE_MAX: Duration = Duration::from_secs(120);
/// The first and the longest wait before something that failed is tried again.
pub(crate) const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));
/// The wait after "too many requests" without a time: between these.
pub(crate) const BUSY_WAIT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10));
/// A server that says "later" is believed up to here.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// A map message, unpacked. A full map of 10,000 peers is about 7 MB; a hostile server must not fill our memory.
pub(crate) const MAP_BYTES_MAX: usize = 64 << 20;
/// How often a server may call our key expired before we stop making new ones.
pub(crate) const NEW_KEYS_MAX: u32 = 2;
/// Characters of a server's refusal that are shown.
pub(crate) const REFUSAL_CHARS_MAX: usize = 500;
