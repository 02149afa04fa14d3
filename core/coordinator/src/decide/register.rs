//! Machines that want to join, stay or leave.
//!
//! A machine may hold several nodes, one for each user who registered it: another user makes another node. A tagged node
//! belongs to nobody, and stays the same node whoever registers it anew.

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
use crate::record::{AuthId, AuthKey, AuthKeyId, NodeRecord, Pending, Standing};
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
    old_node_key: Option<NodePublic>,
    host: &'a HostFacts,
    capability_version: u16,
    ephemeral: bool,
    user: Option<UserId>,
    tags: Vec<String>,
    auth_key: Option<AuthKeyId>,
    /// Whether it needs no administrator's approval if it is new.
    preapproved: bool,
    /// When its key expires; `None`: as is usual here.
    key_expiry: Option<UnixTime>,
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
            (Some(entry), _) => self.still_there(dice, entry, request, now),
            (None, Some(secret)) => self.join_with_key(dice, request, secret, now),
            (None, None) => Ok(self.wait_for_admin(dice, request, now)),
        }
    }

    /// A node that we know asks again: with its auth key as before, or after a restart. A used key does no harm then.
    fn still_there(&self, dice: &mut Dice, entry: &Entry, request: &Register, now: Now) -> Decided {
        if entry.record.is_expired(now.wall) || matches!(entry.standing, Standing::Suspended { .. }) {
            return Ok(Decision { changes: Vec::new(), reply: Reply::KeyExpired });
        }
        let asked = asked_tags(&request.host);
        // Tags that an administrator gave are not the node's to change: what it asks for is no matter then.
        if !entry.record.tags_by_admin && asked != entry.record.tags {
            match (&request.auth_key, entry.record.auth_key) {
                (Some(_), _) => permitted(&asked, |tag| entry.record.tags.contains(tag))?,
                // A person let it in, and must say whether it may have other tags.
                (None, None) => return Ok(self.wait_for_admin(dice, request, now)),
                // It has no key to show and nobody to ask: what its key gave stays.
                (None, Some(_)) => {}
            }
        }
        let mut record = self.with_host(&entry.record, Some(&request.host));
        record.capability_version = request.capability_version;
        let record = self.approved(record);
        let reply = self.registered(&record);
        let changed = record != entry.record;
        Ok(Decision { changes: changed.then(|| Change::NodeChanged(Box::new(record))).into_iter().collect(), reply })
    }

    fn registered(&self, record: &NodeRecord) -> Reply {
        Reply::Registered { node: record.id, user: Box::new(self.user_of(record)), approved: record.approved }
    }

    fn join_with_key(&self, dice: &mut Dice, request: &Register, secret: &str, now: Now) -> Decided {
        let key = self.usable_auth_key(secret, now)?;
        // A tagged key gives its tags and no others; a key without tags makes nodes of its user.
        permitted(&asked_tags(&request.host), |tag| key.tags.contains(tag))?;
        let admission = Admission {
            machine: request.machine,
            node_key: request.node_key,
            old_node_key: request.old_node_key,
            host: &request.host,
            capability_version: request.capability_version,
            ephemeral: key.ephemeral || request.ephemeral,
            user: key.user,
            tags: key.tags.clone(),
            auth_key: Some(key.id),
            preapproved: key.preapproved,
            key_expiry: None,
        };
        let (mut changes, record) = self.admit(dice, admission, now)?;
        changes.push(Change::AuthKeyChanged(AuthKey { used: Some(now.wall), ..key.clone() }));
        let waiting = self.pending.values().filter(|pending| pending.node_key == request.node_key);
        changes.extend(waiting.map(|pending| Change::RegistrationEnded(pending.id.clone())));
        let reply = self.registered(&record);
        Ok(Decision { changes, reply })
    }

    /// Nobody vouches for the machine yet. Asking again for the same key leads to the same page.
    fn wait_for_admin(&self, dice: &mut Dice, request: &Register, now: Now) -> Decision {
        let same = |pending: &&std::sync::Arc<Pending>| {
            pending.node_key == request.node_key
                && pending.machine == request.machine
                && asked_tags(&pending.host) == asked_tags(&request.host)
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
            old_node_key: request.old_node_key,
            ephemeral: request.ephemeral,
            host: bounded(&request.host),
            capability_version: request.capability_version,
            created: now.wall,
        })));
        Decision { changes, reply: Reply::Waiting { auth_id: id } }
    }

    pub(super) fn decide_approve(
        &self,
        dice: &mut Dice,
        auth_id: &AuthId,
        user: UserId,
        key_expiry: Option<UnixTime>,
        now: Now,
    ) -> Decided {
        let pending = self.pending.get(auth_id).ok_or(Refusal::UnknownRegistration)?;
        let owner = self.active_user(user)?;
        let subject = Subject::new(Some(person(owner)), &[], &[]);
        let tags = asked_tags(&pending.host);
        permitted(&tags, |tag| self.roster.policy().may_use_tag(tag, &subject))?;
        let admission = Admission {
            machine: pending.machine,
            node_key: pending.node_key,
            old_node_key: pending.old_node_key,
            host: &pending.host,
            capability_version: pending.capability_version,
            ephemeral: pending.ephemeral,
            user: Some(user),
            tags,
            auth_key: None,
            preapproved: false,
            key_expiry,
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
        let former = self.former(&admission)?;
        let mut record = match former {
            Some(entry) => self.with_host(&entry.record, Some(admission.host)),
            None => self.new_record(dice, &admission, now)?,
        };
        // Whose key an administrator lets stay for ever keeps it so; tagged nodes have none that ends anyway.
        let endless = former.is_some_and(|entry| entry.record.key_expiry.is_none() && entry.record.tags.is_empty());
        record.key = admission.node_key;
        record.user = admission.user;
        record.capability_version = admission.capability_version;
        record.auth_key = admission.auth_key;
        record.ephemeral = admission.ephemeral;
        if !record.tags_by_admin {
            record.tags = admission.tags;
        }
        let usual = self.config.key_lifetime.filter(|_| !endless).map(|lifetime| now.wall.plus(lifetime));
        record.key_expiry = admission.key_expiry.or(usual).filter(|_| record.tags.is_empty());
        let record = self.approved(record);
        let boxed = Box::new(record.clone());
        let change = if former.is_some() { Change::NodeChanged(boxed) } else { Change::NodeAdded(boxed) };
        Ok((vec![change], record))
    }

    /// The node that a machine already has: under its key, with this user, or under the key that it had if it is tagged.
    fn former(&self, admission: &Admission<'_>) -> Result<Option<&Entry>, Refusal> {
        let Admission { machine, node_key, user, .. } = *admission;
        if let Some(entry) = self.node_by_key(&node_key) {
            return match (entry.record.machine == machine, entry.record.owner()) {
                (false, _) => Err(Refusal::NotYourKey),
                (true, Some(owner)) if Some(owner) != user => Err(Refusal::NodeOfAnother),
                (true, Some(_) | None) => Ok(Some(entry)),
            };
        }
        let of_machine = self.by_machine.range((machine, NodeId(0))..=(machine, NodeId(u64::MAX)));
        let with_user = of_machine.filter_map(|(_, id)| self.node(*id)).find(|entry| entry.record.user == user);
        let tagged = admission.old_node_key.and_then(|key| self.node_by_key(&key));
        let tagged = tagged.filter(|entry| entry.record.machine == machine && entry.record.owner().is_none());
        Ok(with_user.or(tagged))
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
            approved: admission.preapproved || !self.settings.device_approval,
        })
    }
}

/// The tags that a machine asks for, sorted and each once.
fn asked_tags(host: &HostFacts) -> Vec<String> {
    let mut tags = bounded(host).request_tags;
    tags.sort();
    tags.dedup();
    tags
}

/// Refuses the tags that may not be had.
fn permitted(asked: &[String], may: impl Fn(&String) -> bool) -> Result<(), Refusal> {
    let refused: Vec<String> = asked.iter().filter(|tag| !may(tag)).cloned().collect();
    if refused.is_empty() { Ok(()) } else { Err(Refusal::TagsNotPermitted(refused)) }
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
