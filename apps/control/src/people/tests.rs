//! Whole sign-ins through the real router and event loop, at a provider that takes a code for who somebody is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, header};
use futures_util::future::BoxFuture;
use tower::ServiceExt;
use wattle_coordinator::{Command, Config, Coordinator, Dice, Register, Reply};
use wattle_identity::{IdentityKey, Profile};
use wattle_keys::{MachinePrivate, NodePrivate};
use wattle_netmap::{DerpMap, HostFacts, UserId};
use wattle_store::Store;

use super::vouching::{Begun, Choice, Failure, Finish};
use super::*;
use crate::event_loop;

const FROM: &str = "192.0.2.7";

/// Whoever comes back with a name as their code is that person.
#[derive(Default)]
struct Gullible(AtomicU32);

impl Vouching for Gullible {
    fn list(&self) -> Vec<Choice> {
        ["corp", "other"].map(|name| Choice { name: name.to_owned(), title: format!("The {name}") }).to_vec()
    }

    fn begin(&self, name: &str) -> BoxFuture<'_, Result<Begun, Failure>> {
        let (state, provider) = (format!("state{}", self.0.fetch_add(1, Ordering::Relaxed)), name.to_owned());
        let finish: Finish = Box::new(move |code, _| {
            Box::pin(async move {
                match code.as_str() {
                    "nobody" => Err(Failure { sentence: "You are <b>nobody</b>.".to_owned(), is_outage: false }),
                    "down" => Err(Failure::unreachable("The provider cannot be reached.")),
                    name => Ok(profile(name, provider)),
                }
            })
        });
        let url = format!("https://id.example/authorize?state={state}");
        Box::pin(async { Ok(Begun { url, state, finish }) })
    }

    fn logout_url(&self, _: &str, _: &str) -> Option<String> {
        Some("https://id.example/end".to_owned())
    }
}

fn profile(name: &str, provider: String) -> Profile {
    let profile = Profile {
        key: IdentityKey { issuer: format!("https://{provider}.example"), subject: name.to_owned() },
        provider,
        email: Some(format!("{name}@example.com")),
        display_name: name.to_owned(),
        picture_url: String::new(),
        groups: None,
        second_factor: false,
        key_expiry: None,
        login_name: String::new(),
    };
    profile.bounded(None)
}

struct Lab {
    people: Arc<People>,
    tailnet: LoopHandle,
    _folder: tempfile::TempDir,
}

/// A browser: its cookies, by name.
#[derive(Default)]
struct Browser(std::collections::BTreeMap<String, String>);

struct Page {
    status: StatusCode,
    location: String,
    cookies: Vec<String>,
    text: String,
}

