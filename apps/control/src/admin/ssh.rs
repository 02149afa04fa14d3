//! `/ssh`: people who want to log in to a node where the policy asks an administrator first.

use axum::extract::State;
use wattle_coordinator::{AuthId, Command, Coordinator, SshCheck, SshVerdict};
use wattle_netmap::NodeId;

use super::documents::{DoneDocument, SshCheckDocument, SshDecisionRequest};
use super::json::Json;
use super::problem::Problem;
use crate::event_loop::LoopHandle;

pub(super) async fn pending(State(tailnet): State<LoopHandle>) -> Result<Json<Vec<SshCheckDocument>>, Problem> {
    let checks = tailnet.read(|coordinator| {
        let waiting = coordinator.ssh_checks().filter(|check| check.verdict == SshVerdict::Waiting);
        waiting.map(|check| document(check, coordinator)).collect()
    });
    Ok(Json(checks.await?))
}

pub(super) async fn approve(
    State(tailnet): State<LoopHandle>,
    Json(request): Json<SshDecisionRequest>,
) -> Result<Json<DoneDocument>, Problem> {
    tailnet.ask(Command::ApproveSsh { auth_id: check(&request.auth_id)? }).await?;
    Ok(Json(DoneDocument {}))
}

pub(super) async fn decline(
    State(tailnet): State<LoopHandle>,
    Json(request): Json<SshDecisionRequest>,
) -> Result<Json<DoneDocument>, Problem> {
    tailnet.ask(Command::DeclineSsh { auth_id: check(&request.auth_id)? }).await?;
    Ok(Json(DoneDocument {}))
}

fn document(check: &SshCheck, coordinator: &Coordinator) -> SshCheckDocument {
    let label = |node: NodeId| coordinator.node(node).map(|entry| entry.record.label.clone()).unwrap_or_default();
    let user = check.user.and_then(|user| coordinator.users().find(|record| record.id == user));
    SshCheckDocument {
        auth_id: check.id.to_string(),
        user: user.map(|user| user.login_name.clone()),
        from: label(check.from),
        to: label(check.to),
        local_user: check.local_user.clone(),
        since: check.created.to_string(),
    }
}

fn check(text: &str) -> Result<AuthId, Problem> {
    AuthId::from_url(text).ok_or_else(|| {
        Problem::invalid(format!("\"{text}\" names no SSH login that waits: see wattle-control ssh pending"))
    })
}
