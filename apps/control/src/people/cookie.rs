//! What browsers keep for us. With https the names begin with `__Host-`, which no other host and no plain connection can
//! set; scripts never see them, and other sites' forms do not carry them.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use super::secret::Fingerprint;

/// The session.
pub(super) fn session_name(secure: bool) -> &'static str {
    if secure { "__Host-wattle" } else { "wattle" }
}

/// One sign-in: each has its own, so that several may go on in several tabs.
pub(super) fn attempt_name(secure: bool, state: &str) -> String {
    format!("{}-{}", session_name(secure), Fingerprint::of(state).short())
}

/// A header that sets it.
pub(super) fn set(name: &str, text: &str, age: Duration, secure: bool) -> Option<HeaderValue> {
    // `Lax`: the way back from a provider is a link from another site, and must carry them.
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={text}; HttpOnly; SameSite=Lax; Path=/; Max-Age={}{secure}", age.as_secs()).parse().ok()
}

/// A header that removes it.
pub(super) fn clear(name: &str, secure: bool) -> Option<HeaderValue> {
    set(name, "", Duration::ZERO, secure)
}

/// All texts that came under this name: a browser may send several.
pub(super) fn all<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(given, _)| *given == name).map(|(_, text)| text)
}
