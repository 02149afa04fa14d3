//! Permits of the policy as SSH servers read them.

use wattle_coordinator::AuthId;
use wattle_netmap::NodeId;
use wattle_policy::language::document::SshAction as Action;
use wattle_policy::{Roster, SshPermit};
use wattle_wire::control::{SshAction, SshPrincipal, SshRecorderFailure, SshRule};

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
            Action::Accept => accept(Some(permit)),
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

/// Somebody is let in, and recorded where the permit says so.
pub(crate) fn accept(permit: Option<&SshPermit>) -> SshAction {
    let recorders = permit.map(|permit| permit.recorders.as_slice()).unwrap_or_default();
    let enforced = permit.is_some_and(|permit| permit.enforce_recorder) && !recorders.is_empty();
    SshAction {
        accept: true,
        allow_agent_forwarding: true,
        allow_local_port_forwarding: true,
        allow_remote_port_forwarding: true,
        recorders: recorders.iter().map(|address| (*address, RECORDER_PORT).into()).collect(),
        on_recording_failure: enforced.then(|| SshRecorderFailure {
            reject_session_with_message: "This session has to be recorded, and no recorder answers.".to_owned(),
            terminate_session_with_message: "This session had to be recorded, and the recorder is gone.".to_owned(),
            ..SshRecorderFailure::default()
        }),
        ..SshAction::default()
    }
}

/// The permit by which a node checks sessions from another one.
pub(crate) fn checked(roster: &Roster, from: NodeId, to: NodeId) -> Option<SshPermit> {
    let own = roster.addresses_of_node(from);
    let checks = |permit: &SshPermit| matches!(permit.action, Action::Check(_));
    roster.ssh_for(to).into_iter().find(|permit| checks(permit) && permit.principals.iter().any(|a| own.contains(a)))
}

/// Where recorders listen (tailscale.com/kb/1246, "session recording").
const RECORDER_PORT: u16 = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_session_says_where_and_what_if_not() {
        let permit = SshPermit {
            rule: 0,
            principals: Vec::new(),
            users: std::collections::BTreeMap::new(),
            action: Action::Accept,
            accept_env: Vec::new(),
            recorders: vec!["100.64.0.9".parse().unwrap()],
            enforce_recorder: true,
        };
        let text = serde_json::to_string(&accept(Some(&permit))).unwrap();
        assert!(
            text.contains(r#""recorders":["100.64.0.9:80"]"#) && text.contains("RejectSessionWithMessage"),
            "{text}"
        );
        let plain = accept(Some(&SshPermit { enforce_recorder: false, ..permit }));
        assert!(plain.on_recording_failure.is_none() && plain.recorders.len() == 1);
        assert_eq!(accept(None).recorders, []);
    }
}
