//! Changes to the state. Nothing here can fail: a change about something that is not there does nothing.

use std::sync::Arc;

use wattle_netmap::{NodeId, NodePatch, UserId};
use wattle_policy::{Roster, Shift};

use crate::change::Change;
use crate::config::Now;
use crate::feed::{Event, NodeNews};
use crate::limits;
use crate::record::{NodeRecord, Presence, Reach};
use crate::state::{Coordinator, Entry, subject};
use crate::view::{PeerView, Sight};

impl Coordinator {
    /// Obeys changes in order.
    pub fn apply(&mut self, changes: &[Change], now: Now) {
        for change in changes {
            self.apply_one(change, now);
        }
    }

    fn apply_one(&mut self, change: &Change, now: Now) {
        match change {
            Change::UserAdded(user) => {
                self.next.user = self.next.user.max(user.id.0 + 1);
                self.users.insert(user.id, Arc::new(user.clone()));
            }
            Change::UserChanged(user) => {
                self.users.insert(user.id, Arc::new(user.clone()));
                self.log.push(Event::User(user.id));
                self.reclass_nodes_of(user.id);
            }
            Change::UserDeleted(user) => drop(self.users.remove(user)),
            Change::AuthKeyAdded(key) | Change::AuthKeyChanged(key) => {
                self.next.auth_key = self.next.auth_key.max(key.id.0 + 1);
                self.auth_keys.insert(key.id, Arc::new(key.clone()));
            }
            Change::AuthKeyDeleted(key) => drop(self.auth_keys.remove(key)),
            Change::NodeAdded(record) => {
                self.next.node = self.next.node.max(record.id.0 + 1);
                self.put_node(NodeRecord::clone(record), Reach::default(), Presence::Offline, now);
            }
            Change::NodeChanged(record) => {
                self.alter_node(record.id, now, |node| node.record = NodeRecord::clone(record))
            }
            Change::NodeDeleted(node) => self.remove_node(*node),
            Change::PolicySet { text, policy } => {
                self.policy_text = Some(Arc::from(text.as_str()));
                let addresses: Vec<_> = self.nodes.values().map(|entry| entry.record.addresses()).collect();
                let nodes = self.nodes.iter().zip(&addresses);
                let nodes = nodes.map(|((id, entry), addresses)| (*id, subject(&self.users, &entry.record, addresses)));
                let roster = Roster::with_nodes(policy.clone(), nodes);
                let before = std::mem::replace(&mut self.roster, Arc::new(roster));
                self.log.push(Event::Policy { before });
            }
            Change::ReachSaved(saved) => {
                let current =
                    |node: &NodeId, reach: &Reach| self.nodes.get(node).is_none_or(|entry| entry.reach == *reach);
                let written = saved.iter().filter(|(node, reach)| current(node, reach));
                written.for_each(|(node, _)| _ = self.unsaved.remove(node));
                self.save_at = (!self.unsaved.is_empty()).then_some(now.mono + limits::REACH_SAVE_DELAY);
            }
            Change::ReachChanged { node, reach } => {
                self.alter_node(*node, now, |entry| entry.reach = reach.clone());
                self.save_later(*node, now);
            }
            Change::StreamOpened { node, stream } => {
                self.next_stream = self.next_stream.max(stream.0 + 1);
                self.alter_node(*node, now, |entry| {
                    if !entry.presence.is_online() {
                        entry.reach.last_seen = Some(now.wall);
                    }
                    entry.presence = Presence::Online(*stream);
                });
                self.save_later(*node, now);
            }
            Change::StreamClosed { node, until } => {
                self.alter_node(*node, now, |entry| entry.presence = Presence::Leaving { until: *until });
            }
            Change::WentOffline { node, last_seen } => {
                self.alter_node(*node, now, |entry| {
                    entry.presence = Presence::Offline;
                    entry.reach.last_seen = Some(*last_seen);
                });
                self.save_later(*node, now);
            }
            Change::KeyExpired(node) => self.alter_node(*node, now, |entry| entry.expired = true),
            Change::RegistrationStarted(pending) => {
                self.pending.insert(pending.id.clone(), Arc::new(crate::Pending::clone(pending)));
            }
            Change::RegistrationEnded(auth_id) => drop(self.pending.remove(auth_id)),
            Change::RelaysSet(derp) => {
                self.derp = Arc::new(derp.clone());
                self.log.push(Event::Derp);
            }
        }
    }

    /// Adds a node with all that belongs to it.
    pub(crate) fn put_node(&mut self, record: NodeRecord, reach: Reach, presence: Presence, now: Now) {
        let id = record.id;
        let expired = record.is_expired(now.wall);
        let node = Sight { config: &self.config, record: &record, reach: &reach, presence, expired }.of_peer();
        let view = Arc::new(PeerView { node, revision: self.log.revision() });
        let entry = Arc::new(Entry { record, reach, presence, expired, view });
        self.index(&entry.record);
        let shift = self.class(&entry.record);
        self.nodes.insert(id, entry);
        self.log.push(Event::Node { id, shift, news: NodeNews::Whole });
        self.set_alarms(id);
    }

