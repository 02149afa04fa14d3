//! Permits of the policy as SSH servers read them.

use wattle_policy::SshPermit;
use wattle_policy::language::document::SshAction as Action;
use wattle_wire::control::{SshAction, SshPrincipal, SshRule};

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
