//! Whole sign-ins at providers that a test plays, honest ones and others.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use openidconnect::url::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wattle_identity::{Profile, Rules};
use wattle_provider::{Kept, ProviderConfig, ProviderError, ProviderErrorKind, ProviderKind, Providers};

/// A provider on loopback. Tests change what it does.
#[derive(Clone)]
struct Fake(Arc<Mutex<Inner>>);

struct Inner {
    url: String,
    keys: Vec<(String, Ed25519KeyPair)>,
    /// How many times keys were fetched.
    key_fetches: usize,
    /// Codes that were given out: their nonce and challenge.
    codes: BTreeMap<String, (String, String)>,
    /// What the next token says instead.
    claims: Value,
    header: Value,
    /// Signs with this key instead of the last one.
    sign_with: Option<Ed25519KeyPair>,
    mood: Mood,
}

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Garbage,
    Huge,
    Redirecting,
    Broken,
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::generate().unwrap()
}

fn unix(offset: i64) -> i64 {
    i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap() + offset
}

impl Fake {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: vec![("one".to_owned(), key())],
            key_fetches: 0,
            codes: BTreeMap::new(),
            claims: json!({}),
            header: json!({}),
            sign_with: None,
            mood: Mood::Well,
        };
        let fake = Self(Arc::new(Mutex::new(inner)));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn providers(&self, rules: Rules) -> Providers {
        let config = ProviderConfig {
            name: "corp".to_owned(),
            title: "Corp".to_owned(),
            kind: ProviderKind::Oidc { issuer: self.with(|inner| inner.url.clone()) },
            client_id: "wattle".to_owned(),
            client_secret: Some("secret".to_owned()),
            scopes: ["openid", "email", "groups"].map(str::to_owned).to_vec(),
            rules,
            use_expiry_from_token: false,
            ca_file: None,
        };
        Providers::new(vec![config], |name| format!("https://mesh.example/oidc/callback/{name}")).unwrap()
    }

    /// What the provider does once the person has agreed: a code for what the browser asked.
    fn agree(&self, url: &str) -> String {
        let url: Url = url.parse().unwrap();
        let asked: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["redirect_uri"], "https://mesh.example/oidc/callback/corp");
        assert!(asked["scope"].split(' ').eq(["openid", "email", "groups"]) && asked["state"].len() >= 16);
        self.with(|inner| {
            let code = format!("code{}", inner.codes.len());
            inner.codes.insert(code.clone(), (asked["nonce"].clone(), asked["code_challenge"].clone()));
            code
        })
    }

    async fn sign_in_by(&self, providers: &Providers) -> Result<Profile, ProviderError> {
        let begun = providers.begin("corp").await?;
        let code = self.agree(&begun.url);
        providers.finish(begun.kept, &code, None).await
    }

    async fn sign_in(&self) -> Result<Profile, ProviderError> {
        self.sign_in_by(&self.providers(Rules::default())).await
    }

    /// Signs in with a token that says this instead; it must be refused as unbelievable.
    async fn refused(&self, claims: Value) -> String {
        self.with(|inner| inner.claims = claims);
        let error = self.sign_in().await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Invalid, "{error}");
        self.with(|inner| inner.claims = json!({}));
        error.to_string()
    }
}

async fn discovery(State(fake): State<Fake>) -> Response {
    let (url, mood) = fake.with(|inner| (inner.url.clone(), inner.mood));
    let document = json!({
        "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"), "userinfo_endpoint": format!("{url}/me"),
        "end_session_endpoint": format!("{url}/end"), "response_types_supported": ["code"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "RS256"],
    });
    match mood {
        Mood::Well => Json(document).into_response(),
        Mood::Garbage => "<html>".into_response(),
        Mood::Huge => " ".repeat(10 << 20).into_response(),
        Mood::Redirecting => (StatusCode::FOUND, [(LOCATION, "http://127.0.0.1:1/")]).into_response(),
        Mood::Broken => StatusCode::BAD_GATEWAY.into_response(),
    }
}

async fn keys(State(fake): State<Fake>) -> Json<Value> {
    fake.with(|inner| {
        inner.key_fetches += 1;
        let keys = inner.keys.iter().map(|(name, key)| {
            let x = BASE64.encode(key.public_key().as_ref());
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": name, "x": x })
        });
        Json(json!({ "keys": keys.collect::<Vec<_>>() }))
    })
}

