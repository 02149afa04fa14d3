//! Permits of the policy as SSH servers read them.

use wattle_coordinator::AuthId;
use wattle_netmap::NodeId;
use wattle_policy::SshPermit;
use wattle_policy::language::document::SshAction as Action;
use wattle_wire::control::{SshAction, SshPrincipal, SshRule};

/// Where nodes find this server when they ask inside their control channel: no other server is there, whatever the name
/// (tailscale `control/controlclient.Auto.DoNoiseRequest`).
pub(crate) const HERE: &str = "https://unused";

/// Where a node asks again about a session that waits.
pub(crate) fn again(from: NodeId, to: NodeId, auth_id: &AuthId) -> String {
    format!("{HERE}/machine/ssh/action/{}/to/{}?local_user=$LOCAL_USER&auth_id={auth_id}", from.0, to.0)
}

/// The rules of a node. `base` is this server's URL: there a node asks whether a person has signed in lately enough.
pub(crate) fn rules(permits: &[SshPermit], base: &str) -> Vec<SshRule> {
    permits.iter().map(|permit| rule(permit, base)).collect()
}

fn rule(permit: &SshPermit, base: &str) -> SshRule {
    let principal =
        |address: &std::net::IpAddr| SshPrincipal { node_ip: address.to_string(), ..SshPrincipal::default() };
    SshRule {
        principals: permit.principals.iter().map(principal).collect(),
        ssh_users: permit.users.clone(),
        action: Some(match permit.action {
            Action::Accept => accept(),
            // The node fills the variables in (tailscale `ssh/tailssh.expandDelegateURLLocked`).
            Action::Check(_) => SshAction {
                hold_and_delegate: format!(
                    "{base}/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER"
                ),
                ..SshAction::default()
            },
        }),
        accept_env: permit.accept_env.clone(),
        ..SshRule::default()
    }
}

/// Somebody is let in.
pub(crate) fn accept() -> SshAction {
    SshAction {
        accept: true,
        allow_agent_forwarding: true,
        allow_local_port_forwarding: true,
        allow_remote_port_forwarding: true,
        ..SshAction::default()
    }
}
