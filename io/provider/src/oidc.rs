//! OpenID Connect: discovery, the code flow with PKCE, and what an ID token says.

mod claims;

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClaimsVerificationError, Client, ClientId, ClientSecret, CsrfToken,
    DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenClaims, IdTokenFields,
    IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadataWithLogout, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    StandardErrorResponse, StandardTokenResponse, TokenResponse, UserInfoClaims,
};
use tokio::sync::Mutex;
use wattle_identity::{IdentityKey, Profile};
use wattle_link::DialError;
use wattle_time::UnixTime;

use crate::config::{ProviderConfig, ProviderKind};
use crate::error::{ConfigError, ProviderError};
use crate::limits::{METADATA_FRESH, REFETCH_SPACING, SKEW, TOKEN_AGE_MAX};
use crate::wire::Wire;
use claims::{More, Said, used_second_factor};

/// Signatures that only the provider can make. Not HS256 and its like, whose key we have too, and never none.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 10] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EcdsaP521Sha512,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Tokens = StandardTokenResponse<
    IdTokenFields<
        More,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type OidcClient = Client<
    More,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
type Claims = IdTokenClaims<More, CoreGenderClaim>;

pub(crate) struct Oidc {
    config: ProviderConfig,
    issuer: IssuerUrl,
    redirect: RedirectUrl,
    wire: Wire,
    known: Mutex<Known>,
}

/// What the provider said of itself, and when; and why it said nothing when it was asked last, and when that was.
#[derive(Default)]
struct Known {
    said: Option<(ProviderMetadataWithLogout, SystemTime)>,
    failed: Option<(ProviderError, SystemTime)>,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oidc").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The secrets of a sign-in that has begun.
pub(crate) struct OidcKept {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl Oidc {
    pub(crate) fn new(config: ProviderConfig, redirect: String) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::Address { provider: config.name.clone(), reason };
        let ProviderKind::Oidc { issuer } = &config.kind else {
            return Err(wrong("it does not speak OpenID Connect".to_owned()));
        };
        let issuer = IssuerUrl::new(issuer.clone()).map_err(|error| wrong(error.to_string()))?;
        let redirect = RedirectUrl::new(redirect).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { wire: Wire::new(&config)?, config, issuer, redirect, known: Mutex::default() })
    }

