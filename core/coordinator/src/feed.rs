//! What each stream must be told. A stream is a node and the revision that it has seen; the log says what happened since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use wattle_netmap::{Delta, DerpMap, DnsConfig, FilterRule, Node, NodeId, NodePatch, User, UserId};
use wattle_policy::{Class, Roster, Shift};

use crate::limits;
use crate::state::{Coordinator, Entry};
use crate::view::{PeerView, Sight};

/// A point in the history of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// Something that some stream may have to be told.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A node came, changed or went.
    Node {
        id: NodeId,
        /// What that means to the policy.
        shift: Shift,
        news: NodeNews,
    },
    /// A user's name changed.
    User(UserId),
    /// The policy changed. The classes of all nodes were these.
    Policy { before: Arc<Roster> },
    /// The relays changed.
    Derp,
}

/// What of a node changed.
#[derive(Clone, Debug)]
pub(crate) enum NodeNews {
    /// Anything.
    Whole,
    /// This.
    Patch(Arc<NodePatch>),
    /// What only the node itself is shown.
    Itself,
}

/// The latest events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Of the newest event.
    revision: Revision,
    events: OrdMap<Revision, Arc<Event>>,
    policies: usize,
}

impl Log {
    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// Adds an event and forgets the oldest ones beyond the limits.
    pub(crate) fn push(&mut self, event: Event) -> Revision {
        self.revision.0 += 1;
        self.policies += usize::from(matches!(event, Event::Policy { .. }));
        self.events.insert(self.revision, Arc::new(event));
        while self.events.len() > limits::FEED_EVENTS_MAX || self.policies > limits::FEED_POLICIES_MAX {
            let Some((oldest, event)) = self.events.get_min().cloned() else { break };
            self.events.remove(&oldest);
            self.policies -= usize::from(matches!(*event, Event::Policy { .. }));
        }
        self.revision
    }

    /// The events after a revision, or `None` when they are forgotten.
    fn since(&self, from: Revision) -> Option<impl Iterator<Item = &Event>> {
        let oldest = self.events.get_min().map_or(self.revision.0, |(oldest, _)| oldest.0 - 1);
        let next = Revision(from.0 + 1);
        (oldest <= from.0 && from <= self.revision).then(|| self.events.range(next..).map(|(_, event)| event.as_ref()))
    }
}

/// What one stream is told to catch up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// What the stream has seen then.
    pub to: Revision,
    /// Whether this is everything, not what changed.
    pub whole: bool,
    /// Whether the stream must end: its node is gone, or it is too far behind. Nothing else is told then.
    pub over: bool,
    /// The node itself.
    pub self_node: Option<Box<Node>>,
    /// Peers that are new or changed, or all of them, by number.
    pub peers: Vec<Arc<PeerView>>,
    /// Peers that are gone.
    pub removed: Vec<NodeId>,
    /// Parts of peers that changed.
    pub patches: Vec<(NodeId, Arc<NodePatch>)>,
    /// Users that are new or changed.
    pub users: Vec<User>,
    /// The relays.
    pub derp: Option<Arc<DerpMap>>,
    /// Names.
    pub dns: Option<Arc<DnsConfig>>,
    /// All packet rules.
    pub rules: Option<Vec<FilterRule>>,
    /// The tailnet's name.
    pub domain: Option<String>,
}

/// The name of our one list of packet rules on the wire.
const RULES: &str = "base";

