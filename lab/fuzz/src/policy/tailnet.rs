//! A small tailnet that the seeds write about. Each node has three forms: as it is first, as it may become, and gone.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{Ipv4Net, Ipv6Net};
use wattle_netmap::{NodeId, Prefix, UserId};
use wattle_policy::language::document::{Role, Scalar};
use wattle_policy::{Person, Subject};

pub(super) const NODES: usize = 12;
/// Tags that somebody might want to give.
pub(super) const TAGS: [&str; 4] = ["tag:server", "tag:router", "tag:t", "tag:nobody"];
/// Routes that somebody might want to serve.
pub(super) const ROUTES: [Prefix; 5] = [v4(10, 0, 8), v4(10, 20, 16), v4(192, 168, 16), v4(0, 0, 0), V6_DEFAULT];

const V6_DEFAULT: Prefix = Prefix::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0));

const fn v4(first: u8, second: u8, length: u8) -> Prefix {
    Prefix::V4(Ipv4Net::new_assert(Ipv4Addr::new(first, second, 0, 0), length))
}

/// Which form each node has.
#[derive(Clone, Debug, Default)]
pub(super) struct Tailnet([Form; NODES]);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    First,
    Second,
    Gone,
}

impl Tailnet {
    /// Gives a node another form; says which node.
    pub(super) fn turn(&mut self, choice: u8) -> usize {
        let node = usize::from(choice) % NODES;
        let further = usize::from(choice) / NODES % 2 == 1;
        self.0[node] = match (self.0[node], further) {
            (Form::First, false) | (Form::Gone, true) => Form::Second,
            (Form::Second, false) | (Form::First, true) => Form::Gone,
            (Form::Gone, false) | (Form::Second, true) => Form::First,
        };
        node
    }

    pub(super) fn is_present(&self, node: usize) -> bool {
        self.0[node] != Form::Gone
    }

    pub(super) fn present(&self) -> impl Iterator<Item = usize> {
        (0..NODES).filter(|node| self.is_present(*node))
    }

    /// The node as a policy looks at it. One that is gone looks as it did first.
    pub(super) fn subject(&self, node: usize) -> Subject<'static> {
        let form = usize::from(self.0[node] == Form::Second);
        SUBJECTS[form][node].view()
    }
}

pub(super) fn id(node: usize) -> NodeId {
    NodeId(node as u64 + 1)
}

struct Owned {
    user: Option<(u64, &'static str, Role, Vec<String>)>,
    tags: Vec<String>,
    addresses: [IpAddr; 2],
    routes: Vec<Prefix>,
    attributes: BTreeMap<String, Scalar>,
}

impl Owned {
    fn new(node: u8) -> Self {
        let addresses = [
            Ipv4Addr::new(100, 64, 0, node + 1).into(),
            Ipv6Addr::new(0xfd7a, 0x115c, 0xa1e0, 0, 0, 0, 0, u16::from(node) + 1).into(),
        ];
        Self { user: None, tags: Vec::new(), addresses, routes: Vec::new(), attributes: BTreeMap::new() }
    }

    fn of(self, id: u64, login: &'static str, role: Role) -> Self {
        Self { user: Some((id, login, role, Vec::new())), ..self }
    }

    fn with_groups(mut self, names: &[&str]) -> Self {
        if let Some((.., groups)) = &mut self.user {
            *groups = names.iter().map(|name| (*name).to_owned()).collect();
        }
        self
    }

    fn tagged(self, tags: &[&str]) -> Self {
        Self { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), ..self }
    }

    fn serving(self, routes: &[Prefix]) -> Self {
        Self { routes: routes.to_vec(), ..self }
    }

    fn knowing(self, attributes: &[(&str, Scalar)]) -> Self {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { attributes, ..self }
    }

    fn view(&'static self) -> Subject<'static> {
        Subject {
            user: self.user.as_ref().map(|(id, login, role, groups)| Person {
                id: UserId(*id),
                login,
                role: *role,
                groups,
            }),
            tags: &self.tags,
            addresses: &self.addresses,
            routes: &self.routes,
            attributes: &self.attributes,
        }
    }
}

static SUBJECTS: LazyLock<[Vec<Owned>; 2]> = LazyLock::new(|| [first(), second()]);

fn first() -> Vec<Owned> {
    let text = |text: &str| Scalar::Text(text.to_owned());
    vec![
        Owned::new(0).of(1, "ann@example.com", Role::Owner),
        Owned::new(1).of(1, "ann@example.com", Role::Owner).knowing(&[
            ("node:os", text("linux")),
            ("node:tsVersion", text("1.82.0")),
            ("custom:tier", text("gold")),
        ]),
        Owned::new(2).of(2, "ben@example.com", Role::Member).with_groups(&["dev"]),
        Owned::new(3).of(3, "eve@sales.example.com", Role::Auditor),
        Owned::new(4).of(4, "ann", Role::NetworkAdmin),
        Owned::new(5).tagged(&["tag:server"]),
        Owned::new(6).tagged(&["tag:server", "tag:web"]),
        Owned::new(7).tagged(&["tag:router"]).serving(&[v4(10, 0, 8)]),
        Owned::new(8).tagged(&["tag:router", "tag:exit"]).serving(&[v4(10, 0, 8), v4(0, 0, 0), V6_DEFAULT]),
        Owned::new(9).of(2, "ben@example.com", Role::Member).serving(&[v4(192, 168, 16)]),
        Owned::new(10).tagged(&["tag:db", "tag:relay", "tag:recorder"]),
        Owned::new(11),
    ]
}

fn second() -> Vec<Owned> {
    let text = |text: &str| Scalar::Text(text.to_owned());
    vec![
        Owned::new(0).of(1, "ann@example.com", Role::Member),
        Owned::new(1).of(1, "ann@example.com", Role::Owner).knowing(&[("node:os", text("macos"))]),
        Owned::new(2).of(2, "ben@example.com", Role::Member).with_groups(&["ops"]),
        Owned::new(3).tagged(&["tag:server"]),
        Owned::new(4).of(4, "ann", Role::ItAdmin).knowing(&[("custom:n", Scalar::Number(-3.0))]),
        Owned { addresses: Owned::new(40).addresses, ..Owned::new(5).tagged(&["tag:server"]) },
        Owned::new(6).of(3, "eve@sales.example.com", Role::Auditor),
        Owned::new(7).tagged(&["tag:router"]).serving(&[v4(10, 20, 16)]),
        Owned::new(8).tagged(&["tag:exit"]).serving(&[v4(0, 0, 0), V6_DEFAULT]),
        Owned::new(9).of(2, "ben@example.com", Role::Member),
        Owned::new(10).tagged(&["tag:t"]).serving(&[v4(10, 0, 8)]),
        Owned::new(11).of(5, "zoe@example.com", Role::BillingAdmin),
    ]
}
