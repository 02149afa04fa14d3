//! The nodes of a tailnet in the light of one policy: their classes, and who stands for which word.

mod under;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use imbl::OrdMap;
use wattle_netmap::{Capability, NodeId, Prefix, UserId};

use crate::AddressSet;
use crate::bits::Bits;
use crate::class::{Class, Shift};
use crate::language::document::{Role, Scalar};
use crate::policy::Policy;
use crate::selector::Selector;
use crate::subject::{Person, Subject, is_exit_route};

/// All nodes with their classes. A change of a node touches that node and the words that select it, nothing else. A clone
/// shares all that is not changed afterwards.
#[derive(Clone, Debug)]
pub struct Roster {
    policy: Arc<Policy>,
    nodes: OrdMap<NodeId, Arc<Member>>,
    by_user: OrdMap<UserId, Arc<BTreeSet<NodeId>>>,
    /// By number of a word: the addresses of the nodes that it selects by who they are.
    members: Vec<Arc<AddressSet>>,
    /// By number of a list of sources that asks for a posture: the addresses of the nodes that have it.
    postured: BTreeMap<usize, Arc<AddressSet>>,
    /// Approved subnet routes, and who serves them.
    routes: OrdMap<Prefix, Arc<BTreeSet<NodeId>>>,
    /// The addresses of these routes.
    routed: Arc<AddressSet>,
    /// What the policy makes of people and of sets of tags: nodes of one owner differ in little else.
    profiles: OrdMap<Identity, Arc<Profile>>,
}

/// What tells nodes apart for a policy, before addresses, routes and postures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Identity {
    User(UserId),
    Tags(Vec<String>),
    Nobody,
}

#[derive(Clone, Debug)]
struct Profile {
    login: String,
    role: Role,
    groups: Vec<String>,
    who: Arc<BTreeSet<usize>>,
    /// The class of a node with nothing else about it.
    plain: Option<Arc<Class>>,
}

/// A node as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    pub(crate) class: Arc<Class>,
    /// Words that select it for who it is.
    pub(crate) who: Arc<BTreeSet<usize>>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) tags: Vec<String>,
    pub(crate) user: Option<UserId>,
    pub(crate) login: String,
    pub(crate) routes: Vec<Route>,
    pub(crate) exit_node: bool,
    attributes: BTreeMap<String, Scalar>,
    /// Lists of sources with postures that it is in, and its addresses there.
    pub(crate) postured: BTreeMap<usize, Vec<IpAddr>>,
}

/// A route that a node serves.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) prefix: Prefix,
    /// Rules that let somebody reach it.
    pub(crate) to: Bits,
    /// Rules that let somebody behind it reach others.
    pub(crate) from: Bits,
}

impl Member {
    pub(crate) fn subnet_routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(|route| !is_exit_route(&route.prefix))
    }

    /// Whether some of a prefix lies behind it.
    pub(crate) fn is_behind(&self, prefix: &Prefix) -> bool {
        self.subnet_routes().any(|route| route.prefix.contains(prefix) || prefix.contains(&route.prefix))
    }

    /// Whether it has an owner and no tags.
    pub(crate) fn owner(&self) -> Option<UserId> {
        self.user.filter(|_| self.tags.is_empty())
    }
}

impl Roster {
    /// Nobody yet.
    pub fn new(policy: Arc<Policy>) -> Self {
        let asks = |(number, sources): (usize, &crate::rule::Sources)| {
            (!sources.postures.is_empty()).then(|| (number, Arc::default()))
        };
        Self {
            nodes: OrdMap::new(),
            by_user: OrdMap::new(),
            members: vec![Arc::default(); policy.selectors.all.len()],
            postured: policy.sources.iter().enumerate().filter_map(asks).collect(),
            routes: OrdMap::new(),
            routed: Arc::default(),
            profiles: OrdMap::new(),
            policy,
        }
    }

