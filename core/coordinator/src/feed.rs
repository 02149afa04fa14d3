//! What each stream must be told. A stream is a node and what it was told last ([`Told`]); the log says what happened
//! since.

mod history;
mod log;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wattle_netmap::{Delta, DerpMap, DnsConfig, FilterRule, Node, NodeId, NodePatch, Prefix, User, UserId};
use wattle_policy::{Chunk, Class, PacketRule, SshPermit, is_exit_route};

use crate::capabilities;
use crate::state::{Coordinator, Entry};
use crate::view::{ShownPeer, Sight};

use history::History;
pub use log::Revision;
pub(crate) use log::{Event, Log, NodeNews};
pub use told::{FeedCache, Told};
use told::{fingerprint, settled};

/// What one stream is told to catch up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// What the stream has seen then.
    pub to: Revision,
    /// Whether this is everything, not what changed.
    pub whole: bool,
    /// Whether the stream must end: its node is gone, or it is too far behind. Nothing else is told then.
    pub over: bool,
    /// The node itself.
    pub self_node: Option<Box<Node>>,
    /// Peers that are new or changed, or all of them, by number.
    pub peers: Vec<ShownPeer>,
    /// Peers that are gone.
    pub removed: Vec<NodeId>,
    /// Parts of peers that changed.
    pub patches: Vec<(NodeId, Arc<NodePatch>)>,
    /// Users that are new or changed.
    pub users: Vec<User>,
    /// The relays.
    pub derp: Option<Arc<DerpMap>>,
    /// Names.
    pub dns: Option<Arc<DnsConfig>>,
    /// Packet rules that are new, or all of them.
    pub chunks: Vec<Chunk>,
    /// Packet rules that hold no more, by fingerprint.
    pub dropped: Vec<u64>,
    /// Who may log in by SSH, all of it.
    pub ssh: Option<Vec<SshPermit>>,
    /// The tailnet's name.
    pub domain: Option<String>,
}

impl Update {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self { to: self.to, ..Self::default() }
    }

    /// The name of packet rules on the wire: what they are, not where they stand in a policy, so that a rule that moves
    /// is not told again.
    pub fn chunk_name(fingerprint: u64) -> String {
        format!("r{fingerprint:016x}")
    }

    /// The same as a change of a map.
    pub fn to_delta(&self) -> Delta {
        let rules = |chunk: &Chunk| -> Vec<FilterRule> { chunk.rules.iter().map(PacketRule::to_filter_rule).collect() };
        let new = self.chunks.iter().map(|chunk| (Self::chunk_name(chunk.fingerprint), Some(rules(chunk))));
        let gone = self.dropped.iter().map(|fingerprint| (Self::chunk_name(*fingerprint), None));
        let node = |peer: &ShownPeer| (peer.view.node.id, peer.node());
        Delta {
            self_node: self.self_node.clone(),
            all_peers: self.whole.then(|| self.peers.iter().map(ShownPeer::node).collect()),
            removed: self.removed.iter().copied().collect(),
            changed: if self.whole { BTreeMap::new() } else { self.peers.iter().map(node).collect() },
            patched: self.patches.iter().map(|(id, patch)| (*id, NodePatch::clone(patch))).collect(),
            users: self.users.iter().map(|user| (user.id, user.clone())).collect(),
            derp_regions: self.derp.as_ref().map(|derp| derp.regions.clone()),
            region_scores: self.derp.as_ref().map(|derp| derp.region_scores.clone()),
            dns: self.dns.as_deref().cloned(),
            clear_rules: self.whole,
            rules: gone.chain(new).collect(),
            domain: self.domain.clone(),
            ..Delta::default()
        }
    }
}

/// One stream that is to be told something.
struct Listener<'a> {
    own: NodeId,
    entry: &'a Entry,
    /// `None`: it may not take part.
    class: Option<&'a Arc<Class>>,
}

impl Coordinator {
    /// What a node's stream must be told after what it was told already. It counts as told from then on.
    pub fn catch_up(&self, node: NodeId, told: &mut Told, cache: &mut FeedCache) -> Update {
        let to = self.log.revision();
        let over = Update { to, over: true, ..Update::default() };
        let Some(entry) = self.node(node) else { return over };
        let listener = Listener { own: node, entry, class: self.roster.class(node) };
        let update = match told.revision {
            None => self.whole_map(&listener, told, cache),
            Some(from) if from == to => Update { to, ..Update::default() },
            Some(from) => match self.log.since(from) {
                Some(events) => self.changes(&listener, &History::read(events), told, cache),
                None => return over,
            },
        };
        told.revision = Some(to);
        update
    }

