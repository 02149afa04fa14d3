//! All that outlives the process, at one moment.

use wattle_netmap::NodeId;

use crate::record::{AuthKey, NodeRecord, PolicyRevision, Reach, Settings, UserRecord};
use crate::state::Coordinator;

/// What a store loads. Lists are sorted by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// People.
    pub users: Vec<UserRecord>,
    /// Auth keys.
    pub auth_keys: Vec<AuthKey>,
    /// Nodes.
    pub nodes: Vec<NodeRecord>,
    /// Where they could be reached when that was last written.
    pub reach: Vec<(NodeId, Reach)>,
    /// The policy in force; `None` allows everything.
    pub policy: Option<PolicyRevision>,
    /// What administrators have chosen.
    pub settings: Settings,
    /// Numbers not used yet.
    pub next: NextNumbers,
}

/// The next number of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextNumbers {
    /// Users.
    pub user: u64,
    /// Auth keys.
    pub auth_key: u64,
    /// Nodes.
    pub node: u64,
}

impl Default for NextNumbers {
    fn default() -> Self {
        Self { user: 1, auth_key: 1, node: 1 }
    }
}

impl Coordinator {
    /// What a store should have: for tests and exports. Reach is told as it is, written or not.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            users: self.users.values().map(|user| UserRecord::clone(user)).collect(),
            auth_keys: self.auth_keys.values().map(|key| AuthKey::clone(key)).collect(),
            nodes: self.nodes.values().map(|entry| entry.record.clone()).collect(),
            reach: self.nodes.iter().map(|(id, entry)| (*id, entry.reach.clone())).collect(),
            policy: self.policy.as_deref().cloned(),
            settings: self.settings,
            next: self.next,
        }
    }
}
