//! SSH in check mode: who was let in lately is let in, everybody else waits for an administrator.

use std::time::Duration;

use wattle_netmap::NodeId;

use super::{Tailnet, machine};
use crate::{AuthId, Command, NewAuthKey, Refusal, Reply, SshQuestion, limits};

const LAPTOP: NodeId = NodeId(1);
const SERVER: NodeId = NodeId(2);

fn policy(period: &str) -> String {
    format!(
        r#"{{"tagOwners": {{"tag:web": []}}, "acls": [{{"action": "accept", "src": ["*"], "dst": ["*:22"]}}], "ssh": [
        {{"action": "check", "src": ["alice@example.com"], "dst": ["tag:web"], "users": ["root"], "checkPeriod": "{period}"}}]}}"#
    )
}

/// Alice's laptop and a server.
fn tailnet(period: &str) -> Tailnet {
    let mut tailnet = Tailnet::new();
    let alice = tailnet.user("alice@example.com");
    tailnet.policy(&policy(period)).unwrap();
    let secret = tailnet.key_of(alice);
    tailnet.join(1, &secret);
    let secret = tailnet.auth_key(NewAuthKey { tags: vec!["tag:web".to_owned()], ..NewAuthKey::default() });
    tailnet.join(2, &secret);
    tailnet
}

fn question(auth_id: Option<&AuthId>) -> SshQuestion {
    let local_user = "root".to_owned();
    SshQuestion { machine: machine(2), from: LAPTOP, to: SERVER, local_user, auth_id: auth_id.cloned() }
}

fn ask(tailnet: &mut Tailnet, auth_id: Option<&AuthId>) -> Reply {
    tailnet.ask(Command::CheckSsh(Box::new(question(auth_id)))).unwrap()
}

fn held(tailnet: &mut Tailnet) -> AuthId {
    match ask(tailnet, None) {
        Reply::SshHeld { auth_id } => auth_id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_was_let_in_is_not_asked_again_within_the_period() {
    let mut tailnet = tailnet("1h");
    let auth_id = held(&mut tailnet);
    assert_eq!(held(&mut tailnet), auth_id, "asking again leads to the same page");
    assert_eq!(ask(&mut tailnet, Some(&auth_id)), Reply::SshHeld { auth_id: auth_id.clone() });
    tailnet.ask(Command::ApproveSsh { auth_id: auth_id.clone() }).unwrap();
    assert_eq!(tailnet.ask(Command::ApproveSsh { auth_id: auth_id.clone() }), Err(Refusal::UnknownSshCheck));
    assert_eq!(ask(&mut tailnet, Some(&auth_id)), Reply::SshAccepted);
    assert_eq!(ask(&mut tailnet, None), Reply::SshAccepted, "he was let in lately");
    tailnet.wait(Duration::from_secs(3600));
    assert_ne!(held(&mut tailnet), auth_id);
}

#[test]
fn where_every_session_is_checked_an_approval_is_for_one() {
    let mut tailnet = tailnet("always");
    let auth_id = held(&mut tailnet);
    tailnet.ask(Command::ApproveSsh { auth_id: auth_id.clone() }).unwrap();
    assert_eq!(ask(&mut tailnet, Some(&auth_id)), Reply::SshAccepted);
    assert_ne!(held(&mut tailnet), auth_id);
}

#[test]
fn who_is_declined_or_waits_too_long_is_turned_away() {
    let mut tailnet = tailnet("1h");
    let auth_id = held(&mut tailnet);
    tailnet.ask(Command::DeclineSsh { auth_id: auth_id.clone() }).unwrap();
    assert!(matches!(ask(&mut tailnet, Some(&auth_id)), Reply::SshRejected { .. }));
    let auth_id = held(&mut tailnet);
    tailnet.wait(limits::SSH_CHECK_LIFETIME);
    assert_eq!(tailnet.ask(Command::ApproveSsh { auth_id: auth_id.clone() }), Err(Refusal::UnknownSshCheck));
    assert!(matches!(ask(&mut tailnet, Some(&auth_id)), Reply::SshRejected { .. }));
    held(&mut tailnet);
    tailnet.wait(limits::SSH_OUTCOME_LIFETIME);
    assert_eq!(tailnet.coordinator.ssh_checks().count(), 0);
}

#[test]
fn a_check_that_a_restart_has_forgotten_begins_anew() {
    let mut tailnet = tailnet("1h");
    let forgotten: AuthId = "a".repeat(24).parse().unwrap();
    assert!(matches!(ask(&mut tailnet, Some(&forgotten)), Reply::SshHeld { auth_id } if auth_id != forgotten));
}

#[test]
fn an_approval_is_for_these_nodes_and_this_person_and_this_policy() {
    let mut tailnet = tailnet("1h");
    let auth_id = held(&mut tailnet);
    tailnet.ask(Command::ApproveSsh { auth_id: auth_id.clone() }).unwrap();
    let foreign = SshQuestion { machine: machine(1), ..question(None) };
    assert_eq!(tailnet.ask(Command::CheckSsh(Box::new(foreign))), Err(Refusal::NotYourKey));
    let other = SshQuestion { machine: machine(1), from: SERVER, to: LAPTOP, ..question(Some(&auth_id)) };
    assert!(matches!(tailnet.ask(Command::CheckSsh(Box::new(other))), Ok(Reply::SshRejected { .. })));
    tailnet.ask(Command::SetTags { node: LAPTOP, tags: vec!["tag:web".to_owned()] }).unwrap();
    assert!(matches!(ask(&mut tailnet, Some(&auth_id)), Reply::SshRejected { .. }), "it is not alice's any more");
    tailnet.policy("{}").unwrap();
    assert!(matches!(ask(&mut tailnet, None), Reply::SshRejected { .. }));
}

#[test]
fn checks_that_wait_are_bounded() {
    let mut tailnet = tailnet("1h");
    for number in 0..=limits::SSH_CHECKS_MAX {
        let local_user = format!("user{number}");
        tailnet.ask(Command::CheckSsh(Box::new(SshQuestion { local_user, ..question(None) }))).unwrap();
    }
    assert_eq!(tailnet.coordinator.ssh_checks().count(), limits::SSH_CHECKS_MAX);
}
