//! The policy engine: a thousand rules over tailnets of different sizes. What a whole compile costs (text to every node's
//! class), and what one node's change costs: its new class, who has to be told of it, and its own packet rules.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};
use wattle_netmap::{NodeId, UserId};
use wattle_policy::language::document::Role;
use wattle_policy::{Class, PacketCache, Person, Policy, Roster, Subject};

use crate::median;

/// How many nodes.
pub(crate) const NODES: [u32; 3] = [1_000, 10_000, 100_000];
const RULES: usize = 1_000;
/// Nodes of one user.
const NODES_PER_USER: u32 = 3;
/// One node in so many has a tag.
const TAGGED_EVERY: u32 = 5;
const TAGS: u32 = 200;
const ROUNDS: usize = 9;

/// One row for each number of nodes, without and with `autogroup:self`.
pub(crate) fn measure(numbers: &[u32]) -> Vec<Value> {
    let policies = [false, true].into_iter();
    policies.flat_map(|own| numbers.iter().map(move |nodes| measure_one(*nodes, own))).collect()
}

fn measure_one(number: u32, own: bool) -> Value {
    let world = World::new(number);
    let text = world.policy(own);
    let parse = median(ROUNDS, || {
        black_box(Policy::parse(black_box(text.as_bytes()))).ok();
    });
    let Ok(policy) = Policy::parse(text.as_bytes()) else { return json!({ "problem": "the policy is refused" }) };
    let policy = Arc::new(policy);
    let compile = median(ROUNDS, || {
        black_box(Roster::with_nodes(policy.clone(), world.subjects()));
    });
    let roster = Roster::with_nodes(policy, world.subjects());
    let classes: Vec<(NodeId, Arc<Class>)> =
        world.subjects().filter_map(|(id, _)| Some((id, roster.class(id)?.clone()))).collect();
    let mut different: Vec<&Class> = classes.iter().map(|(_, class)| class.as_ref()).collect();
    different.sort_unstable();
    different.dedup();

    // A node of a user gets a tag, and loses it again: other words select it, other nodes see it.
    let node = NodeId(u64::from(number / 2));
    let Some((_, plain)) = world.subjects().find(|(id, _)| *id == node) else { return json!({}) };
    let tags = ["tag:t7".to_owned()];
    let tagged = Subject { user: None, tags: &tags, ..plain };
    let mut changed = roster.clone();
    let mut cache = PacketCache::default();
    changed.chunks_for(node, &mut cache);
    let mut told = 0;
    let mut turn = false;
    let change = median(101, || {
        turn = !turn;
        let shift = changed.insert(node, if turn { &tagged } else { &plain });
        let notices = |class: &Class| {
            let saw = |other: &Option<Arc<Class>>| other.as_ref().is_some_and(|other| class.sees(other));
            saw(&shift.before) != saw(&shift.after) || class.heeds(&shift)
        };
        told = classes.iter().filter(|(_, class)| notices(class)).count();
        black_box(changed.chunks_for(node, &mut cache));
    });
    let class_only = median(101, || {
        turn = !turn;
        black_box(changed.insert(node, if turn { &tagged } else { &plain }));
    });
    json!({
        "nodes": number, "rules": RULES, "self": own, "classes": different.len(),
        "text_kib": text.len() as f64 / 1024.0,
        "parse_ms": parse.as_secs_f64() * 1e3,
        "classes_ms": compile.as_secs_f64() * 1e3,
        "compile_ms": (parse + compile).as_secs_f64() * 1e3,
        "class_us": class_only.as_secs_f64() * 1e6,
        "change_us": change.as_secs_f64() * 1e6,
        "told": told,
    })
}

/// People with three machines each, and servers with tags.
struct World {
    logins: Vec<String>,
    tags: Vec<Vec<String>>,
    addresses: Vec<[IpAddr; 2]>,
}

impl World {
    fn new(number: u32) -> Self {
        let users = number.div_ceil(NODES_PER_USER);
        let address = |number: u32| {
            let v4 = Ipv4Addr::from(0x6440_0000 + number);
            let v6 = Ipv6Addr::from(0xfd7a_115c_a1e0_0000_0000_0000_0000_0000 + u128::from(number));
            [IpAddr::V4(v4), IpAddr::V6(v6)]
        };
        Self {
            logins: (0..users).map(|user| format!("user{user}@example.com")).collect(),
            tags: (0..TAGS).map(|tag| vec![format!("tag:t{tag}")]).collect(),
            addresses: (0..number).map(|number| address(number + 1)).collect(),
        }
    }

    fn subjects(&self) -> impl Iterator<Item = (NodeId, Subject<'_>)> {
        (0u32..).zip(&self.addresses).map(|(number, addresses)| {
            let user = number / NODES_PER_USER;
            let tags = self.tags.get((number / TAGGED_EVERY % TAGS) as usize);
            let tags = tags.filter(|_| number.is_multiple_of(TAGGED_EVERY)).map(Vec::as_slice).unwrap_or_default();
            let person = self.logins.get(user as usize).filter(|_| tags.is_empty()).map(|login| Person {
                id: UserId(u64::from(user) + 1),
                login,
                role: Role::Member,
                groups: &[],
            });
            (NodeId(u64::from(number) + 1), Subject::new(person, tags, addresses))
        })
    }

    /// The mix that policies have: mostly groups to tags on a few ports, some users, some networks, some for everybody.
    fn policy(&self, own: bool) -> String {
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let mut pick = |below: usize| rng.next_u32() as usize % below.max(1);
        let group = |number: usize, members: Vec<usize>| {
            let members: Vec<String> =
                members.iter().filter_map(|at| Some(format!("\"{}\"", self.logins.get(*at)?))).collect();
            format!("\"group:g{number}\": [{}]", members.join(","))
        };
        let groups: Vec<String> = (0..300)
            .map(|number| {
                let size = 1 + pick(50);
                group(number, (0..size).map(|_| pick(self.logins.len())).collect())
            })
            .collect();
        let owners: Vec<String> = (0..TAGS).map(|tag| format!("\"tag:t{tag}\": [\"group:g0\"]")).collect();
        let mut rules = Vec::new();
        for number in 0..RULES {
            let source = match pick(10) {
                0 => "autogroup:member".to_owned(),
                1 => format!("tag:t{}", pick(TAGS as usize)),
                2 => self.logins.get(pick(self.logins.len())).cloned().unwrap_or_default(),
                _ => format!("group:g{}", pick(300)),
            };
            let target = match pick(20) {
                0 => format!("10.{}.0.0/16:*", pick(200)),
                1 => format!("100.64.{}.0/24:443", pick(200)),
                2 => format!("group:g{}:22", pick(300)),
                _ => format!("tag:t{}:{}", pick(TAGS as usize), [22, 80, 443, 5432][pick(4)]),
            };
            rules.push(match own && number % 100 == 0 {
                true => {
                    "{\"action\":\"accept\",\"src\":[\"autogroup:member\"],\"dst\":[\"autogroup:self:*\"]}".to_owned()
                }
                false => format!("{{\"action\":\"accept\",\"src\":[\"{source}\"],\"dst\":[\"{target}\"]}}"),
            });
        }
        format!(
            "{{\"groups\":{{{}}},\"tagOwners\":{{{}}},\"acls\":[{}]}}",
            groups.join(","),
            owners.join(","),
            rules.join(",")
        )
    }
}
