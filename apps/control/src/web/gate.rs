//! Who may open the console. There is no sign-in by name yet: on the socket it is whoever may use the socket; on a
//! loopback address it is a browser with a one-time link that somebody who may use the socket was given.
//!
//! Other programs of this machine, and pages of other sites in the same browser, reach a loopback address too. Hence:
//! `Host` must be ours (a foreign name that was made to point here is refused), a form must come from our own page
//! (`Origin`, and a secret in the form), and the cookie is for this site only and out of reach of scripts.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use wattle_time::Instant;

use super::frame;
use crate::limits::{CONSOLE_SESSION, CONSOLE_SESSIONS_MAX, CONSOLE_TOKEN, CONSOLE_TOKENS_MAX};

const COOKIE: &str = "wattle_console";

/// The way in that a request came.
#[derive(Clone, Debug)]
pub(crate) enum Gate {
    /// The socket: who is there was asked already.
    Trusted(Console),
    /// A loopback address.
    Loopback(Console),
}

/// Where the console is, and which browsers are in. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Console(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: Option<SocketAddr>,
    /// Secret of the forms that are served on the socket.
    socket_secret: Secret,
    browsers: Mutex<Browsers>,
}

#[derive(Debug, Default)]
struct Browsers {
    invitations: VecDeque<(Secret, Instant)>,
    sessions: VecDeque<Session>,
}

#[derive(Debug)]
struct Session {
    cookie: Secret,
    form: Secret,
    until: Instant,
}

/// 256 random bits in hex. It does not print, and is compared in constant time.
#[derive(Clone, PartialEq, Eq)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A visitor who was let in.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    /// The secret that its forms carry.
    pub(super) form: String,
}

/// Why nobody can be invited.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InviteError {
    #[error(
        "this server has no console: start it with --console 127.0.0.1:8081, or write console = \"127.0.0.1:8081\" in its \
         configuration"
    )]
    NoConsole,
    #[error("the system gives no randomness")]
    NoRandomness,
}

impl Console {
    /// `address`: where browsers find it, if they do.
    pub(crate) fn new(address: Option<SocketAddr>) -> Result<Self, InviteError> {
        let browsers = Mutex::default();
        Ok(Self(Arc::new(Inner { address, socket_secret: Secret::new()?, browsers })))
    }

    /// A link that lets one browser in, once.
    pub(crate) fn invite(&self) -> Result<String, InviteError> {
        let address = self.0.address.ok_or(InviteError::NoConsole)?;
        let token = Secret::new()?;
        let url = format!("http://{address}/admin/enter?token={}", token.0);
        let mut browsers = self.browsers();
        if browsers.invitations.len() >= CONSOLE_TOKENS_MAX {
            browsers.invitations.pop_front();
        }
        browsers.invitations.push_back((token, after(CONSOLE_TOKEN)));
        Ok(url)
    }

    fn browsers(&self) -> MutexGuard<'_, Browsers> {
        let mut browsers = self.0.browsers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = wattle_clock::now();
        browsers.invitations.retain(|(_, until)| *until > now);
        browsers.sessions.retain(|session| session.until > now);
        browsers
    }

    /// Takes an invitation, which is then used up, for a cookie.
    fn enter(&self, token: &str) -> Option<String> {
        let mut browsers = self.browsers();
        let place = browsers.invitations.iter().position(|(secret, _)| secret.is(token))?;
        browsers.invitations.remove(place);
        let (cookie, form) = (Secret::new().ok()?, Secret::new().ok()?);
        let text = cookie.0.clone();
        if browsers.sessions.len() >= CONSOLE_SESSIONS_MAX {
            browsers.sessions.pop_front();
        }
        browsers.sessions.push_back(Session { cookie, form, until: after(CONSOLE_SESSION) });
        Some(text)
    }

    fn visit(&self, headers: &HeaderMap) -> Option<Visit> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut ours = cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == COOKIE);
        let browsers = self.browsers();
        let session = ours.find_map(|(_, text)| browsers.sessions.iter().find(|session| session.cookie.is(text)))?;
        Some(Visit { form: session.form.0.clone() })
    }

    /// Whether a host and port are where we are.
    fn is_here(&self, authority: &str) -> bool {
        let Some(address) = self.0.address else { return false };
        let port = address.port();
        let named = ["localhost", "127.0.0.1", "[::1]"].into_iter().any(|name| {
            authority.strip_prefix(name).is_some_and(|rest| match rest.strip_prefix(':') {
                Some(text) => text == port.to_string(),
                None => rest.is_empty() && port == 80,
            })
        });
        named || authority == address.to_string()
    }

    /// Lets a request of a browser through, or answers it.
    fn admit(&self, request: &Request) -> Result<Visit, Box<Response>> {
        let headers = request.headers();
        let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if !text(header::HOST).is_some_and(|host| self.is_here(host)) {
            return Err(refused("This is not the name of the console.").into());
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let origin = text(header::ORIGIN).map(|origin| origin.strip_prefix("http://").is_some_and(|o| self.is_here(o)));
        if !(origin == Some(true) || reads && origin.is_none()) {
            return Err(refused("This form is not the console's own.").into());
        }
        let path = request.uri().path();
        // A mere look ahead does not use the link up.
        if path == "/admin/enter" && *request.method() == Method::GET {
            let query = request.uri().query().unwrap_or_default();
            let token = query.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or_default();
            let answer = match self.enter(token) {
                Some(cookie) => entered(&cookie),
                None => refused("This link was used already, or is too old."),
            };
            return Err(answer.into());
        }
        self.visit(headers).ok_or_else(|| refused("You are not signed in to this console.").into())
    }
}

