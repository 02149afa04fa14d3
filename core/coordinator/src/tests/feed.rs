//! The law of the feed: what a stream was told, taken together, is what a fresh map would say.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use wattle_keys::DiscoPrivate;
use wattle_netmap::{Endpoint, EndpointKind, NetFacts, Netmap, NodeId, Prefix, RegionId, UserId};
use wattle_policy::SshPermit;
use wattle_time::UnixTime;

use super::{Tailnet, host, register, report};
use crate::{Command, FeedCache, NewAuthKey, NewPolicy, Register, Reply, Report, Role, Settings, Told, Update};

const POLICIES: [&str; 6] = [
    "{}",
    r#"{"acls": []}"#,
    r#"{"tagOwners": {"tag:web": []}, "autoApprovers": {"routes": {"10.0.0.0/8": ["tag:web"]}, "exitNode": ["bob@"]},
        "nodeAttrs": [{"target": ["autogroup:admin", "tag:web"], "attr": ["magicdns-aaaa"]},
                      {"target": ["bob@"], "attr": ["disable-ipv4"]}],
        "ssh": [{"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self"], "users": ["root"]},
                {"action": "check", "src": ["autogroup:admin"], "dst": ["tag:web"], "users": ["root"]}],
        "acls": [{"action": "accept", "src": ["autogroup:member"], "dst": ["10.1.0.0/16:*"]},
                 {"action": "accept", "src": ["autogroup:owner"], "dst": ["tag:web:22"]}]}"#,
    r#"{"tagOwners": {"tag:web": []}, "grants": [
        {"src": ["alice@"], "dst": ["10.1.0.0/16"], "via": ["tag:web"], "ip": ["*"]},
        {"src": ["bob@", "10.2.0.0/16"], "dst": ["autogroup:internet", "10.0.0.0/8"], "ip": ["tcp:443"]},
        {"src": ["carol@"], "dst": ["autogroup:self"], "ip": ["*"]}]}"#,
    r#"{"tagOwners": {"tag:web": ["alice@"]}, "acls": [
        {"action": "accept", "src": ["alice@"], "dst": ["tag:web:443", "100.64.0.3:*"]},
        {"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*"]}]}"#,
    r#"{"tagOwners": {"tag:web": ["alice@"]}, "acls": [{"action": "accept", "src": ["bob@", "carol@"], "dst": ["*:22"]}]}"#,
];

const ROUTES: [&str; 5] = ["10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16", "0.0.0.0/0", "::/0"];

