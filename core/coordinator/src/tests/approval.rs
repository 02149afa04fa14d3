//! Device approval: nodes that wait until an administrator lets them take part.

use super::{Tailnet, key, register, report};
use crate::{Command, FeedCache, NewAuthKey, Register, Reply, Settings, Told};

fn careful() -> (Tailnet, wattle_netmap::UserId) {
    let mut tailnet = Tailnet::new();
    let user = tailnet.user("alice");
    tailnet.ask(Command::SetSettings(Settings { device_approval: true })).unwrap();
    (tailnet, user)
}

#[test]
fn an_unapproved_node_sees_nobody_and_is_seen_by_nobody_until_it_is_approved() {
    let mut tailnet = Tailnet::new();
    let user = tailnet.user("alice");
    let secret = tailnet.key_of(user);
    let watcher = tailnet.join(1, &secret);
    tailnet.ask(Command::SetSettings(Settings { device_approval: true })).unwrap();
    let node = tailnet.log_in(register(2, 2), user).unwrap();
    let again = tailnet.register(register(2, 2));
    assert!(matches!(again, Ok(Reply::Registered { approved: false, .. })), "{again:?}");
    tailnet.connect(report(2, 2));
    let (mut seen, mut own, mut cache) = (Told::default(), Told::default(), FeedCache::default());
    let first = tailnet.coordinator.catch_up(watcher, &mut seen, &mut cache);
    let waiting = tailnet.coordinator.catch_up(node, &mut own, &mut cache);
    assert!(first.peers.is_empty() && waiting.peers.is_empty() && waiting.chunks.is_empty());
    let itself = waiting.self_node.unwrap();
    assert!(!itself.authorized && !itself.expired);
    assert!(!tailnet.coordinator.admits(&key(2)));

    tailnet.ask(Command::ApproveNode { node }).unwrap();
    let told = tailnet.coordinator.catch_up(node, &mut own, &mut cache);
    assert!(told.self_node.unwrap().authorized, "its running stream is told");
    assert_eq!((told.peers.len(), told.chunks.len(), told.users.len()), (1, 1, 1));
    assert_eq!(tailnet.coordinator.catch_up(watcher, &mut seen, &mut cache).peers.len(), 1);
    assert!(tailnet.coordinator.admits(&key(2)));
    let revision = tailnet.coordinator.revision();
    tailnet.ask(Command::ApproveNode { node }).unwrap();
    assert_eq!(tailnet.coordinator.revision(), revision, "once is enough");
}

#[test]
fn an_approved_node_stays_so_when_it_signs_in_again() {
    let (mut tailnet, user) = careful();
    let node = tailnet.log_in(register(1, 1), user).unwrap();
    tailnet.ask(Command::ApproveNode { node }).unwrap();
    let renewed = Register { old_node_key: Some(key(1)), ..register(1, 2) };
    assert_eq!(tailnet.log_in(renewed, user), Ok(node));
    assert!(tailnet.coordinator.admits(&key(2)));
    // Somebody else on the same machine is another node, and waits.
    let other = tailnet.user("bob");
    let second = tailnet.log_in(register(1, 3), other).unwrap();
    assert!(!tailnet.record(second).approved);
}

#[test]
fn a_preapproved_key_lets_its_nodes_take_part_and_another_does_not() {
    let (mut tailnet, user) = careful();
    let plain = tailnet.key_of(user);
    let wanted = NewAuthKey { user: Some(user), preapproved: true, ..NewAuthKey::default() };
    let preapproved = tailnet.auth_key(wanted);
    let (first, second) = (tailnet.join(1, &plain), tailnet.join(2, &preapproved));
    assert_eq!((tailnet.record(first).approved, tailnet.record(second).approved), (false, true));
}

#[test]
fn those_who_wait_are_let_in_when_approval_is_no_longer_wanted() {
    let (mut tailnet, user) = careful();
    let node = tailnet.log_in(register(1, 1), user).unwrap();
    tailnet.ask(Command::SetSettings(Settings { device_approval: false })).unwrap();
    assert!(tailnet.record(node).approved && tailnet.coordinator.admits(&key(1)));
    assert_eq!(tailnet.coordinator.snapshot().settings, Settings { device_approval: false });
    tailnet.ask(Command::SetSettings(Settings { device_approval: true })).unwrap();
    assert!(tailnet.record(node).approved, "who is in stays in");
}

#[test]
fn a_token_s_end_is_the_key_s_end_and_an_endless_key_stays_endless() {
    let mut tailnet = Tailnet::new();
    let user = tailnet.user("alice");
    let soon = tailnet.now.wall.plus(std::time::Duration::from_secs(3_600));
    let auth_id = tailnet.waiting(register(1, 1));
    let approve = Command::Approve { auth_id, user, key_expiry: Some(soon) };
    let Ok(Reply::Approved(node)) = tailnet.ask(approve) else { panic!("refused") };
    assert_eq!(tailnet.record(node).key_expiry, Some(soon));
    tailnet.ask(Command::ExpireNode { node, at: None }).unwrap();
    assert_eq!(tailnet.log_in(Register { old_node_key: Some(key(1)), ..register(1, 2) }, user), Ok(node));
    assert_eq!(tailnet.record(node).key_expiry, None);
}
