//! `GET /`: what a person sees who opens the server's address.

use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};

use super::{Site, register_page};

pub(super) async fn page(State(site): State<Arc<Site>>) -> Markup {
    register_page::document(
        "Wattle",
        false,
        &html! {
            p { "This is the coordination server of a Wattle network." }
            p { "Join a device:" }
            pre { "wattle up --login-server " (site.url) "\ntailscale up --login-server " (site.url) }
        },
    )
}