    fn whole_map(&self, listener: &Listener<'_>, told: &mut Told, cache: &mut FeedCache) -> Update {
        *told = Told::default();
        let Listener { own, class, .. } = *listener;
        let visible = |id: NodeId| id != own && sees(class, self.roster.class(id));
        let mut update = Update {
            to: self.log.revision(),
            whole: true,
            derp: Some(self.derp.clone()),
            dns: Some(self.dns.clone()),
            domain: Some(self.config.domain.clone()),
            ..Update::default()
        };
        for (id, peer) in self.nodes.iter().filter(|(id, _)| visible(**id)) {
            let routes = self.shown_routes(own, *id);
            told.routes.extend(routes.clone().map(|routes| (*id, routes)));
            update.peers.push(ShownPeer { view: peer.view.clone(), routes });
        }
        self.tell_itself(listener, told, &mut update);
        self.tell_rules(own, told, cache, &mut update);
        self.tell_ssh(own, told, &mut update);
        // A node that is tagged later shows this user, and a patch brings no users.
        self.with_users(update, &BTreeSet::from([crate::TAGGED_DEVICES]))
    }

    fn changes(
        &self,
        listener: &Listener<'_>,
        history: &History<'_>,
        told: &mut Told,
        cache: &mut FeedCache,
    ) -> Update {
        let Listener { own, class, entry } = *listener;
        let mut update = Update { to: self.log.revision(), ..Update::default() };
        let own_touched = history.touched.get(&own);
        // Unless the eyes themselves changed, only nodes that something happened to can look different.
        let same_eyes = history.old_roster.is_none() && own_touched.is_none_or(|own| own.class == class);
        self.tell_peers(listener, history, same_eyes, told, &mut update);
        let moved = own_touched.is_some_and(|own| own.shifts.iter().any(|shift| !shift.is_empty()));
        let mut shifts = history.touched.values().flat_map(|touched| &touched.shifts);
        if !same_eyes || moved || shifts.any(|shift| class.is_some_and(|class| class.heeds(shift))) {
            self.tell_rules(own, told, cache, &mut update);
        }
        if history.old_roster.is_some() || history.people {
            self.tell_ssh(own, told, &mut update);
        }
        let owner_changed = entry.record.owner().is_some_and(|owner| history.users.contains(&owner));
        let own_news = own_touched.is_some_and(|own| own.whole || own.itself);
        if own_news || owner_changed || history.old_roster.is_some() || history.rerouted.contains(&own) {
            self.tell_itself(listener, told, &mut update);
        }
        update.derp = history.derp.then(|| self.derp.clone());
        let renamed = history.renamed.iter().copied().filter(|user| self.knows_user(own, class, *user)).collect();
        self.with_users(update, &renamed)
    }

    /// Peers that came, changed or went, and routes that go by way of others now.
    fn tell_peers(
        &self,
        listener: &Listener<'_>,
        history: &History<'_>,
        same_eyes: bool,
        told: &mut Told,
        update: &mut Update,
    ) {
        let Listener { own, class, .. } = *listener;
        let own_before = match (history.touched.get(&own), history.old_roster) {
            (Some(touched), _) => touched.class,
            (None, Some(roster)) => roster.class(own),
            (None, None) => class,
        };
        let happened = history.touched.keys().chain(&history.rerouted);
        let candidates: BTreeSet<NodeId> = match same_eyes {
            true => happened.copied().collect(),
            false => self.nodes.keys().chain(happened).copied().collect(),
        };
        for id in candidates.into_iter().filter(|id| *id != own) {
            let (touched, after) = (history.touched.get(&id), self.roster.class(id));
            let before = match (touched, history.old_roster) {
                (Some(touched), _) => touched.class,
                (None, Some(roster)) => roster.class(id),
                (None, None) => after,
            };
            let (saw, seen) = (sees(own_before, before), sees(class, after));
            let Some(peer) = self.nodes.get(&id).filter(|_| seen) else {
                told.routes.remove(&id);
                update.removed.extend(saw.then_some(id));
                continue;
            };
            let routes = self.shown_routes(own, id);
            let former = match &routes {
                Some(routes) => told.routes.insert(id, routes.clone()),
                None => told.routes.remove(&id),
            };
            if !saw || former != routes || touched.is_some_and(|touched| touched.whole) {
                update.peers.push(ShownPeer { view: peer.view.clone(), routes });
            } else if let Some(patch) = touched.and_then(|touched| touched.patch()) {
                update.patches.push((id, patch));
            }
        }
    }

