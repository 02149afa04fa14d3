//! What happened since a revision, as far as a stream needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wattle_netmap::{NodeId, NodePatch, UserId};
use wattle_policy::{Class, Roster, Shift};

use super::log::{Event, NodeNews};

#[derive(Default)]
pub(super) struct History<'a> {
    /// Nodes with events: their class at the revision, and all that changed.
    pub(super) touched: BTreeMap<NodeId, Touched<'a>>,
    /// The classes of all nodes before the first change of policy.
    pub(super) old_roster: Option<&'a Arc<Roster>>,
    /// Nodes whose routes may be shown otherwise.
    pub(super) rerouted: BTreeSet<NodeId>,
    /// Users who changed.
    pub(super) users: BTreeSet<UserId>,
    /// Those among them whom others see changed.
    pub(super) renamed: BTreeSet<UserId>,
    pub(super) derp: bool,
    /// Whether somebody may stand for other words of the policy than before.
    pub(super) people: bool,
}

pub(super) struct Touched<'a> {
    pub(super) class: Option<&'a Arc<Class>>,
    pub(super) shifts: Vec<&'a Shift>,
    pub(super) whole: bool,
    pub(super) itself: bool,
    pub(super) patches: Vec<&'a Arc<NodePatch>>,
}

impl<'a> History<'a> {
    pub(super) fn read(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut history = Self::default();
        for event in events {
            match event {
                Event::Node { id, shift, news } => history.touch(*id, shift, news),
                Event::Routes(nodes) => history.rerouted.extend(nodes.iter()),
                Event::User { id, shown } => {
                    history.people = true;
                    history.users.insert(*id);
                    history.renamed.extend(shown.then_some(*id));
                }
                Event::Policy { before } => drop(history.old_roster.get_or_insert(before)),
                Event::Derp => history.derp = true,
            }
        }
        history
    }

    fn touch(&mut self, id: NodeId, shift: &'a Shift, news: &'a NodeNews) {
        let old_roster = self.old_roster;
        let touched = self.touched.entry(id).or_insert_with(|| Touched {
            class: old_roster.map_or(shift.before.as_ref(), |roster| roster.class(id)),
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
        self.people |= touched.whole || touched.itself;
    }
}

impl Touched<'_> {
    /// All patches as one; the only one is not copied.
    pub(super) fn patch(&self) -> Option<Arc<NodePatch>> {
        let (first, rest) = self.patches.split_first()?;
        let mut joined = Arc::clone(first);
        for patch in rest {
            Arc::make_mut(&mut joined).merge(NodePatch::clone(patch));
        }
        Some(joined)
    }
}