impl Secret {
    fn new() -> Result<Self, InviteError> {
        let bytes = wattle_clock::seed().map_err(|_| InviteError::NoRandomness)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    fn is(&self, text: &str) -> bool {
        same(&self.0, text)
    }
}

/// Compares without telling by the time it takes where the texts differ.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

fn after(time: Duration) -> Instant {
    wattle_clock::now() + time
}

fn entered(cookie: &str) -> Response {
    let cookie =
        format!("{COOKIE}={cookie}; HttpOnly; SameSite=Strict; Path=/admin; Max-Age={}", CONSOLE_SESSION.as_secs());
    ([(header::SET_COOKIE, cookie)], Redirect::to("/admin/policy")).into_response()
}

fn refused(sentence: &str) -> Response {
    let page = frame::bare(
        "Not here",
        &html! {
            p { (sentence) }
            p { "On the server, this prints a link that lets your browser in:" }
            pre { "wattle-control console" }
        },
    );
    (StatusCode::FORBIDDEN, page).into_response()
}

/// On the socket nobody needs to enter.
pub(super) async fn not_here() -> Redirect {
    Redirect::to("/admin/policy")
}

/// Lets a request through with its [`Visit`], and has the browser keep to the rules of the house.
pub(super) async fn pass(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    // Style and script tell nothing, and the page that sends people away has a style, too.
    let is_asset = matches!(request.uri().path(), "/admin/console.css" | "/admin/console.js");
    let admitted = match &gate {
        Gate::Trusted(console) => Ok(Visit { form: console.0.socket_secret.0.clone() }),
        Gate::Loopback(console) => console.admit(&request),
    };
    let mut response = match admitted {
        Ok(visit) => {
            request.extensions_mut().insert(visit);
            next.run(request).await
        }
        Err(_) if is_asset => next.run(request).await,
        Err(refusal) => *refusal,
    };
    for (name, value) in RULES {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Nothing from elsewhere, nobody around us, nothing kept.
const RULES: [(header::HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: with that, browsers send forms without saying which site they come from.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> Console {
        Console::new(Some(SocketAddr::from(([127, 0, 0, 1], 8081)))).unwrap()
    }

    #[test]
    fn a_link_lets_one_browser_in() {
        let console = console();
        let url = console.invite().unwrap();
        let token = url.split_once("token=").unwrap().1;
        assert!(console.enter("").is_none() && console.enter(&token[1..]).is_none());
        let cookie = console.enter(token).unwrap();
        assert!(console.enter(token).is_none(), "it is used up");
        let headers = |cookie: &str| HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())]);
        assert!(console.visit(&headers(&format!("other=1; wattle_console={cookie}"))).is_some());
        assert!(console.visit(&headers("wattle_console=")).is_none());
        assert!(console.visit(&headers(&format!("xwattle_console={cookie}"))).is_none());
    }

    #[test]
    fn only_so_many_invitations_and_sessions_are_kept() {
        let console = console();
        let first = console.invite().unwrap();
        for _ in 0..CONSOLE_TOKENS_MAX {
            console.invite().unwrap();
        }
        assert!(console.enter(first.split_once("token=").unwrap().1).is_none());
        for _ in 0..CONSOLE_SESSIONS_MAX + 1 {
            let url = console.invite().unwrap();
            console.enter(url.split_once("token=").unwrap().1).unwrap();
        }
        assert_eq!(console.browsers().sessions.len(), CONSOLE_SESSIONS_MAX);
    }

    #[test]
    fn names_that_were_made_to_point_here_are_not_ours() {
        let console = console();
        for name in ["127.0.0.1:8081", "localhost:8081", "[::1]:8081"] {
            assert!(console.is_here(name), "{name}");
        }
        for name in
            ["evil.example:8081", "127.0.0.1", "127.0.0.1:8082", "localhost.evil.example:8081", "localhost:08081", ""]
        {
            assert!(!console.is_here(name), "{name}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let console = console();
        let url = console.invite().unwrap();
        let token = url.split_once("token=").unwrap().1;
        assert!(!format!("{console:?}").contains(token));
    }
}
