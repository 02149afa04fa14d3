//! Why nobody was vouched for: sentences for the person who waits, without secrets.

use wattle_identity::NotAdmitted;

use crate::limits::WORDS_MAX;

/// What sort of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderErrorKind {
    /// The provider does not answer.
    Unreachable,
    /// It says no.
    Denied,
    /// Its answer is not to be believed.
    Invalid,
    /// It vouches for somebody whom the rules do not let in.
    NotAdmitted,
}

/// Why nobody was vouched for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// No such provider is configured.
    #[error("There is no provider of that name here.")]
    Unknown,
    /// It does not answer.
    #[error("The provider cannot be reached: {0}.")]
    Unreachable(String),
    /// It says no.
    #[error("The provider refused the sign-in: {0}.")]
    Denied(String),
    /// Its answer is not to be believed.
    #[error("The provider's answer cannot be believed: {0}.")]
    Invalid(String),
    /// The rules do not let them in.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
}

impl ProviderError {
    /// What sort of failure it is.
    pub fn kind(&self) -> ProviderErrorKind {
        match self {
            Self::Unreachable(_) => ProviderErrorKind::Unreachable,
            Self::Unknown | Self::Denied(_) => ProviderErrorKind::Denied,
            Self::Invalid(_) => ProviderErrorKind::Invalid,
            Self::NotAdmitted(_) => ProviderErrorKind::NotAdmitted,
        }
    }

    pub(crate) fn unreachable(why: impl ToString) -> Self {
        Self::Unreachable(words(&why.to_string()))
    }

    pub(crate) fn denied(why: impl ToString) -> Self {
        Self::Denied(words(&why.to_string()))
    }

    pub(crate) fn invalid(why: impl ToString) -> Self {
        Self::Invalid(words(&why.to_string()))
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file with authorities.
    #[error("ca_file of the provider {provider}: {reason}")]
    Authorities {
        /// Whose.
        provider: String,
        /// What is wrong.
        reason: String,
    },
    /// An address.
    #[error("the provider {provider}: {reason}")]
    Address {
        /// Whose.
        provider: String,
        /// What is wrong.
        reason: String,
    },
}

/// Somebody else's words, in one short line.
pub(crate) fn words(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS_MAX).collect();
    text.trim().trim_end_matches('.').to_owned()
}
