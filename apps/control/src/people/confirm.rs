//! `/register/{id}`: a machine wants in, and a person says whether it is theirs. The address is open in as many tabs as
//! they like; after the first answer the others tell what became of it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use wattle_coordinator::{AuthId, Command, Reply};
use wattle_identity::short_code;

use super::outcomes::Outcome;
use super::posted::{Posted, Visitor, did_not_work, suspended};
use super::sessions::Visit;
use super::sign_in::{buttons, sentence};
use super::tailnet::{Kinship, Person, Waiting};
use super::{People, frame};
use crate::event_loop::AskError;
use crate::limits::SHOWN_NAME_CHARS;

/// `GET /register/{id}`
pub(super) async fn page(State(people): State<Arc<People>>, Path(id): Path<String>, visitor: Visitor) -> Response {
    let Ok(auth_id) = id.parse::<AuthId>() else { return gone() };
    let viewer = match &visitor {
        Visitor::Suspended(person) => return suspended(person),
        Visitor::Somebody(visit, _) => Some(visit.user),
        Visitor::Nobody => None,
    };
    match (people.waiting(&auth_id, viewer).await, visitor) {
        (Some(machine), Visitor::Somebody(visit, person)) => {
            match visit.key_expiry {
                // The provider's word has run out: it must be given anew.
                Some(until) if until <= wattle_clock::unix_now() => {
                    welcome(&people, &auth_id, &machine).into_response()
                }
                _ => confirm(&auth_id, &machine, &visit, &person).into_response(),
            }
        }
        (Some(machine), _) => welcome(&people, &auth_id, &machine).into_response(),
        (None, Visitor::Somebody(visit, _)) => over(&people, &auth_id, &visit).await,
        (None, _) => gone(),
    }
}

/// `POST /register/{id}`
pub(super) async fn decide(State(people): State<Arc<People>>, Path(id): Path<String>, posted: Posted) -> Response {
    let Ok(auth_id) = id.parse::<AuthId>() else { return gone() };
    let (user, key_expiry) = (posted.visit.user, posted.visit.key_expiry);
    let is_over = key_expiry.is_some_and(|until| until <= wattle_clock::unix_now());
    let command = match posted.fields.text("decision") {
        "connect" if is_over => return Redirect::to(&format!("/register/{auth_id}")).into_response(),
        "connect" => Command::Approve { auth_id: auth_id.clone(), user, key_expiry },
        "decline" => Command::Decline { auth_id: auth_id.clone() },
        _ => return did_not_work(StatusCode::BAD_REQUEST, "This form says neither yes nor no."),
    };
    match people.tailnet.ask(command).await {
        Ok(Reply::Approved(node)) => {
            tracing::info!(user = user.0, node = node.0, "a person let a device of theirs in");
            people.outcomes.note(auth_id.clone(), user, Outcome::LetIn(node));
        }
        Ok(_) => {
            tracing::info!(user = user.0, "a person turned a device away");
            people.outcomes.note(auth_id.clone(), user, Outcome::TurnedAway);
        }
        // Another tab was quicker, or the time is over: the page tells.
        Err(AskError::Refused(refusal)) if people.waiting(&auth_id, Some(user)).await.is_some() => {
            return did_not_work(StatusCode::FORBIDDEN, &sentence(&refusal.to_string()));
        }
        Err(AskError::Refused(_)) => {}
        Err(_) => {
            let sentence = "This server cannot let the device in just now. Go back and try again in a moment.";
            return did_not_work(StatusCode::SERVICE_UNAVAILABLE, sentence);
        }
    }
    // A page of its own, so that reloading it sends nothing again.
    Redirect::to(&format!("/register/{auth_id}")).into_response()
}

/// For somebody who is not signed in.
fn welcome(people: &People, auth_id: &AuthId, machine: &Waiting) -> Markup {
    let content = html! {
        (facts(auth_id, machine))
        p { "Sign in to say whether it is yours." }
        (buttons(&people.providers.list(), &format!("/register/{auth_id}")))
        p.quiet { "If you did not start this, close this page: nothing has been granted." }
    };
    frame::page("A device wants to join", &content)
}

