//! Machines that want to join, stay or leave.
//!
//! A machine may hold several nodes, one for each user who registered it: another user makes another node.

use wattle_keys::{MachinePublic, NodePublic};
use wattle_netmap::{HostFacts, NodeId, StableId, UserId};
use wattle_policy::Subject;
use wattle_time::UnixTime;

use super::report::{bounded, check_version};
use super::{Decided, done};
use crate::change::Change;
use crate::command::{Decision, Register, Reply};
use crate::config::Now;
use crate::dice::Dice;
use crate::record::{AuthId, AuthKey, AuthKeyId, NodeRecord, Pending};
use crate::refusal::Refusal;
use crate::state::{Coordinator, Entry};
use crate::subject::person;
use crate::{addresses, limits};

/// Random characters of a stable id, between the `n` and the ending that clients are used to.
const STABLE_ID_LENGTH: usize = 12;

/// A machine that is let in.
struct Admission<'a> {
    machine: MachinePublic,
    node_key: NodePublic,
    host: &'a HostFacts,
    capability_version: u16,
    ephemeral: bool,
    user: Option<UserId>,
    tags: Vec<String>,
    auth_key: Option<AuthKeyId>,
}

impl Coordinator {
    pub(super) fn decide_register(&self, dice: &mut Dice, request: &Register, now: Now) -> Decided {
        check_version(request.capability_version)?;
        if request.node_key.is_zero() {
            return Err(Refusal::NoNodeKey);
        }
        let known = self.node_by_key(&request.node_key);
        if known.is_some_and(|entry| entry.record.machine != request.machine) {
            return Err(Refusal::NotYourKey);
        }
        if request.expiry.is_some_and(|expiry| expiry <= now.wall) {
            return Ok(logged_out(known, now.wall));
        }
        match (known, &request.auth_key) {
            (Some(entry), _) => Ok(self.still_there(entry, request, now)),
            (None, Some(secret)) => self.join_with_key(dice, request, secret, now),
            (None, None) => Ok(self.wait_for_admin(dice, request, now)),
        }
    }

    /// A node that we know asks again: with its auth key as before, or after a restart. A used key does no harm then.
    fn still_there(&self, entry: &Entry, request: &Register, now: Now) -> Decision {
        if entry.record.is_expired(now.wall) {
            return Decision { changes: Vec::new(), reply: Reply::KeyExpired };
        }
        let mut record = self.with_host(&entry.record, Some(&request.host));
        record.capability_version = request.capability_version;
        let record = self.approved(record);
        let reply = Reply::Registered { node: record.id, user: Box::new(self.user_of(&record)) };
        let changed = record != entry.record;
        Decision { changes: changed.then(|| Change::NodeChanged(Box::new(record))).into_iter().collect(), reply }
    }

    fn join_with_key(&self, dice: &mut Dice, request: &Register, secret: &str, now: Now) -> Decided {
        let key = self.usable_auth_key(secret, now)?;
        // A tagged key gives its tags and no others; a key without tags makes nodes of its user.
        let asked = &request.host.request_tags;
        if asked.iter().any(|tag| !key.tags.contains(tag)) {
            return Err(Refusal::TagsNotPermitted(bounded(&request.host).request_tags));
        }
        let admission = Admission {
            machine: request.machine,
            node_key: request.node_key,
            host: &request.host,
            capability_version: request.capability_version,
            ephemeral: key.ephemeral || request.ephemeral,
            user: key.user,
            tags: key.tags.clone(),
            auth_key: Some(key.id),
        };
        let (mut changes, record) = self.admit(dice, admission, now)?;
        changes.push(Change::AuthKeyChanged(AuthKey { used: Some(now.wall), ..key.clone() }));
        let waiting = self.pending.values().filter(|pending| pending.node_key == request.node_key);
        changes.extend(waiting.map(|pending| Change::RegistrationEnded(pending.id.clone())));
        let reply = Reply::Registered { node: record.id, user: Box::new(self.user_of(&record)) };
        Ok(Decision { changes, reply })
    }

    /// Nobody vouches for the machine yet. Asking again for the same key leads to the same page.
    fn wait_for_admin(&self, dice: &mut Dice, request: &Register, now: Now) -> Decision {
        let same = |pending: &&std::sync::Arc<Pending>| {
            pending.node_key == request.node_key && pending.machine == request.machine
        };
        if let Some(pending) = self.pending.values().find(same) {
            return Decision { changes: Vec::new(), reply: Reply::Waiting { auth_id: pending.id.clone() } };
        }
        let mut changes = Vec::new();
        // One page a machine, and a limit for all: the oldest makes room.
        let stale = self.pending.values().filter(|pending| pending.machine == request.machine);
        changes.extend(stale.map(|pending| Change::RegistrationEnded(pending.id.clone())));
        if changes.is_empty() && self.pending.len() >= limits::PENDING_MAX {
            let oldest = self.pending.values().min_by_key(|pending| pending.created);
            changes.extend(oldest.map(|pending| Change::RegistrationEnded(pending.id.clone())));
        }
        let id = dice.auth_id();
        changes.push(Change::RegistrationStarted(Box::new(Pending {
            id: id.clone(),
            machine: request.machine,
            node_key: request.node_key,
            ephemeral: request.ephemeral,
            host: bounded(&request.host),
            capability_version: request.capability_version,
            created: now.wall,
        })));
        Decision { changes, reply: Reply::Waiting { auth_id: id } }
    }

