//! `GET /register/<id>`: the page that a machine shows its user while it waits. It names the machine, so that nobody
//! lets in another one, and says how an administrator does.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use wattle_coordinator::AuthId;

use super::Site;
use crate::limits::SHOWN_NAME_CHARS;

pub(super) async fn page(State(site): State<Arc<Site>>, Path(id): Path<String>) -> (StatusCode, Markup) {
    let Some(auth_id) = id.parse::<AuthId>().ok() else { return gone() };
    let Some(machine) = site.tailnet.pending_machine(auth_id.clone()).await else { return gone() };
    let shown = |text: &str| text.chars().take(SHOWN_NAME_CHARS).collect::<String>();
    let page = document(
        "A machine wants to join",
        true,
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
    let page = document(
        "Nothing waits here",
        false,
        &html! { p { "The machine is in, was turned away, or waited too long. If it is not connected, start again on it." } },
    );
    (StatusCode::NOT_FOUND, page)
}

/// A whole page in the server's plain style; `renewing` has the browser ask again.
pub(super) fn document(title: &str, renewing: bool, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                @if renewing {
                    meta http-equiv="refresh" content="10";
                }
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { h1 { (title) } (content) } }
        }
    }
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:0;color:#222;background:#fafaf7}\
    main{max-width:40rem;margin:10vh auto;padding:0 1rem}\
    pre,code{background:#eee;border-radius:.3rem;padding:.1rem .3rem}pre{padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere}\
    code{overflow-wrap:anywhere}\
    @media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1a}pre,code{background:#333}}";
