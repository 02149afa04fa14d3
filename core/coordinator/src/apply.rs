//! Changes to the state. Nothing here can fail: a change about something that is not there does nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use wattle_netmap::{NodeId, NodePatch, Prefix, UserId};
use wattle_policy::{Policy, Roster, Shift};

use crate::change::Change;
use crate::config::Now;
use crate::feed::{Event, NodeNews};
use crate::limits;
use crate::record::{NodeRecord, Presence, Reach, Standing};
use crate::state::{Coordinator, Entry};
use crate::subject::Looks;
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
                let former = self.users.insert(user.id, Arc::new(user.clone()));
                let shown = former.is_none_or(|former| crate::view::user(&former) != crate::view::user(user));
                self.log.push(Event::User { id: user.id, shown });
                self.reclass_nodes_of(user.id, now);
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
            Change::PolicySet { revision, policy } => {
                self.policy = Some(Arc::new(revision.clone()));
                let roster = self.roster_under(policy.clone());
                let before = std::mem::replace(&mut self.roster, Arc::new(roster));
                let hides = can_hide_ipv4(policy) || can_hide_ipv4(before.policy());
                self.log.push(Event::Policy { before });
                let nodes: Vec<NodeId> = if hides { self.nodes.keys().copied().collect() } else { Vec::new() };
                nodes.into_iter().for_each(|id| self.look_again(id, Shift::still(self.roster.class(id).cloned())));
            }
            Change::SettingsSet(settings) => self.settings = *settings,
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
            Change::SshCheckSet(check) => {
                self.ssh_checks.insert(check.id.clone(), Arc::new(crate::SshCheck::clone(check)));
            }
            Change::SshCheckEnded(auth_id) => drop(self.ssh_checks.remove(auth_id)),
            Change::SshApproved { from, to, approval } => {
                self.ssh_approvals.insert((*from, *to), *approval);
                if self.ssh_approvals.len() > limits::SSH_APPROVALS_MAX {
                    let oldest = self.ssh_approvals.iter().min_by_key(|(_, approval)| approval.at);
                    let oldest = oldest.map(|(pair, _)| *pair);
                    oldest.into_iter().for_each(|pair| _ = self.ssh_approvals.remove(&pair));
                }
            }
        }
    }

    /// Adds a node with all that belongs to it.
    pub(crate) fn put_node(&mut self, record: NodeRecord, reach: Reach, presence: Presence, now: Now) {
        let (id, config) = (record.id, self.config.clone());
        self.index(&record);
        let standing = self.standing_of(&record);
        let shift = self.class(&record);
        let (expired, ipv4_hidden) = (record.is_expired(now.wall), self.hides_ipv4(id));
        let sight = Sight { config: &config, record: &record, reach: &reach, presence, expired, standing, ipv4_hidden };
        let view = Arc::new(PeerView { node: sight.of_peer(), revision: self.log.revision() });
        let entry = Arc::new(Entry { record, reach, presence, expired, standing, ipv4_hidden, view });
        let routes = entry.record.served_routes();
        self.nodes.insert(id, entry);
        self.log.push(Event::Node { id, shift, news: NodeNews::Whole });
        self.set_alarms(id);
        if !routes.is_empty() {
            self.reroute(id, routes.into_iter().collect(), true);
        }
    }

    /// Alters a node, and logs what that means to others. An alteration that nobody can see is not logged.
    fn alter_node(&mut self, id: NodeId, now: Now, alter: impl FnOnce(&mut Entry)) {
        let Some(old) = self.nodes.get(&id).cloned() else { return };
        let mut entry = Entry::clone(&old);
        alter(&mut entry);
        entry.expired = entry.record.is_expired(now.wall);
        entry.standing = self.standing_of(&entry.record);
        let same_record = old.record == entry.record && old.standing == entry.standing;
        let shift = if same_record {
            Shift::still(self.roster.class(id).cloned())
        } else {
            self.unindex(&old.record);
            self.index(&entry.record);
            self.class(&entry.record)
        };
        if !same_record {
            entry.ipv4_hidden = self.hides_ipv4(id);
        }
        let seen = self.sight(&entry).of_peer();
        let news = match NodePatch::between(&old.view.node, &seen) {
            Some(patch) if patch.is_empty() => (!same_record).then_some(NodeNews::Itself),
            Some(patch) if is_cheap(&patch) => Some(NodeNews::Patch(Arc::new(patch))),
            Some(_) | None => Some(NodeNews::Whole),
        };
        if let Some(news) = news {
            let revision = self.log.push(Event::Node { id, shift, news });
            if seen != old.view.node {
                entry.view = Arc::new(PeerView { node: seen, revision });
            }
        }
        let entry = Arc::new(entry);
        self.nodes.insert(id, entry.clone());
        self.set_alarms(id);
        self.reroute_altered(&old, &entry);
    }

    fn remove_node(&mut self, id: NodeId) {
        let Some(entry) = self.nodes.remove(&id) else { return };
        self.unindex(&entry.record);
        let shift = Arc::make_mut(&mut self.roster).remove(id);
        self.log.push(Event::Node { id, shift, news: NodeNews::Whole });
        self.set_alarms(id);
        self.unsaved.remove(&id);
        self.save_at = self.save_at.filter(|_| !self.unsaved.is_empty());
        let routes = entry.record.served_routes();
        if !routes.is_empty() {
            self.reroute(id, routes.into_iter().collect(), true);
        }
    }

    /// A router may serve other routes now, or be in charge of others, for itself or for those beside it.
    fn reroute_altered(&mut self, old: &Entry, entry: &Entry) {
        let (routes, former) = (entry.record.served_routes(), old.record.served_routes());
        if routes.is_empty() && former.is_empty() {
            return;
        }
        let works = |entry: &Entry| entry.presence.is_online() && entry.is_admitted();
        let moved = routes != former || old.record.tags != entry.record.tags || old.standing != entry.standing;
        if moved || works(old) != works(entry) {
            self.reroute(entry.record.id, routes.into_iter().chain(former).collect(), moved);
        }
    }

    /// After something has happened to a router: who is in charge of these routes now, and whose routes may be shown
    /// otherwise. Where the router itself has changed, so may those who serve the same routes beside it.
    fn reroute(&mut self, id: NodeId, routes: BTreeSet<Prefix>, moved: bool) {
        let mut affected = self.elect(&routes);
        if moved {
            affected.insert(id);
            affected.extend(routes.iter().flat_map(|route| self.roster.routers_of(route)));
        }
        if !affected.is_empty() {
            self.log.push(Event::Routes(affected.into_iter().collect()));
        }
    }

    /// All nodes in the light of a policy.
    pub(crate) fn roster_under(&self, policy: Arc<Policy>) -> Roster {
        let present = || self.nodes.iter().filter(|(_, entry)| entry.standing == Standing::Good);
        let looks: Vec<Looks> = present().map(|(_, entry)| Looks::of(&entry.record)).collect();
        let nodes = present().zip(&looks).map(|((id, entry), looks)| {
            let owner = entry.record.owner().and_then(|owner| self.users.get(&owner));
            (*id, looks.subject(&entry.record, owner.map(Arc::as_ref)))
        });
        Roster::with_nodes(policy, nodes)
    }

    /// Nodes of a user who may have another place in the policy now, or none.
    fn reclass_nodes_of(&mut self, user: UserId, now: Now) {
        let nodes: Vec<_> =
            self.by_user.range((user, NodeId(0))..=(user, NodeId(u64::MAX))).map(|(_, id)| *id).collect();
        for id in nodes {
            let Some(entry) = self.nodes.get(&id).cloned() else { continue };
            if self.standing_of(&entry.record) != entry.standing {
                self.alter_node(id, now, |_| {});
                continue;
            }
            let shift = self.class(&entry.record);
            self.look_again(id, shift);
        }
    }

    /// Looks at a node again after the policy has changed, or its owner.
    fn look_again(&mut self, id: NodeId, shift: Shift) {
        let Some(old) = self.nodes.get(&id).cloned() else { return };
        let ipv4_hidden = self.hides_ipv4(id);
        if ipv4_hidden != old.ipv4_hidden {
            let mut entry = Entry { ipv4_hidden, ..Entry::clone(&old) };
            let node = self.sight(&entry).of_peer();
            let revision = self.log.push(Event::Node { id, shift, news: NodeNews::Whole });
            entry.view = Arc::new(PeerView { node, revision });
            self.nodes.insert(id, Arc::new(entry));
        } else if !shift.is_empty() {
            self.log.push(Event::Node { id, shift, news: NodeNews::Itself });
        }
    }

    /// Whether the policy hides a node's IPv4 address from peers.
    fn hides_ipv4(&self, id: NodeId) -> bool {
        can_hide_ipv4(self.roster.policy())
            && self.roster.attributes(id).iter().any(|attribute| attribute.name == DISABLE_IPV4)
    }

    /// Whether a node may take part.
    fn standing_of(&self, record: &NodeRecord) -> Standing {
        let owner = record.owner().and_then(|owner| self.users.get(&owner));
        match owner.and_then(|owner| owner.suspended) {
            Some(since) => Standing::Suspended { since },
            None if record.approved => Standing::Good,
            None => Standing::Unapproved,
        }
    }

    /// Finds the class of a node anew. Tells what that means to others. A node that may not take part has none: for the
    /// policy, and so for everybody else, it is not there.
    fn class(&mut self, record: &NodeRecord) -> Shift {
        if self.standing_of(record) != Standing::Good {
            return Arc::make_mut(&mut self.roster).remove(record.id);
        }
        let looks = Looks::of(record);
        let owner = record.owner().and_then(|owner| self.users.get(&owner));
        let subject = looks.subject(record, owner.map(Arc::as_ref));
        Arc::make_mut(&mut self.roster).insert(record.id, &subject)
    }

    fn index(&mut self, record: &NodeRecord) {
        self.by_key.insert(record.key, record.id);
        self.by_machine.insert((record.machine, record.id));
        self.labels.insert(record.label.clone(), record.id);
        self.addresses.insert(record.ipv4);
        if !record.served_routes().is_empty() {
            self.routers.insert(record.id);
        }
        if let Some(user) = record.user {
            self.by_user.insert((user, record.id));
        }
    }

    fn unindex(&mut self, record: &NodeRecord) {
        self.by_key.remove(&record.key);
        self.by_machine.remove(&(record.machine, record.id));
        self.labels.remove(&record.label);
        self.addresses.remove(&record.ipv4);
        self.routers.remove(&record.id);
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

/// Peers are not told the IPv4 address of a node with this attribute (tailscale.com/kb/1337, "disable-ipv4").
const DISABLE_IPV4: &str = "disable-ipv4";

/// Whether a policy may hide some node's IPv4 address: most do not, and need no look at each node.
fn can_hide_ipv4(policy: &Policy) -> bool {
    let document = policy.document();
    let named = |attributes: &[String]| attributes.iter().any(|name| name == DISABLE_IPV4);
    document.disable_ipv4 || document.node_attributes.iter().any(|rule| named(&rule.attributes))
}

/// Whether clients apply a patch without rebuilding their map (tailscale `types/netmap/nodemut.go`); a disco key is not
/// among these, but a whole node would cost the same there and more on the way.
fn is_cheap(patch: &NodePatch) -> bool {
    let NodePatch { key, key_expiry, capability_version, capabilities, .. } = patch;
    key.is_none() && key_expiry.is_none() && capability_version.is_none() && capabilities.is_none()
}
