//! What every request for a page passes, and what every page carries.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::{People, frame};
use crate::config::ServerUrl;

/// Lets a request through that is for us by our own name, and, if it does something, comes from a page of ours.
pub(super) async fn pass(State(people): State<Arc<People>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // HTTP/2 has the name in the address.
    let host = request.uri().authority().map(|authority| authority.as_str()).or_else(|| text(header::HOST));
    if !host.is_some_and(|host| is_authority(&people.url, host)) {
        return misdirected(&people.url);
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !text(header::ORIGIN).is_some_and(|origin| is_origin(&people.url, origin)) {
        return refused();
    }
    next.run(request).await
}

/// Has browsers keep to the rules of the house on every page.
pub(crate) async fn with_rules(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in RULES {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Nothing from elsewhere, nobody around us, nothing kept.
const RULES: [(header::HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: with that, browsers send forms without saying which site they come from.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

fn misdirected(url: &ServerUrl) -> Response {
    let content = html! { p { "This server goes by another name: " a href=(url) { (url) } "." } };
    (StatusCode::MISDIRECTED_REQUEST, frame::page("Not here", &content)).into_response()
}

fn refused() -> Response {
    let content = html! {
        p { "What you sent does not come from a page of this server, so nothing was done." }
        p { "If you pressed a button here, go back, reload the page and try again." }
    };
    (StatusCode::FORBIDDEN, frame::page("That did not work", &content)).into_response()
}

/// Whether a host, with a port if it is not the usual one, is the server's.
fn is_authority(url: &ServerUrl, authority: &str) -> bool {
    let Ok(authority) = authority.parse::<axum::http::uri::Authority>() else { return false };
    let usual = if url.is_secure() { 443 } else { 80 };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        None => usual,
    };
    !authority.as_str().contains('@') && host.eq_ignore_ascii_case(&url.host) && port == url.port
}

fn is_origin(url: &ServerUrl, origin: &str) -> bool {
    let scheme = if url.is_secure() { "https://" } else { "http://" };
    origin.strip_prefix(scheme).is_some_and(|authority| is_authority(url, authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_name_is_ours() {
        let url: ServerUrl = "https://vpn.example.com".parse().unwrap();
        for ours in ["vpn.example.com", "VPN.example.com", "vpn.example.com:443"] {
            assert!(is_authority(&url, ours) && is_origin(&url, &format!("https://{ours}")), "{ours}");
        }
        for other in [
            "",
            "evil.example",
            "vpn.example.com:80",
            "vpn.example.com.evil.example",
            "x@vpn.example.com",
            "a b",
            ":443",
        ] {
            assert!(!is_authority(&url, other), "{other}");
        }
        for other in ["null", "", "http://vpn.example.com", "https://vpn.example.com/", "vpn.example.com"] {
            assert!(!is_origin(&url, other), "{other}");
        }
        let local: ServerUrl = "http://[::1]:8080".parse().unwrap();
        assert!(is_authority(&local, "[::1]:8080") && !is_authority(&local, "[::1]"));
    }
}
