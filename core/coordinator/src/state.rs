//! The state itself, its look-ups and its timers. It is altered in `apply.rs` only.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet};
use wattle_keys::{MachinePublic, NodePublic};
use wattle_netmap::{DerpMap, DnsConfig, NodeId, Prefix, User, UserId};
use wattle_policy::{Policy, Problems, Roster};
use wattle_time::{Deadline, Instant, UnixTime, earliest};

use crate::alarms::Alarms;
use crate::config::{Config, Now};
use crate::feed::Log;
use crate::record::{
    AuthId, AuthKey, AuthKeyId, NodeRecord, Pending, PolicyRevision, Presence, Reach, Settings, SshApproval, SshCheck,
    SshVerdict, Standing, StreamId, UserRecord,
};
use crate::snapshot::{NextNumbers, Snapshot};
use crate::view::{self, PeerView};
use crate::{Revision, limits};

/// The state of one tailnet. A clone shares everything until one of the two changes, so that one can be kept while changes
/// are tried.
#[derive(Clone, Debug)]
pub struct Coordinator {
    pub(crate) config: Arc<Config>,
    pub(crate) started: UnixTime,
    pub(crate) users: OrdMap<UserId, Arc<UserRecord>>,
    pub(crate) auth_keys: OrdMap<AuthKeyId, Arc<AuthKey>>,
    pub(crate) nodes: OrdMap<NodeId, Arc<Entry>>,
    pub(crate) pending: OrdMap<AuthId, Arc<Pending>>,
    pub(crate) settings: Settings,
    pub(crate) policy: Option<Arc<PolicyRevision>>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) derp: Arc<DerpMap>,
    pub(crate) dns: Arc<DnsConfig>,
    pub(crate) next: NextNumbers,
    pub(crate) next_stream: u64,

    pub(crate) by_key: OrdMap<NodePublic, NodeId>,
    pub(crate) by_machine: OrdSet<(MachinePublic, NodeId)>,
    pub(crate) by_user: OrdSet<(UserId, NodeId)>,
    pub(crate) labels: OrdMap<String, NodeId>,
    pub(crate) addresses: OrdSet<Ipv4Addr>,
    /// Nodes that serve routes.
    pub(crate) routers: OrdSet<NodeId>,
    /// Who is in charge of a subnet route.
    pub(crate) primaries: OrdMap<Prefix, NodeId>,

    pub(crate) ssh_checks: OrdMap<AuthId, Arc<SshCheck>>,
    /// When somebody was let in by SSH from one node to another.
    pub(crate) ssh_approvals: OrdMap<(NodeId, NodeId), SshApproval>,

    /// When keys expire that have not.
    pub(crate) expiries: Alarms<UnixTime>,
    /// When ephemeral nodes are removed.
    pub(crate) removals: Alarms<UnixTime>,
    /// When nodes that lost their stream count as offline.
    pub(crate) graces: Alarms<Instant>,
    /// Nodes whose reach is not written yet, and when it will be.
    pub(crate) unsaved: OrdSet<NodeId>,
    pub(crate) save_at: Option<Instant>,

    pub(crate) log: Log,
}

/// A node with all that is known of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is remembered.
    pub record: NodeRecord,
    /// Where it can be reached.
    pub reach: Reach,
    /// Whether it is connected.
    pub presence: Presence,
    /// Whether its key has expired.
    pub expired: bool,
    /// Whether it may take part.
    pub standing: Standing,
    /// Whether the policy hides its IPv4 address from peers.
    pub ipv4_hidden: bool,
    /// As peers see it.
    pub view: Arc<PeerView>,
}

impl Entry {
    /// Whether it takes part: relays serve it, and others may reach it.
    pub fn is_admitted(&self) -> bool {
        !self.expired && self.standing == Standing::Good
    }
}

impl Coordinator {
    /// Takes up what a store has kept. It fails only if this version does not understand the policy.
    pub fn new(config: Config, snapshot: Snapshot, now: Now) -> Result<Self, Problems> {
        let policy = match &snapshot.policy {
            Some(revision) => Policy::parse(revision.text.as_bytes())?,
            None => Policy::allow_all(),
        };
        let mut coordinator = Self {
            started: now.wall,
            users: snapshot.users.into_iter().map(|user| (user.id, Arc::new(user))).collect(),
            auth_keys: snapshot.auth_keys.into_iter().map(|key| (key.id, Arc::new(key))).collect(),
            nodes: OrdMap::new(),
            pending: OrdMap::new(),
            settings: snapshot.settings,
            policy: snapshot.policy.map(Arc::new),
            roster: Arc::new(Roster::new(Arc::new(policy))),
            derp: Arc::new(config.derp.clone()),
            dns: Arc::new(view::dns_config(&config)),
            next: snapshot.next,
            next_stream: 1,
            by_key: OrdMap::new(),
            by_machine: OrdSet::new(),
            by_user: OrdSet::new(),
            labels: OrdMap::new(),
            addresses: OrdSet::new(),
            routers: OrdSet::new(),
            primaries: OrdMap::new(),
            ssh_checks: OrdMap::new(),
            ssh_approvals: OrdMap::new(),
            expiries: Alarms::new(),
            removals: Alarms::new(),
            graces: Alarms::new(),
            unsaved: OrdSet::new(),
            save_at: None,
            log: Log::default(),
            config: Arc::new(config),
        };
        let mut reach: BTreeMap<NodeId, Reach> = snapshot.reach.into_iter().collect();
        for record in snapshot.nodes {
            let reach = reach.remove(&record.id).unwrap_or_default();
            coordinator.put_node(record, reach, Presence::Offline, now);
        }
        coordinator.log = Log::default();
        Ok(coordinator)
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All nodes by number.
    pub fn nodes(&self) -> impl Iterator<Item = &Entry> {
        self.nodes.values().map(Arc::as_ref)
    }

    /// One node.
    pub fn node(&self, node: NodeId) -> Option<&Entry> {
        self.nodes.get(&node).map(Arc::as_ref)
    }

    /// The node with this key.
    pub fn node_by_key(&self, key: &NodePublic) -> Option<&Entry> {
        self.by_key.get(key).and_then(|node| self.node(*node))
    }

    /// All users by number.
    pub fn users(&self) -> impl Iterator<Item = &UserRecord> {
        self.users.values().map(Arc::as_ref)
    }

    /// One user.
    pub fn user(&self, user: UserId) -> Option<&UserRecord> {
        self.users.get(&user).map(Arc::as_ref)
    }

    /// The nodes that a user registered, the tagged ones too.
    pub fn nodes_of(&self, user: UserId) -> impl Iterator<Item = &Entry> {
        let nodes = self.by_user.range((user, NodeId(0))..=(user, NodeId(u64::MAX)));
        nodes.filter_map(|(_, node)| self.node(*node))
    }

    /// What administrators have chosen.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// All auth keys by number.
    pub fn auth_keys(&self) -> impl Iterator<Item = &AuthKey> {
        self.auth_keys.values().map(Arc::as_ref)
    }

    /// The registrations that wait.
    pub fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.pending.values().map(Arc::as_ref)
    }