async fn token(State(fake): State<Fake>, Form(form): Form<BTreeMap<String, String>>) -> Response {
    fake.with(|inner| {
        let Some((nonce, challenge)) = inner.codes.remove(&form["code"]) else {
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
        };
        if BASE64.encode(Sha256::digest(&form["code_verifier"])) != challenge {
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
        }
        let (name, own) = inner.keys.last().unwrap();
        let mut header = json!({ "alg": "EdDSA", "kid": name });
        let mut claims = json!({
            "iss": inner.url, "sub": "1001", "aud": "wattle", "iat": unix(0), "exp": unix(300), "nonce": nonce,
            "email": "alice@example.com", "email_verified": true, "name": "Alice", "groups": ["staff", "admins"],
        });
        merge(&mut claims, &inner.claims);
        merge(&mut header, &inner.header);
        let text = [&header, &claims].map(|part| BASE64.encode(part.to_string())).join(".");
        let key = inner.sign_with.as_ref().unwrap_or(own);
        let signature = match header["alg"].as_str() {
            Some("none") => Vec::new(),
            // With the secret that both sides have.
            Some("HS256") => {
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"secret");
                aws_lc_rs::hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            }
            _ => key.sign(text.as_bytes()).as_ref().to_vec(),
        };
        let id_token = format!("{text}.{}", BASE64.encode(signature));
        Json(json!({ "access_token": "access", "token_type": "Bearer", "id_token": id_token })).into_response()
    })
}

/// Null takes a claim away.
fn merge(into: &mut Value, other: &Value) {
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => drop(into.as_object_mut().unwrap().remove(name)),
            value => into[name] = value.clone(),
        }
    }
}

async fn me() -> Json<Value> {
    Json(json!({ "sub": "1001", "email": "beside@example.com", "email_verified": "true", "groups": "solo" }))
}

#[tokio::test]
async fn a_person_is_who_the_provider_says() {
    let fake = Fake::start().await;
    let providers = fake.providers(Rules::default());
    providers.check("corp").await.unwrap();
    let alice = fake.sign_in_by(&providers).await.unwrap();
    assert_eq!((alice.key.subject.as_str(), alice.login_name.as_str()), ("1001", "alice@example.com"));
    assert_eq!(alice.key.issuer, fake.with(|inner| inner.url.clone()));
    assert_eq!(alice.groups, Some(vec!["admins".to_owned(), "staff".to_owned()]));
    assert!(!alice.second_factor && alice.key_expiry.is_none());
    let out = providers.logout_url("corp", "https://mesh.example/login").unwrap();
    assert!(out.contains("/end?") && out.contains("client_id=wattle"), "{out}");
    assert_eq!(providers.begin("other").await.unwrap_err(), ProviderError::Unknown);
}

#[tokio::test]
async fn an_address_that_is_not_verified_is_none() {
    let fake = Fake::start().await;
    fake.with(|inner| inner.claims = json!({ "email_verified": null, "preferred_username": "root@example.com" }));
    let somebody = fake.sign_in().await.unwrap();
    assert_eq!((somebody.email, somebody.login_name.as_str()), (None, "root.example.com@corp"));
    let rules = Rules { allowed_domains: vec!["example.com".to_owned()], ..Rules::default() };
    let error = fake.sign_in_by(&fake.providers(rules)).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::NotAdmitted);
}

#[tokio::test]
async fn what_the_token_does_not_say_is_asked_for() {
    let fake = Fake::start().await;
    fake.with(|inner| {
        inner.claims = json!({ "email": null, "email_verified": null, "groups": null, "amr": ["pwd", "mfa"] })
    });
    let alice = fake.sign_in().await.unwrap();
    assert_eq!(alice.email.as_deref(), Some("beside@example.com"));
    assert_eq!((alice.groups, alice.second_factor), (Some(vec!["solo".to_owned()]), true));
    // Somebody else's claims are not taken.
    fake.with(|inner| inner.claims = json!({ "sub": "1002", "email": null, "groups": null }));
    assert_eq!(fake.sign_in().await.unwrap().email, None);
}

