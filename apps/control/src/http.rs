//! What the server answers, one endpoint a file: outside for browsers, relays and the start of control channels; inside
//! the control channel for nodes. Handlers turn requests into commands and replies into answers, and decide nothing.

mod health;
mod home;
mod key;
mod map;
mod metrics;
mod problem;
mod register;
mod register_page;
mod ssh_action;
mod ssh_page;
#[cfg(test)]
mod tests;
mod ts2021;
mod unfinished;
mod verify;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{any, get, post};
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, watch};
use wattle_keys::MachinePrivate;
use wattle_relay_io::RelayHandle;
use wattle_relay_io::http::BootstrapNames;

use crate::config::ServerUrl;
use crate::event_loop::LoopHandle;
use crate::limits::CHANNELS_MAX;
use crate::people::{self, People};

/// What handlers need.
pub(crate) struct Site {
    tailnet: LoopHandle,
    machine_key: MachinePrivate,
    url: ServerUrl,
    registry: Registry,
    /// The pages for people; `None`: nobody signs in, and an administrator lets devices in.
    people: Option<Arc<People>>,
    channels: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

impl Site {
    pub(crate) fn new(
        tailnet: LoopHandle,
        machine_key: MachinePrivate,
        url: ServerUrl,
        people: Option<Arc<People>>,
        relay: Option<&RelayHandle>,
        stopped: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let registry = metrics::registry(&tailnet, relay);
        let channels = Arc::new(Semaphore::new(CHANNELS_MAX));
        Arc::new(Self { tailnet, machine_key, url, people, registry, channels, stopped })
    }
}

/// Everything outside the control channel.
pub(crate) fn outer(site: Arc<Site>, relay: Option<RelayHandle>) -> Router {
    let names = bootstrap_names(&site.url);
    let pages = Router::new().route("/", get(home::page)).route("/ssh/{id}", get(ssh_page::page));
    let pages = match &site.people {
        Some(people) => pages.with_state(Arc::clone(&site)).merge(people::router(Arc::clone(people))),
        None => pages.route("/register/{id}", get(register_page::page)).with_state(Arc::clone(&site)),
    };
    let pages = pages.route("/people.css", get(people::frame::style)).layer(middleware::from_fn(people::with_rules));
    let router = Router::new()
        .route("/key", get(key::keys))
        .route("/ts2021", get(ts2021::upgrade).post(ts2021::upgrade))
        .route("/verify", post(verify::verify))
        .route("/health", get(health::health))
        .route("/version", get(version::version))
        .route("/metrics", get(metrics::text))
        .with_state(site)
        .merge(pages);
    match relay {
        Some(relay) => router.merge(wattle_relay_io::http::router(relay, names)),
        None => router.merge(wattle_relay_io::http::captive_portal_router()),
    }
}

/// What `/bootstrap-dns` tells: where this server is.
pub(crate) fn bootstrap_names(url: &ServerUrl) -> BootstrapNames {
    BootstrapNames::new([url.host.clone()])
}

/// What a node may ask inside its control channel.
fn inner(site: Arc<Site>) -> Router {
    Router::new()
        .route("/machine/register", any(register::register))
        .route("/machine/map", any(map::map))
        .route("/machine/ssh/action/{from}/to/{to}", get(ssh_action::action))
        .route("/machine/update-health", any(unfinished::accepted))
        .fallback(unfinished::not_here)
        .with_state(site)
}
