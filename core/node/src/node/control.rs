//! One change of the map, brought to every stage. A stage that the change does not touch keeps what it has: that is
//! what keeps a working session through every map that arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use wattle_keys::{DiscoPublic, NodePublic};
use wattle_netmap::{Delta, Node as MapNode, NodeId, Prefix};

use super::{Node, Now};
use crate::engine::Engine;
use crate::out::{Event, Out};
use crate::tables::{Activity, PeerEntry};
use crate::{Routes, Slot};

impl Node {
    /// Applies a change of the map.
    pub(super) fn apply(&mut self, delta: Delta, now: Now, out: &mut Out) {
        if delta.is_empty() {
            return;
        }
        let touched = self.touched(&delta);
        let disco_of = |id: &NodeId| Some((*id, self.map.peers.get(id)?.disco?));
        let known: BTreeMap<NodeId, DiscoPublic> = touched.iter().filter_map(disco_of).collect();
        let everybody = delta.all_peers.is_some();
        let reshaped = everybody || !delta.changed.is_empty() || !delta.removed.is_empty();
        let self_changed = delta.self_node.is_some();
        let rules_changed = delta.clear_rules || !delta.rules.is_empty();
        let capabilities_changed = delta.patched.values().any(|patch| patch.capabilities.is_some());
        let names_changed = delta.dns.is_some();
        let relays_changed = delta.derp_regions.is_some() || delta.region_scores.is_some();
        self.map.apply(delta);

        if relays_changed {
            let derp = self.map.derp.clone();
            let gone = |region| !derp.regions.contains_key(&region);
            self.with_relays(now, out, |relays, _, actions| relays.forget(gone, actions));
            self.with_netcheck(now, out, |netcheck, mono, effects| netcheck.set_derp_map(&derp, mono, effects));
        }
        for id in touched {
            self.bring_up_to_date(id, now, out);
            self.note_possible_relay(id);
            if let Some(former) = known.get(&id) {
                self.meet_anew(id, former, now, out);
            }
        }
        self.dirty.routes |= reshaped || self_changed;
        // With a hundred thousand rules the filter is not compiled anew for each peer that comes or goes.
        let sources_changed = (reshaped || capabilities_changed) && self.tables.filter.is_about_capabilities();
        self.dirty.filter |= self_changed || rules_changed || sources_changed;
        self.dirty.names |= reshaped || self_changed || names_changed;
        self.dirty.host |= self_changed;
        self.dirty.peer_relays |= self_changed;
        out.events.push(Event::NetmapChanged);
    }

    /// Forgets everybody: we are signed out.
    pub(super) fn forget_map(&mut self, now: Now, out: &mut Out) {
        let keys: Vec<NodePublic> = self.slots.keys().collect();
        for key in keys {
            self.drop_peer(&key, now, out);
        }
        self.ids.clear();
        self.id_of.clear();
        self.map = wattle_netmap::Netmap::default();
        self.with_relays(now, out, |relays, _, actions| relays.forget(|_| true, actions));
        let derp = self.map.derp.clone();
        self.with_netcheck(now, out, |netcheck, mono, effects| netcheck.set_derp_map(&derp, mono, effects));
        self.dirty.routes = true;
        self.dirty.filter = true;
        self.dirty.names = true;
        self.dirty.host = true;
        out.events.push(Event::NetmapChanged);
    }

    fn touched(&self, delta: &Delta) -> BTreeSet<NodeId> {
        let mut touched: BTreeSet<NodeId> =
            delta.removed.iter().chain(delta.changed.keys()).chain(delta.patched.keys()).copied().collect();
        if let Some(all) = &delta.all_peers {
            touched.extend(self.ids.keys().copied());
            touched.extend(all.iter().map(|peer| peer.id));
        }
        touched
    }

    fn bring_up_to_date(&mut self, id: NodeId, now: Now, out: &mut Out) {
        let peer = self.map.peers.get(&id).filter(|peer| !peer.is_expired(now.wall) && !peer.key.is_zero()).cloned();
        let old_key = self.ids.get(&id).copied();
        if let Some(old_key) = old_key
            && peer.as_ref().is_none_or(|peer| peer.key != old_key)
        {
            self.drop_peer(&old_key, now, out);
            self.ids.remove(&id);
            self.id_of.remove(&old_key);
            self.dirty.routes = true;
        }
        let Some(peer) = peer else { return };
        self.ids.insert(id, peer.key);
        self.id_of.insert(peer.key, id);
        self.place(&peer);
        self.with_paths(now, out, |paths, mono, effects| paths.upsert_peer(Engine::facts(&peer), mono, effects));
        self.refresh_route(&peer.key);
    }