    /// The node itself, where it is not what it was told last.
    fn tell_itself(&self, listener: &Listener<'_>, told: &mut Told, update: &mut Update) {
        let Listener { own, entry, .. } = *listener;
        let role = entry.record.owner().and_then(|owner| self.users.get(&owner)).map(|user| user.role);
        let mut node = self.sight(entry).of_itself();
        node.capabilities = capabilities::own(role, self.roster.attributes(own));
        let served = entry.record.served_routes();
        let in_charge = |route: &&Prefix| !is_exit_route(route) && self.primary_of(route) == Some(own);
        node.primary_routes = served.iter().filter(in_charge).copied().collect();
        node.allowed_ips.extend(served);
        let settled = settled(&node);
        if told.itself.as_ref() != Some(&settled) {
            told.itself = Some(settled);
            update.self_node = Some(Box::new(node));
        }
    }

    /// Packet rules that are new, and those that hold no more.
    fn tell_rules(&self, own: NodeId, told: &mut Told, cache: &mut FeedCache, update: &mut Update) {
        let chunks = self.roster.chunks_for(own, &mut cache.packets);
        let hold: BTreeSet<u64> = chunks.iter().map(|chunk| chunk.fingerprint).collect();
        update.dropped = told.chunks.difference(&hold).copied().collect();
        let mut known = std::mem::replace(&mut told.chunks, hold);
        // Two rules of a policy may come to the same.
        update.chunks = chunks.into_iter().filter(|chunk| known.insert(chunk.fingerprint)).collect();
    }

    /// Who may log in, where that is not what was told last.
    fn tell_ssh(&self, own: NodeId, told: &mut Told, update: &mut Update) {
        let permits = self.roster.ssh_for(own);
        let fresh = Some(fingerprint(&permits));
        if std::mem::replace(&mut told.ssh, fresh) != fresh {
            update.ssh = Some(permits);
        }
    }

    /// Whether a node is shown nodes of this user, or belongs to them.
    fn knows_user(&self, own: NodeId, class: Option<&Arc<Class>>, user: UserId) -> bool {
        let nodes = self.by_user.range((user, NodeId(0))..=(user, NodeId(u64::MAX))).map(|(_, id)| *id);
        let belongs = |id: &NodeId| self.node(*id).is_some_and(|entry| entry.record.owner() == Some(user));
        let visible = |id: NodeId| id == own || sees(class, self.roster.class(id));
        nodes.filter(belongs).any(visible)
    }

    /// Adds the users that a stream needs: those of nodes that it is told of, and others that it must know.
    fn with_users(&self, mut update: Update, others: &BTreeSet<UserId>) -> Update {
        let told = update.peers.iter().map(|peer| &peer.view.node).chain(update.self_node.as_deref());
        let mut users: BTreeSet<UserId> = told.map(|node| node.user).collect();
        users.extend(others);
        let profile = |id: &UserId| match self.users.get(id) {
            Some(user) => Some(crate::view::user(user)),
            None => (*id == crate::TAGGED_DEVICES).then(crate::view::tagged_devices),
        };
        update.users = users.iter().filter_map(profile).collect();
        update
    }

    pub(crate) fn sight<'a>(&'a self, entry: &'a Entry) -> Sight<'a> {
        let Entry { record, reach, presence, expired, standing, ipv4_hidden, .. } = entry;
        let (presence, expired, standing, ipv4_hidden) = (*presence, *expired, *standing, *ipv4_hidden);
        Sight { config: &self.config, record, reach, presence, expired, standing, ipv4_hidden }
    }
}

/// Whether nodes of one class see those of another. Who has none sees nobody and is seen by nobody.
fn sees(own: Option<&Arc<Class>>, other: Option<&Arc<Class>>) -> bool {
    own.zip(other).is_some_and(|(own, other)| own.sees(other))
}
