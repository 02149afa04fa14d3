//! How much a filter may hold.

use std::time::Duration;

/// Flows that are remembered: sets times ways, in 256 KiB whatever the number of peers. The official node remembers 512.
pub(crate) const FLOW_SETS: usize = 2048;
/// Ways of a set: the names of eight flows fill one cache line.
pub(crate) const FLOW_WAYS: usize = 8;
/// How many ways of each set one peer may have, at most. A quarter of all places is always left to others.
pub(crate) const FLOW_WAYS_PER_PEER_MAX: usize = 6;
/// Peers whose flows are counted apart. In a larger network several count as one, which is still fair to the rest.
pub(crate) const FLOW_OWNERS: usize = 1 << 14;
/// A flow that was not used for this long leaves its place to anyone (Linux forgets UDP streams after as long:
/// `nf_conntrack_udp_timeout_stream`).
pub(crate) const FLOW_IDLE: Duration = Duration::from_secs(120);

/// What compiling rules may cost. Where it would cost more, a packet walks through what it would have searched, and the
/// verdict is the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// How many places, counted in blocks of services at blocks of destinations, rules are laid out at. What is above
    /// is kept as it came.
    pub(crate) places: usize,
    /// How many numbers may be read to make one set of sources of several, in all.
    pub(crate) union_turns: usize,
    /// How many words may be kept of sets that were made so: these many, and more for each number in the rules. Beyond,
    /// the sets at one place stay apart.
    pub(crate) union_words: usize,
    pub(crate) union_words_per_number: usize,
}

impl Budget {
    /// A hundred thousand rules about prefixes take five million places if each has a range of ports, and some tens of
    /// megabytes at their worst.
    pub(crate) const FULL: Self =
        Self { places: 1 << 23, union_turns: 1 << 25, union_words: 1 << 22, union_words_per_number: 4 };
}

/// The front of a later fragment must not lie within the headers of the first one, or it could rewrite them
/// (RFC 1858): the longest IPv4 header and a TCP header. Tailscale `net/packet/packet.go` (`minFragBlks`).
pub(crate) const FRAGMENT_OFFSET_BYTES_MIN: u16 = 80;
