//! `GET /version`: what runs here.

use axum::Json;
use serde_json::{Value, json};
use wattle_wire::version::OLDEST_SERVED;

pub(super) async fn version() -> Json<Value> {
    Json(json!({
        "program": "wattle-control",
        "version": env!("CARGO_PKG_VERSION"),
        "oldestCapabilityVersion": OLDEST_SERVED,
    }))
}
