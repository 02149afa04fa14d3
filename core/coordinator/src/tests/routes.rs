//! Routes: approved by people or by the policy, shown to who may use them, handed over when a router goes.

use std::time::Duration;

use wattle_netmap::{HostFacts, NodeId, Prefix};

use super::{Tailnet, host, report};
use crate::{Command, FeedCache, NewAuthKey, Report, StreamId, Told, Update};

const LAN: &str = "10.33.0.0/16";
const OPEN: &str = r#""tagOwners": {"tag:router": []}, "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]"#;

fn prefixes(texts: &[&str]) -> Vec<Prefix> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A viewer (node 1) and routers (nodes 2, 3, 4), all connected.
struct World {
    tailnet: Tailnet,
    streams: Vec<StreamId>,
    told: Vec<Told>,
    cache: FeedCache,
}

impl World {
    fn new(policy: &str) -> Self {
        let mut tailnet = Tailnet::new();
        let alice = tailnet.user("alice@example.com");
        tailnet.policy(&format!("{{{policy}}}")).unwrap();
        let secret = tailnet.key_of(alice);
        tailnet.join(1, &secret);
        let tags = vec!["tag:router".to_owned()];
        let secret = tailnet.auth_key(NewAuthKey { tags, reusable: true, ..NewAuthKey::default() });
        (2..=4).for_each(|number| _ = tailnet.join(number, &secret));
        let streams = (1..=4).map(|number| tailnet.connect(report(number, number)).1).collect();
        let mut world = Self { tailnet, streams, told: vec![Told::default(); 4], cache: FeedCache::default() };
        (1..=4).for_each(|node| drop(world.told(node)));
        world
    }

    fn told(&mut self, node: u64) -> Update {
        self.tailnet.coordinator.catch_up(NodeId(node), &mut self.told[node as usize - 1], &mut self.cache)
    }

    fn offer(&mut self, number: u8, routes: &[&str]) {
        let host = HostFacts { routable_ips: prefixes(routes), ..host(&format!("host{number}")) };
        self.tailnet.ask(Command::Report(Box::new(Report { host: Some(host), ..report(number, number) }))).unwrap();
    }

    fn approve(&mut self, node: u64, routes: &[&str]) {
        self.tailnet.ask(Command::ApproveRoutes { node: NodeId(node), routes: prefixes(routes) }).unwrap();
    }

    fn leave(&mut self, number: usize) {
        let (node, stream) = (NodeId(number as u64), self.streams[number - 1]);
        self.tailnet.ask(Command::Disconnect { node, stream }).unwrap();
        self.tailnet.wait(Duration::from_secs(11));
    }

    fn come_back(&mut self, number: u8) {
        self.streams[usize::from(number) - 1] = self.tailnet.connect(report(number, number)).1;
    }

    /// The router in charge, if viewers are told the same.
    fn primary(&mut self) -> Option<u64> {
        let route = LAN.parse().unwrap();
        let primary = self.tailnet.coordinator.primary_of(&route);
        let whole = self.tailnet.coordinator.catch_up(NodeId(1), &mut Told::default(), &mut self.cache);
        let shown: Vec<_> = whole.peers.iter().filter(|peer| peer.node().allowed_ips.contains(&route)).collect();
        assert_eq!(
            shown.iter().map(|peer| peer.view.node.id).collect::<Vec<_>>(),
            primary.into_iter().collect::<Vec<_>>()
        );
        assert!(shown.iter().all(|peer| peer.node().primary_routes == [route]));
        primary.map(|node| node.0)
    }
}

fn shown(update: &Update) -> Vec<(u64, Vec<Prefix>)> {
    update.peers.iter().map(|peer| (peer.view.node.id.0, peer.node().primary_routes)).collect()
}

#[test]
fn a_route_is_shown_when_it_is_offered_and_approved_and_no_longer() {
    let mut world = World::new(OPEN);
    world.offer(2, &[LAN]);
    assert!(world.told(1).peers.is_empty(), "it is offered only");
    world.approve(2, &[LAN]);
    assert_eq!(shown(&world.told(1)), [(2, prefixes(&[LAN]))]);
    let own = world.told(2).self_node.unwrap();
    assert_eq!((own.primary_routes, own.allowed_ips.len()), (prefixes(&[LAN]), 3));
    world.offer(2, &[]);
    assert_eq!(shown(&world.told(1)), [(2, vec![])], "it is offered no more");
    world.offer(2, &[LAN]);
    assert_eq!(shown(&world.told(1)).len(), 1, "the approval was kept");
    world.approve(2, &[]);
    assert_eq!(shown(&world.told(1)), [(2, vec![])]);
    let routes = world.tailnet.coordinator.routes_of(NodeId(2)).unwrap();
    assert_eq!((routes.advertised.len(), routes.approved.len(), routes.served.len()), (1, 0, 0));
}

#[test]
fn the_next_router_takes_over_and_keeps_the_route() {
    let mut world = World::new(OPEN);
    for node in 2..=4 {
        world.offer(node, &[LAN]);
        world.approve(node.into(), &[LAN]);
    }
    assert_eq!(world.primary(), Some(2));
    _ = (world.told(1), world.told(4));
    world.leave(2);
    assert_eq!(world.primary(), Some(3));
    let update = world.told(1);
    assert_eq!(shown(&update), [(2, vec![]), (3, prefixes(&[LAN]))], "the viewer is told of both in one message");
    world.come_back(2);
    assert_eq!(world.primary(), Some(3), "it keeps the route");
    assert!(world.told(1).peers.is_empty());
    world.leave(3);
    world.leave(2);
    assert_eq!(world.primary(), Some(4));
    world.leave(4);
    assert_eq!(world.primary(), Some(4), "when all are gone the last one stays in charge");
    world.come_back(3);
    assert_eq!(world.primary(), Some(3));
    world.tailnet.ask(Command::DeleteNode { node: NodeId(3) }).unwrap();
    assert_eq!(world.primary(), Some(2));
    world.tailnet.ask(Command::ExpireNode { node: NodeId(2), at: Some(world.tailnet.now.wall) }).unwrap();
    world.come_back(4);
    assert_eq!(world.primary(), Some(4), "a router whose key has expired reaches nobody");
}

