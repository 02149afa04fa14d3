//! `/settings`: how the tailnet is run.

use axum::extract::State;
use wattle_coordinator::{Command, Settings};

use super::documents::SettingsDocument;
use super::json::Json;
use super::problem::Problem;
use crate::event_loop::LoopHandle;

pub(super) async fn show(State(tailnet): State<LoopHandle>) -> Result<Json<SettingsDocument>, Problem> {
    let settings = tailnet.read(|coordinator| coordinator.settings()).await?;
    Ok(Json(SettingsDocument { device_approval: Some(settings.device_approval) }))
}

pub(super) async fn change(
    State(tailnet): State<LoopHandle>,
    Json(request): Json<SettingsDocument>,
) -> Result<Json<SettingsDocument>, Problem> {
    let now = tailnet.read(|coordinator| coordinator.settings()).await?;
    let device_approval = request.device_approval.unwrap_or(now.device_approval);
    tailnet.ask(Command::SetSettings(Settings { device_approval })).await?;
    show(State(tailnet)).await
}
