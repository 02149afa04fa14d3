//! How much a filter may hold.

/// Flows that are remembered: sets times ways. Eight times what the official node remembers, in 48 KiB.
pub(crate) const FLOW_SETS: usize = 512;
/// Ways of a set: eight fingerprints fill one cache line.
pub(crate) const FLOW_WAYS: usize = 8;

/// How many targets, summed over all stretches of source addresses, a filter refers to: 4 MiB. Rules with the same
/// sources count once, so that ten thousand sources that a hundred rules each tell apart stay below. What is above is
/// not allowed in, and [`crate::Filter::is_overflowed`] says so.
pub(crate) const TARGET_REFERENCES_MAX: usize = 1 << 20;

/// The front of a later fragment must not lie within the headers of the first one, or it could rewrite them
/// (RFC 1858): the longest IPv4 header and a TCP header. Tailscale `net/packet/packet.go` (`minFragBlks`).
pub(crate) const FRAGMENT_OFFSET_BYTES_MIN: u16 = 80;
