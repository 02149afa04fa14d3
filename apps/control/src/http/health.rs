//! `GET /health`: whether the server does its work.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Site;

/// Fine as long as the event loop takes commands.
pub(super) async fn health(State(site): State<Arc<Site>>) -> (StatusCode, Json<Value>) {
    if site.tailnet.is_running() {
        (StatusCode::OK, Json(json!({ "status": "pass" })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "fail", "output": "the server is stopping" })))
    }
}
