//! What a policy may cost.

/// Bytes of a policy's text. The hosted service refuses more than a few hundred KiB; one MiB is a policy nobody reads.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Rules of a policy: each costs every class a few bits.
pub const RULES_MAX: usize = 10_000;
/// Lists and objects inside one another. A policy needs five; the reader recurses, and this is what bounds its stack.
pub const DEPTH_MAX: usize = 64;
/// Elements of one list in a rule: more than the largest tailnets have groups and tags.
pub const RULE_ELEMENTS_MAX: usize = 10_000;
/// Ports and ranges of one destination: whoever has more means a range.
pub const PORT_RANGES_MAX: usize = 1_000;
/// Problems reported for one policy. Nobody reads more, and each costs a walk over the text to count its line.
pub const PROBLEMS_MAX: usize = 100;
/// Characters of a line shown before a problem: a policy may be one line.
pub const EXCERPT_BEFORE_MAX: usize = 80;
/// Characters of a line shown from a problem on.
pub const EXCERPT_AFTER_MAX: usize = 80;
/// Characters of a message or a hint: they quote names, and a name may be as long as the policy.
pub const MESSAGE_MAX: usize = 1_000;
