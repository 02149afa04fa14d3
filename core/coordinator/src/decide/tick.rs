//! What time brings.

use wattle_netmap::NodeId;

use crate::change::Change;
use crate::config::Now;
use crate::limits;
use crate::record::Reach;
use crate::state::Coordinator;

impl Coordinator {
    pub(super) fn decide_tick(&self, now: Now) -> Vec<Change> {
        let offline = self.graces.due(now.mono).map(|node| Change::WentOffline { node, last_seen: now.wall });
        let expired = self.expiries.due(now.wall).map(Change::KeyExpired);
        let removed = self.removals.due(now.wall).map(Change::NodeDeleted);
        let waited =
            self.pending.values().filter(|pending| now.wall.since(pending.created) >= limits::PENDING_LIFETIME);
        let waited = waited.map(|pending| Change::RegistrationEnded(pending.id.clone()));
        // What is written is what is known now: it comes first, before nodes go that it speaks of.
        let save = if self.save_at.is_some_and(|at| at <= now.mono) { self.reach_to_save() } else { Vec::new() };
        save.into_iter()
            .chain(offline)
            .chain(expired)
            .chain(removed)
            .chain(waited)
            .chain(self.stale_ssh_checks(now))
            .collect()
    }

    /// What is not written yet of where nodes can be reached.
    pub(super) fn reach_to_save(&self) -> Vec<Change> {
        let reach = |node: &NodeId| self.node(*node).map(|entry| (*node, entry.reach.clone()));
        let unsaved: Vec<(NodeId, Reach)> = self.unsaved.iter().filter_map(reach).collect();
        if unsaved.is_empty() { Vec::new() } else { vec![Change::ReachSaved(unsaved)] }
    }
}
