//! `POST /verify`: a relay asks whether it may let a node in.
//! Source: tailscale `tailcfg/derpmap.go DERPAdmitClientRequest`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use wattle_wire::control::{DerpAdmitClientRequest, DerpAdmitClientResponse};

use super::Site;
use super::problem::{Problem, read_json};

pub(super) async fn verify(
    State(site): State<Arc<Site>>,
    body: Body,
) -> Result<Json<DerpAdmitClientResponse>, Problem> {
    let question: DerpAdmitClientRequest = read_json(body).await?;
    let allow = question.node_public.is_some_and(|key| site.tailnet.admits(&key));
    Ok(Json(DerpAdmitClientResponse { allow }))
}
