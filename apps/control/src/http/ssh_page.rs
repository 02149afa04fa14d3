//! `GET /ssh/<id>`: the page that somebody is sent to who wants to log in by SSH and must be let in. It says who wants in
//! where, so that nobody lets in another one, and how an administrator does.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use wattle_coordinator::{AuthId, SshVerdict};

use super::Site;
use crate::limits::SHOWN_NAME_CHARS;
use crate::people::frame;

pub(super) async fn page(State(site): State<Arc<Site>>, Path(id): Path<String>) -> (StatusCode, Markup) {
    let Some(auth_id) = id.parse::<AuthId>().ok() else { return gone() };
    let Some(check) = site.tailnet.ssh_check(auth_id.clone()).await else { return gone() };
    let shown = |text: &str| text.chars().take(SHOWN_NAME_CHARS).collect::<String>();
    match check.verdict {
        SshVerdict::Waiting => {}
        SshVerdict::Approved => return over("The session was let in"),
        SshVerdict::Declined => return over("The session was turned away"),
        SshVerdict::TimedOut => return over("The session has waited too long"),
    }
    let page = frame::renewing(
        "Somebody wants to log in",
        &html! {
            p {
                strong { (shown(&check.person)) } " wants to log in from " strong { (shown(&check.from)) } " to "
                strong { (shown(&check.to)) } " as " strong { (shown(&check.local_user)) } "."
            }
            p { "They have waited since " (wattle_time::UnixTime::from_secs(check.since.as_secs())) "." }
            p { "An administrator lets them in on the server with" }
            pre { "wattle-control ssh approve " (auth_id) }
            p { "If this was not you, close this page: nothing has been granted, and after a few minutes it ends by itself." }
            p { "This page renews itself and says when it is decided." }
        },
    );
    (StatusCode::OK, page)
}

fn over(title: &str) -> (StatusCode, Markup) {
    (StatusCode::OK, frame::page(title, &html! { p { "You can close this page." } }))
}

fn gone() -> (StatusCode, Markup) {
    let page = frame::page(
        "Nobody waits here",
        &html! { p { "They were let in, turned away, or have waited too long. If the session is not open, start it again." } },
    );
    (StatusCode::NOT_FOUND, page)
}
