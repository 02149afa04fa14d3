//! The HTTP endpoints of a relay, as an axum router. Requests must carry `ConnectInfo<SocketAddr>`.

mod bootstrap_dns;
mod captive_portal;
mod derp;
mod websocket;

use axum::Router;
use axum::http::header;
use axum::routing::get;

use crate::RelayHandle;

pub use bootstrap_dns::BootstrapNames;

/// `/derp` and what clients ask of a relay besides.
pub fn router(relay: RelayHandle, names: BootstrapNames) -> Router {
    Router::new()
        .route("/derp", get(derp::upgrade))
        .with_state(relay)
        .route("/derp/probe", get(probe))
        .route("/derp/latency-check", get(probe))
        .route("/robots.txt", get(robots))
        .merge(captive_portal_router())
        .merge(bootstrap_dns::router(names))
}

/// Only what finds captive portals: for a plain port beside one with TLS. Something in between changes what is plain.
pub fn captive_portal_router() -> Router {
    Router::new().route("/generate_204", get(captive_portal::no_content))
}

/// Clients that cannot use UDP time this request to learn how far we are.
async fn probe() -> impl axum::response::IntoResponse {
    [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")]
}

async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}
