//! The console: pages for administrators at `/admin`, made here and complete without a script. They are served on the
//! administrators' socket, and on a loopback address if the server was started with `--console`.
//!
//! A page is a module with its handlers, a row in [`frame::PAGES`] and its routes below.

mod assets;
mod explain;
mod frame;
mod gate;
mod history;
mod matrix;
mod policy;
mod posted;
mod show;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::Redirect;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) use gate::{Console, Gate};

use crate::limits::ADMIN_BODY_MAX;
use crate::policy_desk::PolicyDesk;

/// Everything below `/admin`.
pub(crate) fn router(desk: PolicyDesk, gate: Gate) -> Router {
    Router::new()
        .route("/admin", get(async || Redirect::to("/admin/policy")))
        .route("/admin/enter", get(gate::not_here))
        .route("/admin/console.css", get(assets::style))
        .route("/admin/console.js", get(assets::script))
        .route("/admin/policy", get(policy::page).post(policy::act))
        .route("/admin/policy/check", post(policy::check))
        .route("/admin/policy/matrix", get(matrix::page))
        .route("/admin/policy/explain", get(explain::page))
        .route("/admin/policy/history", get(history::list))
        .route("/admin/policy/history/{number}", get(history::revision).post(history::restore))
        .with_state(desk)
        .layer(middleware::from_fn_with_state(gate, gate::pass))
        .layer(DefaultBodyLimit::max(ADMIN_BODY_MAX))
}

/// A bound port that nobody but this machine reaches.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    ensure!(
        address.ip().is_loopback(),
        "the console has no sign-in of its own yet, so it is served on this machine only: --console takes 127.0.0.1:PORT \
         or [::1]:PORT, not {address}"
    );
    TcpListener::bind(address).await.with_context(|| format!("cannot serve the console on {address}"))
}

/// Serves the console until told to stop.
pub(crate) fn serve(
    listener: TcpListener,
    desk: PolicyDesk,
    console: Console,
    mut stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let router = router(desk, Gate::Loopback(console));
    tokio::spawn(async move {
        let until = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
            tracing::error!(%error, "the console failed");
        }
    })
}