    pub(crate) async fn begin(&self) -> Result<(String, String, OidcKept), ProviderError> {
        let client = self.client(self.metadata().await?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let scopes = self.config.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let (url, state, nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        Ok((url.into(), state.secret().clone(), OidcKept { nonce, verifier }))
    }

    pub(crate) async fn finish(
        &self,
        kept: OidcKept,
        code: &str,
        issuer: Option<&str>,
    ) -> Result<Profile, ProviderError> {
        if issuer.is_some_and(|issuer| issuer != self.issuer.as_str()) {
            return Err(ProviderError::invalid("it came from another provider"));
        }
        let client = self.client(self.metadata().await?);
        let asking = client.exchange_code(AuthorizationCode::new(code.to_owned()));
        let asking = asking.map_err(|_| ProviderError::invalid("it names no address for tokens"))?;
        let tokens = asking.set_pkce_verifier(kept.verifier).request_async(&self.wire).await.map_err(of_token)?;
        let claims = match self.believe(&client, &tokens, &kept.nonce) {
            // The provider may have new keys since we asked.
            Err(Disbelief::UnknownKey) => {
                let client = self.client(self.refetch().await?);
                self.believe(&client, &tokens, &kept.nonce)
            }
            other => other,
        };
        let claims = claims.map_err(|disbelief| match disbelief {
            Disbelief::UnknownKey => ProviderError::invalid("it signed with a key that it does not publish"),
            Disbelief::Other(why) => ProviderError::invalid(why),
        })?;
        let profile = self.profile(&client, &tokens, &claims).await?;
        self.config.rules.admit(&profile)?;
        Ok(profile)
    }

    pub(crate) async fn check(&self) -> Result<(), ProviderError> {
        let metadata = self.fetch().await?;
        if metadata.token_endpoint().is_none() {
            return Err(ProviderError::invalid("it names no address for tokens"));
        }
        if !metadata.id_token_signing_alg_values_supported().iter().any(|known| ALGORITHMS.contains(known)) {
            return Err(ProviderError::invalid("it signs with nothing but secrets that are shared"));
        }
        Ok(())
    }

    pub(crate) fn logout_url(&self, back: &str) -> Option<String> {
        let known = self.known.try_lock().ok()?;
        let (metadata, _) = known.said.as_ref()?;
        let end = metadata.additional_metadata().end_session_endpoint.clone()?;
        let request = LogoutRequest::from(end).set_client_id(ClientId::new(self.config.client_id.clone()));
        let request = request.set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(back.to_owned()).ok()?);
        Some(request.http_get_url().into())
    }

    fn client(&self, metadata: ProviderMetadataWithLogout) -> OidcClient {
        let secret = self.config.client_secret.clone().map(ClientSecret::new);
        OidcClient::from_provider_metadata(metadata, ClientId::new(self.config.client_id.clone()), secret)
            .set_redirect_uri(self.redirect.clone())
    }

    /// What the provider says of itself, not too old. Where it does not answer, what it said before serves on.
    async fn metadata(&self) -> Result<ProviderMetadataWithLogout, ProviderError> {
        let mut known = self.known.lock().await;
        match &known.said {
            Some((metadata, at)) if age(*at) < METADATA_FRESH => Ok(metadata.clone()),
            _ => self.ask(&mut known).await,
        }
    }

    /// The same anew, unless that was just done.
    async fn refetch(&self) -> Result<ProviderMetadataWithLogout, ProviderError> {
        let mut known = self.known.lock().await;
        match &known.said {
            Some((metadata, at)) if age(*at) < REFETCH_SPACING => Ok(metadata.clone()),
            _ => self.ask(&mut known).await,
        }
    }

    /// Asks, but not again right after it did not answer: those who wait behind each other would each wait that long.
    async fn ask(&self, known: &mut Known) -> Result<ProviderMetadataWithLogout, ProviderError> {
        let failed = match &known.failed {
            Some((error, at)) if age(*at) < REFETCH_SPACING => error.clone(),
            _ => match self.fetch().await {
                Ok(metadata) => {
                    known.failed = None;
                    return Ok(known.said.insert((metadata, SystemTime::now())).0.clone());
                }
                Err(error) => {
                    tracing::warn!(provider = self.config.name, %error, "the provider does not say what it is");
                    known.failed = Some((error.clone(), SystemTime::now()));
                    error
                }
            },
        };
        known.said.as_ref().map(|(metadata, _)| metadata.clone()).ok_or(failed)
    }

    async fn fetch(&self) -> Result<ProviderMetadataWithLogout, ProviderError> {
        ProviderMetadataWithLogout::discover_async(self.issuer.clone(), &self.wire).await.map_err(|error| match error {
            DiscoveryError::Request(error) => ProviderError::unreachable(error),
            DiscoveryError::Response(status, ..) if status.is_server_error() => {
                ProviderError::unreachable(format!("it answers {status}"))
            }
            other => ProviderError::invalid(other),
        })
    }

    /// What the ID token says, if it is the provider's, for us, for this sign-in, and of now.
    fn believe(&self, client: &OidcClient, tokens: &Tokens, nonce: &Nonce) -> Result<Claims, Disbelief> {
        let token = tokens.id_token().ok_or_else(|| Disbelief::Other("it gave no ID token".to_owned()))?;
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(|| now() - SKEW)
            .set_issue_time_verifier_fn(|issued| match issued {
                issued if issued > now() + SKEW => Err("its token is from the future".to_owned()),
                issued if issued < now() - TOKEN_AGE_MAX => Err("its token is too old".to_owned()),
                _ => Ok(()),
            });
        let claims = token.claims(&verifier, nonce).map_err(|error| match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                Disbelief::UnknownKey
            }
            other => Disbelief::Other(other.to_string()),
        })?;
        if let Some(expected) = claims.access_token_hash() {
            let key = token.signing_key(&verifier).map_err(|error| Disbelief::Other(error.to_string()))?;
            let algorithm = token.signing_alg().map_err(|error| Disbelief::Other(error.to_string()))?;
            let found = AccessTokenHash::from_token(tokens.access_token(), algorithm, key);
            if found.ok().as_ref() != Some(expected) {
                return Err(Disbelief::Other("its tokens do not belong together".to_owned()));
            }
        }
        Ok(claims.clone())
    }

    async fn profile(&self, client: &OidcClient, tokens: &Tokens, claims: &Claims) -> Result<Profile, ProviderError> {
        let mut said = Said::of_token(claims);
        if said.is_wanting() && client.user_info_url().is_some() {
            let subject = Some(claims.subject().clone());
            let asking = client.user_info(tokens.access_token().clone(), subject).map_err(ProviderError::invalid)?;
            // What it adds is welcome, and nobody is kept out for want of it.
            match asking.request_async::<More, _, CoreGenderClaim>(&self.wire).await {
                Ok(more) => said.complete(Said::of_user_info(&more)),
                Err(error) => {
                    tracing::info!(provider = self.config.name, %error, "the provider tells no more of a person")
                }
            }
        }
        let expiry = UnixTime::from_secs(claims.expiration().timestamp());
        let profile = Profile {
            key: IdentityKey { issuer: self.issuer.as_str().to_owned(), subject: claims.subject().as_str().to_owned() },
            provider: self.config.name.clone(),
            email: said.verified_email(),
            display_name: said.name.unwrap_or_default(),
            picture_url: said.picture.unwrap_or_default(),
            groups: said.groups,
            second_factor: used_second_factor(claims),
            key_expiry: self.config.use_expiry_from_token.then_some(expiry),
            login_name: String::new(),
        };
        Ok(profile.bounded(said.preferred.as_deref()))
    }
}

/// Why an ID token does not count.
#[derive(Debug)]
enum Disbelief {
    UnknownKey,
    Other(String),
}

type TokenError = RequestTokenError<DialError, StandardErrorResponse<CoreErrorResponseType>>;

fn of_token(error: TokenError) -> ProviderError {
    match error {
        RequestTokenError::ServerResponse(refusal) => ProviderError::denied(refusal),
        RequestTokenError::Request(error) => ProviderError::unreachable(error),
        RequestTokenError::Parse(error, _) => ProviderError::invalid(error),
        RequestTokenError::Other(error) => ProviderError::invalid(error),
    }
}

fn age(at: SystemTime) -> std::time::Duration {
    at.elapsed().unwrap_or_default()
}

fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// What the endpoint for claims says.
type UserInfo = UserInfoClaims<More, CoreGenderClaim>;
