//! How much of everything a tailnet may hold, and how long things wait.

use std::time::Duration;

/// Nodes. The address pool holds four million; a hundred thousand is what one machine's memory is planned for.
pub const NODES_MAX: usize = 100_000;
/// Users.
pub const USERS_MAX: usize = 100_000;
/// Auth keys, counting used and revoked ones.
pub const AUTH_KEYS_MAX: usize = 10_000;
/// Registrations that wait for an administrator. Anybody can start one, so the oldest makes room for the newest.
pub const PENDING_MAX: usize = 1_000;
/// How long a registration waits. A person has the page open; clients ask again for a new one.
pub const PENDING_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Endpoints kept per node. A laptop with many interfaces has about ten.
pub const ENDPOINTS_MAX: usize = 64;
/// Services, routes and requested tags kept per node.
pub const HOST_LIST_MAX: usize = 256;
/// Characters of a text that a node tells about itself.
pub const HOST_TEXT_MAX: usize = 255;
/// SSH host keys kept per node: one of each kind, and room for kinds to come.
pub const SSH_HOST_KEYS_MAX: usize = 8;
/// Characters of one of them. RSA keys of 4,096 bits have about 730.
pub const SSH_HOST_KEY_CHARS_MAX: usize = 2_048;
/// Characters of a user's name.
pub const USER_NAME_MAX: usize = 255;
/// Characters of the name of an identity provider, and of a person's name there. OpenID Connect allows 255 for the latter
/// (Core 2); issuers are addresses.
pub const IDENTITY_CHARS_MAX: usize = 1_024;
/// Characters of the address of a person's picture.
pub const PICTURE_URL_CHARS_MAX: usize = 2_048;
/// Groups kept per user, as their provider names them. Providers themselves stop at some two hundred.
pub const GROUPS_MAX: usize = 512;
/// Tags of a node or an auth key.
pub const TAGS_MAX: usize = 64;
/// How long a node whose stream ended still counts as online: reconnects are no news.
pub const OFFLINE_GRACE: Duration = Duration::from_secs(10);
/// How long what nodes report of their reachability stays in memory before it is written.
pub const REACH_SAVE_DELAY: Duration = Duration::from_secs(10);
/// Events that a stream may be behind before it must start anew.
pub const FEED_EVENTS_MAX: usize = 16_384;
/// Policies among them: each keeps the classes of all nodes as they were before it.
pub const FEED_POLICIES_MAX: usize = 8;
/// Longest time between two looks at the wall clock, which can be set while timers run.
pub const WALL_CLOCK_CHECK: Duration = Duration::from_secs(15 * 60);
/// Characters of the note that comes with a policy, and of its author's name.
pub const NOTE_CHARS_MAX: usize = 1_000;
/// SSH checks that wait or were just decided. The oldest makes room for the newest.
pub const SSH_CHECKS_MAX: usize = 1_000;
/// How long an SSH check waits. A person sits before a terminal.
pub const SSH_CHECK_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How long its outcome is kept for the node that asks for it again.
pub const SSH_OUTCOME_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Pairs of nodes for which it is remembered when somebody was let in by SSH. The oldest makes room for the newest.
pub const SSH_APPROVALS_MAX: usize = 10_000;
