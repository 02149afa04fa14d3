//! The administrators' door: HTTP with JSON on a unix socket that only root and the server's own user may use.

mod console;
pub(crate) mod documents;
mod json;
mod keys;
mod nodes;
mod policy;
pub(crate) mod problem;
mod routes;
mod settings;
mod ssh;
#[cfg(test)]
mod tests;
mod users;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use axum::Router;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{DefaultBodyLimit, FromRef, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::serve::IncomingStream;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::event_loop::LoopHandle;
use crate::limits::ADMIN_BODY_MAX;
use crate::policy_desk::PolicyDesk;
use crate::web::{self, Console, Gate};
use problem::Problem;

/// Serves the socket until told to stop. One server at a time holds the folder (the store sees to that), so a socket
/// that is there already was left behind.
pub(crate) fn serve(
    socket: &Path,
    office: Office,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<()>> {
    if socket.exists() {
        fs::remove_file(socket).with_context(|| format!("cannot replace {}", socket.display()))?;
    }
    let cannot = || format!("cannot open the administrators' socket {}", socket.display());
    let listener = UnixListener::bind(socket).with_context(cannot)?;
    fs::set_permissions(socket, Permissions::from_mode(0o600)).with_context(cannot)?;
    let router = router(office).into_make_service_with_connect_info::<Caller>();
    let path = socket.to_owned();
    Ok(tokio::spawn(async move {
        let until = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
            tracing::error!(%error, "the administrators' socket failed");
        }
        let _already_gone = fs::remove_file(path);
    }))
}

/// What can be administered.
#[derive(Clone, Debug)]
pub(crate) struct Office {
    pub(crate) tailnet: LoopHandle,
    pub(crate) policy: PolicyDesk,
    pub(crate) console: Console,
}

impl FromRef<Office> for LoopHandle {
    fn from_ref(office: &Office) -> Self {
        office.tailnet.clone()
    }
}

impl FromRef<Office> for PolicyDesk {
    fn from_ref(office: &Office) -> Self {
        office.policy.clone()
    }
}

impl FromRef<Office> for Console {
    fn from_ref(office: &Office) -> Self {
        office.console.clone()
    }
}

fn router(office: Office) -> Router {
    let console = web::router(office.policy.clone(), Gate::Trusted(office.console.clone()));
    Router::new()
        .route("/users", get(users::list).post(users::create))
        .route("/users/{name}", patch(users::rename).delete(users::remove))
        .route("/users/{name}/role", post(users::set_role))
        .route("/users/{name}/suspend", post(users::suspend))
        .route("/users/{name}/restore", post(users::restore))
        .route("/settings", get(settings::show).patch(settings::change))
        .route("/nodes", get(nodes::list))
        .route("/nodes/approve", post(nodes::approve))
        .route("/nodes/decline", post(nodes::decline))
        .route("/nodes/{node}/approve", post(nodes::approve_device))
        .route("/nodes/{node}/rename", post(nodes::rename))
        .route("/nodes/{node}/tags", post(nodes::set_tags))
        .route("/nodes/{node}/expire", post(nodes::expire))
        .route("/nodes/{node}/routes", post(routes::change))
        .route("/nodes/{node}", delete(nodes::remove))
        .route("/routes", get(routes::list))
        .route("/ssh/pending", get(ssh::pending))
        .route("/ssh/approve", post(ssh::approve))
        .route("/ssh/decline", post(ssh::decline))
        .route("/pending", get(nodes::pending))
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{key}", delete(keys::revoke))
        .route("/policy", get(policy::show).put(policy::set))
        .route("/policy/check", post(policy::check))
        .route("/policy/format", post(policy::format))
        .route("/policy/test", post(policy::test))
        .route("/policy/diff", post(policy::difference))
        .route("/policy/explain", post(policy::explain))
        .route("/policy/matrix", get(policy::matrix))
        .route("/policy/history", get(policy::history))
        .route("/policy/history/{number}", get(policy::revision))
        .route("/policy/restore", post(policy::restore))
        .route("/console/token", post(console::token))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such thing here"))
        .with_state(office)
        .merge(console)
        .layer(middleware::from_fn_with_state(own_uid(), only_owner))
        .layer(DefaultBodyLimit::max(ADMIN_BODY_MAX))
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
struct Caller {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|credentials| credentials.uid()) }
    }
}

/// The socket's mode keeps others out already; this does too if somebody changes it.
async fn only_owner(State(own): State<u32>, caller: ConnectInfo<Caller>, request: Request, next: Next) -> Response {
    match caller.0.uid {
        Some(uid) if uid == 0 || uid == own => next.run(request).await,
        Some(_) | None => {
            Problem::new(StatusCode::FORBIDDEN, "only root and the server's own user may do this").into_response()
        }
    }
}

/// The user that we run as: who owns what we make.
fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").map_or(0, |own| own.uid())
}
