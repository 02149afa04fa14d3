//! `/devices`: what a person has in the network, and a way to remove it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use wattle_coordinator::Command;
use wattle_netmap::NodeId;

use super::confirm::{minute, signed_in_as};
use super::posted::{Posted, Visitor, did_not_work, suspended};
use super::sessions::Visit;
use super::tailnet::Device;
use super::{People, frame};

/// `GET /devices`
pub(super) async fn page(State(people): State<Arc<People>>, visitor: Visitor) -> Response {
    let (visit, person) = match visitor {
        Visitor::Nobody => return Redirect::to("/login").into_response(),
        Visitor::Suspended(person) => return suspended(&person),
        Visitor::Somebody(visit, person) => (visit, person),
    };
    let devices = people.devices(visit.user).await;
    let content = html! {
        (signed_in_as(&visit, &person, "/devices"))
        @if devices.is_empty() {
            p { "You have no device here yet. On one, start" }
        } @else {
            ul.cards {
                @for device in &devices { li { (card(device, &visit)) } }
            }
            p { "To add another, start on it" }
        }
        pre { "wattle up --login-server " (people.url) "\ntailscale up --login-server " (people.url) }
    };
    frame::page("My devices", &content).into_response()
}

fn card(device: &Device, visit: &Visit) -> Markup {
    html! {
        h2 { (device.name) }
        @if device.awaits_approval {
            p.notice { "It waits for an administrator to approve it." }
        } @else if device.is_expired {
            p.notice.bad { "Its key has expired: sign in again on it." }
        }
        dl {
            dt { "Addresses" }
            dd { @for address in device.addresses { code { (address) } " " } }
            @if !device.os.is_empty() { dt { "System" } dd { (device.os) } }
            dt { "Last seen" }
            dd {
                @if device.is_online { "connected now" }
                @else if let Some(seen) = device.last_seen { (minute(seen)) }
                @else { "never" }
            }
            dt { "Signs in again" }
            dd { @if let Some(expiry) = device.key_expiry { (minute(expiry)) } @else { "never" } }
        }
        details {
            summary { "Remove " (device.name) }
            p { "It leaves the network at once, and its name and addresses become free. To come back, it joins anew." }
            form method="post" action={ "/devices/" (device.id.0) "/remove" } {
                input type="hidden" name="form" value=(visit.form.text());
                button.bad { "Remove " (device.name) " now" }
            }
        }
    }
}

/// `POST /devices/{id}/remove`
pub(super) async fn remove(State(people): State<Arc<People>>, Path(id): Path<String>, posted: Posted) -> Response {
    let user = posted.visit.user;
    let own = people.devices(user).await;
    // Somebody else's device is as good as none.
    let Some(device) = own.iter().find(|device| id.parse().is_ok_and(|id| device.id == NodeId(id))) else {
        return did_not_work(StatusCode::NOT_FOUND, "You have no such device.");
    };
    match people.tailnet.ask(Command::DeleteNode { node: device.id }).await {
        Ok(_) => {
            tracing::info!(user = user.0, node = device.id.0, "a person removed a device of theirs");
            Redirect::to("/devices").into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "a device could not be removed");
            did_not_work(StatusCode::SERVICE_UNAVAILABLE, "It cannot be removed just now. Try again in a moment.")
        }
    }
}
