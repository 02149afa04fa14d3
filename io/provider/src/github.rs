//! GitHub, which speaks OAuth 2 and says who somebody is by its API.
//!
//! People are known by their number: names change hands. Only an address that GitHub has verified counts.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{Method, Request};
use openidconnect::url::Url;
use openidconnect::url::form_urlencoded::Serializer;
use openidconnect::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier};
use serde::Deserialize;
use wattle_identity::{IdentityKey, Profile};

use crate::config::{ProviderConfig, ProviderKind};
use crate::error::{ConfigError, ProviderError};
use crate::wire::Wire;

#[derive(Debug)]
pub(crate) struct GitHub {
    config: ProviderConfig,
    redirect: String,
    wire: Wire,
    api: Url,
    web: Url,
    organisations: Vec<String>,
}

/// The secret of a sign-in that has begun.
pub(crate) struct GitHubKept(PkceCodeVerifier);

#[derive(Deserialize)]
struct Token {
    access_token: Option<String>,
    error_description: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
    avatar_url: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Organisation {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    organization: Organisation,
}

impl GitHub {
    pub(crate) fn new(config: ProviderConfig, redirect: String) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::Address { provider: config.name.clone(), reason };
        let ProviderKind::GitHub { api, web, organisations } = config.kind.clone() else {
            return Err(wrong("it is no GitHub".to_owned()));
        };
        let place = |text: &str| {
            Url::parse(&format!("{}/", text.trim_end_matches('/'))).map_err(|error| wrong(error.to_string()))
        };
        let (api, web) = (place(&api)?, place(&web)?);
        Ok(Self { wire: Wire::new(&config)?, config, redirect, api, web, organisations })
    }

    pub(crate) fn begin(&self) -> Result<(String, String, GitHubKept), ProviderError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = CsrfToken::new_random();
        let mut url = self.at(&self.web, "login/oauth/authorize")?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", &self.config.scopes.join(" "))
            .append_pair("state", state.secret())
            .append_pair("code_challenge", challenge.as_str())
            .append_pair("code_challenge_method", "S256");
        Ok((url.into(), state.secret().clone(), GitHubKept(verifier)))
    }

    pub(crate) async fn finish(&self, kept: GitHubKept, code: &str) -> Result<Profile, ProviderError> {
        let token = self.token(kept, code).await?;
        let user: User = self.ask(&token, "user").await?;
        let emails: Vec<Email> = self.ask(&token, "user/emails").await?;
        let organisations: Vec<Organisation> = self.ask(&token, "user/orgs?per_page=100").await?;
        let teams: Vec<Team> = self.ask(&token, "user/teams?per_page=100").await?;
        let is_in = |wanted: &String| organisations.iter().any(|one| one.login.eq_ignore_ascii_case(wanted));
        if !self.organisations.is_empty() && !self.organisations.iter().any(is_in) {
            return Err(wattle_identity::NotAdmitted::Group.into());
        }
        let groups = organisations.iter().map(|one| one.login.clone());
        let groups = groups.chain(teams.iter().map(|team| format!("{}/{}", team.organization.login, team.slug)));
        let profile = Profile {
            key: IdentityKey {
                issuer: self.web.as_str().trim_end_matches('/').to_owned(),
                subject: user.id.to_string(),
            },
            provider: self.config.name.clone(),
            email: emails.into_iter().find(|email| email.primary && email.verified).map(|email| email.email),
            display_name: user.name.unwrap_or_else(|| user.login.clone()),
            picture_url: user.avatar_url.unwrap_or_default(),
            groups: Some(groups.collect()),
            // GitHub tells whether an account has one, not whether it was used.
            second_factor: false,
            key_expiry: None,
            login_name: String::new(),
        };
        let profile = profile.bounded(Some(&user.login));
        self.config.rules.admit(&profile)?;
        Ok(profile)
    }

    /// Whether GitHub answers there at all; what we are allowed to shows only when somebody signs in.
    pub(crate) async fn check(&self) -> Result<(), ProviderError> {
        let request = self.request(Method::GET, &self.at(&self.api, "meta")?);
        let request = request.body(Vec::new()).map_err(ProviderError::invalid)?;
        self.wire.json::<serde_json::Value>(request).await.map(drop)
    }

    async fn token(&self, kept: GitHubKept, code: &str) -> Result<String, ProviderError> {
        let form = Serializer::new(String::new())
            .append_pair("client_id", &self.config.client_id)
            .append_pair("client_secret", self.config.client_secret.as_deref().unwrap_or_default())
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("code_verifier", kept.0.secret())
            .finish();
        let request = self.request(Method::POST, &self.at(&self.web, "login/oauth/access_token")?);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.into_bytes());
        let token: Token = self.wire.json(request.map_err(ProviderError::invalid)?).await?;
        token.access_token.filter(|token| !token.is_empty()).ok_or_else(|| {
            let why = token.error_description.or(token.error);
            ProviderError::denied(why.unwrap_or_else(|| "it gave no token".to_owned()))
        })
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, token: &str, path: &str) -> Result<T, ProviderError> {
        let request = self.request(Method::GET, &self.at(&self.api, path)?);
        let request = request.header(AUTHORIZATION, format!("Bearer {token}")).body(Vec::new());
        self.wire.json(request.map_err(ProviderError::invalid)?).await
    }

    /// GitHub turns away who does not say what they are.
    fn request(&self, method: Method, url: &Url) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "wattle")
    }

    fn at(&self, base: &Url, path: &str) -> Result<Url, ProviderError> {
        base.join(path).map_err(ProviderError::invalid)
    }
}
