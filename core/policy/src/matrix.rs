//! Who may reach whom, all of it: people and tags that are alike stand together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use wattle_netmap::{NodeId, Prefix, UserId};

use crate::access::{Access, Goal, RuleName};
use crate::bits::Bits;
use crate::class::Class;
use crate::roster::{Member, Roster};

/// Who has access, or is what access is to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The untagged nodes of a user.
    User(UserId),
    /// The nodes with just these tags.
    Tags(Vec<String>),
    /// What lies behind a route.
    Route(Prefix),
    /// The internet, by way of an exit node.
    Internet,
}

impl fmt::Display for Party {
    /// Users are numbers here: their names are elsewhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user {}", user.0),
            Self::Tags(tags) => f.write_str(&tags.join(" + ")),
            Self::Route(route) => write!(f, "{route}"),
            Self::Internet => f.write_str("the internet"),
        }
    }
}

/// What some may do with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Who, all alike.
    pub who: Vec<Party>,
    /// With whom, all alike.
    pub whom: Vec<Party>,
    /// Whether it holds only within each of them: people and their own other nodes.
    pub own: bool,
    /// What.
    pub access: Access,
    /// By which rules.
    pub rules: Vec<RuleName>,
}

/// Access that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gain {
    /// Whether it came.
    pub gains: bool,
    /// Whose, all alike.
    pub who: Vec<Party>,
    /// To whom, all alike.
    pub whom: Vec<Party>,
    /// Whether it is only within each of them: people and their own other nodes.
    pub own: bool,
    /// What.
    pub access: Access,
}

/// What makes parties alike: the policy decides nothing differently about them.
type Kind = (Class, BTreeSet<usize>, Bits);

/// Parties that are alike, with a node for each way in which their nodes differ.
struct Group {
    parties: Vec<Party>,
    /// Nodes that stand for all of them, by number.
    nodes: Vec<NodeId>,
}

impl Roster {
    /// All access that there is. Parties without any don't occur.
    pub fn matrix(&self) -> Vec<Cell> {
        let groups = groups(&[self]);
        let mut cells = Vec::new();
        for who in &groups {
            for whom in &groups {
                let (access, rules) = self.between(who, whom, false);
                self.push_cell(&mut cells, who, whom.parties.clone(), false, access, rules);
            }
            let (access, rules) = self.between(who, who, true);
            let (common, _) = self.between(who, who, false);
            self.push_cell(&mut cells, who, who.parties.clone(), true, access.without(&common), rules);
            for place in self.places() {
                let (access, rules) = self.towards_place(who, &place);
                self.push_cell(&mut cells, who, vec![place], false, access, rules);
            }
        }
        cells
    }

    fn push_cell(
        &self,
        cells: &mut Vec<Cell>,
        who: &Group,
        whom: Vec<Party>,
        own: bool,
        access: Access,
        rules: BTreeSet<usize>,
    ) {
        if !access.is_empty() {
            let rules = rules.into_iter().map(|number| self.policy().rule_name(number)).collect();
            cells.push(Cell { who: who.parties.clone(), whom, own, access, rules });
        }
    }

    /// Routes and the internet, as far as somebody serves them.
    fn places(&self) -> Vec<Party> {
        let mut places: Vec<Party> = self.approved_routes().map(|route| Party::Route(*route)).collect();
        if self.all().any(|member| member.exit_node) {
            places.push(Party::Internet);
        }
        places
    }

    /// `own`: between nodes of one user.
    fn between(&self, who: &Group, whom: &Group, own: bool) -> (Access, BTreeSet<usize>) {
        let mut sum = (Access::default(), BTreeSet::new());
        for from in who.nodes.iter().filter_map(|node| self.member_of(*node)) {
            for to in whom.nodes.iter().filter_map(|node| self.member_of(*node)) {
                let (access, rules) = self.access(from, Goal::Node(to, own));
                sum.0.packets.extend(access.packets);
                sum.0.capabilities.extend(access.capabilities);
                sum.1.extend(rules);
            }
        }
        sum
    }

