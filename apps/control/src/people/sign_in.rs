//! Signing in and out: `/login`, `/login/{provider}`, `/oidc/callback/{provider}`, `/logout`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use wattle_coordinator::{Command, Reply};

use super::attempts::{self, Attempt, NoAttempt};
use super::posted::{Fields, Posted, Visitor, did_not_work, suspended};
use super::secret::{Fingerprint, Secret};
use super::vouching::Choice;
use super::{People, cookie, frame};
use crate::event_loop::AskError;
use crate::limits::{ATTEMPT_LIFETIME, PROVIDER_WORDS_CHARS, SESSION_LIFETIME};

/// Where people are sent who came for nothing else.
const HOME: &str = "/devices";
/// Longer than any path of ours.
const PATH_BYTES_MAX: usize = 128;

/// `GET /login`
pub(super) async fn choose(State(people): State<Arc<People>>, visitor: Visitor) -> Response {
    match visitor {
        Visitor::Nobody => frame::page("Sign in", &buttons(&people.providers.list(), HOME)).into_response(),
        Visitor::Somebody(..) => Redirect::to(HOME).into_response(),
        Visitor::Suspended(person) => suspended(&person),
    }
}

/// A button for each provider. Forms, so that nothing begins by a mere link.
pub(super) fn buttons(choices: &[Choice], back: &str) -> Markup {
    html! {
        @for choice in choices {
            form method="post" action={ "/login/" (choice.name) } {
                input type="hidden" name="back" value=(back);
                button.main { "Sign in with " (choice.title) }
            }
        }
    }
}

/// `POST /login/{provider}`
pub(super) async fn begin(
    State(people): State<Arc<People>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    fields: Fields,
) -> Response {
    let back = own_path(fields.text("back"));
    let Some(choice) = people.choice(&name) else { return no_provider() };
    if !people.may_try(from.ip()) {
        return too_often();
    }
    let begun = match people.providers.begin(&choice.name).await {
        Ok(begun) => begun,
        Err(failure) => {
            tracing::warn!(provider = choice.name, reason = failure.sentence, "a sign-in could not begin");
            let status = StatusCode::BAD_GATEWAY;
            return failed(status, &people, &failure.sentence, &back);
        }
    };
    let Ok(browser) = Secret::new() else { return no_randomness() };
    let now = wattle_clock::now();
    let attempt = Attempt {
        provider: choice.name,
        browser: Fingerprint::of(browser.text()),
        back,
        until: attempts::until(now),
        finish: begun.finish,
    };
    people.attempts.keep(&begun.state, attempt, now);
    let secure = people.url.is_secure();
    let name = cookie::attempt_name(secure, &begun.state);
    let content = html! {
        p { "You are being taken to " (choice.title) "." }
        p { a href=(begun.url) { "Go on to " (choice.title) } }
    };
    let page = frame::leading_to(&begun.url, "One moment", &content);
    let cookie = cookie::set(&name, browser.text(), ATTEMPT_LIFETIME, secure);
    (HeaderMap::from_iter(cookie.map(|cookie| (header::SET_COOKIE, cookie))), page).into_response()
}

/// `GET /oidc/callback/{provider}`
pub(super) async fn finish(
    State(people): State<Arc<People>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let Some(choice) = people.choice(&name) else { return no_provider() };
    if !people.may_try(from.ip()) {
        return too_often();
    }
    let secure = people.url.is_secure();
    let state = only(&query, "state").unwrap_or_default();
    let cookie_name = cookie::attempt_name(secure, state);
    let cookies = cookie::all(&headers, &cookie_name);
    let attempt = match people.attempts.take(state, &choice.name, cookies, wattle_clock::now()) {
        Ok(attempt) => attempt,
        Err(why) => {
            tracing::info!(provider = choice.name, %from, ?why, "a browser came back from a sign-in that is not its own");
            return nothing_to_finish(&people, why);
        }
    };
    let mut answer = admit(&people, &choice, attempt, &query, &headers).await;
    if let Some(cookie) = cookie::clear(&cookie_name, secure) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}

