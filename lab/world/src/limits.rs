//! How much a world holds at most.

use std::time::Duration;

/// Lines of a trace that are kept: some minutes of talk, two megabytes.
pub(crate) const TRACE_LINES: usize = 16_384;
/// Mappings of a NAT, unless its behaviour says otherwise: what home routers' tables hold.
pub(crate) const NAT_MAPPINGS: usize = 16_384;
/// Mappings that hosts may ask one gateway for: miniupnpd's practice is a few hundred.
pub(crate) const REQUESTED_MAPPINGS: usize = 512;
/// How long a gateway grants a mapping at most (RFC 6886 section 3.3 recommends two hours).
pub(crate) const REQUESTED_LIFETIME: Duration = Duration::from_secs(7200);
/// A full NAT looks for mappings that ran out not more often than this.
pub(crate) const NAT_SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Messages that one end of a connection may have waiting: more than any driver should queue.
pub(crate) const QUEUED_MESSAGES: usize = 4096;
/// Sites inside of sites.
pub(crate) const DEPTH: usize = 8;
