//! Every bound of the server, with its reason. Those of connections are in `wattle-link`.

use std::time::Duration;

/// A request's body. The largest are map requests with a host's services and addresses: some 10 KiB.
pub(crate) const BODY_BYTES_MAX: usize = 512 * 1024;
/// How long a body may take to come.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(15);
/// Control channels open at once: the goal is 10,000 streams, and reconnecting nodes overlap with their old channel.
pub(crate) const CHANNELS_MAX: usize = 32 * 1024;
/// How long a machine that waits for approval holds its request. Proxies cut longer silences; clients ask again.
pub(crate) const APPROVAL_WAIT: Duration = Duration::from_secs(55);
/// A machine's name on the registration page.
pub(crate) const SHOWN_NAME_CHARS: usize = 100;
/// A file with relays.
pub(crate) const RELAY_MAP_BYTES_MAX: u64 = 4 << 20;

/// Commands that wait for the loop. A storm of reconnecting nodes fits; beyond it askers wait in their connections.
pub(crate) const COMMANDS_WAITING_MAX: usize = 4096;
/// Commands committed in one transaction: enough to pay for the disk's wait, few enough to answer soon.
pub(crate) const COMMANDS_TOGETHER_MAX: usize = 256;
/// How long the loop's own work rests after a write that failed: trying at once makes no disk emptier.
pub(crate) const COMMIT_RETRY: Duration = Duration::from_secs(5);
/// How long a stream gathers changes before it tells them: many changes come together.
pub(crate) const CHANGES_GATHERED: Duration = Duration::from_millis(20);
/// Silence of a map stream before a keepalive; clients give up after 120 s.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(50);
/// Spread of keepalives, so that streams that opened together do not speak together.
pub(crate) const KEEPALIVE_JITTER: Duration = Duration::from_secs(9);
/// Ways to show a peer's routes whose JSON is kept. Most peers have one; routers of a policy with `via` a few.
pub(crate) const PEER_VARIANTS_MAX: usize = 16;
/// Lists of sources whose JSON is kept: those of a large policy, and of the one before.
pub(crate) const SOURCE_LISTS_MAX: usize = 4_096;
/// A request on the administrators' socket or the console: the largest is a policy of a MiB, whose line breaks and
/// quotes take more room in JSON and three times theirs in a form.
pub(crate) const ADMIN_BODY_MAX: usize = 4 << 20;

/// Why a policy was put in force, in its author's words.
pub(crate) const POLICY_NOTE_CHARS: usize = 1_000;
/// Who put it in force.
pub(crate) const POLICY_AUTHOR_CHARS: usize = 255;
/// Gains and losses told of one change: people read a few, programs some more.
pub(crate) const GAINS_LISTED_MAX: usize = 1_000;
/// Rows of the matrix told at once: beyond it people search.
pub(crate) const CELLS_LISTED_MAX: usize = 1_000;
/// Names told of parties that are alike: a group may be everybody.
pub(crate) const NAMES_LISTED_MAX: usize = 100;
/// Names in a sentence.
pub(crate) const NAMES_IN_SENTENCE_MAX: usize = 4;
/// Cells of the table by which two texts are compared line by line; beyond it all differing lines count as changed.
pub(crate) const LINE_PAIRS_MAX: usize = 4 << 20;
/// How often the file with the policy is looked at.
pub(crate) const POLICY_FILE_LOOK: Duration = Duration::from_secs(2);
/// A policy file that was refused may be fine once users or nodes have changed: it is tried again after this.
pub(crate) const POLICY_FILE_RETRY: Duration = Duration::from_secs(60);

/// Browsers signed in to the console at once; the oldest makes room.
pub(crate) const CONSOLE_SESSIONS_MAX: usize = 64;
/// Invitations to the console that nobody has used; the oldest makes room.
pub(crate) const CONSOLE_TOKENS_MAX: usize = 16;
/// How long a browser stays signed in: a working day.
pub(crate) const CONSOLE_SESSION: Duration = Duration::from_secs(12 * 3_600);
/// How long an invitation to the console is good: time to copy it to a browser.
pub(crate) const CONSOLE_TOKEN: Duration = Duration::from_secs(15 * 60);

/// People signed in at once, in all browsers; the one who was away longest makes room.
pub(crate) const SESSIONS_MAX: usize = 10_000;
/// Browsers that one person is signed in with: who signs in often takes no room from others.
pub(crate) const SESSIONS_OF_USER_MAX: usize = 20;
/// How long a browser stays signed in ...
pub(crate) const SESSION_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
/// ... and how long without a visit.
pub(crate) const SESSION_IDLE: Duration = Duration::from_secs(12 * 3_600);
/// Sign-ins that have begun at a provider; the oldest makes room.
pub(crate) const ATTEMPTS_MAX: usize = 4_096;
/// How long one may take: time to find a second factor.
pub(crate) const ATTEMPT_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Beginnings and ends of sign-ins, from one address. Behind a proxy or in an office many people share one.
pub(crate) const SIGN_INS_PER_MINUTE: u32 = 30;
/// As many at once.
pub(crate) const SIGN_IN_BURST: u32 = 30;
/// The same, from all addresses together: each costs the providers a request.
pub(crate) const SIGN_INS_PER_MINUTE_ALL: u32 = 1_200;
/// Addresses whose sign-ins are counted.
pub(crate) const PEOPLE_ADDRESSES_MAX: usize = 10_000;
/// A form of a page for people: a few short fields.
pub(crate) const PEOPLE_BODY_MAX: usize = 16 * 1024;
/// Registrations whose outcome, or address, is remembered for their pages.
pub(crate) const REGISTRATIONS_REMEMBERED_MAX: usize = 1_024;
/// A provider's own words on a page.
pub(crate) const PROVIDER_WORDS_CHARS: usize = 200;
