//! What happened lately, in order, for streams that have to catch up.

use std::sync::Arc;

use imbl::OrdMap;
use wattle_netmap::{NodeId, NodePatch, UserId};
use wattle_policy::{Roster, Shift};

use crate::limits;

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
    /// These nodes may be shown with other routes than before.
    Routes(Arc<[NodeId]>),
    /// A user changed.
    User {
        id: UserId,
        /// In a way that others are shown.
        shown: bool,
    },
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
    /// What only the node itself is shown, or only the policy sees.
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
    pub(crate) fn since(&self, from: Revision) -> Option<impl Iterator<Item = &Event>> {
        let forgotten = self.events.get_min().map_or(self.revision.0, |(oldest, _)| oldest.0 - 1);
        let next = Revision(from.0 + 1);
        let known = forgotten <= from.0 && from <= self.revision;
        known.then(|| self.events.range(next..).map(|(_, event)| event.as_ref()))
    }
}
