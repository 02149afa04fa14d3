//! `GET /`: what a person sees who opens the server's address.

use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};

use super::Site;
use crate::people::frame;

pub(super) async fn page(State(site): State<Arc<Site>>) -> Markup {
    frame::page(
        "Wattle",
        &html! {
            p { "This is the coordination server of a Wattle network." }
            p { "Join a device:" }
            pre { "wattle up --login-server " (site.url) "\ntailscale up --login-server " (site.url) }
            @if site.people.is_some() { p { a href="/devices" { "My devices" } } }
        },
    )
}
