//! `/nodes` and `/pending`: machines that are in, and machines that want to be.

use axum::extract::{Path, State};
use wattle_coordinator::{AuthId, Command, Reply};
use wattle_netmap::NodeId;

use super::documents::{
    ApproveRequest, DeclineRequest, DoneDocument, ExpireRequest, NodeDocument, PendingDocument, RenameRequest,
    TagsRequest,
};
use super::json::Json;
use super::problem::Problem;
use super::users;
use crate::event_loop::{LoopHandle, now};

type Answer = Result<Json<NodeDocument>, Problem>;

pub(super) async fn list(State(tailnet): State<LoopHandle>) -> Result<Json<Vec<NodeDocument>>, Problem> {
    let nodes = tailnet
        .read(|coordinator| coordinator.nodes().map(|entry| NodeDocument::of(entry, coordinator, now())).collect());
    Ok(Json(nodes.await?))
}

pub(super) async fn pending(State(tailnet): State<LoopHandle>) -> Result<Json<Vec<PendingDocument>>, Problem> {
    Ok(Json(tailnet.read(|coordinator| coordinator.pending().map(PendingDocument::of).collect()).await?))
}

pub(super) async fn approve(State(tailnet): State<LoopHandle>, Json(request): Json<ApproveRequest>) -> Answer {
    let user = users::by_name(&tailnet, &request.user).await?;
    let approve = Command::Approve { auth_id: registration(&request.auth_id)?, user, key_expiry: None };
    match tailnet.ask(approve).await? {
        Reply::Approved(node) => {
            // Who lets it in here is an administrator: nobody else needs to approve the device.
            tailnet.ask(Command::ApproveNode { node }).await?;
            one(&tailnet, node).await
        }
        _ => Err(Problem::not_found("the node is gone already")),
    }
}

pub(super) async fn approve_device(State(tailnet): State<LoopHandle>, Path(node): Path<String>) -> Answer {
    let node = by_name(&tailnet, &node).await?;
    tailnet.ask(Command::ApproveNode { node }).await?;
    one(&tailnet, node).await
}

pub(super) async fn decline(
    State(tailnet): State<LoopHandle>,
    Json(request): Json<DeclineRequest>,
) -> Result<Json<DoneDocument>, Problem> {
    tailnet.ask(Command::Decline { auth_id: registration(&request.auth_id)? }).await?;
    Ok(Json(DoneDocument {}))
}

pub(super) async fn rename(
    State(tailnet): State<LoopHandle>,
    Path(node): Path<String>,
    Json(request): Json<RenameRequest>,
) -> Answer {
    let node = by_name(&tailnet, &node).await?;
    tailnet.ask(Command::RenameNode { node, name: request.name }).await?;
    one(&tailnet, node).await
}

pub(super) async fn set_tags(
    State(tailnet): State<LoopHandle>,
    Path(node): Path<String>,
    Json(request): Json<TagsRequest>,
) -> Answer {
    let node = by_name(&tailnet, &node).await?;
    tailnet.ask(Command::SetTags { node, tags: request.tags }).await?;
    one(&tailnet, node).await
}

pub(super) async fn expire(
    State(tailnet): State<LoopHandle>,
    Path(node): Path<String>,
    Json(request): Json<ExpireRequest>,
) -> Answer {
    let node = by_name(&tailnet, &node).await?;
    let at = match (request.never, request.at) {
        (true, _) => None,
        (false, None) => Some(now().wall),
        (false, Some(text)) => Some(text.parse().map_err(|error| Problem::invalid(format!("\"{text}\" is {error}")))?),
    };
    tailnet.ask(Command::ExpireNode { node, at }).await?;
    one(&tailnet, node).await
}

pub(super) async fn remove(
    State(tailnet): State<LoopHandle>,
    Path(node): Path<String>,
) -> Result<Json<DoneDocument>, Problem> {
    let node = by_name(&tailnet, &node).await?;
    tailnet.ask(Command::DeleteNode { node }).await?;
    Ok(Json(DoneDocument {}))
}

/// The node of this name, this number or this address.
pub(super) async fn by_name(tailnet: &LoopHandle, name: &str) -> Result<NodeId, Problem> {
    let wanted = name.to_owned();
    let found = tailnet.read(move |coordinator| {
        let label = wanted.split('.').next().unwrap_or_default().to_owned();
        let (number, address) = (wanted.parse().ok().map(NodeId), wanted.parse().ok());
        let is_wanted = |record: &wattle_coordinator::NodeRecord| {
            record.label == label
                || Some(record.id) == number
                || address.is_some_and(|one| record.addresses().contains(&one))
        };
        coordinator.nodes().map(|entry| &entry.record).find(|record| is_wanted(record)).map(|record| record.id)
    });
    found
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no node \"{name}\": see wattle-control nodes list")))
}

fn registration(text: &str) -> Result<AuthId, Problem> {
    // People paste the whole page's address.
    AuthId::from_url(text).ok_or_else(|| {
        Problem::invalid(format!("\"{text}\" names no machine that waits: see wattle-control nodes list"))
    })
}

async fn one(tailnet: &LoopHandle, node: NodeId) -> Answer {
    let found = tailnet
        .read(move |coordinator| coordinator.node(node).map(|entry| NodeDocument::of(entry, coordinator, now())));
    found.await?.map(Json).ok_or_else(|| Problem::not_found("the node is gone already"))
}
