//! `/users`: who nodes belong to.

use axum::extract::{Path, State};
use wattle_coordinator::{Command, Reply};
use wattle_netmap::UserId;
use wattle_policy::language::document::Role;

use super::documents::{DeleteUserQuery, DoneDocument, RoleRequest, UserDocument, UserRequest};
use super::json::{Json, Query};
use super::problem::Problem;
use crate::event_loop::LoopHandle;

pub(super) async fn list(State(tailnet): State<LoopHandle>) -> Result<Json<Vec<UserDocument>>, Problem> {
    let users =
        tailnet.read(|coordinator| coordinator.users().map(|user| UserDocument::of(user, coordinator)).collect());
    Ok(Json(users.await?))
}

pub(super) async fn create(
    State(tailnet): State<LoopHandle>,
    Json(request): Json<UserRequest>,
) -> Result<Json<UserDocument>, Problem> {
    let UserRequest { login_name, display_name } = request;
    match tailnet.ask(Command::CreateUser { login_name, display_name }).await? {
        Reply::UserCreated(user) => one(&tailnet, user).await.map(Json),
        _ => Err(Problem::not_found("the user is gone already")),
    }
}

pub(super) async fn rename(
    State(tailnet): State<LoopHandle>,
    Path(name): Path<String>,
    Json(request): Json<UserRequest>,
) -> Result<Json<UserDocument>, Problem> {
    let user = by_name(&tailnet, &name).await?;
    tailnet.ask(Command::RenameUser { user, login_name: request.login_name }).await?;
    one(&tailnet, user).await.map(Json)
}

pub(super) async fn remove(
    State(tailnet): State<LoopHandle>,
    Path(name): Path<String>,
    Query(DeleteUserQuery { with_nodes }): Query<DeleteUserQuery>,
) -> Result<Json<DoneDocument>, Problem> {
    let user = by_name(&tailnet, &name).await?;
    tailnet.ask(Command::DeleteUser { user, with_nodes }).await?;
    Ok(Json(DoneDocument {}))
}

pub(super) async fn suspend(
    State(tailnet): State<LoopHandle>,
    Path(name): Path<String>,
) -> Result<Json<UserDocument>, Problem> {
    let user = by_name(&tailnet, &name).await?;
    tailnet.ask(Command::SuspendUser { user }).await?;
    one(&tailnet, user).await.map(Json)
}

pub(super) async fn restore(
    State(tailnet): State<LoopHandle>,
    Path(name): Path<String>,
) -> Result<Json<UserDocument>, Problem> {
    let user = by_name(&tailnet, &name).await?;
    tailnet.ask(Command::RestoreUser { user }).await?;
    one(&tailnet, user).await.map(Json)
}

pub(super) async fn set_role(
    State(tailnet): State<LoopHandle>,
    Path(name): Path<String>,
    Json(request): Json<RoleRequest>,
) -> Result<Json<UserDocument>, Problem> {
    let role = Role::named(&request.role).ok_or_else(|| {
        let roles = "owner, admin, it-admin, network-admin, billing-admin, auditor and member";
        Problem::invalid(format!("\"{}\" is no role: there are {roles}", request.role))
    })?;
    let user = by_name(&tailnet, &name).await?;
    tailnet.ask(Command::SetRole { user, role }).await?;
    one(&tailnet, user).await.map(Json)
}

/// The user of this login name, or of this number.
pub(super) async fn by_name(tailnet: &LoopHandle, name: &str) -> Result<UserId, Problem> {
    let wanted = name.to_owned();
    let found = tailnet.read(move |coordinator| {
        let number = wanted.parse().ok().map(UserId);
        let mut users = coordinator.users();
        users.find(|user| user.login_name == wanted || Some(user.id) == number).map(|user| user.id)
    });
    found
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no user \"{name}\": see wattle-control users list")))
}

async fn one(tailnet: &LoopHandle, user: UserId) -> Result<UserDocument, Problem> {
    let found = tailnet.read(move |coordinator| {
        coordinator.users().find(|record| record.id == user).map(|record| UserDocument::of(record, coordinator))
    });
    found.await?.ok_or_else(|| Problem::not_found("the user is gone already"))
}