/// Asks the provider who it is, has the coordinator know them, and begins a session.
async fn admit(
    people: &People,
    choice: &Choice,
    attempt: Attempt,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Response {
    let back = attempt.back;
    let fail = |status, sentence: &str| failed(status, people, sentence, &back);
    if let Some(error) = only(query, "error") {
        tracing::info!(provider = choice.name, error = shown(error), "a provider signed nobody in");
        return refused_there(people, choice, error, only(query, "error_description"), &back);
    }
    let Some(code) = only(query, "code") else {
        return fail(StatusCode::BAD_REQUEST, "Your provider sent you back without an answer.");
    };
    let profile = match (attempt.finish)(code.to_owned(), only(query, "iss").map(str::to_owned)).await {
        Ok(profile) => profile,
        Err(failure) => {
            tracing::warn!(provider = choice.name, reason = failure.sentence, "a sign-in failed");
            let status = if failure.is_outage { StatusCode::BAD_GATEWAY } else { StatusCode::FORBIDDEN };
            return fail(status, &failure.sentence);
        }
    };
    let (key_expiry, second_factor) = (profile.key_expiry, profile.second_factor);
    let user = match people.tailnet.ask(Command::SignIn(Box::new(profile))).await {
        Ok(Reply::SignedIn { user }) => user,
        Err(AskError::Refused(refusal)) => {
            tracing::info!(provider = choice.name, %refusal, "a sign-in was refused");
            return fail(StatusCode::FORBIDDEN, &sentence(&refusal.to_string()));
        }
        Ok(_) | Err(_) => return fail(StatusCode::SERVICE_UNAVAILABLE, "This server cannot sign you in just now."),
    };
    tracing::info!(user = user.0, provider = choice.name, second_factor, "signed in");
    let secure = people.url.is_secure();
    let session = cookie::session_name(secure);
    // What the browser had before is worth nothing from now on.
    cookie::all(headers, session).for_each(|former| people.sessions.end(former));
    let begun = people.sessions.begin(user, choice.name.clone(), key_expiry, wattle_clock::now());
    let Ok(secret) = begun else { return no_randomness() };
    let cookie = cookie::set(session, secret.text(), SESSION_LIFETIME, secure);
    (HeaderMap::from_iter(cookie.map(|cookie| (header::SET_COOKIE, cookie))), Redirect::to(&back)).into_response()
}

/// `POST /logout`
pub(super) async fn end(State(people): State<Arc<People>>, headers: HeaderMap, posted: Posted) -> Response {
    let secure = people.url.is_secure();
    let name = cookie::session_name(secure);
    cookie::all(&headers, name).for_each(|secret| people.sessions.end(secret));
    let back = own_path(posted.fields.text("back"));
    let there = people.providers.logout_url(&posted.visit.provider, &people.url.page("/login"));
    let title = people.choice(&posted.visit.provider).map(|choice| choice.title);
    let content = html! {
        p { "You are signed out here. Your devices stay connected." }
        @if let (Some(there), Some(title)) = (there, title) {
            p { a href=(there) { "Sign out at " (title) ", too" } }
        }
        p { a href=(back) { "Sign in again" } }
    };
    let cookie = cookie::clear(name, secure);
    let headers = HeaderMap::from_iter(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    (headers, frame::page("Signed out", &content)).into_response()
}

impl People {
    fn choice(&self, name: &str) -> Option<Choice> {
        self.providers.list().into_iter().find(|choice| choice.name == name)
    }
}

/// The path, if it is one of ours; else home. Nothing that could be another site's address passes.
fn own_path(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    let ours = path.starts_with('/') && !path.contains("//") && path.len() <= PATH_BYTES_MAX && path.bytes().all(plain);
    if ours { path.to_owned() } else { HOME.to_owned() }
}

/// The parameter, if it is there once: twice is nobody's honest answer.
fn only<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = query.iter().filter(|(given, _)| given == name);
    let first = found.next()?;
    found.next().is_none().then_some(first.1.as_str())
}

/// Somebody else's words: not too many, and nothing that moves the rest of the line.
fn shown(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_control()).take(PROVIDER_WORDS_CHARS).collect()
}

/// A refusal as a sentence on a page.
pub(super) fn sentence(refusal: &str) -> String {
    let mut letters = refusal.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

fn failed(status: StatusCode, people: &People, sentence: &str, back: &str) -> Response {
    let content = html! {
        (frame::problem(sentence))
        p { "You can try again:" }
        (buttons(&people.providers.list(), back))
    };
    (status, frame::page("You are not signed in", &content)).into_response()
}

fn refused_there(people: &People, choice: &Choice, error: &str, words: Option<&str>, back: &str) -> Response {
    let content = html! {
        @if error == "access_denied" {
            (frame::problem(&format!("{} did not let you in, or you declined there.", choice.title)))
        } @else {
            (frame::problem(&format!("{} could not sign you in.", choice.title)))
        }
        p { "It says: " q { (shown(words.unwrap_or(error))) } }
        p { "You can try again:" }
        (buttons(&people.providers.list(), back))
    };
    (StatusCode::FORBIDDEN, frame::page("You are not signed in", &content)).into_response()
}

fn nothing_to_finish(people: &People, why: NoAttempt) -> Response {
    let content = html! {
        @match why {
            NoAttempt::Unknown => (frame::problem("This sign-in is over already, or has taken too long.")),
            NoAttempt::OtherBrowser => (frame::problem(
                "This sign-in was begun in another browser. If you did not begin it, somebody wants you to use their \
                 account: nothing was done.",
            )),
        }
        p { "Begin anew:" }
        (buttons(&people.providers.list(), HOME))
    };
    (StatusCode::BAD_REQUEST, frame::page("You are not signed in", &content)).into_response()
}

fn no_provider() -> Response {
    did_not_work(StatusCode::NOT_FOUND, "People do not sign in here with this provider.")
}

fn too_often() -> Response {
    let sentence = "There were too many sign-ins from your address. Wait a minute, then try again.";
    let mut response = did_not_work(StatusCode::TOO_MANY_REQUESTS, sentence);
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
    response
}

fn no_randomness() -> Response {
    did_not_work(StatusCode::INTERNAL_SERVER_ERROR, "This server has no randomness, so nobody can sign in.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_never_leads_elsewhere() {
        for ours in ["/devices", "/register/abcdefghijklmnopqrstuvwx", "/admin/users"] {
            assert_eq!(own_path(ours), ours);
        }
        for other in [
            "",
            "devices",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/x//evil.example",
            "/a?b=c",
            "/a\r\nSet-Cookie: x",
            "/%2f/evil.example",
            "/@evil.example",
            "/.evil.example",
            &format!("/{}", "a".repeat(200)),
        ] {
            assert_eq!(own_path(other), HOME, "{other:?}");
        }
    }

    #[test]
    fn a_parameter_that_comes_twice_is_none() {
        let query =
            [("code", "a"), ("state", "s"), ("code", "b")].map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!((only(&query, "code"), only(&query, "state"), only(&query, "iss")), (None, Some("s"), None));
    }
}
