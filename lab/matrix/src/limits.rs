//! How long things may take, and how often they are looked at.

use std::time::Duration;

/// A program starts and answers, on a machine that is busy with others.
pub(crate) const START: Duration = Duration::from_secs(30);
/// A node joins, or comes back after a restart.
pub(crate) const JOIN: Duration = Duration::from_secs(60);
/// A restarted node has told control where it may be reached, and its peers have heard.
pub(crate) const SETTLE: Duration = Duration::from_millis(1500);
/// Between two looks at something that is awaited.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
/// Fifty pings a second.
pub(crate) const PING_EVERY: Duration = Duration::from_millis(20);
/// A ping that is not answered by then is lost.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(2);
/// The largest answer of a LocalAPI that is read.
pub(crate) const STATUS_BYTES_MAX: u64 = 8 << 20;