impl Update {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self { to: self.to, ..Self::default() }
    }

    /// The same as a change of a map.
    pub fn to_delta(&self) -> Delta {
        let node = |view: &Arc<PeerView>| (view.node.id, view.node.clone());
        Delta {
            self_node: self.self_node.clone(),
            all_peers: self.whole.then(|| self.peers.iter().map(|view| view.node.clone()).collect()),
            removed: self.removed.iter().copied().collect(),
            changed: if self.whole { BTreeMap::new() } else { self.peers.iter().map(node).collect() },
            patched: self.patches.iter().map(|(id, patch)| (*id, NodePatch::clone(patch))).collect(),
            users: self.users.iter().map(|user| (user.id, user.clone())).collect(),
            derp_regions: self.derp.as_ref().map(|derp| derp.regions.clone()),
            region_scores: self.derp.as_ref().map(|derp| derp.region_scores.clone()),
            dns: self.dns.as_deref().cloned(),
            clear_rules: self.whole,
            rules: self.rules.iter().map(|rules| (RULES.to_owned(), Some(rules.clone()))).collect(),
            domain: self.domain.clone(),
            ..Delta::default()
        }
    }
}

/// What happened to nodes since a revision, as far as a stream needs it.
#[derive(Default)]
struct History<'a> {
    /// Nodes with events: their class at the revision, and all that changed.
    touched: BTreeMap<NodeId, Touched<'a>>,
    /// The classes of all nodes before the first change of policy.
    old_roster: Option<&'a Arc<Roster>>,
    users: BTreeSet<UserId>,
    derp: bool,
}

struct Touched<'a> {
    class: Option<&'a Arc<Class>>,
    shifts: Vec<&'a Shift>,
    whole: bool,
    itself: bool,
    patches: Vec<&'a Arc<NodePatch>>,
}

impl<'a> History<'a> {
    fn read(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut history = Self::default();
        for event in events {
            match event {
                Event::Node { id, shift, news } => {
                    let old_roster = history.old_roster;
                    let touched = history.touched.entry(*id).or_insert_with(|| Touched {
                        class: old_roster.map_or(shift.before.as_ref(), |roster| roster.class(*id)),
                        shifts: Vec::new(),
                        whole: false,
                        itself: false,
                        patches: Vec::new(),
                    });
                    touched.shifts.push(shift);
                    match news {
                        NodeNews::Whole => touched.whole = true,
                        NodeNews::Patch(patch) => touched.patches.push(patch),
                        NodeNews::Itself => touched.itself = true,
                    }
                }
                Event::User(user) => drop(history.users.insert(*user)),
                Event::Policy { before } => drop(history.old_roster.get_or_insert(before)),
                Event::Derp => history.derp = true,
            }
        }
        history
    }

    /// The class of a node at the revision.
    fn class_before(&self, coordinator: &'a Coordinator, id: NodeId) -> Option<&'a Arc<Class>> {
        match (self.touched.get(&id), self.old_roster) {
            (Some(touched), _) => touched.class,
            (None, Some(roster)) => roster.class(id),
            (None, None) => coordinator.roster.class(id),
        }
    }
}

impl Coordinator {
    /// What a node's stream must be told when it has seen `from`; `None`: nothing yet.
    pub fn catch_up(&self, node: NodeId, from: Option<Revision>) -> Update {
        let to = self.log.revision();
        let (Some(entry), Some(class)) = (self.node(node), self.roster.class(node)) else {
            return Update { to, over: true, ..Update::default() };
        };
        match from {
            None => self.whole_map(entry, class),
            Some(from) => match self.log.since(from) {
                Some(events) => self.changes(entry, class, &History::read(events)),
                None => Update { to, over: true, ..Update::default() },
            },
        }
    }

    fn whole_map(&self, entry: &Entry, class: &Class) -> Update {
        let own = entry.record.id;
        let visible = |id: NodeId| id != own && self.roster.class(id).is_some_and(|other| class.sees(other));
        let peers: Vec<_> =
            self.nodes.iter().filter(|(id, _)| visible(**id)).map(|(_, peer)| peer.view.clone()).collect();
        let update = Update {
            to: self.log.revision(),
            whole: true,
            self_node: Some(Box::new(self.sight(entry).of_itself())),
            derp: Some(self.derp.clone()),
            dns: Some(self.dns.clone()),
            rules: Some(self.roster.rules_for(own)),
            domain: Some(self.config.domain.clone()),
            peers,
            ..Update::default()
        };
        self.with_users(update, &BTreeSet::new())
    }

