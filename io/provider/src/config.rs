//! What is configured of a provider.

use std::fmt;
use std::path::PathBuf;

use wattle_identity::Rules;

/// One provider.
#[derive(Clone)]
pub struct ProviderConfig {
    /// Its name in addresses and lists.
    pub name: String,
    /// Its name on buttons.
    pub title: String,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Who we are there.
    pub client_id: String,
    /// What proves that we are.
    pub client_secret: Option<String>,
    /// What we ask for.
    pub scopes: Vec<String>,
    /// Whom we let in.
    pub rules: Rules,
    /// Whether node keys end with the provider's token.
    pub use_expiry_from_token: bool,
    /// Authorities in PEM that its certificate may be of; none: the system's.
    pub ca_file: Option<PathBuf>,
}

/// What a provider speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenID Connect.
    Oidc {
        /// Its issuer, to the letter.
        issuer: String,
    },
    /// GitHub, or a GitHub Enterprise.
    GitHub {
        /// Where its API is: `https://api.github.com`.
        api: String,
        /// Where its pages are: `https://github.com`.
        web: String,
        /// Organisations of which one is enough; none: everybody.
        organisations: Vec<String>,
    },
}

/// Without the secret.
impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
