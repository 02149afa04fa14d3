//! The usual answers.

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response as HttpResponse, StatusCode};

use crate::{Body, Response};

/// JSON.
pub fn json(status: StatusCode, body: Vec<u8>) -> Response {
    with(status, "application/json", body.into())
}

/// A sentence for people, such as what went wrong.
pub fn text(status: StatusCode, sentence: impl Into<String>) -> Response {
    with(status, "text/plain; charset=utf-8", sentence.into().into())
}

/// A stream of JSON values, one a line.
pub fn json_lines(body: Body) -> Response {
    with(StatusCode::OK, "application/json", body)
}

/// Done, nothing to say.
pub fn no_content() -> Response {
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn with(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