    /// Alters a node, and logs what that means to others. An alteration that nobody can see is not logged.
    fn alter_node(&mut self, id: NodeId, now: Now, alter: impl FnOnce(&mut Entry)) {
        let Some(old) = self.nodes.get(&id).cloned() else { return };
        let mut entry = Entry::clone(&old);
        alter(&mut entry);
        entry.expired = entry.record.is_expired(now.wall);
        let (config, record, reach) = (&self.config, &entry.record, &entry.reach);
        let sight = Sight { config, record, reach, presence: entry.presence, expired: entry.expired };
        let seen = sight.of_peer();
        let shift = if old.record == entry.record {
            Shift::still(self.roster.class(id).cloned())
        } else {
            self.unindex(&old.record);
            self.index(&entry.record);
            self.class(&entry.record)
        };
        let news = match NodePatch::between(&old.view.node, &seen) {
            _ if !shift.is_empty() => Some(NodeNews::Whole),
            Some(patch) if patch.is_empty() => (old.record.host != entry.record.host).then_some(NodeNews::Itself),
            Some(patch) if is_cheap(&patch) => Some(NodeNews::Patch(Arc::new(patch))),
            Some(_) | None => Some(NodeNews::Whole),
        };
        if let Some(news) = news {
            let revision = self.log.push(Event::Node { id, shift, news });
            entry.view = Arc::new(PeerView { node: seen, revision });
        }
        self.nodes.insert(id, Arc::new(entry));
        self.set_alarms(id);
    }

    fn remove_node(&mut self, id: NodeId) {
        let Some(entry) = self.nodes.remove(&id) else { return };
        self.unindex(&entry.record);
        let shift = Arc::make_mut(&mut self.roster).remove(id);
        self.log.push(Event::Node { id, shift, news: NodeNews::Whole });
        self.set_alarms(id);
        self.unsaved.remove(&id);
        self.save_at = self.save_at.filter(|_| !self.unsaved.is_empty());
    }

    /// Nodes of a user whose name, and with it perhaps their place in the policy, has changed.
    fn reclass_nodes_of(&mut self, user: UserId) {
        let nodes: Vec<_> =
            self.by_user.range((user, NodeId(0))..=(user, NodeId(u64::MAX))).map(|(_, id)| *id).collect();
        for id in nodes {
            let Some(entry) = self.nodes.get(&id).cloned() else { continue };
            let shift = self.class(&entry.record);
            if !shift.is_empty() {
                self.log.push(Event::Node { id, shift, news: NodeNews::Whole });
            }
        }
    }

    /// Finds the class of a node anew. Tells what that means to others.
    fn class(&mut self, record: &NodeRecord) -> Shift {
        let addresses = record.addresses();
        Arc::make_mut(&mut self.roster).insert(record.id, &subject(&self.users, record, &addresses))
    }

    fn index(&mut self, record: &NodeRecord) {
        self.by_key.insert(record.key, record.id);
        self.by_machine.insert((record.machine, record.id));
        self.labels.insert(record.label.clone(), record.id);
        self.addresses.insert(record.ipv4);
        if let Some(user) = record.user {
            self.by_user.insert((user, record.id));
        }
    }

    fn unindex(&mut self, record: &NodeRecord) {
        self.by_key.remove(&record.key);
        self.by_machine.remove(&(record.machine, record.id));
        self.labels.remove(&record.label);
        self.addresses.remove(&record.ipv4);
        if let Some(user) = record.user {
            self.by_user.remove(&(user, record.id));
        }
    }

    /// Sets the timers of a node to what it is now.
    fn set_alarms(&mut self, id: NodeId) {
        let entry = self.nodes.get(&id);
        let expiry = entry.filter(|entry| !entry.expired).and_then(|entry| entry.record.key_expiry);
        let grace = entry.and_then(|entry| match entry.presence {
            Presence::Leaving { until } => Some(until),
            Presence::Offline | Presence::Online(_) => None,
        });
        let removal =
            entry.filter(|entry| entry.record.ephemeral && entry.presence == Presence::Offline).map(|entry| {
                // After a restart everybody is offline: the time counts from there, else who comes back would find itself gone.
                let since = entry.reach.last_seen.unwrap_or(entry.record.created).max(self.started);
                since.plus(self.config.ephemeral_after)
            });
        self.expiries.set(id, expiry);
        self.graces.set(id, grace);
        self.removals.set(id, removal);
    }

    fn save_later(&mut self, node: NodeId, now: Now) {
        if self.nodes.contains_key(&node) {
            self.unsaved.insert(node);
            self.save_at.get_or_insert(now.mono + limits::REACH_SAVE_DELAY);
        }
    }
}

/// Whether clients apply a patch without rebuilding their map (tailscale `types/netmap/nodemut.go`); a disco key is not
/// among these, but a whole node would cost the same there and more on the way.
fn is_cheap(patch: &NodePatch) -> bool {
    let NodePatch { key, key_expiry, capability_version, capabilities, .. } = patch;
    key.is_none() && key_expiry.is_none() && capability_version.is_none() && capabilities.is_none()
}
