//! `/policy`: who may reach whom.

use axum::Json;
use axum::extract::State;
use wattle_coordinator::{Command, NewPolicy};
use wattle_policy::Policy;

use super::documents::{DoneDocument, PolicyDocument};
use super::problem::Problem;
use crate::event_loop::LoopHandle;

pub(super) async fn show(State(tailnet): State<LoopHandle>) -> Result<Json<PolicyDocument>, Problem> {
    let text = tailnet.read(|coordinator| coordinator.policy_text().unwrap_or_default().to_owned()).await?;
    Ok(Json(PolicyDocument { text }))
}

pub(super) async fn set(
    State(tailnet): State<LoopHandle>,
    Json(policy): Json<PolicyDocument>,
) -> Result<Json<DoneDocument>, Problem> {
    let wanted = NewPolicy { text: policy.text, ..NewPolicy::default() };
    tailnet.ask(Command::SetPolicy(Box::new(wanted))).await?;
    Ok(Json(DoneDocument {}))
}

pub(super) async fn check(Json(policy): Json<PolicyDocument>) -> Result<Json<DoneDocument>, Problem> {
    Policy::parse(policy.text.as_bytes()).map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(Json(DoneDocument {}))
}