/// Some routes, chosen by the bits of a number.
fn routes(chosen: u8) -> Vec<Prefix> {
    let chosen = (0..ROUTES.len()).filter(|bit| chosen & (1 << bit) != 0);
    chosen.map(|bit| ROUTES[bit].parse().unwrap()).collect()
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Join { machine: u8, key: u8, user: u8, tagged: bool, ephemeral: bool },
    Logout { key: u8 },
    Endpoints { key: u8, port: u16 },
    Region { key: u8, region: u16 },
    Disco { key: u8, seed: u8 },
    HostName { key: u8, name: u8 },
    Connect { key: u8 },
    Disconnect { node: u64 },
    Tags { node: u64 },
    Rename { node: u64, name: u8 },
    Expire { node: u64, secs: Option<u32> },
    Delete { node: u64 },
    RenameUser { user: u64, name: u8 },
    Policy(usize),
    Offer { key: u8, routes: u8 },
    Approve { node: u64, routes: u8 },
    Role { user: u64, role: u8 },
    Suspend { user: u64 },
    Restore { user: u64 },
    DeviceApproval(bool),
    ApproveDevice { node: u64 },
    Wait { secs: u32 },
    CatchUp { node: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let (key, node) = (0u8..6, 1u64..8);
    prop_oneof![
        4 => (0u8..4, key.clone(), 0u8..3, any::<bool>(), any::<bool>())
            .prop_map(|(machine, key, user, tagged, ephemeral)| Step::Join { machine, key, user, tagged, ephemeral }),
        1 => key.clone().prop_map(|key| Step::Logout { key }),
        2 => (key.clone(), 0u16..3).prop_map(|(key, port)| Step::Endpoints { key, port }),
        2 => (key.clone(), 1u16..3).prop_map(|(key, region)| Step::Region { key, region }),
        2 => (key.clone(), 0u8..3).prop_map(|(key, seed)| Step::Disco { key, seed }),
        1 => (key.clone(), 0u8..3).prop_map(|(key, name)| Step::HostName { key, name }),
        2 => key.prop_map(|key| Step::Connect { key }),
        2 => node.clone().prop_map(|node| Step::Disconnect { node }),
        1 => node.clone().prop_map(|node| Step::Tags { node }),
        1 => (node.clone(), 0u8..3).prop_map(|(node, name)| Step::Rename { node, name }),
        1 => (node.clone(), prop::option::of(0u32..10_000)).prop_map(|(node, secs)| Step::Expire { node, secs }),
        1 => node.clone().prop_map(|node| Step::Delete { node }),
        1 => (1u64..4, 0u8..4).prop_map(|(user, name)| Step::RenameUser { user, name }),
        1 => (0..POLICIES.len()).prop_map(Step::Policy),
        2 => (0u8..6, 0u8..32).prop_map(|(key, routes)| Step::Offer { key, routes }),
        2 => (1u64..8, 0u8..32).prop_map(|(node, routes)| Step::Approve { node, routes }),
        1 => (1u64..4, 0u8..3).prop_map(|(user, role)| Step::Role { user, role }),
        1 => (1u64..4).prop_map(|user| Step::Suspend { user }),
        1 => (1u64..4).prop_map(|user| Step::Restore { user }),
        1 => any::<bool>().prop_map(Step::DeviceApproval),
        1 => (1u64..8).prop_map(|node| Step::ApproveDevice { node }),
        1 => (0u32..5_000).prop_map(|secs| Step::Wait { secs }),
        6 => node.prop_map(|node| Step::CatchUp { node }),
    ]
}

/// A tailnet and what each node has been told.
struct World {
    tailnet: Tailnet,
    maps: BTreeMap<NodeId, (Told, Netmap)>,
    ssh: BTreeMap<NodeId, Vec<SshPermit>>,
    cache: FeedCache,
}

impl World {
    fn new() -> Self {
        let mut tailnet = Tailnet::new();
        for name in ["alice", "bob", "carol"] {
            tailnet.user(name);
        }
        Self { tailnet, maps: BTreeMap::new(), ssh: BTreeMap::new(), cache: FeedCache::default() }
    }

    fn report(&mut self, key: u8, change: impl FnOnce(&mut Report)) {
        // The machine is whichever holds the key; refusals are part of the game.
        for machine in 0..4 {
            let mut told = report(machine, key);
            if self
                .tailnet
                .coordinator
                .node_by_key(&told.node_key)
                .is_some_and(|entry| entry.record.machine == told.machine)
            {
                change(&mut told);
                self.tailnet.ask(Command::Report(Box::new(told))).unwrap();
                return;
            }
        }
    }

    fn step(&mut self, step: Step) {
        let tailnet = &mut self.tailnet;
        match step {
            Step::Join { machine, key, user, tagged, ephemeral } => {
                let policy_has_tag = tailnet.coordinator.policy_text().is_none_or(|text| text.contains("tag:web"));
                let tags = if tagged && policy_has_tag { vec!["tag:web".to_owned()] } else { Vec::new() };
                let user = Some(UserId(u64::from(user) + 1));
                let wanted = NewAuthKey { user, tags, ephemeral, ..NewAuthKey::default() };
                let made = tailnet.ask(Command::CreateAuthKey(wanted));
                // Who is suspended gets no key.
                let Ok(Reply::AuthKeyCreated { secret, .. }) = made else { return };
                _ = tailnet.register(Register { auth_key: Some(secret), ..register(machine, key) });
            }
            Step::Logout { key } => {
                for machine in 0..4 {
                    let expiry = Some(UnixTime::from_secs(123));
                    _ = tailnet.register(Register { expiry, ..register(machine, key) });
                }
            }
            Step::Endpoints { key, port } => self.report(key, |told| {
                let endpoint = Endpoint { address: ([192, 0, 2, 1], port).into(), kind: EndpointKind::Stun };
                told.endpoints = Some(if port == 0 { Vec::new() } else { vec![endpoint] });
            }),
            Step::Region { key, region } => self.report(key, |told| {
                let net = NetFacts { preferred_region: Some(RegionId(region)), ..NetFacts::default() };
                told.host = Some(wattle_netmap::HostFacts { net: Some(net), ..host("roaming") });
            }),
            Step::Disco { key, seed } => {
                self.report(key, |told| told.disco = Some(DiscoPrivate::from_bytes([seed; 32]).public()));
            }
            Step::HostName { key, name } => self.report(key, |told| told.host = Some(host(&format!("name{name}")))),
            Step::Connect { key } => {
                for machine in 0..4 {
                    _ = tailnet.ask(Command::Connect(Box::new(report(machine, key))));
                }
            }
            Step::Disconnect { node } => {
                if let Some(stream) = tailnet.coordinator.stream_of(NodeId(node)) {
                    tailnet.ask(Command::Disconnect { node: NodeId(node), stream }).unwrap();
                }
            }
            Step::Tags { node } => {
                _ = tailnet.ask(Command::SetTags { node: NodeId(node), tags: vec!["tag:web".to_owned()] });
            }
            Step::Rename { node, name } => {
                _ = tailnet.ask(Command::RenameNode { node: NodeId(node), name: Some(format!("fixed{name}")) });
            }
            Step::Expire { node, secs } => {
                let at = secs.map(|secs| tailnet.now.wall.plus(Duration::from_secs(secs.into())));
                _ = tailnet.ask(Command::ExpireNode { node: NodeId(node), at });
            }
            Step::Delete { node } => _ = tailnet.ask(Command::DeleteNode { node: NodeId(node) }),
            Step::RenameUser { user, name } => {
                let login_name = ["alice", "bob", "carol", "dora"][usize::from(name)].to_owned();
                _ = tailnet.ask(Command::RenameUser { user: UserId(user), login_name });
            }
            Step::Policy(number) => {
                let text = POLICIES[number].to_owned();
                tailnet.ask(Command::SetPolicy(Box::new(NewPolicy { text, ..NewPolicy::default() }))).unwrap();
            }
            Step::Offer { key, routes: chosen } => self.report(key, |told| {
                told.host = Some(wattle_netmap::HostFacts { routable_ips: routes(chosen), ..host("router") });
            }),
            Step::Approve { node, routes: chosen } => {
                _ = tailnet.ask(Command::ApproveRoutes { node: NodeId(node), routes: routes(chosen) });
            }
            Step::Role { user, role } => {
                let role = [Role::Member, Role::Admin, Role::Owner][usize::from(role)];
                _ = tailnet.ask(Command::SetRole { user: UserId(user), role });
            }
            Step::Suspend { user } => _ = tailnet.ask(Command::SuspendUser { user: UserId(user) }),
            Step::Restore { user } => _ = tailnet.ask(Command::RestoreUser { user: UserId(user) }),
            Step::DeviceApproval(device_approval) => {
                tailnet.ask(Command::SetSettings(Settings { device_approval })).unwrap();
            }
            Step::ApproveDevice { node } => _ = tailnet.ask(Command::ApproveNode { node: NodeId(node) }),
            Step::Wait { secs } => tailnet.wait(Duration::from_secs(secs.into())),
            Step::CatchUp { node } => self.catch_up(NodeId(node)),
        }
    }

    fn catch_up(&mut self, node: NodeId) {
        let (told, map) = self.maps.entry(node).or_default();
        let update = self.tailnet.coordinator.catch_up(node, told, &mut self.cache);
        map.apply(update.to_delta());
        self.ssh.extend(update.ssh.map(|permits| (node, permits)));
        if update.over {
            self.maps.remove(&node);
        }
    }

    /// What a node's stream is told next.
    fn update(&mut self, node: u64) -> Update {
        let (told, _) = self.maps.get_mut(&NodeId(node)).unwrap();
        self.tailnet.coordinator.catch_up(NodeId(node), told, &mut self.cache)
    }

    /// What a stream that was told nothing is told.
    fn fresh(&mut self, node: NodeId) -> (Netmap, Vec<SshPermit>) {
        let mut fresh = Netmap::default();
        let update = self.tailnet.coordinator.catch_up(node, &mut Told::default(), &mut self.cache);
        fresh.apply(update.to_delta());
        (fresh, update.ssh.unwrap())
    }

    /// Every map equals a fresh one. Users stay known, so that only those that a fresh map names are compared.
    fn check(&mut self) {
        let nodes: Vec<NodeId> = self.tailnet.coordinator.nodes().map(|entry| entry.record.id).collect();
        for node in nodes {
            self.catch_up(node);
            let (mut fresh, ssh) = self.fresh(node);
            // Numbers of rules and periods are not told.
            let told_ssh = |permits: &[SshPermit]| -> Vec<_> {
                permits.iter().map(|permit| (permit.principals.clone(), permit.users.clone())).collect()
            };
            assert_eq!(told_ssh(&self.ssh[&node]), told_ssh(&ssh), "SSH on node {}", node.0);
            let (_, map) = self.maps.get_mut(&node).unwrap();
            let mut told = map.clone();
            told.users.retain(|id, _| fresh.users.contains_key(id));
            // A node is not told of its own hot facts: it knows them.
            let settle = |map: &mut Netmap| {
                if let Some(own) = &mut map.self_node {
                    (own.online, own.last_seen, own.disco, own.home_region) = (None, None, None, None);
                    own.endpoints.clear();
                }
            };
            settle(&mut told);
            settle(&mut fresh);
            assert_eq!(told, fresh, "the map of node {}", node.0);
            for peer in fresh.peers.values() {
                assert!(fresh.users.contains_key(&peer.user), "the user of a peer is told");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_stream_was_told_is_what_a_fresh_map_says(steps in prop::collection::vec(any_step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.check();
    }

    /// Taking up what was kept gives the same state, but for who is connected.
    #[test]
    fn the_state_after_a_restart_is_the_state_before(steps in prop::collection::vec(any_step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        let tailnet = &world.tailnet;
        let kept = tailnet.coordinator.snapshot();
        let config = tailnet.coordinator.config().clone();
        let again = crate::Coordinator::new(config, kept.clone(), tailnet.now).unwrap();
        prop_assert_eq!(again.snapshot(), kept);
        for entry in tailnet.coordinator.nodes() {
            let (before, after) = (&entry.view.node, &again.node(entry.record.id).unwrap().view.node);
            let after = wattle_netmap::Node { online: before.online, ..after.clone() };
            prop_assert_eq!(before, &after);
        }
    }

    /// Addresses, names and keys are never shared.
    #[test]
    fn nothing_that_must_be_unique_is_given_twice(steps in prop::collection::vec(any_step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        let records: Vec<_> = world.tailnet.coordinator.nodes().map(|entry| entry.record.clone()).collect();
        for (at, a) in records.iter().enumerate() {
            for b in &records[at + 1..] {
                assert!(a.ipv4 != b.ipv4 && a.label != b.label && a.key != b.key && a.stable_id != b.stable_id);
            }
            assert_eq!(world.tailnet.coordinator.node_by_key(&a.key).map(|entry| entry.record.id), Some(a.id));
        }
    }
}

#[test]
fn a_hot_change_is_told_as_a_patch_and_to_those_who_see_the_node_only() {
    let mut world = World::new();
    let join = |key, user| Step::Join { machine: key, key, user, tagged: false, ephemeral: false };
    world.step(Step::Policy(4));
    (0..3).for_each(|number| world.step(join(number, number.min(1))));
    world.check();
    world.step(Step::Endpoints { key: 2, port: 2 });
    let seen = world.update(2);
    assert_eq!((seen.patches.len(), seen.peers.len(), seen.chunks.len(), seen.dropped.len()), (1, 0, 0, 0));
    assert!(world.update(3).is_empty(), "the node itself is told nothing");
}

#[test]
fn a_stream_that_is_too_far_behind_starts_anew() {
    let mut world = World::new();
    world.step(Step::Join { machine: 0, key: 0, user: 0, tagged: false, ephemeral: false });
    world.check();
    for round in 0..=crate::limits::FEED_POLICIES_MAX {
        world.step(Step::Policy(round % 2));
    }
    assert!(world.update(1).over);
}
