//! `wattle-control policy eval`: policies with the tailnets they are for, one case a line, and what each node gets.
//!
//! This is how the engine is held against answers of other servers. A case says less than a server knows; what it leaves
//! out is filled in here, and nowhere else: see [`Tailnet::read`].

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use wattle_netmap::{Capability, NodeId, Prefix, UserId};
use wattle_policy::language::document::Role;
use wattle_policy::{Person, Policy, Roster, Subject, is_exit_route};
use wattle_wire::convert::rules_to_wire;

use crate::ssh_policy;

/// What a checked SSH session is told to ask: cases have no server.
const NO_SERVER: &str = "https://unused";

/// A policy and the tailnet that it is for.
#[derive(Deserialize)]
struct Case {
    id: Value,
    policy: Value,
    topology: Topology,
}

#[derive(Deserialize)]
struct Topology {
    #[serde(default)]
    users: Vec<CaseUser>,
    nodes: BTreeMap<String, CaseNode>,
}

#[derive(Deserialize)]
struct CaseUser {
    id: u64,
    name: String,
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct CaseNode {
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    ipv4: Option<IpAddr>,
    #[serde(default)]
    ipv6: Option<IpAddr>,
    #[serde(default)]
    routable_ips: Vec<Prefix>,
    #[serde(default)]
    approved_routes: Vec<Prefix>,
}

/// What a case comes to.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Refused { id: Value, error: String },
    Obeyed { id: Value, nodes: BTreeMap<String, NodeAnswer> },
}

#[derive(Serialize)]
struct NodeAnswer {
    filter: Value,
    ssh: Value,
    peers: BTreeMap<String, Value>,
    caps: Value,
}

/// Answers one line.
pub(super) fn answer(line: &str) -> anyhow::Result<String> {
    let case: Case = serde_json::from_str(line).context("this line is not a case")?;
    let answer = evaluate(case);
    Ok(serde_json::to_string(&answer)?)
}

fn evaluate(case: Case) -> Answer {
    let Case { id, policy, topology } = case;
    let text = match &policy {
        Value::String(text) => text.clone(),
        document => document.to_string(),
    };
    let policy = match Policy::parse(text.as_bytes()) {
        Ok(policy) => policy,
        Err(problems) => return Answer::Refused { id, error: problems.to_string() },
    };
    let tailnet = Tailnet::read(topology);
    let roster = Roster::with_nodes(policy.into(), tailnet.subjects());
    let failures = roster.run_tests();
    if !failures.is_empty() {
        let reasons: Vec<&str> = failures.iter().map(|failure| failure.message.as_str()).collect();
        return Answer::Refused { id, error: format!("test(s) failed:\n{}", reasons.join("\n")) };
    }
    let nodes = tailnet.nodes.iter().map(|node| (node.name.clone(), tailnet.answer(&roster, node))).collect();
    Answer::Obeyed { id, nodes }
}

/// A case's tailnet with everything that a policy asks for.
struct Tailnet {
    users: BTreeMap<String, (UserId, String, Role)>,
    nodes: Vec<Node>,
    /// Addresses that the case has, by those that they had here.
    given: BTreeMap<IpAddr, IpAddr>,
}

struct Node {
    id: NodeId,
    name: String,
    tags: Vec<String>,
    user: Option<String>,
    addresses: Vec<IpAddr>,
    routes: Vec<Prefix>,
}

impl Tailnet {
    /// Cases leave out three things that a server knows:
    ///
    /// - Roles: the first user owns the tailnet, all are administrators, as in the captured one.
    /// - Which of several routers came first, and so is in charge: here who serves more routes, then the later name.
    /// - The IPv6 addresses that nodes had when the answers were captured, where the case has numbered the nodes anew: the
    ///   service's own end in its IPv4 address behind a byte 0x37. An address literal of a policy did not mean a renumbered
    ///   node, so these nodes get back an address of the service's form while the case is worked out.
    fn read(topology: Topology) -> Self {
        let first = topology.users.iter().map(|user| user.id).min();
        let user = |user: CaseUser| {
            let role = if Some(user.id) == first { Role::Owner } else { Role::Admin };
            let login = if user.email.is_empty() { user.name.clone() } else { user.email };
            (user.name, (UserId(user.id), login, role))
        };
        let users = topology.users.into_iter().map(user).collect();
        let mut order: Vec<(String, CaseNode)> = topology.nodes.into_iter().collect();
        order.sort_by(|(name, node), (other_name, other)| {
            other.routable_ips.len().cmp(&node.routable_ips.len()).then_with(|| other_name.cmp(name))
        });
        let (mut nodes, mut given) = (Vec::new(), BTreeMap::new());
        for (number, (name, node)) in (1u16..).zip(order) {
            let ipv6 = node.ipv6.map(|address| {
                let then = captured(address, node.ipv4, number);
                given.insert(then, address);
                then
            });
            nodes.push(Node {
                id: NodeId(number.into()),
                name,
                user: node.user.filter(|_| node.tags.is_empty()),
                tags: node.tags,
                addresses: node.ipv4.into_iter().chain(ipv6).collect(),
                routes: node.routable_ips.into_iter().filter(|route| node.approved_routes.contains(route)).collect(),
            });
        }
        Self { users, nodes, given }
    }

