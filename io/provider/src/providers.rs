//! All providers of a server.

use std::fmt;
use std::sync::Arc;

use wattle_identity::Profile;

use crate::config::{ProviderConfig, ProviderKind};
use crate::error::{ConfigError, ProviderError};
use crate::github::{GitHub, GitHubKept};
use crate::oidc::{Oidc, OidcKept};

/// All providers. Clones are the same ones.
#[derive(Clone, Debug)]
pub struct Providers(Arc<Vec<Provider>>);

/// What lists show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderInfo {
    /// Its name in addresses.
    pub name: String,
    /// Its name on buttons.
    pub title: String,
}

#[derive(Debug)]
struct Provider {
    info: ProviderInfo,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Oidc(Box<Oidc>),
    GitHub(Box<GitHub>),
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// What it will come back with.
    pub state: String,
    /// What must be kept for that browser alone until it does.
    pub kept: Kept,
}

/// What is kept of a sign-in that has begun. It has secrets, and prints none.
pub struct Kept {
    provider: String,
    secrets: Secrets,
}

enum Secrets {
    Oidc(OidcKept),
    GitHub(GitHubKept),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Providers {
    /// From the configuration. Nobody is asked yet: a provider that is down does not keep a server from starting.
    /// `redirect` gives the address that a provider of a name sends browsers back to.
    pub fn new(configs: Vec<ProviderConfig>, redirect: impl Fn(&str) -> String) -> Result<Self, ConfigError> {
        let made = configs.into_iter().map(|config| {
            let redirect = redirect(&config.name);
            let info = ProviderInfo { name: config.name.clone(), title: config.title.clone() };
            let kind = match config.kind {
                ProviderKind::Oidc { .. } => Kind::Oidc(Box::new(Oidc::new(config, redirect)?)),
                ProviderKind::GitHub { .. } => Kind::GitHub(Box::new(GitHub::new(config, redirect)?)),
            };
            Ok(Provider { info, kind })
        });
        Ok(Self(Arc::new(made.collect::<Result<_, _>>()?)))
    }

    /// All of them, in the order of the configuration.
    pub fn list(&self) -> impl Iterator<Item = &ProviderInfo> {
        self.0.iter().map(|provider| &provider.info)
    }

    /// Begins a sign-in.
    pub async fn begin(&self, name: &str) -> Result<Begun, ProviderError> {
        let (url, state, secrets) = match &self.one(name)?.kind {
            Kind::Oidc(oidc) => {
                let (url, state, kept) = oidc.begin().await?;
                (url, state, Secrets::Oidc(kept))
            }
            Kind::GitHub(github) => {
                let (url, state, kept) = github.begin()?;
                (url, state, Secrets::GitHub(kept))
            }
        };
        Ok(Begun { url, state, kept: Kept { provider: name.to_owned(), secrets } })
    }

    /// The browser is back, with a code and perhaps with the issuer's name (RFC 9207).
    pub async fn finish(&self, kept: Kept, code: &str, issuer: Option<&str>) -> Result<Profile, ProviderError> {
        match (&self.one(&kept.provider)?.kind, kept.secrets) {
            (Kind::Oidc(oidc), Secrets::Oidc(kept)) => oidc.finish(kept, code, issuer).await,
            (Kind::GitHub(github), Secrets::GitHub(kept)) => github.finish(kept, code).await,
            _ => Err(ProviderError::Unknown),
        }
    }

    /// Asks a provider whether it is what is configured.
    pub async fn check(&self, name: &str) -> Result<(), ProviderError> {
        match &self.one(name)?.kind {
            Kind::Oidc(oidc) => oidc.check().await,
            Kind::GitHub(github) => github.check().await,
        }
    }

    /// Where a person ends their session at the provider too; `back`: where it sends them afterwards.
    pub fn logout_url(&self, name: &str, back: &str) -> Option<String> {
        match &self.one(name).ok()?.kind {
            Kind::Oidc(oidc) => oidc.logout_url(back),
            Kind::GitHub(_) => None,
        }
    }

    fn one(&self, name: &str) -> Result<&Provider, ProviderError> {
        self.0.iter().find(|provider| provider.info.name == name).ok_or(ProviderError::Unknown)
    }
}
