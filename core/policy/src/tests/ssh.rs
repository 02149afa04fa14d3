//! Who may log in as whom.

use wattle_netmap::NodeId;

use super::{address, node, roster, tagged};
use crate::language::document::SshAction;
use crate::{Roster, SshPermit};

fn fleet(rules: &str) -> Roster {
    let policy = format!(r#"{{ "tagOwners": {{ "tag:server": [], "tag:other": [] }}, "ssh": [{rules}] }}"#);
    let nodes = [
        node(0, "alice@example.com"),
        node(1, "bob@other.org"),
        tagged(2, &["tag:server"]),
        tagged(3, &["tag:server", "tag:other"]),
    ];
    roster(&policy, &nodes)
}

fn users(permit: &SshPermit) -> Vec<(&str, &str)> {
    permit.users.iter().map(|(asked, local)| (asked.as_str(), local.as_str())).collect()
}

#[test]
fn root_is_nobody_unless_named_and_nonroot_is_everybody_else() {
    let fleet = fleet(
        r#"{ "action": "accept", "src": ["autogroup:member"], "dst": ["tag:server"], "users": ["autogroup:nonroot", "deploy"],
             "acceptEnv": ["LC_*"] }"#,
    );
    let permits = fleet.ssh_for(NodeId(2));
    assert_eq!(permits.len(), 1);
    assert_eq!(permits[0].principals, [address(0), address(1)]);
    assert_eq!(users(&permits[0]), [("*", "="), ("deploy", "deploy"), ("root", "")]);
    assert_eq!(permits[0].accept_env, ["LC_*"]);
    assert!(fleet.ssh_for(NodeId(0)).is_empty());
}

#[test]
fn the_local_part_of_a_login_name_is_a_user_for_its_owner_only() {
    let fleet = fleet(
        r#"{ "action": "accept", "src": ["autogroup:member"], "dst": ["tag:server"], "users": ["localpart:*@example.com"] }"#,
    );
    let permits = fleet.ssh_for(NodeId(2));
    let of = |number: u8| -> Vec<_> {
        permits.iter().filter(|permit| permit.principals == [address(number)]).map(users).collect()
    };
    assert_eq!(of(0), [vec![("root", "")], vec![("alice", "alice")]]);
    assert_eq!(of(1), [vec![("root", "")]], "bob's domain is another");
}

#[test]
fn own_machines_are_those_of_the_same_user() {
    let fleet =
        fleet(r#"{ "action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self"], "users": ["root"] }"#);
    assert_eq!(fleet.ssh_for(NodeId(0))[0].principals, [address(0)]);
    assert_eq!(fleet.ssh_for(NodeId(1))[0].principals, [address(1)]);
    assert!(fleet.ssh_for(NodeId(2)).is_empty());
}

#[test]
fn checks_come_before_what_is_simply_allowed() {
    let fleet = fleet(
        r#"{ "action": "accept", "src": ["tag:server"], "dst": ["tag:other"], "users": ["root"] },
           { "action": "check", "checkPeriod": "2h", "src": ["bob@other.org"], "dst": ["tag:other"], "users": ["root"] },
           { "action": "check", "src": ["alice@example.com"], "dst": ["tag:other"], "users": ["root"] }"#,
    );
    let permits = fleet.ssh_for(NodeId(3));
    let actions: Vec<SshAction> = permits.iter().map(|permit| permit.action).collect();
    assert_eq!(actions, [SshAction::Check(7200), SshAction::Check(12 * 3600), SshAction::Accept]);
    assert_eq!(permits[2].principals, [address(2), address(3), address(3)], "once for each tag, as the service does");
    assert_eq!(fleet.ssh_check_period(NodeId(1), NodeId(3)), Some(7200));
    assert_eq!(fleet.ssh_check_period(NodeId(0), NodeId(3)), Some(12 * 3600));
    assert_eq!(fleet.ssh_check_period(NodeId(1), NodeId(2)), None);
}

#[test]
fn a_node_of_another_owner_has_changed_though_its_class_is_the_same() {
    let mut fleet =
        fleet(r#"{ "action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self"], "users": ["root"] }"#);
    let shift = fleet.insert(NodeId(1), &node(1, "alice@example.com").subject());
    assert_eq!(fleet.ssh_for(NodeId(0))[0].principals, [address(0), address(1)]);
    assert!(shift.before == shift.after && !shift.is_empty());
}