#[test]
fn a_short_break_hands_nothing_over() {
    let mut world = World::new(OPEN);
    for node in 2..=3 {
        world.offer(node, &[LAN]);
        world.approve(node.into(), &[LAN]);
    }
    let revision = world.tailnet.coordinator.revision();
    let (node, stream) = (NodeId(2), world.streams[1]);
    world.tailnet.ask(Command::Disconnect { node, stream }).unwrap();
    world.tailnet.wait(Duration::from_secs(5));
    world.come_back(2);
    assert_eq!((world.primary(), world.tailnet.coordinator.revision()), (Some(2), revision));
}

#[test]
fn routes_are_shown_to_those_who_may_use_them_only() {
    let mut world = World::new(
        r#""tagOwners": {"tag:router": []}, "acls": [
        {"action": "accept", "src": ["alice@example.com"], "dst": ["tag:router:22", "10.33.0.0/16:*"]},
        {"action": "accept", "src": ["tag:router"], "dst": ["tag:router:22"]}]"#,
    );
    world.offer(2, &[LAN, "192.168.0.0/24"]);
    world.approve(2, &[LAN, "192.168.0.0/24"]);
    assert_eq!(shown(&world.told(1)), [(2, prefixes(&[LAN]))]);
    assert_eq!(shown(&world.told(3)), [], "the other router is shown nothing new");
}

#[test]
fn a_rule_with_via_steers_its_people_through_its_routers() {
    let mut world = World::new(
        r#""tagOwners": {"tag:router": []}, "grants": [
        {"src": ["alice@example.com"], "dst": ["tag:router"], "ip": ["tcp:22"]},
        {"src": ["alice@example.com"], "dst": ["10.33.0.0/16"], "via": ["tag:router"], "ip": ["*"]}]"#,
    );
    world.offer(3, &[LAN]);
    world.approve(3, &[LAN]);
    assert_eq!(shown(&world.told(1)), [(3, prefixes(&[LAN]))]);
    world.offer(2, &[LAN]);
    world.approve(2, &[LAN]);
    assert_eq!(shown(&world.told(1)), [(2, prefixes(&[LAN])), (3, vec![])], "the first with the tag carries it");
}

#[test]
fn an_exit_node_is_approved_as_a_whole_and_suggested() {
    let mut world = World::new(OPEN);
    world.offer(2, &["0.0.0.0/0", "::/0"]);
    world.approve(2, &["0.0.0.0/0"]);
    let update = world.told(1);
    let [peer] = &update.peers[..] else { panic!("{update:?}") };
    let node = peer.node();
    assert!(node.allowed_ips.ends_with(&prefixes(&["0.0.0.0/0", "::/0"])) && node.primary_routes.is_empty());
    assert_eq!(node.capabilities.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["suggest-exit-node"]);
    let own = world.told(2).self_node.unwrap();
    assert!(own.primary_routes.is_empty() && own.allowed_ips.len() == 4);
}

const APPROVERS: &str = r#""tagOwners": {"tag:router": []}, "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}],
    "autoApprovers": {"routes": {"10.33.0.0/16": ["tag:router"]}, "exitNode": ["tag:router"]}"#;

#[test]
fn the_policy_approves_routes_when_they_are_offered_and_when_it_comes() {
    let mut world = World::new(APPROVERS);
    world.offer(2, &["10.33.7.0/24", "10.44.0.0/16", "0.0.0.0/0", "::/0"]);
    assert_eq!(shown(&world.told(1)), [(2, prefixes(&["10.33.7.0/24"]))], "a part of what is approved is approved");
    let routes = world.tailnet.coordinator.routes_of(NodeId(2)).unwrap();
    assert_eq!(routes.approved, prefixes(&["0.0.0.0/0", "10.33.7.0/24", "::/0"]));

    let mut world = World::new(OPEN);
    world.offer(2, &[LAN]);
    assert!(world.told(1).peers.is_empty());
    world.tailnet.policy(&format!("{{{APPROVERS}}}")).unwrap();
    assert_eq!(shown(&world.told(1)), [(2, prefixes(&[LAN]))]);
    world.tailnet.policy(&format!("{{{OPEN}}}")).unwrap();
    assert!(world.told(1).peers.is_empty(), "an approval is taken back by people only");
}

#[test]
fn routes_are_tidied_and_bounded() {
    let mut world = World::new(OPEN);
    world.offer(2, &["10.33.1.1/16"]);
    world.approve(2, &["10.33.9.9/16", LAN]);
    assert_eq!(world.tailnet.coordinator.routes_of(NodeId(2)).unwrap().served, prefixes(&[LAN]));
    let many = (0..=255).map(|number| format!("10.0.{number}.0/24").parse().unwrap());
    let many = many.chain(prefixes(&[LAN])).collect();
    let refused = world.tailnet.ask(Command::ApproveRoutes { node: NodeId(2), routes: many });
    assert_eq!(refused, Err(crate::Refusal::TooManyRoutes));
}
