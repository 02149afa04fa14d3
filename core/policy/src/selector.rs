//! What the words of a policy select, and which of them select a given node or address: found by look-ups, never by
//! going through the words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use prefix_trie::joint::JointPrefixMap;
use wattle_netmap::Prefix;

use crate::AddressSet;
use crate::language::document::{Alias, Autogroup, Document, Member, Role};
use crate::subject::Subject;
use crate::{ip_set, ranges};

/// What one word stands for.
#[derive(Clone, Debug)]
pub(crate) enum Selector {
    /// Nodes by who they are.
    Who,
    /// Addresses, whoever has them.
    Where(AddressSet),
    /// `*`
    Anyone,
    /// `autogroup:danger-all`
    World,
    /// `autogroup:internet`
    Internet,
    /// `autogroup:self`
    SameUser,
}

/// All words of a policy, numbered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selectors {
    pub(crate) all: Vec<(Alias, Selector)>,
    numbers: BTreeMap<Alias, usize>,
    by_user: BTreeMap<String, BTreeSet<usize>>,
    by_domain: BTreeMap<String, BTreeSet<usize>>,
    by_provided_group: BTreeMap<String, BTreeSet<usize>>,
    by_tag: BTreeMap<String, BTreeSet<usize>>,
    by_role: BTreeMap<Role, BTreeSet<usize>>,
    member: BTreeSet<usize>,
    tagged: BTreeSet<usize>,
    by_prefix: JointPrefixMap<Prefix, Vec<usize>>,
    ip_sets: BTreeMap<String, AddressSet>,
}

impl Selectors {
    pub(crate) fn new(document: &Document) -> Self {
        Self { ip_sets: ip_set::all(document), ..Self::default() }
    }

    /// The number of a word; a new one is resolved now. References that lead nowhere select nothing.
    pub(crate) fn number(&mut self, alias: &Alias, document: &Document) -> usize {
        if let Some(number) = self.numbers.get(alias) {
            return *number;
        }
        let number = self.all.len();
        let selector = self.resolve(number, alias, document);
        if let Selector::Where(set) = &selector {
            for prefix in set.prefixes() {
                match self.by_prefix.get_mut(&prefix) {
                    Some(numbers) => numbers.push(number),
                    None => _ = self.by_prefix.insert(prefix, vec![number]),
                }
            }
        }
        self.all.push((alias.clone(), selector));
        self.numbers.insert(alias.clone(), number);
        number
    }

    fn resolve(&mut self, number: usize, alias: &Alias, document: &Document) -> Selector {
        match alias {
            Alias::Any => return Selector::Anyone,
            Alias::User(name) => add(&mut self.by_user, name, number),
            Alias::Domain(domain) => add(&mut self.by_domain, &domain.to_lowercase(), number),
            Alias::Tag(tag) => add(&mut self.by_tag, tag, number),
            Alias::Group(group) => {
                add(&mut self.by_provided_group, group.strip_prefix("group:").unwrap_or(group), number);
                for member in document.groups.get(group).into_iter().flatten() {
                    match &member.what {
                        Member::User(name) => add(&mut self.by_user, name, number),
                        Member::Domain(domain) => add(&mut self.by_domain, &domain.to_lowercase(), number),
                    }
                }
            }
            Alias::Autogroup(autogroup) => match autogroup {
                Autogroup::Internet => return Selector::Internet,
                Autogroup::Self_ => return Selector::SameUser,
                Autogroup::DangerAll => return Selector::World,
                Autogroup::Member => _ = self.member.insert(number),
                Autogroup::Tagged => _ = self.tagged.insert(number),
                Autogroup::Role(role) => _ = self.by_role.entry(*role).or_default().insert(number),
                // Nobody: logins are not nodes, and nodes of other tailnets are not shared here.
                Autogroup::NonRoot | Autogroup::Shared => {}
            },
            Alias::Host(host) => {
                let set = document.hosts.get(host).map(|prefix| AddressSet::from(prefix.what)).unwrap_or_default();
                return Selector::Where(set);
            }
            Alias::IpSet(name) => return Selector::Where(self.ip_sets.get(name).cloned().unwrap_or_default()),
            Alias::Prefix(prefix) => return Selector::Where(AddressSet::from(*prefix)),
            // Services have no addresses here: nothing hosts them yet.
            Alias::Service(_) => return Selector::Where(AddressSet::default()),
        }
        Selector::Who
    }

    /// The number of a word of the policy.
    pub(crate) fn find(&self, alias: &Alias) -> Option<usize> {
        self.numbers.get(alias).copied()
    }

    /// The words that select a node by who it is, ascending.
    pub(crate) fn of(&self, subject: &Subject<'_>) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        match &subject.user {
            Some(person) if subject.tags.is_empty() => {
                found.extend(&self.member);
                find(&self.by_user, person.login, &mut found);
                match person.login.rsplit_once('@') {
                    Some((_, domain)) => find(&self.by_domain, &domain.to_lowercase(), &mut found),
                    // A local user, `alice`, is written `alice@`.
                    None => find(&self.by_user, &format!("{}@", person.login), &mut found),
                }
                person.groups.iter().for_each(|group| find(&self.by_provided_group, group, &mut found));
                found.extend(self.by_role.get(&person.role).into_iter().flatten());
                if person.role == Role::Owner {
                    found.extend(self.by_role.get(&Role::Admin).into_iter().flatten());
                }
            }
            Some(_) | None => {}
        }
        if !subject.tags.is_empty() {
            found.extend(&self.tagged);
            subject.tags.iter().for_each(|tag| find(&self.by_tag, tag, &mut found));
        }
        found
    }

    /// Adds the words that select an address, by where it is.
    pub(crate) fn add_at(&self, address: IpAddr, found: &mut BTreeSet<usize>) {
        if !self.by_prefix.is_empty() {
            found.extend(self.by_prefix.cover(&Prefix::from(address)).flat_map(|(_, numbers)| numbers));
        }
    }

    /// Adds the words that select an address of a prefix.
    pub(crate) fn add_overlapping(&self, prefix: &Prefix, found: &mut BTreeSet<usize>) {
        if !self.by_prefix.is_empty() {
            found.extend(self.by_prefix.cover(prefix).flat_map(|(_, numbers)| numbers));
            found.extend(self.by_prefix.children(prefix).flat_map(|(_, numbers)| numbers));
        }
    }

    /// The addresses that a word means by itself, without nodes.
    pub(crate) fn fixed(&self, number: usize) -> Option<AddressSet> {
        match &self.all.get(number)?.1 {
            Selector::Where(set) => Some(set.clone()),
            Selector::Anyone => Some(ranges::tailnet()),
            Selector::World => Some(AddressSet::world()),
            Selector::Internet => Some(ranges::internet()),
            Selector::Who | Selector::SameUser => None,
        }
    }

    pub(crate) fn selector(&self, number: usize) -> Option<&Selector> {
        self.all.get(number).map(|(_, selector)| selector)
    }
}

fn add(numbers: &mut BTreeMap<String, BTreeSet<usize>>, name: &str, number: usize) {
    numbers.entry(name.to_owned()).or_default().insert(number);
}

fn find(numbers: &BTreeMap<String, BTreeSet<usize>>, name: &str, found: &mut BTreeSet<usize>) {
    found.extend(numbers.get(name).into_iter().flatten());
}