#[tokio::test]
async fn tokens_that_are_not_for_this_sign_in_are_refused() {
    let fake = Fake::start().await;
    fake.refused(json!({ "nonce": "another" })).await;
    fake.refused(json!({ "nonce": null })).await;
    fake.refused(json!({ "aud": "another" })).await;
    fake.refused(json!({ "aud": ["wattle", "another"] })).await;
    fake.refused(json!({ "iss": "https://evil.example" })).await;
    fake.refused(json!({ "exp": unix(-120) })).await;
    fake.refused(json!({ "iat": unix(120) })).await;
    fake.refused(json!({ "iat": unix(-3600) })).await;
    fake.refused(json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" })).await;
    // Clocks differ a little.
    for claims in [json!({ "exp": unix(-20) }), json!({ "iat": unix(20) })] {
        fake.with(|inner| inner.claims = claims);
        fake.sign_in().await.unwrap();
    }
}

#[tokio::test]
async fn only_the_providers_own_signature_counts() {
    let fake = Fake::start().await;
    for header in [json!({ "alg": "none" }), json!({ "alg": "HS256" }), json!({ "alg": "HS256", "kid": null })] {
        fake.with(|inner| inner.header = header);
        let error = fake.sign_in().await.unwrap_err();
        assert_eq!(error.kind(), ProviderErrorKind::Invalid, "{error}");
    }
    fake.with(|inner| (inner.header, inner.sign_with) = (json!({}), Some(key())));
    assert_eq!(fake.sign_in().await.unwrap_err().kind(), ProviderErrorKind::Invalid);
}

#[tokio::test]
async fn new_keys_are_fetched_and_not_too_often() {
    let fake = Fake::start().await;
    let providers = fake.providers(Rules::default());
    fake.sign_in_by(&providers).await.unwrap();
    fake.with(|inner| inner.keys = vec![("two".to_owned(), key())]);
    // The keys are seconds old, and whoever names an unknown one must not have us ask again and again.
    for _ in 0..3 {
        assert_eq!(fake.sign_in_by(&providers).await.unwrap_err().kind(), ProviderErrorKind::Invalid);
    }
    assert_eq!(fake.with(|inner| inner.key_fetches), 1);
    tokio::time::sleep(Duration::from_secs(11)).await;
    fake.sign_in_by(&providers).await.unwrap();
    assert_eq!(fake.with(|inner| inner.key_fetches), 2);
}

#[tokio::test]
async fn a_code_works_once_for_who_began() {
    let fake = Fake::start().await;
    let providers = fake.providers(Rules::default());
    let (one, other) = (providers.begin("corp").await.unwrap(), providers.begin("corp").await.unwrap());
    assert_ne!(one.state, other.state);
    let code = fake.agree(&one.url);
    // Another sign-in has another verifier: a code that was stolen, or slipped in, is worth nothing there.
    let error = providers.finish(other.kept, &code, None).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Denied, "{error}");
    let begun = providers.begin("corp").await.unwrap();
    let code = fake.agree(&begun.url);
    providers.finish(begun.kept, &code, None).await.unwrap();
    let again: Kept = providers.begin("corp").await.unwrap().kept;
    assert_eq!(providers.finish(again, &code, None).await.unwrap_err().kind(), ProviderErrorKind::Denied);
}

#[tokio::test]
async fn an_answer_of_another_provider_is_refused() {
    let fake = Fake::start().await;
    let providers = fake.providers(Rules::default());
    let begun = providers.begin("corp").await.unwrap();
    let code = fake.agree(&begun.url);
    let error = providers.finish(begun.kept, &code, Some("https://evil.example")).await.unwrap_err();
    assert_eq!(error.kind(), ProviderErrorKind::Invalid);
    assert_eq!(fake.with(|inner| inner.codes.len()), 1, "the code was not given to anybody");
}

#[tokio::test]
async fn a_provider_that_is_not_well_is_said_to_be() {
    let fake = Fake::start().await;
    for (mood, kind) in [
        (Mood::Garbage, ProviderErrorKind::Invalid),
        (Mood::Huge, ProviderErrorKind::Unreachable),
        (Mood::Redirecting, ProviderErrorKind::Invalid),
        (Mood::Broken, ProviderErrorKind::Unreachable),
    ] {
        fake.with(|inner| inner.mood = mood);
        let providers = fake.providers(Rules::default());
        let error = fake.sign_in_by(&providers).await.unwrap_err();
        // Who comes right after is told the same, and the provider is left in peace.
        fake.with(|inner| inner.mood = Mood::Well);
        assert_eq!(fake.sign_in_by(&providers).await.unwrap_err(), error);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().chars().count() < 300 && !error.to_string().contains('\n'), "{error}");
    }
    // Who knows it already goes by what it said.
    fake.with(|inner| inner.mood = Mood::Well);
    let providers = fake.providers(Rules::default());
    fake.sign_in_by(&providers).await.unwrap();
    fake.with(|inner| inner.mood = Mood::Broken);
    fake.sign_in_by(&providers).await.unwrap();
}

