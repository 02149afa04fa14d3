//! Random people and nodes, and what happens to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use proptest::prelude::*;
use wattle_netmap::Prefix;

use super::super::Spec;
use crate::language::document::{Role, Scalar};

pub(super) const LOGINS: [&str; 5] = ["ann@example.com", "bob@example.com", "cid@other.org", "dee", "eve@Example.COM"];
const ROLES: [Role; 7] =
    [Role::Owner, Role::Admin, Role::ItAdmin, Role::NetworkAdmin, Role::BillingAdmin, Role::Auditor, Role::Member];
const GROUPS: [&str; 3] = ["staff", "ext@corp.org", "unheard-of"];
const TAGS: [&str; 3] = ["tag:a", "tag:b", "tag:c"];
/// Networks in networks, beside each other, public, and one that holds addresses of nodes.
const ROUTES: [&str; 11] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.2.0.0/16",
    "192.168.0.0/24",
    "8.8.8.0/24",
    "100.64.0.0/29",
    "fd00:1::/64",
    "fd00:1::/48",
    "0.0.0.0/0",
    "::/0",
];

/// Networks that several nodes serve.
const SHARED: [&str; 3] = ["10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0"];

/// Role and groups of each of the people.
pub(crate) type People = [(Role, Vec<String>); LOGINS.len()];

/// A node, but for what its owner is.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    owner: Owner,
    /// It has an IPv4 address, an IPv6 address, and whether they are its second ones.
    addresses: (bool, bool, bool),
    routes: Vec<Prefix>,
    attributes: BTreeMap<String, Scalar>,
}

#[derive(Clone, Debug)]
enum Owner {
    Person(usize),
    /// `true`: tags that a person gave who is still remembered.
    Tags(Vec<String>, bool),
    Nobody,
}

impl Plan {
    /// Addresses are nobody else's: they go by the number of the node.
    pub(crate) fn spec(&self, number: u64, people: &People) -> Spec {
        let (v4, v6, moved) = self.addresses;
        let last = u8::try_from(number).unwrap() + if moved { 32 } else { 0 };
        let v4 = v4.then(|| IpAddr::from([100, 64, 0, last]));
        let v6 = v6.then(|| IpAddr::from(Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, last.into())));
        let spec = Spec {
            addresses: v4.into_iter().chain(v6).collect(),
            routes: self.routes.clone(),
            attributes: self.attributes.clone(),
            ..Spec::default()
        };
        match &self.owner {
            Owner::Person(number) => {
                let (role, groups) = people[*number].clone();
                Spec { user: Some(LOGINS[*number]), role, groups, ..spec }
            }
            Owner::Tags(tags, by_person) => Spec { user: by_person.then_some(LOGINS[0]), tags: tags.clone(), ..spec },
            Owner::Nobody => spec,
        }
    }

    pub(crate) fn is_of(&self, person: usize) -> bool {
        matches!(self.owner, Owner::Person(number) if number == person)
    }
}

pub(crate) fn people() -> impl Strategy<Value = People> {
    prop::array::uniform5(person())
}

fn person() -> impl Strategy<Value = (Role, Vec<String>)> {
    let groups = prop::sample::subsequence(GROUPS.to_vec(), 0..=2);
    let role = prop_oneof![Just(Role::Member), prop::sample::select(ROLES.to_vec())];
    (role, groups.prop_map(|groups| groups.into_iter().map(str::to_owned).collect()))
}

/// Nodes by number.
pub(crate) fn tailnet(size: Range<usize>) -> impl Strategy<Value = BTreeMap<u64, Plan>> {
    prop::collection::btree_map(1u64..12, plan(), size)
}

fn plan() -> impl Strategy<Value = Plan> {
    let tags = prop::sample::subsequence(TAGS.to_vec(), 1..=3);
    let tags = tags.prop_map(|tags| tags.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let owner = prop_oneof![
        10 => (0..LOGINS.len()).prop_map(Owner::Person),
        9 => (tags, prop::bool::weighted(0.2)).prop_map(|(tags, by_person)| Owner::Tags(tags, by_person)),
        1 => Just(Owner::Nobody),
    ];
    let addresses = prop_oneof![
        6 => Just((true, true, false)),
        2 => Just((true, false, false)),
        1 => Just((false, true, false)),
        2 => Just((true, true, true)),
    ];
    let routes = prop_oneof![
        5 => Just(Vec::new()),
        3 => prop::sample::subsequence(ROUTES.to_vec(), 1..=4),
        4 => prop::sample::subsequence(SHARED.to_vec(), 1..=3),
    ];
    let routes = routes.prop_map(|routes| routes.into_iter().map(|route| route.parse().unwrap()).collect());
    (owner, addresses, routes, attributes()).prop_map(|(owner, addresses, routes, attributes)| Plan {
        owner,
        addresses,
        routes,
        attributes,
    })
}

fn attributes() -> impl Strategy<Value = BTreeMap<String, Scalar>> {
    let text =
        |values: &[&'static str]| prop::sample::select(values.to_vec()).prop_map(|text| Scalar::Text(text.into()));
    let attributes = (
        prop::option::of(text(&["linux", "macos", "windows"])),
        prop::option::of(text(&["1.40", "1.50.0", "1.50.1-t12", "1.102"])),
        prop::option::of((0u8..4).prop_map(|tier| Scalar::Number(tier.into()))),
        prop::option::of(any::<bool>().prop_map(Scalar::Bool)),
    );
    attributes.prop_map(|(os, version, tier, managed)| {
        let named = [("node:os", os), ("node:tsVersion", version), ("custom:tier", tier), ("custom:managed", managed)];
        named.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value))).collect()
    })
}

/// What happens in a tailnet.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A node comes, becomes another one, or goes.
    Node(u64, Option<Plan>),
    /// One thing about a node, if there is one, becomes what it is of another.
    Part(u64, Part, Plan),
    /// A person gets another role and is in other groups.
    Person(usize, Role, Vec<String>),
}

/// What a node consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Owner,
    Addresses,
    Routes,
    Attributes,
}

impl Plan {
    pub(crate) fn take(&mut self, part: Part, other: Self) {
        match part {
            Part::Owner => self.owner = other.owner,
            Part::Addresses => self.addresses = other.addresses,
            Part::Routes => self.routes = other.routes,
            Part::Attributes => self.attributes = other.attributes,
        }
    }
}

pub(crate) fn changes(number: Range<usize>) -> impl Strategy<Value = Vec<Change>> {
    let node = (1u64..12, prop::option::weighted(0.8, plan())).prop_map(|(number, plan)| Change::Node(number, plan));
    let person = (0..LOGINS.len(), person()).prop_map(|(number, (role, groups))| Change::Person(number, role, groups));
    let part = prop::sample::select(vec![Part::Owner, Part::Addresses, Part::Routes, Part::Attributes]);
    let part = (1u64..12, part, plan()).prop_map(|(number, part, plan)| Change::Part(number, part, plan));
    prop::collection::vec(prop_oneof![3 => node, 5 => part, 1 => person], number)
}
