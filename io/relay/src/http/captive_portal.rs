//! `/generate_204`: how a client finds out whether something between us answers in our place.
//! The challenge proves that the answer is ours (`derpserver/handler.go ServeNoContent`).

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::limits::CHALLENGE_BYTES;

const CHALLENGE: HeaderName = HeaderName::from_static("x-tailscale-challenge");
const RESPONSE: HeaderName = HeaderName::from_static("x-tailscale-response");

/// An answer without content, and with the proof if one was asked for.
pub(super) async fn no_content(request: HeaderMap) -> (StatusCode, HeaderMap) {
    let mut answer = HeaderMap::new();
    answer.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, must-revalidate, no-transform, max-age=0"),
    );
    if let Some(response) = request.get(CHALLENGE).and_then(respond) {
        answer.insert(RESPONSE, response);
    }
    (StatusCode::NO_CONTENT, answer)
}

fn respond(challenge: &HeaderValue) -> Option<HeaderValue> {
    let challenge = challenge.to_str().ok()?;
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let answered = !challenge.is_empty() && challenge.len() <= CHALLENGE_BYTES && challenge.bytes().all(harmless);
    if answered { HeaderValue::from_str(&format!("response {challenge}")).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_harmless_challenge_is_echoed() {
        let echoed = |challenge: &str| HeaderValue::from_str(challenge).ok().as_ref().and_then(respond);
        assert_eq!(echoed("ts_relay.example:443").unwrap(), "response ts_relay.example:443");
        assert_eq!(echoed("<script>"), None);
        assert_eq!(echoed(""), None);
        assert_eq!(echoed(&"a".repeat(65)), None);
        assert!(echoed(&"a".repeat(64)).is_some());
    }
}