impl Lab {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("control.db")).await.unwrap();
        let config = Config::new("test.internal".to_owned(), DerpMap::default());
        let coordinator = Coordinator::new(config, store.load().await.unwrap(), event_loop::now()).unwrap();
        let (tailnet, _running) = event_loop::spawn(coordinator, store, Dice::new([7; 32]), |_| {});
        let url = "https://vpn.example.com".parse().unwrap();
        Self { people: People::new(tailnet.clone(), url, Gullible::default()), tailnet, _folder: folder }
    }

    /// A machine that asks to be let in: the path of its page.
    async fn machine(&self, machine: u8, node: u8) -> String {
        let register = Register {
            machine: MachinePrivate::from_bytes([machine; 32]).public(),
            node_key: NodePrivate::from_bytes([node; 32]).public(),
            old_node_key: None,
            auth_key: None,
            followup: None,
            expiry: None,
            ephemeral: false,
            host: HostFacts { hostname: "<laptop>".to_owned(), os: "linux".to_owned(), ..HostFacts::default() },
            capability_version: 130,
        };
        let Ok(Reply::Waiting { auth_id }) = self.tailnet.ask(Command::Register(Box::new(register))).await else {
            panic!("the machine does not wait")
        };
        format!("/register/{auth_id}")
    }

    async fn ask(&self, browser: &mut Browser, request: axum::http::request::Builder, body: String) -> Page {
        let cookies: Vec<String> = browser.0.iter().map(|(name, text)| format!("{name}={text}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; "));
        let mut request = request.body(Body::from(body)).unwrap();
        request.headers_mut().entry(header::HOST).or_insert("vpn.example.com".parse().unwrap());
        let from: SocketAddr = format!("{FROM}:1").parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(from));
        let response = router(Arc::clone(&self.people)).oneshot(request).await.unwrap();
        let texts = |name: header::HeaderName| {
            let all = response.headers().get_all(name).iter();
            all.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (status, cookies) = (response.status(), texts(header::SET_COOKIE));
        let location = texts(header::LOCATION).concat();
        for cookie in &cookies {
            let (name, rest) = cookie.split_once('=').unwrap();
            let text = rest.split(';').next().unwrap();
            if text.is_empty() {
                browser.0.remove(name)
            } else {
                browser.0.insert(name.to_owned(), text.to_owned())
            };
        }
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Page { status, location, cookies, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn get(&self, browser: &mut Browser, path: &str) -> Page {
        self.ask(browser, Request::get(path), String::new()).await
    }

    /// A form of one of our pages.
    async fn post(&self, browser: &mut Browser, path: &str, fields: &str) -> Page {
        let request = Request::post(path)
            .header(header::ORIGIN, "https://vpn.example.com")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(browser, request, fields.to_owned()).await
    }

    /// Begins; the `state` that the provider was given.
    async fn begin(&self, browser: &mut Browser, back: &str) -> String {
        let page = self.post(browser, "/login/corp", &format!("back={back}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let (_, after) = page.text.split_once("authorize?state=").unwrap();
        after.split('"').next().unwrap().to_owned()
    }

    async fn sign_in(&self, browser: &mut Browser, name: &str, back: &str) -> Page {
        let state = self.begin(browser, back).await;
        self.get(browser, &format!("/oidc/callback/corp?state={state}&code={name}")).await
    }

    /// Presses a button of a page that has the session's secret in it.
    async fn press(&self, browser: &mut Browser, page: &Page, path: &str, more: &str) -> Page {
        let secret = page.text.split_once("name=\"form\" value=\"").unwrap().1.split('"').next().unwrap();
        self.post(browser, path, &format!("form={secret}&{more}")).await
    }
}

#[tokio::test]
async fn a_person_lets_their_machine_in() {
    let lab = Lab::new().await;
    let (mut browser, path) = (Browser::default(), lab.machine(1, 1).await);
    let page = lab.get(&mut browser, &path).await;
    let code = wattle_identity::short_code(path.rsplit('/').next().unwrap());
    assert!(page.text.contains("&lt;laptop&gt;") && page.text.contains(&code) && page.text.contains("The corp"));
    assert!(!page.text.contains("Connect this device"), "nobody is signed in");

    let page = lab.sign_in(&mut browser, "alice", &path).await;
    assert_eq!((page.status, page.location.as_str()), (StatusCode::SEE_OTHER, path.as_str()));
    let session = page.cookies.iter().find(|cookie| cookie.starts_with("__Host-wattle=")).unwrap();
    for flag in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(session.contains(flag), "{session}");
    }
    let page = lab.get(&mut browser, &path).await;
    assert!(page.text.contains("Connect this device"));
    // A link is not enough, and neither is a form of another session.
    assert_eq!(lab.post(&mut browser, &path, "decision=connect&form=guess").await.status, StatusCode::FORBIDDEN);
    assert!(lab.get(&mut browser, "/devices").await.text.contains("no device here yet"));

    let done = lab.press(&mut browser, &page, &path, "decision=connect").await;
    assert_eq!((done.status, done.location.as_str()), (StatusCode::SEE_OTHER, path.as_str()));
    for _ in 0..2 {
        assert_eq!(lab.get(&mut browser, &path).await.status, StatusCode::OK, "reloading tells the same");
    }
    assert!(lab.get(&mut browser, "/devices").await.text.contains("100.64.0.1"));
    // Who did not decide is not told.
    assert_eq!(lab.get(&mut Browser::default(), &path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_person_gets_a_device_of_their_own_and_the_same_person_the_same() {
    let lab = Lab::new().await;
    let mut nodes = Vec::new();
    for (name, key) in [("alice", 1), ("bob", 2), ("alice", 3)] {
        let (mut browser, path) = (Browser::default(), lab.machine(1, key).await);
        lab.sign_in(&mut browser, name, &path).await;
        let page = lab.get(&mut browser, &path).await;
        lab.press(&mut browser, &page, &path, "decision=connect").await;
        let node = NodePrivate::from_bytes([key; 32]).public();
        nodes.push(
            lab.tailnet.read(move |coordinator| coordinator.node_by_key(&node).unwrap().record.id).await.unwrap(),
        );
    }
    assert_eq!(nodes[0], nodes[2]);
    assert_ne!(nodes[0], nodes[1]);
}

#[tokio::test]
async fn a_machine_that_is_not_theirs_is_turned_away() {
    let lab = Lab::new().await;
    let (mut browser, path) = (Browser::default(), lab.machine(1, 1).await);
    lab.sign_in(&mut browser, "alice", &path).await;
    let page = lab.get(&mut browser, &path).await;
    lab.press(&mut browser, &page, &path, "decision=decline").await;
    assert!(lab.get(&mut browser, "/devices").await.text.contains("no device here yet"));
    assert!(lab.get(&mut browser, &path).await.text.contains("turned away"));
}

#[tokio::test]
async fn the_way_back_is_for_the_browser_that_began_and_once() {
    let lab = Lab::new().await;
    let (mut victim, mut attacker) = (Browser::default(), Browser::default());
    // The attacker begins, and has the victim come back in their place.
    let state = lab.begin(&mut attacker, "/devices").await;
    let page = lab.get(&mut victim, &format!("/oidc/callback/corp?state={state}&code=mallory")).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(
        page.text.contains("another browser") && page.cookies.iter().all(|cookie| !cookie.contains("__Host-wattle="))
    );
    // One provider's answer is not another's.
    let other = lab.get(&mut attacker, &format!("/oidc/callback/other?state={state}&code=mallory")).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    let page = lab.get(&mut attacker, &format!("/oidc/callback/corp?state={state}&code=mallory")).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let again = lab.get(&mut attacker, &format!("/oidc/callback/corp?state={state}&code=mallory")).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "it works once");
    assert_eq!(lab.get(&mut victim, "/oidc/callback/nowhere?state=x").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_browser_had_before_signing_in_is_worth_nothing() {
    let lab = Lab::new().await;
    let mut browser = Browser::default();
    browser.0.insert("__Host-wattle".to_owned(), "chosen-by-somebody-else".to_owned());
    lab.sign_in(&mut browser, "alice", "/devices").await;
    let first = browser.0["__Host-wattle"].clone();
    assert_ne!(first, "chosen-by-somebody-else");
    lab.sign_in(&mut browser, "alice", "/devices").await;
    assert_ne!(browser.0["__Host-wattle"], first);
    let mut former = Browser::default();
    former.0.insert("__Host-wattle".to_owned(), first);
    assert_eq!(lab.get(&mut former, "/devices").await.location, "/login");
    // Signing out ends it here, whoever else has the cookie.
    let mut stolen = Browser(browser.0.clone());
    let page = lab.get(&mut browser, "/devices").await;
    let page = lab.press(&mut browser, &page, "/logout", "back=/devices").await;
    assert!(page.text.contains("https://id.example/end"));
    assert_eq!(lab.get(&mut stolen, "/devices").await.location, "/login");
}

#[tokio::test]
async fn only_pages_of_this_server_by_its_name_do_anything() {
    let lab = Lab::new().await;
    let mut browser = Browser::default();
    for origin in [None, Some("null"), Some("https://evil.example"), Some("http://vpn.example.com")] {
        let mut request =
            Request::post("/login/corp").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let page = lab.ask(&mut browser, request, "back=/devices".to_owned()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{origin:?}");
    }
    let request = Request::get("/login").header(header::HOST, "evil.example");
    assert_eq!(lab.ask(&mut browser, request, String::new()).await.status, StatusCode::MISDIRECTED_REQUEST);
    // No way leads out.
    let page = lab.sign_in(&mut browser, "alice", "https://evil.example/").await;
    assert_eq!(page.location, "/devices");
    assert_eq!(lab.get(&mut browser, "/login/corp").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_escaped() {
    let lab = Lab::new().await;
    let mut browser = Browser::default();
    let page = lab.sign_in(&mut browser, "nobody", "/devices").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("&lt;b&gt;nobody") && !page.text.contains("<b>"));
    assert_eq!(lab.sign_in(&mut browser, "down", "/devices").await.status, StatusCode::BAD_GATEWAY);
    let state = lab.begin(&mut browser, "/devices").await;
    let error = "error=access_denied&error_description=%3Cscript%3E";
    let page = lab.get(&mut browser, &format!("/oidc/callback/corp?state={state}&{error}")).await;
    assert!(page.status == StatusCode::FORBIDDEN && !page.text.contains("<script>"), "{}", page.text);
    assert_eq!(lab.get(&mut browser, "/register/short").await.status, StatusCode::NOT_FOUND);
    assert_eq!(lab.get(&mut browser, "/register/abcdefghijklmnopqrstuvwx").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_is_suspended_stays_outside() {
    let lab = Lab::new().await;
    let mut browser = Browser::default();
    lab.sign_in(&mut browser, "owner", "/devices").await;
    let (mut other, path) = (Browser::default(), lab.machine(1, 1).await);
    lab.sign_in(&mut other, "bob", &path).await;
    let page = lab.get(&mut other, &path).await;
    lab.tailnet.ask(Command::SuspendUser { user: UserId(2) }).await.unwrap();
    for path in [path.as_str(), "/devices", "/login"] {
        assert_eq!(lab.get(&mut other, path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(lab.press(&mut other, &page, &path, "decision=connect").await.status, StatusCode::FORBIDDEN);
    assert_eq!(lab.sign_in(&mut Browser::default(), "bob", "/devices").await.status, StatusCode::FORBIDDEN);
    lab.tailnet.ask(Command::RestoreUser { user: UserId(2) }).await.unwrap();
    assert_eq!(lab.get(&mut other, &path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_removes_a_device_of_another() {
    let lab = Lab::new().await;
    let (mut alice, path) = (Browser::default(), lab.machine(1, 1).await);
    lab.sign_in(&mut alice, "alice", &path).await;
    let page = lab.get(&mut alice, &path).await;
    lab.press(&mut alice, &page, &path, "decision=connect").await;
    let mut bob = Browser::default();
    lab.sign_in(&mut bob, "bob", "/devices").await;
    let page = lab.get(&mut bob, "/devices").await;
    assert_eq!(lab.press(&mut bob, &page, "/devices/1/remove", "").await.status, StatusCode::NOT_FOUND);
    let page = lab.get(&mut alice, "/devices").await;
    assert_eq!(lab.press(&mut alice, &page, "/devices/1/remove", "").await.status, StatusCode::SEE_OTHER);
    assert!(lab.get(&mut alice, "/devices").await.text.contains("no device here yet"));
}

#[tokio::test]
async fn who_tries_too_often_waits() {
    let lab = Lab::new().await;
    let mut browser = Browser::default();
    let mut last = StatusCode::OK;
    for _ in 0..=SIGN_IN_BURST {
        last = lab.post(&mut browser, "/login/corp", "back=/devices").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}
