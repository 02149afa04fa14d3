//! `/keys`: auth keys, with which machines join without a person.

use std::time::Duration;

use axum::extract::{Path, State};
use wattle_coordinator::{AuthKeyId, Command, NewAuthKey, Reply};

use super::documents::{DoneDocument, KeyDocument, KeyRequest};
use super::json::Json;
use super::problem::Problem;
use super::users;
use crate::event_loop::{LoopHandle, now};

pub(super) async fn list(State(tailnet): State<LoopHandle>) -> Result<Json<Vec<KeyDocument>>, Problem> {
    let keys =
        tailnet.read(|coordinator| coordinator.auth_keys().map(|key| KeyDocument::of(key, coordinator)).collect());
    Ok(Json(keys.await?))
}

pub(super) async fn create(
    State(tailnet): State<LoopHandle>,
    Json(request): Json<KeyRequest>,
) -> Result<Json<KeyDocument>, Problem> {
    let user = match &request.user {
        Some(name) => Some(users::by_name(&tailnet, name).await?),
        None => None,
    };
    let KeyRequest { tags, reusable, ephemeral, preapproved, .. } = request;
    let expires = request.expires_in_secs.map(|seconds| now().wall.plus(Duration::from_secs(seconds)));
    let new = NewAuthKey { user, tags, reusable, ephemeral, preapproved, expires };
    let Reply::AuthKeyCreated { key: id, secret } = tailnet.ask(Command::CreateAuthKey(new)).await? else {
        return Err(Problem::not_found("the key is gone already"));
    };
    let made = tailnet.read(move |coordinator| {
        coordinator.auth_keys().find(|key| key.id == id).map(|key| KeyDocument::of(key, coordinator))
    });
    let made = made.await?.ok_or_else(|| Problem::not_found("the key is gone already"))?;
    Ok(Json(KeyDocument { key: Some(secret), ..made }))
}

pub(super) async fn revoke(
    State(tailnet): State<LoopHandle>,
    Path(key): Path<u64>,
) -> Result<Json<DoneDocument>, Problem> {
    tailnet.ask(Command::RevokeAuthKey { key: AuthKeyId(key) }).await?;
    Ok(Json(DoneDocument {}))
}