    /// A peer with a new path discovery key was restarted and may have forgotten its sessions: what we seal with them it
    /// could not open until timers notice.
    fn meet_anew(&mut self, id: NodeId, former: &DiscoPublic, now: Now, out: &mut Out) {
        let restarted = self.map.peers.get(&id).filter(|peer| peer.disco.is_some_and(|disco| disco != *former));
        if let Some(key) = restarted.map(|peer| peer.key) {
            self.with_tunnels(None, now, out, |tunnels, mono, effects| tunnels.renew(&key, mono, effects));
        }
    }

    /// Gives a peer its slot in the tables.
    fn place(&mut self, peer: &MapNode) {
        let slot = self.slots.take(peer.key);
        let at = slot.0 as usize;
        if self.tables.peers.len() <= at {
            self.tables.peers.resize(at + 1, None);
        }
        match &mut self.tables.peers[at] {
            Some(entry) if entry.key == peer.key => {
                if entry.jailed != peer.jailed {
                    Arc::make_mut(entry).jailed = peer.jailed;
                    self.dirty.tables = true;
                }
            }
            seat => {
                let route = wattle_path::Route::default();
                let activity = Arc::new(Activity::default());
                *seat = Some(Arc::new(PeerEntry { key: peer.key, sealer: None, route, jailed: peer.jailed, activity }));
                self.dirty.tables = true;
                self.dirty.routes = true;
            }
        }
    }

    fn drop_peer(&mut self, key: &NodePublic, now: Now, out: &mut Out) {
        self.with_tunnels(None, now, out, |tunnels, _, effects| tunnels.remove_peer(key, effects));
        if let Some(engine) = &mut self.engine {
            engine.paths.remove_peer(key);
        }
        self.initiated.remove(key);
        if let Some(slot) = self.slots.release(key) {
            if let Some(seat) = self.tables.peers.get_mut(slot.0 as usize) {
                *seat = None;
            }
            self.tables.openers.retain(|entry| entry.slot != slot);
            self.dirty.tables = true;
        }
    }

    /// Tells a new engine everybody we know.
    pub(super) fn introduce_all(&mut self, now: Now, out: &mut Out) {
        let ids: Vec<NodeId> = self.map.peers.keys().copied().collect();
        for id in ids {
            self.bring_up_to_date(id, now, out);
        }
        self.endpoints_refreshed(true, now, out);
    }

    pub(super) fn rebuild_routes(&mut self) {
        let own: Vec<Prefix> = self.map.self_node.iter().flat_map(|node| node.addresses.clone()).collect();
        let accept_routes = self.preferences.accept_routes;
        let routes = self.ids.iter().filter_map(|(id, key)| {
            let (peer, slot) = (self.map.peers.get(id)?, self.slots.of(key)?);
            Some(usable(peer, accept_routes).map(move |prefix| (prefix, slot)))
        });
        let routes: Vec<(Prefix, Slot)> = routes.flatten().filter(|(prefix, _)| !own.contains(prefix)).collect();
        self.tables.routes = Arc::new(Routes::build(routes));
        self.tables.own = own.iter().map(|prefix| prefix.addr()).collect();
    }

    /// Says what addresses and routes the host should have.
    pub(super) fn want_host(&self, out: &mut Out) {
        let addresses: Vec<Prefix> = self.map.self_node.iter().flat_map(|node| node.addresses.clone()).collect();
        let mut routes = BTreeSet::new();
        if !addresses.is_empty() {
            let peers = self.ids.keys().filter_map(|id| self.map.peers.get(id));
            routes.extend(peers.flat_map(|peer| usable(peer, self.preferences.accept_routes)));
            let has = |is_v4: bool| addresses.iter().any(|prefix| prefix.addr().is_ipv4() == is_v4);
            routes.extend(has(true).then(|| Prefix::from(IpAddr::from(wattle_dns::SERVICE_V4))));
            routes.extend(has(false).then(|| Prefix::from(IpAddr::from(wattle_dns::SERVICE_V6))));
        }
        out.events.push(Event::HostWanted { addresses, routes: routes.into_iter().collect() });
    }
}

/// The prefixes of a peer that we use: its own addresses always, what it routes if a person wants that. Default routes
/// belong to exit nodes, which a person chooses one by one.
fn usable(peer: &MapNode, accept_routes: bool) -> impl Iterator<Item = Prefix> + '_ {
    let is_own = |prefix: &Prefix| peer.addresses.contains(prefix);
    peer.allowed_ips.iter().filter(move |prefix| is_own(prefix) || (accept_routes && prefix.prefix_len() > 0)).copied()
}

#[cfg(test)]
mod tests;