    fn towards_place(&self, who: &Group, place: &Party) -> (Access, BTreeSet<usize>) {
        let goal = match place {
            Party::Route(route) => Goal::Route(route),
            Party::User(_) | Party::Tags(_) | Party::Internet => Goal::Internet,
        };
        let mut sum = (Access::default(), BTreeSet::new());
        for from in who.nodes.iter().filter_map(|node| self.member_of(*node)) {
            let (access, rules) = self.access(from, goal);
            sum.0.packets.extend(access.packets);
            sum.0.capabilities.extend(access.capabilities);
            sum.1.extend(rules);
        }
        sum
    }

    /// What the policy decides about a node, without whose it is.
    fn kind(&self, member: &Member) -> Kind {
        let mut words = BTreeSet::clone(&member.who);
        member.addresses.iter().for_each(|address| self.policy().selectors.add_at(*address, &mut words));
        words.retain(|word| self.policy().is_target_word(*word));
        // Of the rules for a router, some are for what lies behind it.
        let sources = member.class.sources.iter().filter(|rule| self.is_source(member, *rule)).collect();
        (Class { user: None, ..Class::clone(&member.class) }, words, sources)
    }
}

/// What people and tags gain and lose when the same nodes come under another policy.
pub fn difference(before: &Roster, after: &Roster) -> Vec<Gain> {
    let groups = groups(&[before, after]);
    let mut gains = Vec::new();
    let mut compare = |who: &Group, whom: &[Party], own: bool, old: Access, new: Access| {
        for (gained, access) in [(true, new.without(&old)), (false, old.without(&new))] {
            if !access.is_empty() {
                gains.push(Gain { gains: gained, who: who.parties.clone(), whom: whom.to_vec(), own, access });
            }
        }
    };
    let mut places = before.places();
    places.extend(after.places());
    places.sort_unstable();
    places.dedup();
    for who in &groups {
        for whom in &groups {
            compare(who, &whom.parties, false, before.between(who, whom, false).0, after.between(who, whom, false).0);
        }
        let own = |roster: &Roster| roster.between(who, who, true).0.without(&roster.between(who, who, false).0);
        compare(who, &who.parties, true, own(before), own(after));
        for place in &places {
            let of = |roster: &Roster| roster.towards_place(who, place).0;
            compare(who, std::slice::from_ref(place), false, of(before), of(after));
        }
    }
    gains
}

/// Parties that are alike in all rosters.
fn groups(rosters: &[&Roster]) -> Vec<Group> {
    let mut parties: BTreeMap<Party, BTreeMap<Vec<Option<Kind>>, NodeId>> = BTreeMap::new();
    let nodes: BTreeSet<NodeId> = rosters.iter().flat_map(|roster| roster.all()).map(|member| member.id).collect();
    for node in nodes {
        let members: Vec<Option<&Arc<Member>>> = rosters.iter().map(|roster| roster.member_of(node)).collect();
        let Some(member) = members.iter().rev().find_map(|member| *member) else { continue };
        let party = match member.owner() {
            Some(user) => Party::User(user),
            None => Party::Tags(member.tags.clone()),
        };
        let kinds = rosters.iter().zip(&members).map(|(roster, member)| member.map(|member| roster.kind(member)));
        parties.entry(party).or_default().entry(kinds.collect()).or_insert(node);
    }
    let mut groups: BTreeMap<Vec<Vec<Option<Kind>>>, Group> = BTreeMap::new();
    for (party, kinds) in parties {
        let (kinds, nodes): (Vec<_>, Vec<NodeId>) = kinds.into_iter().unzip();
        groups.entry(kinds).or_insert_with(|| Group { parties: Vec::new(), nodes }).parties.push(party);
    }
    groups.into_values().collect()
}
