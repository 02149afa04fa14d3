//! Every limit of this driver, with its reason.

use std::time::Duration;

/// The largest datagram that is looked at: answers of SSDP are a few hundred bytes, those of PCP at most 1100.
pub(crate) const DATAGRAM_BYTES: usize = 2048;
/// The largest HTTP answer that is read; descriptions have some kilobytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// One HTTP exchange. The machine gives up after as long.
pub(crate) const EXCHANGE_MAX: Duration = Duration::from_secs(5);
/// Exchanges at once: the machine makes one at a time, and one more to take a mapping away.
pub(crate) const EXCHANGES_MAX: usize = 4;
/// News that the program has not read; only the last one counts, so that few are enough.
pub(crate) const NEWS: usize = 4;
/// How long giving a mapping back may take.
pub(crate) const RELEASE_MAX: Duration = Duration::from_secs(1);
/// Looking at the machine's timers again after a socket failed.
pub(crate) const SOCKET_RETRY: Duration = Duration::from_secs(1);
