//! Who is connected, who was, and who is removed for not being.

use std::time::Duration;

use wattle_netmap::{Endpoint, EndpointKind};

use super::{Tailnet, report};
use crate::{Command, NewAuthKey, Presence, Report};

fn tailnet_with(ephemeral: bool) -> (Tailnet, wattle_netmap::NodeId) {
    let mut tailnet = Tailnet::new();
    let user = tailnet.user("alice");
    let secret = tailnet.auth_key(NewAuthKey { user: Some(user), ephemeral, ..NewAuthKey::default() });
    let node = tailnet.join(1, &secret);
    (tailnet, node)
}

fn is_online(tailnet: &Tailnet, node: wattle_netmap::NodeId) -> bool {
    tailnet.coordinator.node(node).unwrap().view.node.online == Some(true)
}

#[test]
fn a_node_is_offline_only_when_it_does_not_come_back() {
    let (mut tailnet, node) = tailnet_with(false);
    assert!(!is_online(&tailnet, node));
    let (_, first) = tailnet.connect(report(1, 1));
    let revision = tailnet.coordinator.revision();
    tailnet.ask(Command::Disconnect { node, stream: first }).unwrap();
    tailnet.wait(Duration::from_secs(9));
    let (_, second) = tailnet.connect(report(1, 1));
    assert_eq!(tailnet.coordinator.revision(), revision, "a reconnect is no news");
    tailnet.ask(Command::Disconnect { node, stream: second }).unwrap();
    tailnet.wait(Duration::from_secs(11));
    assert!(!is_online(&tailnet, node));
    assert!(tailnet.coordinator.node(node).unwrap().reach.last_seen.is_some());
}

#[test]
fn a_newer_stream_replaces_an_older_one_without_anybody_noticing() {
    let (mut tailnet, node) = tailnet_with(false);
    let (_, old) = tailnet.connect(report(1, 1));
    let revision = tailnet.coordinator.revision();
    let (_, new) = tailnet.connect(report(1, 1));
    tailnet.ask(Command::Disconnect { node, stream: old }).unwrap();
    tailnet.wait(Duration::from_secs(60));
    assert_eq!(tailnet.coordinator.stream_of(node), Some(new));
    assert_eq!(tailnet.coordinator.revision(), revision);
}

#[test]
fn an_ephemeral_node_is_removed_half_an_hour_after_it_went() {
    let (mut tailnet, node) = tailnet_with(true);
    let (_, stream) = tailnet.connect(report(1, 1));
    tailnet.wait(Duration::from_secs(7200));
    assert!(tailnet.coordinator.node(node).is_some(), "it is there as long as it is connected");
    tailnet.ask(Command::Disconnect { node, stream }).unwrap();
    tailnet.wait(Duration::from_secs(29 * 60));
    assert!(tailnet.coordinator.node(node).is_some());
    tailnet.wait(Duration::from_secs(2 * 60));
    assert!(tailnet.coordinator.node(node).is_none());
}

#[test]
fn a_stream_tells_only_what_is_not_known() {
    let (mut tailnet, node) = tailnet_with(false);
    let endpoint = |port| vec![Endpoint { address: ([192, 0, 2, 1], port).into(), kind: EndpointKind::Local }];
    tailnet.connect(Report { endpoints: Some(endpoint(1)), ..report(1, 1) });
    let known = |tailnet: &Tailnet| tailnet.coordinator.node(node).unwrap().reach.endpoints.clone();
    assert_eq!(known(&tailnet), endpoint(1), "after a restart it is all we have");
    tailnet.ask(Command::Report(Box::new(Report { endpoints: Some(endpoint(2)), ..report(1, 1) }))).unwrap();
    tailnet.connect(Report { endpoints: Some(endpoint(1)), ..report(1, 1) });
    assert_eq!(known(&tailnet), endpoint(2), "a report that came before counts");
    assert!(matches!(tailnet.coordinator.node(node).unwrap().presence, Presence::Online(_)));
}

#[test]
fn a_report_that_says_nothing_new_changes_nothing() {
    let (mut tailnet, _) = tailnet_with(false);
    let told = Report { host: Some(super::host("host1")), endpoints: Some(Vec::new()), ..report(1, 1) };
    let decision = tailnet.coordinator.decide(&mut tailnet.dice, Command::Report(Box::new(told)), tailnet.now).unwrap();
    assert!(decision.changes.is_empty(), "{:?}", decision.changes);
}

#[test]
fn reach_is_written_some_seconds_later_and_once() {
    let (mut tailnet, node) = tailnet_with(false);
    tailnet.wait(Duration::from_secs(60));
    tailnet.connect(report(1, 1));
    let due = tailnet.coordinator.next_timeout(tailnet.now).unwrap();
    assert_eq!(due.why, "reach is written");
    tailnet.now.mono = due.latest;
    let decision = tailnet.coordinator.decide(&mut tailnet.dice, Command::Tick, tailnet.now).unwrap();
    assert!(
        matches!(&decision.changes[..], [crate::Change::ReachSaved(saved)] if saved.len() == 1 && saved[0].0 == node)
    );
    tailnet.coordinator.apply(&decision.changes, tailnet.now);
    assert_ne!(tailnet.coordinator.next_timeout(tailnet.now).map(|due| due.why), Some("reach is written"));
}
