//! `GET /key`: the key by which nodes know this server.
//! Source: tailscale `control/controlclient/direct.go loadServerPubKeys`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wattle_wire::control::OverTlsPublicKeyResponse;

use super::Site;

/// The capability version in the query is not needed: there is one key. The legacy key belongs to a protocol that is
/// not spoken any more.
pub(super) async fn keys(State(site): State<Arc<Site>>) -> Json<OverTlsPublicKeyResponse> {
    Json(OverTlsPublicKeyResponse { legacy_public_key: None, public_key: Some(site.machine_key.public()) })
}
