//! How the tailnet is run.

use super::{Decided, done};
use crate::change::Change;
use crate::record::{NodeRecord, Settings};
use crate::state::Coordinator;

impl Coordinator {
    /// Where devices need no approval any more, those that wait for it are let in: else they would wait for ever.
    pub(super) fn decide_set_settings(&self, settings: Settings) -> Decided {
        if settings == self.settings {
            return done(Vec::new());
        }
        let mut changes = vec![Change::SettingsSet(settings)];
        if !settings.device_approval {
            let waiting = self.nodes.values().map(|entry| &entry.record).filter(|record| !record.approved);
            let approved = waiting.map(|record| NodeRecord { approved: true, ..record.clone() });
            changes.extend(approved.map(|record| Change::NodeChanged(Box::new(record))));
        }
        done(changes)
    }
}
