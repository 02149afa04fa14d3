//! The person, or the tag identity, that a node belongs to.

/// Numbers a user of one tailnet. Never reused, below 2^53 because peers read it as a JSON number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

/// What peers show of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: UserId,
    /// As they sign in, for example `alice@example.com`.
    pub login_name: String,
    /// As they are called.
    pub display_name: String,
    /// Where their picture is; empty when there is none.
    pub picture_url: String,
}