    /// Many nodes at once.
    pub fn with_nodes<'a>(policy: Arc<Policy>, nodes: impl IntoIterator<Item = (NodeId, Subject<'a>)>) -> Self {
        let mut roster = Self::new(policy);
        // Addresses are gathered and sorted once, instead of finding each one its place.
        let mut addresses: Vec<Vec<(IpAddr, IpAddr)>> = vec![Vec::new(); roster.members.len()];
        let mut postured: BTreeMap<usize, Vec<(IpAddr, IpAddr)>> = BTreeMap::new();
        let mut by_user: BTreeMap<UserId, BTreeSet<NodeId>> = BTreeMap::new();
        for (id, subject) in nodes {
            let member = roster.member(id, &subject);
            let own = || member.addresses.iter().map(|address| (*address, *address));
            for word in member.who.iter() {
                if let Some(set) = addresses.get_mut(*word) {
                    set.extend(own());
                }
            }
            for (list, own) in &member.postured {
                postured.entry(*list).or_default().extend(own.iter().map(|address| (*address, *address)));
            }
            member.subnet_routes().for_each(|route| add_route(&mut roster.routes, route.prefix, id));
            if let Some(user) = member.owner() {
                by_user.entry(user).or_default().insert(id);
            }
            roster.nodes.insert(id, Arc::new(member));
        }
        roster.routed = Arc::new(routed(&roster.routes));
        roster.members = addresses.into_iter().map(|set| Arc::new(set.into_iter().collect())).collect();
        for (list, set) in postured {
            roster.postured.insert(list, Arc::new(set.into_iter().collect()));
        }
        roster.by_user = by_user.into_iter().map(|(user, nodes)| (user, Arc::new(nodes))).collect();
        roster
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a node, or says what it is like now. Tells what that means to others.
    pub fn insert(&mut self, id: NodeId, subject: &Subject<'_>) -> Shift {
        let before = self.take(id);
        let member = self.member(id, subject);
        for word in member.who.iter() {
            if let Some(set) = self.members.get_mut(*word) {
                let set = Arc::make_mut(set);
                member.addresses.iter().for_each(|address| set.insert(*address, *address));
            }
        }
        for (list, own) in &member.postured {
            let set = Arc::make_mut(self.postured.entry(*list).or_default());
            own.iter().for_each(|address| set.insert(*address, *address));
        }
        member.subnet_routes().for_each(|route| add_route(&mut self.routes, route.prefix, id));
        if let Some(user) = member.owner() {
            Arc::make_mut(self.by_user.entry(user).or_default()).insert(id);
        }
        let member = Arc::new(member);
        self.nodes.insert(id, member.clone());
        self.shift(before.as_deref(), Some(&member))
    }

    /// Forgets a node. Tells what that means to others.
    pub fn remove(&mut self, id: NodeId) -> Shift {
        let before = self.take(id);
        self.shift(before.as_deref(), None)
    }

    fn take(&mut self, id: NodeId) -> Option<Arc<Member>> {
        let member = self.nodes.remove(&id)?;
        for word in member.who.iter() {
            if let Some(set) = self.members.get_mut(*word) {
                let set = Arc::make_mut(set);
                member.addresses.iter().for_each(|address| set.remove(*address, *address));
            }
        }
        for (list, own) in &member.postured {
            let set = Arc::make_mut(self.postured.entry(*list).or_default());
            own.iter().for_each(|address| set.remove(*address, *address));
        }
        for route in member.subnet_routes() {
            remove_from(&mut self.routes, &route.prefix, id);
        }
        if let Some(user) = member.owner() {
            remove_from(&mut self.by_user, &user, id);
        }
        Some(member)
    }

    fn shift(&mut self, before: Option<&Member>, after: Option<&Member>) -> Shift {
        let class = |member: Option<&Member>| member.map(|member| member.class.clone());
        let nothing = Class::default();
        let bits = |member: Option<&Member>, of: fn(&Class) -> &Bits| {
            of(member.map_or(&nothing, |member| &member.class)).clone()
        };
        let (addresses_before, addresses_after) = (before.map(|m| &m.addresses), after.map(|m| &m.addresses));
        let moved = before.is_some() && after.is_some() && addresses_before != addresses_after;
        let mut lists = bits(before, |class| &class.listed).difference(&bits(after, |class| &class.listed));
        let offered = |member: Option<&Member>| {
            member.map(|member| self.policy.rules_that_offer(&member.who)).unwrap_or_default()
        };
        let mut companions = offered(before).difference(&offered(after));
        if moved {
            lists.extend(&bits(after, |class| &class.listed));
            companions.extend(&offered(after));
        }
        // With a posture a node may be listed with some of its addresses, by the words that select it.
        let postured = |member: Option<&Member>| member.map(|member| member.postured.clone()).unwrap_or_default();
        let (stood, stands) = (postured(before), postured(after));
        if stood != stands {
            lists.extend(&self.policy.rules_of_lists(|list| stood.get(&list) != stands.get(&list)));
        }
        let routes = |member: Option<&Member>| -> Vec<Prefix> {
            member.iter().flat_map(|member| &member.routes).map(|route| route.prefix).collect()
        };
        let rerouted = routes(before) != routes(after);
        if rerouted {
            self.routed = Arc::new(routed(&self.routes));
            lists.extend(&self.policy.route_sources);
            companions.extend(&self.policy.companions);
        }
        // Of the routers with a tag of `via`, one is in charge: another may be when one of them has other tags.
        let steers = |member: Option<&Member>| -> BTreeSet<String> {
            let router = member.filter(|member| member.subnet_routes().next().is_some());
            router.iter().flat_map(|router| &router.tags).filter(|tag| self.policy.is_via_tag(tag)).cloned().collect()
        };
        let routes = rerouted || steers(before) != steers(after);
        let for_all_own = self.policy.companions.clone();
        let renamed = before.zip(after).is_some_and(|(before, after)| {
            let name = |member: &Member| (member.user, member.login.clone(), member.tags.clone());
            before.who != after.who
                || name(before) != name(after)
                || (self.policy.has_ssh_postures() && before.attributes != after.attributes)
        });
        Shift { before: class(before), after: class(after), lists, companions, for_all_own, moved, renamed, routes }
    }

    /// A node in the light of the policy.
    fn member(&mut self, id: NodeId, subject: &Subject<'_>) -> Member {
        let policy = self.policy.clone();
        let identity = match (subject.tags, &subject.user) {
            ([], Some(person)) => Identity::User(person.id),
            ([], None) => Identity::Nobody,
            (tags, _) => Identity::Tags(tags.to_vec()),
        };
        let person = subject.user.unwrap_or(Person { id: UserId(0), login: "", role: Role::Member, groups: &[] });
        let known = self.profiles.get(&identity).filter(|profile| {
            profile.login == person.login && profile.role == person.role && profile.groups == person.groups
        });
        let mut profile = match known {
            Some(profile) => profile.clone(),
            None => Arc::new(Profile {
                login: person.login.to_owned(),
                role: person.role,
                groups: person.groups.to_vec(),
                who: Arc::new(policy.selectors.of(subject)),
                plain: None,
            }),
        };
        let plain = subject.routes.is_empty() && !policy.looks_at(subject);
        let class = match &profile.plain {
            Some(class) if plain => class.clone(),
            _ => Arc::new(policy.class_of(subject, &profile.who)),
        };
        if plain && profile.plain.is_none() {
            Arc::make_mut(&mut profile).plain = Some(class.clone());
        }
        if known.is_none_or(|known| !Arc::ptr_eq(known, &profile)) {
            self.profiles.insert(identity, profile.clone());
        }
        let in_list = |list: &usize| {
            let sources = policy.sources.get(*list).filter(|sources| !policy.lacks_posture(sources, subject))?;
            let own: Vec<IpAddr> = policy.listed(sources, &profile.who, subject.addresses).copied().collect();
            (!own.is_empty()).then_some((*list, own))
        };
        let route =
            |prefix: &Prefix| Route { prefix: *prefix, to: policy.rules_to(prefix), from: policy.rules_from(prefix) };
        Member {
            id,
            class,
            who: profile.who.clone(),
            addresses: subject.addresses.to_vec(),
            tags: subject.tags.to_vec(),
            user: subject.user.map(|person| person.id),
            login: person.login.to_owned(),
            routes: subject.routes.iter().map(route).collect(),
            exit_node: subject.is_exit_node(),
            attributes: subject.attributes.clone(),
            postured: self.postured.keys().filter_map(in_list).collect(),
        }
    }

    /// The class of a node.
    pub fn class(&self, node: NodeId) -> Option<&Arc<Class>> {
        self.nodes.get(&node).map(|member| &member.class)
    }

    /// The addresses of a node.
    pub fn addresses_of_node(&self, node: NodeId) -> &[IpAddr] {
        self.nodes.get(&node).map(|member| member.addresses.as_slice()).unwrap_or_default()
    }

    pub(crate) fn member_of(&self, node: NodeId) -> Option<&Arc<Member>> {
        self.nodes.get(&node)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.nodes.values()
    }

    /// The untagged nodes of a user.
    pub(crate) fn of_user(&self, user: UserId) -> impl Iterator<Item = &Arc<Member>> {
        self.by_user.get(&user).into_iter().flat_map(|nodes| nodes.iter()).filter_map(|node| self.nodes.get(node))
    }

    /// The approved subnet routes.
    pub(crate) fn approved_routes(&self) -> impl Iterator<Item = &Prefix> {
        self.routes.keys()
    }

    /// Those who serve an approved subnet route.
    pub(crate) fn approved_routes_of(&self, route: &Prefix) -> Option<&BTreeSet<NodeId>> {
        self.routes.get(route).map(Arc::as_ref)
    }

    /// The addresses of all approved subnet routes.
    pub(crate) fn routed(&self) -> &Arc<AddressSet> {
        &self.routed
    }

    /// The addresses of the nodes that a word selects for who they are.
    pub(crate) fn members(&self, word: usize) -> Option<&Arc<AddressSet>> {
        self.members.get(word)
    }

    /// The addresses of those in a list of sources that asks for a posture.
    pub(crate) fn postured(&self, list: usize) -> Option<&Arc<AddressSet>> {
        self.postured.get(&list)
    }

    /// What the policy says that a node may do, or is: capabilities without those that every node has.
    pub fn attributes(&self, node: NodeId) -> Vec<Capability> {
        let Some(member) = self.nodes.get(&node) else { return Vec::new() };
        let mut found: BTreeMap<&str, &Capability> = BTreeMap::new();
        for attribute in &self.policy.attributes {
            if attribute.targets.iter().any(|word| self.selects(*word, member)) {
                attribute
                    .capabilities
                    .iter()
                    .for_each(|capability| _ = found.entry(&capability.name).or_insert(capability));
            }
        }
        found.into_values().cloned().collect()
    }

    /// Whether a word selects a node: for who it is, or where.
    pub(crate) fn selects(&self, word: usize, member: &Member) -> bool {
        member.who.contains(&word) || self.policy.selects_address(word, &member.addresses)
    }

    /// The addresses at which a rule is for a node itself, not for what lies behind it.
    pub(crate) fn source_addresses(&self, member: &Member, rule: usize) -> Vec<IpAddr> {
        let list = self.policy.rules.get(rule).map(|rule| rule.sources);
        let Some((list, sources)) = list.and_then(|list| Some((list, self.policy.sources.get(list)?))) else {
            return Vec::new();
        };
        match sources.postures.is_empty() {
            true => self.policy.listed(sources, &member.who, &member.addresses).copied().collect(),
            false => member.postured.get(&list).cloned().unwrap_or_default(),
        }
    }

    /// What is known about the state of a node.
    pub fn posture_attributes(&self, node: NodeId) -> Option<&BTreeMap<String, Scalar>> {
        self.nodes.get(&node).map(|member| &member.attributes)
    }
}

impl Policy {
    /// Whether a word selects one of these addresses, whoever has them.
    pub(crate) fn selects_address(&self, word: usize, addresses: &[IpAddr]) -> bool {
        match self.selectors.selector(word) {
            Some(Selector::Anyone | Selector::World) => true,
            Some(Selector::Where(set)) => addresses.iter().any(|address| set.contains(*address)),
            Some(Selector::Who | Selector::Internet | Selector::SameUser) | None => false,
        }
    }
}

fn routed(routes: &OrdMap<Prefix, Arc<BTreeSet<NodeId>>>) -> AddressSet {
    routes.keys().map(|route| (route.network(), route.broadcast())).collect()
}

fn add_route(routes: &mut OrdMap<Prefix, Arc<BTreeSet<NodeId>>>, route: Prefix, node: NodeId) {
    Arc::make_mut(routes.entry(route).or_default()).insert(node);
}

fn remove_from<K: Ord + Clone>(map: &mut OrdMap<K, Arc<BTreeSet<NodeId>>>, key: &K, node: NodeId) {
    let Some(nodes) = map.get_mut(key) else { return };
    let nodes = Arc::make_mut(nodes);
    nodes.remove(&node);
    if nodes.is_empty() {
        map.remove(key);
    }
}
