//! Pages for people: signing in with an identity provider, letting in a device of theirs, and their devices. Made here,
//! complete without a script, and nothing in them comes from elsewhere. They decide nothing: the coordinator does.
//!
//! A sign-in begins with a form of ours and ends at the provider's redirect; what is in between is kept here, is for one
//! browser and works once. What a browser holds is a random number whose hash we keep.

mod attempts;
mod confirm;
mod cookie;
mod devices;
pub(crate) mod frame;
mod gate;
mod outcomes;
mod posted;
mod secret;
mod sessions;
mod sign_in;
mod tailnet;
#[cfg(test)]
mod tests;
mod vouching;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use wattle_coordinator::AuthId;
use wattle_identity::RateLimit;

pub(crate) use gate::with_rules;
pub(crate) use vouching::{ConfiguredProviders, provider_configs};

use crate::config::ServerUrl;
use crate::event_loop::LoopHandle;
use crate::limits::{
    PEOPLE_ADDRESSES_MAX, PEOPLE_BODY_MAX, SIGN_IN_BURST, SIGN_INS_PER_MINUTE, SIGN_INS_PER_MINUTE_ALL,
};
use attempts::Attempts;
use outcomes::{Outcomes, Remotes};
use sessions::Sessions;
use vouching::Vouching;

/// What the pages need.
pub(crate) struct People {
    tailnet: LoopHandle,
    url: ServerUrl,
    providers: Box<dyn Vouching>,
    attempts: Attempts,
    sessions: Sessions,
    outcomes: Outcomes,
    remotes: Remotes,
    limits: Mutex<Limits>,
}

/// How often an address may begin or end a sign-in, and all of them together.
struct Limits {
    of_address: RateLimit,
    of_all: RateLimit,
}

impl People {
    pub(crate) fn new(tailnet: LoopHandle, url: ServerUrl, providers: impl Vouching + 'static) -> Arc<Self> {
        Arc::new(Self {
            tailnet,
            url,
            providers: Box::new(providers),
            attempts: Attempts::default(),
            sessions: Sessions::default(),
            outcomes: Outcomes::default(),
            remotes: Remotes::default(),
            limits: Mutex::new(Limits {
                of_address: RateLimit::new(SIGN_INS_PER_MINUTE, SIGN_IN_BURST, PEOPLE_ADDRESSES_MAX),
                of_all: RateLimit::new(SIGN_INS_PER_MINUTE_ALL, SIGN_INS_PER_MINUTE_ALL, 1),
            }),
        })
    }

    /// A machine asks to be let in from this address.
    pub(crate) fn note_remote(&self, auth_id: &AuthId, from: IpAddr) {
        self.remotes.note(auth_id, from);
    }

    fn may_try(&self, from: IpAddr) -> bool {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let now = wattle_clock::now();
        // One address that asks too much takes nothing from the others.
        limits.of_address.allow(&from.to_canonical().to_string(), now) && limits.of_all.allow("", now)
    }
}

/// All the pages, for the public listener.
pub(crate) fn router(people: Arc<People>) -> Router {
    Router::new()
        .route("/login", get(sign_in::choose))
        .route("/login/{provider}", post(sign_in::begin))
        .route("/oidc/callback/{provider}", get(sign_in::finish))
        .route("/logout", post(sign_in::end))
        .route("/register/{id}", get(confirm::page).post(confirm::decide))
        .route("/devices", get(devices::page))
        .route("/devices/{id}/remove", post(devices::remove))
        .layer(middleware::from_fn_with_state(Arc::clone(&people), gate::pass))
        .layer(DefaultBodyLimit::max(PEOPLE_BODY_MAX))
        .with_state(people)
}
