//! One message of a map stream, and what it changes.

use std::collections::BTreeMap;

use wattle_netmap::{Delta, NodeId, NodePatch, UserId};
use wattle_time::UnixTime;

use super::node::{Viewer, node_from_wire, node_to_wire};
use super::{ConvertError, derp, dns, patch, rules, user};
use crate::control::{DisplayMessage, MapResponse};
use crate::version::{self, CapabilityVersion};

/// The name under which `PacketFilter` and `Health`, which have none, are kept.
const BASE: &str = "base";
/// The name that, with null, drops all names.
const EVERYTHING: &str = "*";

/// Reads what a message changes. Peers without number or key are left out; such a self is an error.
///
/// Not looked at: keepalive, ping request, page to open, client version, dial plan, SSH policy. They change no map.
pub fn delta_from_wire(response: MapResponse, now: UnixTime) -> Result<Delta, ConvertError> {
    let mut delta = Delta {
        self_node: response.node.map(|node| node_from_wire(*node)).transpose()?.map(Box::new),
        users: response.user_profiles.into_iter().map(|user| (UserId(user.id), user::user_from_wire(user))).collect(),
        dns: response.dns_config.map(dns::dns_from_wire),
        domain: Some(response.domain).filter(|domain| !domain.is_empty()),
        ..Delta::default()
    };
    if let Some(map) = response.derp_map {
        let parts = derp::parts_from_wire(map);
        (delta.derp_regions, delta.region_scores) = (parts.regions, parts.scores);
    }

    // Removed, then changed, then seen, then online, then patched; all of it nothing beside a full list.
    if response.peers.is_empty() {
        delta.removed = response.peers_removed.into_iter().map(NodeId).collect();
        let changed = response.peers_changed.into_iter().filter_map(|peer| node_from_wire(peer).ok());
        delta.changed = changed.map(|peer| (peer.id, peer)).collect();
        let mut add = |id: NodeId, patch: NodePatch| delta.patched.entry(id).or_default().merge(patch);
        for (id, seen) in response.peer_seen_change {
            add(NodeId(id), NodePatch { last_seen: Some(seen.then_some(now)), ..NodePatch::default() });
        }
        for (id, online) in response.online_change {
            add(NodeId(id), NodePatch { online: Some(online), ..NodePatch::default() });
        }
        for change in response.peers_changed_patch {
            let (id, patch) = patch::patch_from_wire(change);
            add(id, patch);
        }
    } else {
        delta.all_peers = Some(response.peers.into_iter().filter_map(|peer| node_from_wire(peer).ok()).collect());
    }

    if let Some(base) = response.packet_filter {
        delta.rules.insert(BASE.to_owned(), Some(rules::rules_from_wire(base)));
    }
    delta.clear_rules = is_reset(&response.packet_filters);
    let named = response.packet_filters.into_iter().filter(|(name, _)| name != EVERYTHING);
    delta.rules.extend(named.map(|(name, rules)| (name, rules.map(rules::rules_from_wire))));

    if let Some(health) = response.health {
        delta.clear_health = true;
        let numbered = health.into_iter().enumerate();
        delta.health.extend(numbered.map(|(number, text)| (format!("{BASE}-{number}"), Some(text))));
    }
    delta.clear_health |= is_reset(&response.display_messages);
    let named = response.display_messages.into_iter().filter(|(key, _)| key != EVERYTHING);
    delta.health.extend(named.map(|(key, message)| (key, message.map(display_from_wire))));
    Ok(delta)
}

/// Reads the first message of a stream: what it does not bring, the node does not have. Relays are the exception;
/// better old ones than none.
pub fn first_delta_from_wire(response: MapResponse, now: UnixTime) -> Result<Delta, ConvertError> {
    let mut delta = delta_from_wire(response, now)?;
    delta.all_peers.get_or_insert_default();
    delta.dns.get_or_insert_default();
    delta.clear_rules = true;
    delta.clear_health = true;
    Ok(delta)
}

/// Writes a change for a client.
///
/// An empty list of all peers cannot be written: a server names those who are gone. Clients below
/// [`version::DISPLAY_MESSAGES`] are told of health only when the change replaces all of it.
pub fn delta_to_wire(delta: &Delta, client: CapabilityVersion) -> MapResponse {
    let peer = |peer| node_to_wire(peer, Viewer::Peer);
    let mut response = MapResponse {
        node: delta.self_node.as_deref().map(|node| Box::new(node_to_wire(node, Viewer::Itself))),
        peers: delta.all_peers.iter().flatten().map(peer).collect(),
        peers_removed: delta.removed.iter().map(|id| id.0).collect(),
        peers_changed: delta.changed.values().map(peer).collect(),
        dns_config: delta.dns.as_ref().map(dns::dns_to_wire),
        domain: delta.domain.clone().unwrap_or_default(),
        user_profiles: delta.users.values().map(user::user_to_wire).collect(),
        ..MapResponse::default()
    };
    response.peers.sort_by_key(|peer| peer.id);
    if delta.derp_regions.is_some() || delta.region_scores.is_some() {
        response.derp_map = Some(derp::parts_to_wire(delta.derp_regions.as_ref(), delta.region_scores.as_ref()));
    }
    for (id, change) in &delta.patched {
        if change.last_seen == Some(None) {
            response.peer_seen_change.insert(id.0, false);
        }
        let rest = NodePatch { last_seen: change.last_seen.filter(Option::is_some), ..change.clone() };
        if !rest.is_empty() {
            response.peers_changed_patch.push(patch::patch_to_wire(*id, &rest));
        }
    }
    if delta.clear_rules {
        response.packet_filters.insert(EVERYTHING.to_owned(), None);
    }
    let named = delta.rules.iter().map(|(name, rules)| (name.clone(), rules.as_deref().map(rules::rules_to_wire)));
    response.packet_filters.extend(named);
    if client >= version::DISPLAY_MESSAGES {
        if delta.clear_health {
            response.display_messages.insert(EVERYTHING.to_owned(), None);
        }
        let named = delta.health.iter().map(|(key, text)| (key.clone(), text.as_deref().map(display_to_wire)));
        response.display_messages.extend(named);
    } else if delta.clear_health {
        response.health = Some(delta.health.values().flatten().cloned().collect());
    }
    response
}

fn is_reset<V>(edits: &BTreeMap<String, Option<V>>) -> bool {
    edits.get(EVERYTHING).is_some_and(Option::is_none)
}

fn display_from_wire(message: DisplayMessage) -> String {
    match (message.title.as_str(), message.text.as_str()) {
        (title, "") => title.to_owned(),
        ("", text) => text.to_owned(),
        (title, text) => format!("{title}: {text}"),
    }
}

fn display_to_wire(text: &str) -> DisplayMessage {
    DisplayMessage { title: text.to_owned(), severity: "medium".to_owned(), ..DisplayMessage::default() }
}
