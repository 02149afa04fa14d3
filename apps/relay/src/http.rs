//! What a relay on its own serves besides the relay: health and metrics.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use wattle_relay_io::RelayHandle;
use wattle_relay_io::http::BootstrapNames;

pub(crate) fn router(relay: &RelayHandle, names: BootstrapNames) -> Router {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(relay.clone()));
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(Arc::new(registry))
        .route("/health", get(async || "ok\n"))
        .route("/", get(async || "This is a Wattle relay. Nodes connect to /derp.\n"))
        .merge(wattle_relay_io::http::router(relay.clone(), names))
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
