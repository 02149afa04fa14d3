//! Policies, and changes of people and tags that a policy must allow: its tests are run before anything is changed.

use std::sync::Arc;

use wattle_policy::{Failure, Policy, Roster};

use super::Decided;
use crate::change::Change;
use crate::command::{Decision, NewPolicy, Reply};
use crate::config::Now;
use crate::limits;
use crate::record::{NodeRecord, PolicyRevision, Standing, UserRecord};
use crate::refusal::Refusal;
use crate::routes::approved_by;
use crate::state::Coordinator;
use crate::subject::Looks;

impl Coordinator {
    pub(super) fn decide_set_policy(&self, wanted: NewPolicy, now: Now) -> Decided {
        let current = self.policy_revision();
        if let Some(expected) = wanted.expected.filter(|expected| *expected != current) {
            return Err(Refusal::PolicyMoved { expected, current });
        }
        if self.policy_text() == Some(&wanted.text) {
            return Ok(Decision { changes: Vec::new(), reply: Reply::PolicySet { revision: current } });
        }
        let policy = Arc::new(Policy::parse(wanted.text.as_bytes())?);
        if has_tests(&policy) {
            let failures = self.roster_under(policy.clone()).run_tests();
            if !failures.is_empty() {
                return Err(Refusal::PolicyTests(failures));
            }
        }
        let bounded = |text: &str| text.chars().take(limits::NOTE_CHARS_MAX).collect::<String>();
        let revision = PolicyRevision {
            number: current + 1,
            author: bounded(&wanted.author),
            note: bounded(&wanted.note),
            at: now.wall,
            text: wanted.text,
        };
        let approved = self.nodes.values().filter_map(|entry| {
            let record = approved_by(&policy, entry.record.clone(), self.owner_of(&entry.record));
            (record != entry.record).then(|| Change::NodeChanged(Box::new(record)))
        });
        let approved: Vec<Change> = approved.collect();
        let reply = Reply::PolicySet { revision: revision.number };
        let mut changes = vec![Change::PolicySet { revision, policy }];
        changes.extend(approved);
        Ok(Decision { changes, reply })
    }

    /// Refuses what would break the policy's tests. A test that fails already is nobody's fault now.
    pub(super) fn check_tests(&self, records: &[NodeRecord], user: Option<&UserRecord>) -> Result<(), Refusal> {
        if !has_tests(self.roster.policy()) {
            return Ok(());
        }
        let mut roster = Roster::clone(&self.roster);
        let absent = |record: &&NodeRecord| self.node(record.id).is_none_or(|entry| entry.standing != Standing::Good);
        for record in records.iter().filter(|record| !absent(record)) {
            let changed = user.filter(|user| record.owner() == Some(user.id));
            let looks = Looks::of(record);
            roster.insert(record.id, &looks.subject(record, changed.or_else(|| self.owner_of(record))));
        }
        let mut failures = roster.run_tests();
        if !failures.is_empty() {
            let known: Vec<Failure> = self.roster.run_tests();
            failures.retain(|failure| !known.contains(failure));
        }
        if failures.is_empty() { Ok(()) } else { Err(Refusal::PolicyTests(failures)) }
    }

    /// What becomes of a user, and of the nodes that the policy sees in another light then.
    pub(super) fn change_user(&self, user: UserRecord) -> Result<Vec<Change>, Refusal> {
        let nodes = self.nodes_of(user.id);
        let records: Vec<NodeRecord> =
            nodes.map(|entry| &entry.record).filter(|r| r.owner().is_some()).cloned().collect();
        self.check_tests(&records, Some(&user))?;
        Ok(self.changed_user(user))
    }

    /// The same, whatever the policy's tests say.
    pub(super) fn changed_user(&self, user: UserRecord) -> Vec<Change> {
        let nodes = self.nodes_of(user.id).map(|entry| &entry.record);
        let records = nodes.filter(|record| record.owner().is_some()).cloned();
        let approved = records.filter_map(|record| {
            let after = approved_by(self.roster.policy(), record.clone(), Some(&user));
            (after != record).then(|| Change::NodeChanged(Box::new(after)))
        });
        let approved: Vec<Change> = approved.collect();
        let mut changes = vec![Change::UserChanged(user)];
        changes.extend(approved);
        changes
    }

    /// The user that a node belongs to.
    pub(super) fn owner_of(&self, record: &NodeRecord) -> Option<&UserRecord> {
        record.owner().and_then(|owner| self.users.get(&owner)).map(Arc::as_ref)
    }

    /// A record with what the policy approves by itself.
    pub(super) fn approved(&self, record: NodeRecord) -> NodeRecord {
        let owner = self.owner_of(&record);
        approved_by(self.roster.policy(), record, owner)
    }
}

fn has_tests(policy: &Policy) -> bool {
    let document = policy.document();
    !(document.tests.is_empty() && document.ssh_tests.is_empty())
}