fn confirm(auth_id: &AuthId, machine: &Waiting, visit: &Visit, person: &Person) -> Markup {
    let here = format!("/register/{auth_id}");
    let content = html! {
        (facts(auth_id, machine))
        @match machine.kinship {
            Kinship::New => {}
            Kinship::Own => p { "It is known as a device of yours, and keeps its name and addresses." },
            Kinship::OfAnother => p.notice {
                "Somebody else uses this machine already. You get a device of your own on it; theirs stays as it is."
            }
        }
        p { "Does your terminal show the same code, and did you start this yourself? Then connect it." }
        form method="post" action=(here) {
            input type="hidden" name="form" value=(visit.form.text());
            button.main name="decision" value="connect" { "Connect this device" }
        }
        form method="post" action=(here) {
            input type="hidden" name="form" value=(visit.form.text());
            button.bad name="decision" value="decline" { "This is not mine" }
        }
        (signed_in_as(visit, person, &here))
    };
    frame::page("Connect a device?", &content)
}

/// Who is signed in, with a way to be somebody else.
pub(super) fn signed_in_as(visit: &Visit, person: &Person, back: &str) -> Markup {
    html! {
        div.line {
            p.quiet {
                "You are " (person.display_name)
                @if person.display_name != person.login_name { " (" (person.login_name) ")" }
                "."
            }
            form method="post" action="/logout" {
                input type="hidden" name="form" value=(visit.form.text());
                input type="hidden" name="back" value=(back);
                button { "Sign out" }
            }
        }
    }
}

fn facts(auth_id: &AuthId, machine: &Waiting) -> Markup {
    let shown = |text: &str| text.chars().take(SHOWN_NAME_CHARS).collect::<String>();
    html! {
        dl {
            dt { "Device" }
            dd { strong { (shown(&machine.host_name)) } }
            @if !machine.os.is_empty() {
                dt { "System" }
                dd { (shown(&machine.os)) }
            }
            @if let Some(from) = machine.from {
                dt { "Asks from" }
                dd { (from.to_canonical()) }
            }
            dt { "Waiting since" }
            dd { (minute(machine.since)) }
            dt { "Code" }
            dd.code { (short_code(&auth_id.to_string())) }
        }
    }
}

/// What became of it, for the one who decided.
async fn over(people: &People, auth_id: &AuthId, visit: &Visit) -> Response {
    let (title, content) = match people.outcomes.of(auth_id, visit.user) {
        None => return gone(),
        Some(Outcome::TurnedAway) => {
            ("The device was turned away", html! { p { "Nothing has been granted. You can close this page." } })
        }
        Some(Outcome::LetIn(node)) => match people.device(visit.user, node).await {
            None => return gone(),
            Some(device) if device.awaits_approval => (
                "Almost there",
                html! {
                    p.notice role="status" { strong { (device.name) } " is yours, and waits for an administrator to approve it." }
                    p { "It connects by itself as soon as they have. You can close this page." }
                },
            ),
            Some(device) => (
                "The device is connected",
                html! {
                    p.notice.good role="status" { strong { (device.name) } " is in the network, as " (device.addresses[0]) "." }
                    p { "You can close this page." }
                    p { a href="/devices" { "My devices" } }
                },
            ),
        },
    };
    frame::page(title, &content).into_response()
}

/// The same for what never was: nobody learns which registrations there were.
fn gone() -> Response {
    let content = html! {
        p { "The device is in, was turned away, or waited too long." }
        p { "If it is not connected, start again on it: it shows a new link." }
        pre { "wattle up" }
        p { a href="/devices" { "My devices" } }
    };
    (StatusCode::NOT_FOUND, frame::page("Nothing waits here", &content)).into_response()
}

/// A time of the server, to the minute.
pub(super) fn minute(at: wattle_time::UnixTime) -> Markup {
    let text = wattle_time::UnixTime::from_secs(at.as_secs()).to_string();
    let shown = text.get(..16).map_or_else(|| text.clone(), |minute| format!("{} UTC", minute.replace('T', " ")));
    html! { time datetime=(text) { (shown) } }
}