    fn changes(&self, entry: &Entry, class: &Arc<Class>, history: &History<'_>) -> Update {
        let own = entry.record.id;
        let own_before = history.class_before(self, own);
        let mut update = Update { to: self.log.revision(), ..Update::default() };
        // Unless the eyes themselves changed, only nodes that something happened to can look different.
        let same_eyes = history.old_roster.is_none() && own_before == Some(class);
        let candidates: BTreeSet<NodeId> = match same_eyes {
            true => history.touched.keys().copied().collect(),
            false => self.nodes.keys().chain(history.touched.keys()).copied().collect(),
        };
        let mut rules_changed = !same_eyes;
        for id in candidates.into_iter().filter(|id| *id != own) {
            let (before, after) = (history.class_before(self, id), self.roster.class(id));
            let touched = history.touched.get(&id);
            rules_changed =
                rules_changed || touched.is_some_and(|touched| touched.shifts.iter().any(|shift| class.heeds(shift)));
            let saw = before.zip(own_before).is_some_and(|(other, own)| own.sees(other));
            let sees = after.is_some_and(|other| class.sees(other));
            match self.nodes.get(&id).filter(|_| sees) {
                None if saw => update.removed.push(id),
                None => {}
                Some(peer) if !saw || touched.is_some_and(|touched| touched.whole) => {
                    update.peers.push(peer.view.clone())
                }
                Some(_) => {
                    update.patches.extend(touched.and_then(|touched| joined(&touched.patches)).map(|patch| (id, patch)))
                }
            }
        }
        let own_news = history.touched.get(&own).is_some_and(|touched| touched.whole || touched.itself);
        update.self_node = own_news.then(|| Box::new(self.sight(entry).of_itself()));
        update.rules = rules_changed.then(|| self.roster.rules_for(own));
        update.derp = history.derp.then(|| self.derp.clone());
        let renamed = history.users.iter().copied().filter(|user| self.knows_user(own, class, *user)).collect();
        self.with_users(update, &renamed)
    }

    /// Whether a node is shown nodes of this user, or belongs to them.
    fn knows_user(&self, own: NodeId, class: &Class, user: UserId) -> bool {
        let nodes = self.by_user.range((user, NodeId(0))..=(user, NodeId(u64::MAX))).map(|(_, id)| *id);
        let belongs = |id: &NodeId| self.node(*id).is_some_and(|entry| entry.record.owner() == Some(user));
        let visible = |id: NodeId| id == own || self.roster.class(id).is_some_and(|other| class.sees(other));
        nodes.filter(belongs).any(visible)
    }

    /// Adds the users that a stream needs: those of nodes that it is told of, and those of `renamed` whom it knows.
    fn with_users(&self, mut update: Update, renamed: &BTreeSet<UserId>) -> Update {
        let told = update.peers.iter().map(|view| &view.node).chain(update.self_node.as_deref());
        let mut users: BTreeSet<UserId> = told.map(|node| node.user).collect();
        users.extend(renamed);
        let profile = |id: &UserId| match self.users.get(id) {
            Some(user) => Some(crate::view::user(user)),
            None => (*id == crate::TAGGED_DEVICES).then(crate::view::tagged_devices),
        };
        update.users = users.iter().filter_map(profile).collect();
        update
    }

    pub(crate) fn sight<'a>(&'a self, entry: &'a Entry) -> Sight<'a> {
        let Entry { record, reach, presence, expired, .. } = entry;
        Sight { config: &self.config, record, reach, presence: *presence, expired: *expired }
    }
}

/// Several patches as one; the only one is not copied.
fn joined(patches: &[&Arc<NodePatch>]) -> Option<Arc<NodePatch>> {
    let (first, rest) = patches.split_first()?;
    let mut joined = Arc::clone(first);
    for patch in rest {
        Arc::make_mut(&mut joined).merge(NodePatch::clone(patch));
    }
    Some(joined)
}