    fn subjects(&self) -> impl Iterator<Item = (NodeId, Subject<'_>)> {
        self.nodes.iter().map(|node| {
            let user = node.user.as_ref().and_then(|user| self.users.get(user));
            let person = user.map(|(id, login, role)| Person { id: *id, login, role: *role, groups: &[] });
            (node.id, Subject { routes: &node.routes, ..Subject::new(person, &node.tags, &node.addresses) })
        })
    }

    fn answer(&self, roster: &Roster, node: &Node) -> NodeAnswer {
        let sees = |other: &&Node| {
            let classes = roster.class(node.id).zip(roster.class(other.id));
            other.id != node.id && classes.is_some_and(|(own, other)| own.sees(other))
        };
        let peers = self.nodes.iter().filter(sees).map(|peer| (peer.name.clone(), self.peer(roster, node, peer)));
        let mut filter = json!(rules_to_wire(&roster.rules_for(node.id)));
        let mut ssh = json!(ssh_policy::rules(&roster.ssh_for(node.id), NO_SERVER));
        self.give_back(&mut filter);
        self.give_back(&mut ssh);
        NodeAnswer { filter, ssh, peers: peers.collect(), caps: capabilities(roster.attributes(node.id)) }
    }

    fn peer(&self, roster: &Roster, viewer: &Node, peer: &Node) -> Value {
        let routes = roster.routes_through(viewer.id, peer.id, |route| roster.routers_of(route).min());
        let hides_ipv4 = roster.attributes(peer.id).iter().any(|capability| capability.name == "disable-ipv4");
        let own = peer.addresses.iter().filter(|address| !(hides_ipv4 && address.is_ipv4()));
        let own = own.map(|address| Prefix::from(*address));
        let allowed: Vec<Prefix> = own.chain(routes.iter().copied()).collect();
        let primary: Vec<&Prefix> = routes.iter().filter(|route| !is_exit_route(route)).collect();
        let caps = match peer.routes.iter().any(is_exit_route) {
            true => json!({ "suggest-exit-node": null }),
            false => Value::Null,
        };
        let mut shown = json!({ "AllowedIPs": allowed, "PrimaryRoutes": primary, "CapMap": caps });
        self.give_back(&mut shown);
        shown
    }

    /// Puts the addresses of the case back wherever a single one stands.
    fn give_back(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let (address, length) = text.split_once('/').unwrap_or((text, "128"));
                let given = address.parse().ok().and_then(|address: IpAddr| self.given.get(&address));
                if let Some(given) = given.filter(|_| length == "128") {
                    *text = given.to_string();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.give_back(value)),
            Value::Object(members) => members.values_mut().for_each(|value| self.give_back(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The address that a node had when its answers were captured, as far as the policy can tell.
fn captured(ipv6: IpAddr, ipv4: Option<IpAddr>, number: u16) -> IpAddr {
    let (IpAddr::V6(address), Some(IpAddr::V4(ipv4))) = (ipv6, ipv4) else { return ipv6 };
    let mut segments = address.segments();
    let [.., c, d] = ipv4.octets();
    if segments[6] & 0xff != 0x37 {
        (segments[6], segments[7]) = (number << 8 | 0x37, u16::from_be_bytes([c, d]));
    }
    IpAddr::V6(Ipv6Addr::from(segments))
}

fn capabilities(found: Vec<Capability>) -> Value {
    let mut map = Map::new();
    for Capability { name, values } in found {
        let values: Vec<Value> = values.iter().filter_map(|value| serde_json::from_str(value).ok()).collect();
        // Without HTTPS, Funnel has nothing to serve with; cases have no HTTPS.
        if name == "funnel" {
            map.insert("https://tailscale.com/cap/warn-funnel-no-https".to_owned(), Value::Null);
        }
        map.insert(name, if values.is_empty() { Value::Null } else { Value::Array(values) });
    }
    Value::Object(map)
}
