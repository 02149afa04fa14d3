//! Answers that say no: a status, and one sentence that clients show to people.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use wattle_coordinator::RefusalKind;

use crate::event_loop::AskError;
use crate::limits::{BODY_BYTES_MAX, BODY_TIME};

/// Why a request is not answered as it wished.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    sentence: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.sentence + "\n").into_response();
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let status = match &error {
            AskError::Refused(refusal) => match refusal.kind() {
                RefusalKind::Invalid => StatusCode::BAD_REQUEST,
                RefusalKind::NotFound => StatusCode::NOT_FOUND,
                RefusalKind::Conflict => StatusCode::CONFLICT,
                RefusalKind::Forbidden => StatusCode::FORBIDDEN,
                RefusalKind::Full => StatusCode::TOO_MANY_REQUESTS,
            },
            AskError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            AskError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

/// Reads a JSON body, whatever its declared type: clients declare none.
pub(super) async fn read_json<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    let bytes = match timeout(BODY_TIME, axum::body::to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large or was cut")),
        Err(_) => return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long to come")),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the request is not what it should be: {error}"))
    })
}
