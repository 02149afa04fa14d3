//! Policies, their tests, roles, and what nodes are told of them: what changed, and nothing else.

use wattle_netmap::{NodeId, UserId};

use super::{Tailnet, register};
use crate::{Command, FeedCache, NewAuthKey, NewPolicy, Refusal, Register, Reply, Role, TAGGED_DEVICES, Told, Update};

/// Alice with a node, Bob with two, and a tagged server.
struct World {
    tailnet: Tailnet,
    told: Vec<Told>,
    cache: FeedCache,
    alice: UserId,
    bob: UserId,
}

const TAGS: &str = r#""tagOwners": {"tag:web": [], "tag:db": []}"#;

impl World {
    fn new() -> Self {
        let mut tailnet = Tailnet::new();
        let (alice, bob) = (tailnet.user("alice@example.com"), tailnet.user("bob@example.com"));
        for (number, user) in [(1, alice), (2, bob), (3, bob)] {
            let secret = tailnet.key_of(user);
            tailnet.join(number, &secret);
        }
        tailnet.policy(&format!("{{{TAGS}}}")).unwrap();
        let secret = tailnet.auth_key(NewAuthKey { tags: vec!["tag:web".to_owned()], ..NewAuthKey::default() });
        tailnet.join(4, &secret);
        let mut world = Self { tailnet, told: vec![Told::default(); 4], cache: FeedCache::default(), alice, bob };
        (1..=4).for_each(|node| drop(world.told(node)));
        world
    }

    /// What a node is told next.
    fn told(&mut self, node: usize) -> Update {
        self.tailnet.coordinator.catch_up(NodeId(node as u64), &mut self.told[node - 1], &mut self.cache)
    }

    fn policy(&mut self, rules: &str) {
        self.tailnet.policy(&format!("{{{TAGS}, {rules}}}")).unwrap();
    }
}

fn ids(update: &Update) -> Vec<u64> {
    update.peers.iter().map(|peer| peer.view.node.id.0).collect()
}

