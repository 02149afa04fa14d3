//! `/ts2021`: the start of a control channel, and the life of it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use wattle_keys::{ChallengePublic, NodePrivate};
use wattle_link::{Peer, Upgrade, accept_control, serve_control};

use super::problem::Problem;
use super::{Site, inner};

/// Where a control channel comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remote(pub(super) IpAddr);

pub(super) async fn upgrade(
    State(site): State<Arc<Site>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let Ok(permit) = Arc::clone(&site.channels).try_acquire_owned() else {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "this server holds as many nodes as it can")
            .into_response();
    };
    match accept_control(&mut request, &site.machine_key) {
        Ok((upgrade, response)) => {
            tokio::spawn(async move {
                let peer = Peer { machine: upgrade.peer(), version: upgrade.version() };
                if let Err(error) = serve(site, upgrade, peer, Remote(from.ip())).await {
                    tracing::debug!(machine = %peer.machine, %error, "a control channel ended");
                }
                drop(permit);
            });
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn serve(site: Arc<Site>, upgrade: Upgrade, peer: Peer, remote: Remote) -> std::io::Result<()> {
    let stream = upgrade.finish(Some(&challenge()?)).await?;
    let stopped = site.stopped.clone();
    serve_control(stream, peer, inner(site).layer(Extension(remote)), until(stopped)).await
}

/// A fresh key for the early payload. No client answers the challenge today, but they expect one.
fn challenge() -> std::io::Result<ChallengePublic> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| std::io::Error::other("no randomness"))?;
    Ok(ChallengePublic::from_bytes(*NodePrivate::from_bytes(bytes).public().as_bytes()))
}

async fn until(mut stopped: watch::Receiver<bool>) {
    let _either_way = stopped.wait_for(|stopped| *stopped).await;
}
