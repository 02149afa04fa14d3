//! What nodes, users and tags are called, as a question or an answer has it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use wattle_coordinator::Coordinator;
use wattle_netmap::{NodeId, UserId};
use wattle_policy::language::document::Role;
use wattle_policy::{Party, Roster};

use crate::admin::documents::PartiesDocument;
use crate::limits::{NAMES_IN_SENTENCE_MAX, NAMES_LISTED_MAX};

/// The tailnet at one moment, away from the event loop.
pub(super) struct Scene {
    pub(super) roster: Roster,
    pub(super) revision: u64,
    pub(super) names: Names,
    /// Who must not be locked out.
    pub(super) administrators: BTreeSet<UserId>,
}

/// Names.
pub(super) struct Names {
    users: BTreeMap<UserId, String>,
    pub(super) nodes: Vec<NodeName>,
}

/// A node, as far as people name it.
pub(super) struct NodeName {
    pub(super) id: NodeId,
    pub(super) label: String,
    pub(super) addresses: [IpAddr; 2],
    pub(super) owner: Option<UserId>,
    tags: Vec<String>,
}

impl Scene {
    pub(super) fn of(coordinator: &Coordinator) -> Self {
        let users = coordinator.users();
        let chiefs = users.filter(|user| matches!(user.role, Role::Owner | Role::Admin)).map(|user| user.id);
        let mut administrators: BTreeSet<UserId> = chiefs.collect();
        // Where nobody was given a role, everybody counts: somebody there runs the tailnet.
        if administrators.is_empty() {
            administrators = coordinator.users().map(|user| user.id).collect();
        }
        let nodes = coordinator.nodes().map(|entry| NodeName {
            id: entry.record.id,
            label: entry.record.label.clone(),
            addresses: entry.record.addresses(),
            owner: entry.record.owner(),
            tags: entry.record.tags.clone(),
        });
        let names = Names {
            users: coordinator.users().map(|user| (user.id, user.login_name.clone())).collect(),
            nodes: nodes.collect(),
        };
        Self { roster: coordinator.roster().clone(), revision: coordinator.policy_revision(), names, administrators }
    }
}

impl Names {
    /// The first node that a text means: by name, number or address, as a user's or with a tag.
    pub(super) fn node(&self, text: &str) -> Option<&NodeName> {
        let label = text.split('.').next().unwrap_or_default();
        let (address, number) = (text.parse::<IpAddr>().ok(), text.parse().ok().map(NodeId));
        // A user without a domain is written `alice@` in policies.
        let login = text.strip_suffix('@').unwrap_or(text);
        let user = self.users.iter().find(|(_, name)| name.as_str() == text || name.as_str() == login);
        let user = user.map(|(id, _)| *id);
        let ways: [&dyn Fn(&NodeName) -> bool; 4] = [
            &|node| address.is_some_and(|address| node.addresses.contains(&address)),
            &|node| node.label.eq_ignore_ascii_case(label) || Some(node.id) == number,
            &|node| user.is_some() && node.owner == user,
            &|node| node.tags.iter().any(|tag| tag == text),
        ];
        ways.iter().find_map(|fits| self.nodes.iter().find(|node| fits(node)))
    }

    /// `laptop (alice@example.com)`
    pub(super) fn call(&self, node: &NodeName) -> String {
        let whose = match node.owner {
            Some(user) => self.user(user),
            None if node.tags.is_empty() => return node.label.clone(),
            None => node.tags.join(" + "),
        };
        format!("{} ({whose})", node.label)
    }

    pub(super) fn party(&self, party: &Party) -> String {
        match party {
            Party::User(user) => self.user(*user),
            other => other.to_string(),
        }
    }

    /// The names of parties; those that hold `wanted` come first.
    pub(super) fn parties(&self, parties: &[Party], wanted: &str) -> PartiesDocument {
        let mut names: Vec<String> = parties.iter().map(|party| self.party(party)).collect();
        if !wanted.is_empty() {
            names.sort_by_key(|name| !holds(name, wanted));
        }
        names.truncate(NAMES_LISTED_MAX);
        PartiesDocument { names, count: parties.len() }
    }

    fn user(&self, user: UserId) -> String {
        self.users.get(&user).cloned().unwrap_or_else(|| format!("user {}", user.0))
    }
}

impl PartiesDocument {
    /// `alice, bob and 3 others`
    pub(crate) fn in_words(&self) -> String {
        in_words(&self.names, self.count)
    }
}

/// The first few of `count` names.
pub(super) fn in_words(names: &[String], count: usize) -> String {
    let shown = names.get(..NAMES_IN_SENTENCE_MAX.min(names.len())).unwrap_or_default();
    match (count - shown.len().min(count), shown) {
        (_, []) => "nobody".to_owned(),
        (0, [one]) => one.clone(),
        (0, [first @ .., last]) => format!("{} and {last}", first.join(", ")),
        (1, names) => format!("{} and 1 other", names.join(", ")),
        (others, names) => format!("{} and {others} others", names.join(", ")),
    }
}

/// Whether a name has this in it, in any case.
pub(super) fn holds(name: &str, wanted: &str) -> bool {
    name.to_lowercase().contains(&wanted.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_names_are_cut_in_sentences() {
        let names: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec();
        assert_eq!(in_words(&names[..1], 1), "a");
        assert_eq!(in_words(&names[..3], 3), "a, b and c");
        assert_eq!(in_words(&names, 6), "a, b, c, d and 2 others");
        assert_eq!(in_words(&names[..4], 5), "a, b, c, d and 1 other");
        assert_eq!(in_words(&[], 0), "nobody");
    }
}