    pub(super) fn decide_approve(&self, dice: &mut Dice, auth_id: &AuthId, user: UserId, now: Now) -> Decided {
        let pending = self.pending.get(auth_id).ok_or(Refusal::UnknownRegistration)?;
        let owner = self.user(user)?;
        let subject = Subject::new(Some(person(owner)), &[], &[]);
        let mut tags = pending.host.request_tags.clone();
        tags.sort();
        tags.dedup();
        if tags.iter().any(|tag| !self.roster.policy().may_use_tag(tag, &subject)) {
            return Err(Refusal::TagsNotPermitted(tags));
        }
        let admission = Admission {
            machine: pending.machine,
            node_key: pending.node_key,
            host: &pending.host,
            capability_version: pending.capability_version,
            ephemeral: pending.ephemeral,
            user: Some(user),
            tags,
            auth_key: None,
        };
        let (mut changes, record) = self.admit(dice, admission, now)?;
        changes.push(Change::RegistrationEnded(auth_id.clone()));
        Ok(Decision { changes, reply: Reply::Approved(record.id) })
    }

    pub(super) fn decide_decline(&self, auth_id: &AuthId) -> Decided {
        let pending = self.pending.get(auth_id).ok_or(Refusal::UnknownRegistration)?;
        done(vec![Change::RegistrationEnded(pending.id.clone())])
    }

    /// The node that a machine becomes: the one that it already has with this user, with a new key, or a new one.
    fn admit(&self, dice: &mut Dice, admission: Admission<'_>, now: Now) -> Result<(Vec<Change>, NodeRecord), Refusal> {
        let Admission { machine, node_key, user, .. } = admission;
        if self.by_key.contains_key(&node_key) {
            return Err(Refusal::NotYourKey);
        }
        let of_machine = self.by_machine.range((machine, NodeId(0))..=(machine, NodeId(u64::MAX)));
        let former = of_machine.filter_map(|(_, id)| self.node(*id)).find(|entry| entry.record.user == user);
        let mut record = match former {
            Some(entry) => self.with_host(&entry.record, Some(admission.host)),
            None => self.new_record(dice, &admission, now)?,
        };
        record.key = node_key;
        record.capability_version = admission.capability_version;
        record.auth_key = admission.auth_key;
        record.ephemeral = admission.ephemeral;
        if !record.tags_by_admin {
            record.tags = admission.tags;
        }
        let lifetime = self.config.key_lifetime.filter(|_| record.tags.is_empty());
        record.key_expiry = lifetime.map(|lifetime| now.wall.plus(lifetime));
        let record = self.approved(record);
        let boxed = Box::new(record.clone());
        let change = if former.is_some() { Change::NodeChanged(boxed) } else { Change::NodeAdded(boxed) };
        Ok((vec![change], record))
    }

    fn new_record(&self, dice: &mut Dice, admission: &Admission<'_>, now: Now) -> Result<NodeRecord, Refusal> {
        let full = Refusal::Full(limits::NODES_MAX, "nodes");
        if self.nodes.len() >= limits::NODES_MAX {
            return Err(full);
        }
        let number = self.next.node;
        let owner = admission.user.and_then(|user| self.users.get(&user)).filter(|_| admission.tags.is_empty());
        let pools = self.roster.policy().ip_pools(&Subject::new(owner.map(|user| person(user)), &admission.tags, &[]));
        let taken = |address| self.addresses.contains(&address);
        let ipv4 =
            addresses::choose(number, &pools, taken).ok_or(if pools.is_empty() { full } else { Refusal::PoolFull })?;
        let host = bounded(admission.host);
        Ok(NodeRecord {
            id: NodeId(number),
            stable_id: StableId(format!("n{}CNTRL", dice.text(STABLE_ID_LENGTH))),
            machine: admission.machine,
            key: admission.node_key,
            user: admission.user,
            tags: Vec::new(),
            tags_by_admin: false,
            label: self.label_for(&host.hostname, None),
            label_by_admin: false,
            ipv4,
            ipv6: addresses::beside(ipv4),
            created: now.wall,
            key_expiry: None,
            ephemeral: false,
            auth_key: None,
            host,
            capability_version: admission.capability_version,
            approved_routes: Vec::new(),
        })
    }
}

/// A node that leaves: an ephemeral one is gone, any other waits with an expired key for its user to come back.
fn logged_out(known: Option<&Entry>, now: UnixTime) -> Decision {
    let changes = match known.map(|entry| &entry.record) {
        None => Vec::new(),
        Some(record) if record.ephemeral => vec![Change::NodeDeleted(record.id)],
        Some(record) if record.is_expired(now) => Vec::new(),
        Some(record) => vec![Change::NodeChanged(Box::new(NodeRecord { key_expiry: Some(now), ..record.clone() }))],
    };
    Decision { changes, reply: Reply::LoggedOut }
}
