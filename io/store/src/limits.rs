//! What is kept, at most.

/// Policy revisions: one a day for almost three years. Older ones are forgotten as new ones come.
pub const POLICY_REVISIONS_MAX: u64 = 1_000;
/// Bytes of all their texts together. A usual policy is some 20 KB; people with far larger ones keep fewer revisions.
pub const POLICY_BYTES_MAX: u64 = 64 << 20;