#[tokio::test]
async fn a_configuration_with_a_wrong_address_is_refused_and_secrets_do_not_print() {
    let config = |issuer: &str| ProviderConfig {
        name: "corp".to_owned(),
        title: "Corp".to_owned(),
        kind: ProviderKind::Oidc { issuer: issuer.to_owned() },
        client_id: "wattle".to_owned(),
        client_secret: Some("hunter2".to_owned()),
        scopes: Vec::new(),
        rules: Rules::default(),
        use_expiry_from_token: false,
        ca_file: None,
    };
    let redirect = |_: &str| "https://mesh.example/".to_owned();
    assert!(Providers::new(vec![config("nowhere")], redirect).is_err());
    let missing = ProviderConfig { ca_file: Some("/nowhere/at/all".into()), ..config("https://id.example") };
    assert!(Providers::new(vec![missing], redirect).unwrap_err().to_string().contains("/nowhere/at/all"));
    let providers = Providers::new(vec![config("https://id.example")], redirect).unwrap();
    assert!(!format!("{providers:?} {:?}", config("https://id.example")).contains("hunter2"));
}

/// GitHub's part of its API that is asked.
fn github(user: Value) -> Router {
    Router::new()
        .route("/login/oauth/access_token", post(async |Form(form): Form<BTreeMap<String, String>>| {
            match form["code"].as_str() {
                "good" if !form["code_verifier"].is_empty() => Json(json!({ "access_token": "t" })),
                _ => Json(json!({ "error": "bad_verification_code", "error_description": "The code is incorrect or expired." })),
            }
        }))
        .route("/user", get(async move || Json(user)))
        .route("/user/emails", get(async || {
            Json(json!([
                { "email": "old@example.com", "primary": false, "verified": true },
                { "email": "octo@example.com", "primary": true, "verified": true }
            ]))
        }))
        .route("/user/orgs", get(async || Json(json!([{ "login": "Acme" }]))))
        .route("/user/teams", get(async || Json(json!([{ "slug": "ops", "organization": { "login": "Acme" } }]))))
}

#[tokio::test]
async fn github_knows_people_by_number() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = github(json!({ "id": 583_231, "login": "octocat", "name": null, "two_factor_authentication": true }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let providers = |organisation: &str| {
        let config = ProviderConfig {
            name: "github".to_owned(),
            title: "GitHub".to_owned(),
            kind: ProviderKind::GitHub {
                api: url.clone(),
                web: url.clone(),
                organisations: vec![organisation.to_owned()],
            },
            client_id: "id".to_owned(),
            client_secret: Some("secret".to_owned()),
            scopes: vec!["user:email".to_owned(), "read:org".to_owned()],
            rules: Rules::default(),
            use_expiry_from_token: false,
            ca_file: None,
        };
        Providers::new(vec![config], |_| "https://mesh.example/oidc/callback/github".to_owned()).unwrap()
    };
    let acme = providers("acme");
    let begun = acme.begin("github").await.unwrap();
    assert!(begun.url.contains("/login/oauth/authorize?") && begun.url.contains("code_challenge_method=S256"));
    let octocat = acme.finish(begun.kept, "good", None).await.unwrap();
    assert_eq!((octocat.key.issuer.as_str(), octocat.key.subject.as_str()), (url.as_str(), "583231"));
    assert_eq!((octocat.email.as_deref(), octocat.display_name.as_str()), (Some("octo@example.com"), "octocat"));
    assert_eq!(octocat.groups, Some(vec!["Acme".to_owned(), "Acme/ops".to_owned()]));
    assert!(!octocat.second_factor, "that the account has one does not say that it was used");

    let kept = acme.begin("github").await.unwrap().kept;
    let error = acme.finish(kept, "bad", None).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("incorrect or expired")), (ProviderErrorKind::Denied, true));
    let other = providers("other");
    let kept = other.begin("github").await.unwrap().kept;
    assert_eq!(other.finish(kept, "good", None).await.unwrap_err().kind(), ProviderErrorKind::NotAdmitted);
}