#[test]
fn a_policy_change_tells_each_node_only_what_is_different_for_it() {
    let mut world = World::new();
    let web = r#"{"action": "accept", "src": ["alice@example.com"], "dst": ["tag:web:443"]}"#;
    let own = r#"{"action": "accept", "src": ["bob@example.com"], "dst": ["bob@example.com:22"]}"#;
    world.policy(&format!(r#""acls": [{web}, {own}]"#));
    let update = world.told(1);
    assert_eq!(update.removed, [NodeId(2), NodeId(3)]);
    assert_eq!((ids(&update), update.chunks.len(), update.dropped.len()), (vec![], 0, 1), "nobody may reach alice");
    assert_eq!((world.told(4).chunks.len(), world.told(2).chunks.len()), (1, 1));
    _ = world.told(3);

    // A rule before the others moves them; what they say is the same.
    let db = r#"{"action": "accept", "src": ["bob@example.com"], "dst": ["tag:web:5432"]}"#;
    world.policy(&format!(r#""acls": [{db}, {web}, {own}]"#));
    assert!(world.told(1).is_empty(), "alice is not concerned");
    let server = world.told(4);
    assert_eq!((server.chunks.len(), server.dropped.len(), ids(&server)), (1, 0, vec![2, 3]));
    let bob = world.told(2);
    assert_eq!(
        (bob.chunks.len(), bob.dropped.len(), ids(&bob)),
        (0, 0, vec![4]),
        "bob sees the server, and obeys as before"
    );
    assert!(bob.self_node.is_none() && bob.ssh.is_none() && bob.dns.is_none() && bob.derp.is_none());
}

#[test]
fn attributes_and_ssh_rules_are_told_when_they_change_and_to_whom_they_concern() {
    let mut world = World::new();
    let open = r#""acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]"#;
    world.policy(open);
    (1..=4).for_each(|node| drop(world.told(node)));
    world.policy(&format!(
        r#"{open}, "nodeAttrs": [{{"target": ["alice@example.com"], "attr": ["magicdns-aaaa"]}}],
        "ssh": [{{"action": "accept", "src": ["autogroup:admin"], "dst": ["tag:web"], "users": ["root"]}}]"#
    ));
    let alice = world.told(1);
    assert!(alice.self_node.unwrap().capabilities.iter().any(|capability| capability.name == "magicdns-aaaa"));
    assert!(alice.ssh.is_none() && alice.peers.is_empty() && alice.chunks.is_empty());
    assert!(world.told(2).is_empty());
    let server = world.told(4);
    let [permit] = &server.ssh.unwrap()[..] else { panic!("one permit") };
    assert_eq!(permit.principals.len(), 2, "alice's node, since the first user owns the tailnet");
    assert!(server.self_node.is_none());

    world.tailnet.ask(Command::SetRole { user: world.bob, role: Role::Admin }).unwrap();
    assert_eq!(world.told(4).ssh.unwrap()[0].principals.len(), 6);
    let bob = world.told(2);
    assert!(bob.self_node.unwrap().capabilities.iter().any(|capability| capability.name.ends_with("cap/is-admin")));
    assert!(bob.peers.is_empty() && bob.users.iter().all(|user| user.id == world.bob));
    assert!(world.told(1).is_empty(), "alice is not concerned");
}

#[test]
fn every_first_map_says_who_tagged_devices_are() {
    let world = World::new();
    let mut cache = FeedCache::default();
    for node in 1..=4 {
        let update = world.tailnet.coordinator.catch_up(NodeId(node), &mut Told::default(), &mut cache);
        assert!(update.users.iter().any(|user| user.id == TAGGED_DEVICES));
        assert!(update.ssh.is_some_and(|permits| permits.is_empty()));
        let own: Vec<_> = update.self_node.unwrap().capabilities.into_iter().map(|known| known.name).collect();
        assert!(own.iter().any(|name| name == "https://tailscale.com/cap/file-sharing"));
        assert_eq!(own.iter().any(|name| name == "https://tailscale.com/cap/is-owner"), node == 1);
    }
}

const PROMISE: &str = r#""acls": [{"action": "accept", "src": ["autogroup:admin", "alice@example.com"], "dst": ["tag:web:443"]}],
    "tests": [{"src": "alice@example.com", "accept": ["tag:web:443"]}, {"src": "bob@example.com", "deny": ["tag:web:443"]}]"#;

#[test]
fn a_policy_whose_tests_fail_is_refused_and_the_other_stays() {
    let mut world = World::new();
    world.policy(PROMISE);
    let (revision, text) =
        (world.tailnet.coordinator.policy_revision(), world.tailnet.coordinator.policy_text().map(str::to_owned));
    let open = PROMISE.replacen("alice@example.com\"]", "*\"]", 1);
    let Err(Refusal::PolicyTests(failures)) = world.tailnet.policy(&format!("{{{TAGS}, {open}}}")) else {
        panic!("not refused")
    };
    assert_eq!(failures.len(), 1);
    let sentence = Refusal::PolicyTests(failures).to_string();
    assert!(sentence.contains("bob@example.com") && sentence.contains("tag:web:443"), "{sentence}");
    assert_eq!(world.tailnet.coordinator.policy_revision(), revision);
    assert_eq!(world.tailnet.coordinator.policy_text().map(str::to_owned), text);
}

#[test]
fn changes_of_people_and_tags_that_break_the_tests_are_refused() {
    let mut world = World::new();
    world.policy(PROMISE);
    let (alice, bob) = (world.alice, world.bob);
    let mut refused = |command| matches!(world.tailnet.ask(command), Err(Refusal::PolicyTests(_)));
    assert!(refused(Command::RenameUser { user: alice, login_name: "alicia@example.com".to_owned() }));
    assert!(refused(Command::SetRole { user: bob, role: Role::Admin }));
    assert!(refused(Command::SetTags { node: NodeId(4), tags: vec!["tag:db".to_owned()] }));
    assert!(!refused(Command::SetRole { user: bob, role: Role::Auditor }));
    assert!(!refused(Command::SetTags { node: NodeId(4), tags: vec!["tag:db".to_owned(), "tag:web".to_owned()] }));
}

#[test]
fn a_test_that_fails_already_does_not_hold_up_other_changes() {
    let mut world = World::new();
    world.policy(PROMISE);
    world.tailnet.ask(Command::DeleteNode { node: NodeId(1) }).unwrap();
    assert!(!world.tailnet.coordinator.roster().run_tests().is_empty(), "alice has no address any more");
    world.tailnet.ask(Command::RenameUser { user: world.alice, login_name: "alicia@example.com".to_owned() }).unwrap();
}

#[test]
fn who_has_not_seen_the_policy_in_force_does_not_replace_it() {
    let mut world = World::new();
    let mut set = |text: &str, expected| {
        let (text, author) = (text.to_owned(), "alice".to_owned());
        world.tailnet.ask(Command::SetPolicy(Box::new(NewPolicy { text, author, expected, ..NewPolicy::default() })))
    };
    assert_eq!(set("{}", Some(1)), Ok(Reply::PolicySet { revision: 2 }));
    assert_eq!(set("{ }", Some(1)), Err(Refusal::PolicyMoved { expected: 1, current: 2 }));
    assert_eq!(set("{}", None), Ok(Reply::PolicySet { revision: 2 }), "the same is nothing new");
    assert_eq!(set("{ }", Some(2)), Ok(Reply::PolicySet { revision: 3 }));
    let head = world.tailnet.coordinator.policy_head().unwrap();
    assert_eq!((head.author.as_str(), head.at), ("alice", world.tailnet.now.wall));
}

#[test]
fn the_first_user_owns_the_tailnet_until_another_does() {
    let mut world = World::new();
    let (alice, bob) = (world.alice, world.bob);
    let mut role = |user, role| world.tailnet.ask(Command::SetRole { user, role });
    assert_eq!(role(alice, Role::Member), Err(Refusal::LastOwner));
    role(bob, Role::Owner).unwrap();
    role(alice, Role::Member).unwrap();
    assert_eq!(role(bob, Role::Admin), Err(Refusal::LastOwner));
    assert_eq!(role(UserId(99), Role::Admin), Err(Refusal::UnknownUser(UserId(99))));
}

#[test]
fn the_state_of_a_node_counts_where_a_rule_asks_for_it() {
    let mut world = World::new();
    world.policy(
        r#""postures": {"posture:linux": ["node:os == 'linux'", "node:tsVersion >= '1.80'"]}, "acls": [
        {"action": "accept", "src": ["*"], "srcPosture": ["posture:linux"], "dst": ["tag:web:443"]}]"#,
    );
    assert_eq!((world.told(2).removed, world.told(4).removed.len()), (vec![NodeId(1), NodeId(3), NodeId(4)], 3));
    let host = wattle_netmap::HostFacts { client_version: "1.82.5-t123".to_owned(), ..super::host("host2") };
    world.tailnet.register(Register { host, ..register(2, 2) }).unwrap();
    assert_eq!(ids(&world.told(2)), [4], "it has the posture since its client was updated");
    assert_eq!(ids(&world.told(4)), [2]);
}

#[test]
fn peers_are_not_told_an_ipv4_address_that_the_policy_hides() {
    let mut world = World::new();
    let open = r#""acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]"#;
    world.policy(open);
    (1..=4).for_each(|node| drop(world.told(node)));
    world.policy(&format!(r#"{open}, "nodeAttrs": [{{"target": ["tag:web"], "attr": ["disable-ipv4"]}}]"#));
    let update = world.told(1);
    let [server] = &update.peers[..] else { panic!("{update:?}") };
    assert!(
        server.node().allowed_ips.iter().all(|prefix| prefix.addr().is_ipv6()) && server.node().addresses.len() == 1
    );
    assert_eq!(world.told(4).self_node.unwrap().addresses.len(), 2, "it keeps it itself");
    world.policy(open);
    assert_eq!(world.told(1).peers[0].node().addresses.len(), 2);
}

#[test]
fn addresses_come_from_where_the_policy_says() {
    let mut world = World::new();
    world.policy(r#""nodeAttrs": [{"target": ["tag:db"], "ipPool": ["100.81.0.8/31"]}]"#);
    let tags = vec!["tag:db".to_owned()];
    let secret = world.tailnet.auth_key(NewAuthKey { tags, reusable: true, ..NewAuthKey::default() });
    let address = |tailnet: &Tailnet, node| tailnet.coordinator.node(node).unwrap().record.ipv4.to_string();
    let mut given = [5, 6].map(|number| {
        let node = world.tailnet.join(number, &secret);
        address(&world.tailnet, node)
    });
    given.sort();
    assert_eq!(given, ["100.81.0.8", "100.81.0.9"]);
    let third = world.tailnet.register(Register { auth_key: Some(secret), ..register(7, 7) });
    assert_eq!(third, Err(Refusal::PoolFull));
    let secret = world.tailnet.key_of(world.bob);
    let node = world.tailnet.join(8, &secret);
    assert!(address(&world.tailnet, node).starts_with("100.64."));
}
