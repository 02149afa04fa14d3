//! `GET /machine/ssh/action/<from>/to/<to>`: a node whose rules say so asks what to do with somebody who wants to log in.
//! Source: tailscale `ssh/tailssh/tailssh.go fetchSSHAction`, `tailcfg.SSHAction`; headscale `hscontrol/noise.go`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use wattle_coordinator::{AuthId, Command, Reply, SshQuestion};
use wattle_link::Peer;
use wattle_netmap::NodeId;
use wattle_wire::control::SshAction;

use super::Site;
use super::problem::Problem;
use crate::limits::APPROVAL_WAIT;
use crate::ssh_policy;

#[derive(Debug, Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    local_user: String,
    #[serde(default)]
    auth_id: String,
}

pub(super) async fn action(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path((from, to)): Path<(u64, u64)>,
    Query(wish): Query<Wish>,
) -> Result<Json<SshAction>, Problem> {
    let auth_id: Option<AuthId> = wish.auth_id.parse().ok();
    // The node comes back with what it was given, and holds the line.
    if let Some(auth_id) = auth_id.clone() {
        site.tailnet.wait_for_ssh(auth_id, APPROVAL_WAIT).await;
    }
    let (from, to, local_user) = (NodeId(from), NodeId(to), wish.local_user);
    let question = SshQuestion { machine: peer.machine, from, to, local_user, auth_id: auth_id.clone() };
    let answer = match site.tailnet.ask(Command::CheckSsh(Box::new(question))).await? {
        Reply::SshAccepted => {
            let permit =
                site.tailnet.read(move |coordinator| ssh_policy::checked(coordinator.roster(), from, to)).await?;
            ssh_policy::accept(permit.as_ref())
        }
        Reply::SshHeld { auth_id: held } => {
            let page = site.url.page(&format!("/ssh/{held}"));
            // Who waits reads it once.
            let message = match auth_id == Some(held.clone()) {
                true => String::new(),
                false => format!("# This network wants to know that it is you. To be let in, visit:\n\n\t{page}\n\n"),
            };
            let hold_and_delegate = ssh_policy::again(from, to, &held);
            SshAction { message, hold_and_delegate, ..SshAction::default() }
        }
        Reply::SshRejected { why } => {
            SshAction { message: format!("You cannot log in: {why}.\n"), reject: true, ..SshAction::default() }
        }
        other => {
            tracing::error!(?other, "an SSH check got a strange reply");
            SshAction { reject: true, ..SshAction::default() }
        }
    };
    Ok(Json(answer))
}
