//! What was decided: facts, in the past tense. Whoever keeps the state writes the durable ones; `apply` obeys all.

use std::sync::Arc;

use wattle_netmap::{DerpMap, NodeId, UserId};
use wattle_policy::Policy;
use wattle_time::{Instant, UnixTime};

use crate::record::{
    AuthId, AuthKey, AuthKeyId, NodeRecord, Pending, PolicyRevision, Reach, Settings, SshApproval, SshCheck, StreamId,
    UserRecord,
};

/// One fact.
#[derive(Clone, Debug)]
pub enum Change {
    /// A user was added.
    UserAdded(UserRecord),
    /// A user is now this.
    UserChanged(UserRecord),
    /// A user was deleted.
    UserDeleted(UserId),
    /// An auth key was made.
    AuthKeyAdded(AuthKey),
    /// An auth key was used or revoked.
    AuthKeyChanged(AuthKey),
    /// An auth key was deleted with its user.
    AuthKeyDeleted(AuthKeyId),
    /// A node joined.
    NodeAdded(Box<NodeRecord>),
    /// What is remembered of a node is now this.
    NodeChanged(Box<NodeRecord>),
    /// A node was deleted.
    NodeDeleted(NodeId),
    /// A policy was put in force.
    PolicySet {
        /// As it is kept.
        revision: PolicyRevision,
        /// As it is obeyed.
        policy: Arc<Policy>,
    },
    /// The tailnet's settings are now these.
    SettingsSet(Settings),
    /// Where nodes can be reached is written now.
    ReachSaved(Vec<(NodeId, Reach)>),

    /// Where a node can be reached is now this. Hot, as all that follows.
    ReachChanged {
        /// Which.
        node: NodeId,
        /// How.
        reach: Reach,
    },
    /// A node opened a map stream; a former one is replaced.
    StreamOpened {
        /// Which node.
        node: NodeId,
        /// Which stream.
        stream: StreamId,
    },
    /// A node's map stream ended.
    StreamClosed {
        /// Which node.
        node: NodeId,
        /// When it counts as offline.
        until: Instant,
    },
    /// A node did not come back.
    WentOffline {
        /// Which.
        node: NodeId,
        /// When it was last connected.
        last_seen: UnixTime,
    },
    /// The time of a node's key is over.
    KeyExpired(NodeId),
    /// A registration waits for an administrator.
    RegistrationStarted(Box<Pending>),
    /// A registration waits no more.
    RegistrationEnded(AuthId),
    /// The relays are now these.
    RelaysSet(DerpMap),
    /// An SSH check began, or is now this.
    SshCheckSet(Box<SshCheck>),
    /// An SSH check is over.
    SshCheckEnded(AuthId),
    /// Somebody was let in by SSH.
    SshApproved {
        /// Where they come from.
        from: NodeId,
        /// Where they log in.
        to: NodeId,
        /// By and when.
        approval: SshApproval,
    },
}

impl Change {
    /// Whether it must be written before anybody is told.
    pub fn is_durable(&self) -> bool {
        match self {
            Self::UserAdded(_)
            | Self::UserChanged(_)
            | Self::UserDeleted(_)
            | Self::AuthKeyAdded(_)
            | Self::AuthKeyChanged(_)
            | Self::AuthKeyDeleted(_)
            | Self::NodeAdded(_)
            | Self::NodeChanged(_)
            | Self::NodeDeleted(_)
            | Self::PolicySet { .. }
            | Self::SettingsSet(_)
            | Self::ReachSaved(_) => true,
            Self::ReachChanged { .. }
            | Self::StreamOpened { .. }
            | Self::StreamClosed { .. }
            | Self::WentOffline { .. }
            | Self::KeyExpired(_)
            | Self::RegistrationStarted(_)
            | Self::RegistrationEnded(_)
            | Self::RelaysSet(_)
            | Self::SshCheckSet(_)
            | Self::SshCheckEnded(_)
            | Self::SshApproved { .. } => false,
        }
    }
}
