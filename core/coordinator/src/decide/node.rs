//! What administrators do with nodes.

use wattle_netmap::NodeId;
use wattle_time::UnixTime;

use super::{Decided, done};
use crate::change::Change;
use crate::names;
use crate::record::NodeRecord;
use crate::refusal::Refusal;
use crate::state::Coordinator;

impl Coordinator {
    pub(super) fn decide_rename_node(&self, node: NodeId, name: Option<&str>) -> Decided {
        let record = self.record(node)?;
        let label = match name {
            Some(name) => {
                let label = name.to_ascii_lowercase();
                if !names::is_label(&label) {
                    return Err(Refusal::BadNodeName(name.chars().take(255).collect()));
                }
                if self.labels.get(&label).is_some_and(|owner| *owner != node) {
                    return Err(Refusal::NodeNameTaken(label));
                }
                label
            }
            None => self.label_for(&record.host.hostname, Some(node)),
        };
        let record = NodeRecord { label, label_by_admin: name.is_some(), ..record.clone() };
        done(vec![Change::NodeChanged(Box::new(record))])
    }

    pub(super) fn decide_set_tags(&self, node: NodeId, tags: Vec<String>) -> Decided {
        let record = self.record(node)?;
        let tags = self.checked_tags(tags)?;
        if tags.is_empty() {
            return Err(Refusal::NoTags);
        }
        // Machines that belong to nobody have nobody to renew their key.
        let record = NodeRecord { tags, tags_by_admin: true, key_expiry: None, ..record.clone() };
        let record = self.approved(record);
        self.check_tests(std::slice::from_ref(&record), None)?;
        done(vec![Change::NodeChanged(Box::new(record))])
    }

    pub(super) fn decide_expire_node(&self, node: NodeId, at: Option<UnixTime>) -> Decided {
        let record = NodeRecord { key_expiry: at, ..self.record(node)?.clone() };
        done(vec![Change::NodeChanged(Box::new(record))])
    }

    pub(super) fn decide_approve_node(&self, node: NodeId) -> Decided {
        let record = self.record(node)?;
        if record.approved {
            return done(Vec::new());
        }
        done(vec![Change::NodeChanged(Box::new(NodeRecord { approved: true, ..record.clone() }))])
    }

    pub(super) fn decide_delete_node(&self, node: NodeId) -> Decided {
        self.record(node)?;
        done(vec![Change::NodeDeleted(node)])
    }

    pub(super) fn record(&self, node: NodeId) -> Result<&NodeRecord, Refusal> {
        self.node(node).map(|entry| &entry.record).ok_or(Refusal::UnknownNode(node))
    }

    /// A unique label for a host name. The node itself does not stand in its own way.
    pub(super) fn label_for(&self, host_name: &str, own: Option<NodeId>) -> String {
        let taken = |label: &str| self.labels.get(label).is_some_and(|owner| Some(*owner) != own);
        names::unique(&names::sanitised(host_name), taken)
    }
}