    /// One registration that waits.
    pub fn registration(&self, auth_id: &AuthId) -> Option<&Pending> {
        self.pending.get(auth_id).map(Arc::as_ref)
    }

    /// The policy's text; `None` allows everything.
    pub fn policy_text(&self) -> Option<&str> {
        self.policy.as_ref().map(|revision| revision.text.as_str())
    }

    /// The policy in force, as it is kept; `None` allows everything.
    pub fn policy_head(&self) -> Option<&PolicyRevision> {
        self.policy.as_deref()
    }

    /// The number of the policy in force; 0: none was ever set.
    pub fn policy_revision(&self) -> u64 {
        self.policy.as_ref().map_or(0, |revision| revision.number)
    }

    /// The nodes in the light of the policy. A clone costs nothing, and can be asked elsewhere.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// What the nodes would be in the light of another policy. Its tests are not run.
    pub fn try_policy(&self, text: &str) -> Result<Roster, Problems> {
        Ok(self.roster_under(Arc::new(Policy::parse(text.as_bytes())?)))
    }

    /// Those who wait to log in by SSH, and those of whom was just decided.
    pub fn ssh_checks(&self) -> impl Iterator<Item = &SshCheck> {
        self.ssh_checks.values().map(Arc::as_ref)
    }

    /// One of them.
    pub fn ssh_check(&self, auth_id: &AuthId) -> Option<&SshCheck> {
        self.ssh_checks.get(auth_id).map(Arc::as_ref)
    }

    /// Whether a relay should serve this key: it is a node's that takes part.
    pub fn admits(&self, key: &NodePublic) -> bool {
        self.node_by_key(key).is_some_and(Entry::is_admitted)
    }

    /// The state's revision: it grows with every event that some stream may have to be told.
    pub fn revision(&self) -> Revision {
        self.log.revision()
    }

    /// The user, or tag identity, that peers are shown for a node.
    pub fn user_of(&self, record: &NodeRecord) -> User {
        match record.owner().and_then(|owner| self.users.get(&owner)) {
            Some(user) => view::user(user),
            None => view::tagged_devices(),
        }
    }

    /// When [`crate::Command::Tick`] is due.
    pub fn next_timeout(&self, now: Now) -> Option<Deadline> {
        // The wall clock may be set while we wait: it is looked at again before long.
        let wall = |at: Option<UnixTime>, why| {
            at.map(|at| Deadline::at(now.mono + at.since(now.wall).min(limits::WALL_CLOCK_CHECK), why))
        };
        let oldest = self.pending.values().map(|pending| pending.created.plus(limits::PENDING_LIFETIME)).min();
        let ssh = self.ssh_checks.values().map(|check| check.created.plus(ssh_lifetime(check))).min();
        earliest([
            wall(self.expiries.first(), "key expires"),
            wall(self.removals.first(), "ephemeral node is removed"),
            wall(oldest, "registration has waited too long"),
            wall(ssh, "SSH check has waited too long"),
            self.graces.first().map(|at| Deadline::at(at, "node counts as offline")),
            self.save_at.map(|at| Deadline::at(at, "reach is written")),
        ])
    }

    /// The stream that a node holds.
    pub fn stream_of(&self, node: NodeId) -> Option<StreamId> {
        match self.node(node)?.presence {
            Presence::Online(stream) => Some(stream),
            Presence::Offline | Presence::Leaving { .. } => None,
        }
    }
}

/// How long an SSH check stays as it is.
pub(crate) fn ssh_lifetime(check: &SshCheck) -> Duration {
    match check.verdict {
        SshVerdict::Waiting => limits::SSH_CHECK_LIFETIME,
        SshVerdict::Approved | SshVerdict::Declined | SshVerdict::TimedOut => limits::SSH_OUTCOME_LIFETIME,
    }
}
