//! Every limit towards providers, with its reason.

use std::time::Duration;

/// For one request and its answer: a person waits for it.
pub(crate) const EXCHANGE_MAX: Duration = Duration::from_secs(10);
/// Bytes of an answer. Key sets and lists of groups are far smaller.
pub(crate) const ANSWER_MAX: usize = 1 << 20;
/// How long what a provider says of itself is believed without asking again.
pub(crate) const METADATA_FRESH: Duration = Duration::from_secs(3600);
/// A key that is not known has the keys fetched anew, at most this often: anybody can name a key.
pub(crate) const REFETCH_SPACING: Duration = Duration::from_secs(10);
/// How far a provider's clock may be off.
pub(crate) const SKEW: Duration = Duration::from_secs(60);
/// A token that was issued longer ago is not for this sign-in.
pub(crate) const TOKEN_AGE_MAX: Duration = Duration::from_secs(600);
/// Letters of a provider's own words that are passed on.
pub(crate) const WORDS_MAX: usize = 200;
