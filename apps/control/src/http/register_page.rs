//! `GET /register/<id>` where nobody signs in: the page that a machine shows its user while it waits. It names the machine, so that nobody
//! lets in another one, and says how an administrator does.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use wattle_coordinator::AuthId;

use super::Site;
use crate::limits::SHOWN_NAME_CHARS;
use crate::people::frame;

pub(super) async fn page(State(site): State<Arc<Site>>, Path(id): Path<String>) -> (StatusCode, Markup) {
    let Some(auth_id) = id.parse::<AuthId>().ok() else { return gone() };
    let Some(machine) = site.tailnet.pending_machine(auth_id.clone()).await else { return gone() };
    let shown = |text: &str| text.chars().take(SHOWN_NAME_CHARS).collect::<String>();
    let page = frame::renewing(
        "A machine wants to join",
        &html! {
            p { "The machine " strong { (shown(&machine.host_name)) } " (" (shown(&machine.os)) ") waits to join this network." }
            p { "It has waited since " (wattle_time::UnixTime::from_secs(machine.since.as_secs())) "." }
            p { "An administrator lets it in on the server with" }
            pre { "wattle-control nodes approve " (auth_id) " --user NAME" }
            p { "Its key is " code { (machine.machine) } ". Compare it if you did not start this yourself; if the machine "
                "is not yours, close this page: nothing has been granted." }
            p { "This page renews itself and says when the machine is in." }
        },
    );
    (StatusCode::OK, page)
}

fn gone() -> (StatusCode, Markup) {
    let page = frame::page(
        "Nothing waits here",
        &html! { p { "The machine is in, was turned away, or waited too long. If it is not connected, start again on it." } },
    );
    (StatusCode::NOT_FOUND, page)
}
