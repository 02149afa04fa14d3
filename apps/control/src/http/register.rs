//! `POST /machine/register`: a machine wants to join, stay, come back or leave.
//! Source: tailscale `control/controlclient/direct.go doLogin`, `tailcfg.go RegisterRequest`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use wattle_coordinator::{AuthId, Command, Register, Reply};
use wattle_keys::NodePublic;
use wattle_link::Peer;
use wattle_netmap::User;
use wattle_wire::control::{self, Login, RegisterRequest, RegisterResponse};
use wattle_wire::convert::hostinfo_from_wire;

use super::Site;
use super::problem::{Problem, read_json};
use super::ts2021::Remote;
use crate::event_loop::AskError;
use crate::limits::APPROVAL_WAIT;

pub(super) async fn register(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    remote: Option<Extension<Remote>>,
    body: Body,
) -> Result<Json<RegisterResponse>, Problem> {
    let request: RegisterRequest = read_json(body).await?;
    let node_key = request
        .node_key
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "a node key is missing in the request"))?;
    let followup = AuthId::from_url(&request.followup);
    let register = Register {
        machine: peer.machine,
        node_key,
        old_node_key: request.old_node_key,
        auth_key: request.auth.map(|auth| auth.auth_key).filter(|key| !key.is_empty()),
        followup: followup.clone(),
        expiry: request.expiry,
        ephemeral: request.ephemeral,
        host: request.hostinfo.as_ref().map(hostinfo_from_wire).unwrap_or_default(),
        capability_version: peer.version,
    };
    // The client comes back with the page's address to be told when the machine was let in, and holds the line.
    if let Some(auth_id) = followup {
        site.tailnet.wait_for_approval(auth_id, node_key, APPROVAL_WAIT).await;
    }
    let result = site.tailnet.ask(Command::Register(Box::new(register))).await;
    // Its page names the address that the machine asks from.
    if let (Ok(Reply::Waiting { auth_id }), Some(people), Some(Extension(remote))) = (&result, &site.people, remote) {
        people.note_remote(auth_id, remote.0);
    }
    answer(&site, node_key, result)
}

fn answer(
    site: &Site,
    node_key: NodePublic,
    result: Result<Reply, AskError>,
) -> Result<Json<RegisterResponse>, Problem> {
    let response = match result {
        Ok(Reply::Registered { user, approved, .. }) => welcome(&user, approved),
        Ok(Reply::KeyExpired | Reply::LoggedOut) => {
            RegisterResponse { node_key_expired: true, ..RegisterResponse::default() }
        }
        Ok(Reply::Waiting { auth_id, .. }) => {
            RegisterResponse { auth_url: site.url.page(&format!("/register/{auth_id}")), ..RegisterResponse::default() }
        }
        // Clients show this text to their user and do not try again; other statuses they repeat for ever.
        Err(AskError::Refused(refusal)) => {
            tracing::info!(%node_key, %refusal, "a registration was refused");
            RegisterResponse { error: refusal.to_string(), ..RegisterResponse::default() }
        }
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the registration got a strange reply")),
    };
    Ok(Json(response))
}

fn welcome(user: &User, approved: bool) -> RegisterResponse {
    RegisterResponse {
        user: control::User {
            id: user.id.0,
            display_name: user.display_name.clone(),
            profile_pic_url: user.picture_url.clone(),
            ..control::User::default()
        },
        login: Login {
            id: user.id.0,
            login_name: user.login_name.clone(),
            display_name: user.display_name.clone(),
            profile_pic_url: user.picture_url.clone(),
            ..Login::default()
        },
        machine_authorized: approved,
        ..RegisterResponse::default()
    }
}
