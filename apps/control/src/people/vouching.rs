//! The providers, as the pages see them: something that begins a sign-in and finishes it. Tests have one of their own.

use futures_util::future::BoxFuture;
use wattle_identity::{Profile, Rules};
use wattle_provider::{ProviderConfig, ProviderError, ProviderErrorKind, ProviderKind, Providers};

use crate::config::{ClientSecret, ProviderPlace, ProviderSettings};

/// Who vouches for people.
pub(crate) trait Vouching: Send + Sync {
    /// Names and titles, in the order of the configuration.
    fn list(&self) -> Vec<Choice>;
    fn begin(&self, name: &str) -> BoxFuture<'_, Result<Begun, Failure>>;
    /// Where a person ends their session at the provider, too.
    fn logout_url(&self, name: &str, back: &str) -> Option<String>;
}

/// A button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) title: String,
}

/// A sign-in that has begun.
pub(crate) struct Begun {
    /// Where the browser goes.
    pub(crate) url: String,
    /// By which the way back is known.
    pub(crate) state: String,
    pub(crate) finish: Finish,
}

/// What is done with the code, and the issuer, that the browser comes back with.
pub(crate) type Finish = Box<dyn FnOnce(String, Option<String>) -> BoxFuture<'static, Result<Profile, Failure>> + Send>;

/// Why nobody was vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// For people.
    pub(crate) sentence: String,
    /// The provider does not answer, or not as it should: later may be better.
    pub(crate) is_outage: bool,
}

impl Failure {
    #[cfg(test)]
    pub(super) fn unreachable(sentence: &str) -> Self {
        Self { sentence: sentence.to_owned(), is_outage: true }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let is_outage = matches!(error.kind(), ProviderErrorKind::Unreachable | ProviderErrorKind::Invalid);
        Self { sentence: error.to_string(), is_outage }
    }
}

/// Those of the configuration.
pub(crate) struct ConfiguredProviders(pub(crate) Providers);

impl Vouching for ConfiguredProviders {
    fn list(&self) -> Vec<Choice> {
        self.0.list().map(|provider| Choice { name: provider.name.clone(), title: provider.title.clone() }).collect()
    }

    fn begin(&self, name: &str) -> BoxFuture<'_, Result<Begun, Failure>> {
        let name = name.to_owned();
        Box::pin(async move {
            let begun = self.0.begin(&name).await?;
            let (providers, kept) = (self.0.clone(), begun.kept);
            let finish: Finish = Box::new(move |code, issuer| {
                Box::pin(async move { Ok(providers.finish(kept, &code, issuer.as_deref()).await?) })
            });
            Ok(Begun { url: begun.url, state: begun.state, finish })
        })
    }

    fn logout_url(&self, name: &str, back: &str) -> Option<String> {
        self.0.logout_url(name, back)
    }
}

/// The settings in the providers' own terms.
pub(crate) fn provider_configs(settings: &[ProviderSettings]) -> Vec<ProviderConfig> {
    settings
        .iter()
        .map(|provider| ProviderConfig {
            name: provider.name.clone(),
            title: provider.title.clone(),
            kind: match &provider.place {
                ProviderPlace::Oidc { issuer } => ProviderKind::Oidc { issuer: issuer.clone() },
                ProviderPlace::GitHub { api, web, organisations } => {
                    ProviderKind::GitHub { api: api.clone(), web: web.clone(), organisations: organisations.clone() }
                }
            },
            client_id: provider.client_id.clone(),
            client_secret: provider.client_secret.as_ref().map(ClientSecret::reveal).map(str::to_owned),
            scopes: provider.scopes.clone(),
            rules: Rules {
                allowed_domains: provider.allowed_domains.clone(),
                allowed_users: provider.allowed_users.clone(),
                allowed_groups: provider.allowed_groups.clone(),
                require_second_factor: provider.require_second_factor,
            },
            use_expiry_from_token: provider.use_expiry_from_token,
            ca_file: provider.ca_file.clone(),
        })
        .collect()
}
