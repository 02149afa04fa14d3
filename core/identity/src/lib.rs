//! Who somebody is, as their identity provider says.
#![forbid(unsafe_code)]

use wattle_time::UnixTime;

/// An identity at a provider. Never an e-mail address: those change hands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityKey {
    /// The provider's own name.
    pub issuer: String,
    /// The person's name there.
    pub subject: String,
}

/// What a provider vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub key: IdentityKey,
    /// Name of the provider in the configuration.
    pub provider: String,
    /// E-mail, only if the provider says it is verified.
    pub email: Option<String>,
    /// As they are called.
    pub display_name: String,
    /// Their picture.
    pub picture_url: String,
    /// Group names, sorted; `None`: the provider tells none.
    pub groups: Option<Vec<String>>,
    /// Whether a second factor was used.
    pub second_factor: bool,
    /// When node keys shall end.
    pub key_expiry: Option<UnixTime>,
    /// A login name for a new user.
    pub login_name: String,
}
