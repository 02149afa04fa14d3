//! What a policy may cost.

/// Bytes of a policy's text. The hosted service refuses more than a few hundred KiB; one MiB is a policy nobody reads.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Rules of a policy: each costs every class a few bits.
pub const RULES_MAX: usize = 10_000;
/// Lists and objects inside one another. A policy needs five; the reader recurses, and this is what bounds its stack.
pub const DEPTH_MAX: usize = 64;
