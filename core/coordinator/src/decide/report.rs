//! What nodes tell about themselves, and their map streams.

use wattle_netmap::{HostFacts, NodeId, Prefix};

use super::{Decided, done};
use crate::change::Change;
use crate::command::{Decision, Reply, Report};
use crate::config::Now;
use crate::limits;
use crate::record::{NodeRecord, Presence, Reach, StreamId};
use crate::refusal::Refusal;
use crate::state::{Coordinator, Entry};

impl Coordinator {
    pub(super) fn decide_report(&self, report: &Report) -> Decided {
        let entry = self.reporter(report)?;
        done(self.reported(entry, report))
    }

    pub(super) fn decide_connect(&self, report: &Report) -> Decided {
        let entry = self.reporter(report)?;
        let node = entry.record.id;
        // Clients repeat in the stream's request what they have told before, perhaps out of order with a newer report: it
        // counts only where we know nothing (tailscale `tailcfg.MapRequest.Stream`).
        let known = &entry.reach;
        let news = Report {
            disco: report.disco.filter(|_| known.disco.is_none()),
            endpoints: report.endpoints.clone().filter(|_| known.endpoints.is_empty()),
            host: report.host.clone().filter(|_| known.net.is_none() || entry.record.host.hostname.is_empty()),
            ..report.clone()
        };
        let mut changes = self.reported(entry, &news);
        let stream = StreamId(self.next_stream);
        changes.push(Change::StreamOpened { node, stream });
        Ok(Decision { changes, reply: Reply::Connected { node, stream } })
    }

    pub(super) fn decide_disconnect(&self, node: NodeId, stream: StreamId, now: Now) -> Decision {
        let changes = match self.node(node).map(|entry| entry.presence) {
            Some(Presence::Online(current)) if current == stream => {
                vec![Change::StreamClosed { node, until: now.mono + limits::OFFLINE_GRACE }]
            }
            Some(Presence::Online(_) | Presence::Leaving { .. } | Presence::Offline) | None => Vec::new(),
        };
        Decision { changes, reply: Reply::Done }
    }

    /// The node that reports, if the key is this machine's.
    fn reporter(&self, report: &Report) -> Result<&Entry, Refusal> {
        check_version(report.capability_version)?;
        let entry = self.node_by_key(&report.node_key).ok_or(Refusal::UnknownNodeKey)?;
        if entry.record.machine != report.machine {
            return Err(Refusal::NotYourKey);
        }
        Ok(entry)
    }

    /// What a report changes, which is often nothing.
    fn reported(&self, entry: &Entry, report: &Report) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut reach = Reach { disco: report.disco.or(entry.reach.disco), ..entry.reach.clone() };
        if let Some(endpoints) = &report.endpoints {
            reach.endpoints = endpoints.iter().take(limits::ENDPOINTS_MAX).copied().collect();
        }
        if let Some(net) = report.host.as_ref().and_then(|host| host.net.as_ref()) {
            reach.home_region = net.preferred_region.or(reach.home_region);
            reach.net = Some(net.clone());
        }
        let mut record = self.with_host(&entry.record, report.host.as_ref());
        record.capability_version = report.capability_version;
        let record = self.approved(record);
        if record != entry.record {
            changes.push(Change::NodeChanged(Box::new(record)));
        }
        if reach != entry.reach {
            changes.push(Change::ReachChanged { node: entry.record.id, reach });
        }
        changes
    }

    /// The record with new facts about the host, and the name that follows from them.
    pub(super) fn with_host(&self, record: &NodeRecord, host: Option<&HostFacts>) -> NodeRecord {
        let mut record = record.clone();
        let Some(host) = host else { return record };
        let host = bounded(host);
        if !record.label_by_admin && host.hostname != record.host.hostname {
            record.label = self.label_for(&host.hostname, Some(record.id));
        }
        record.host = host;
        record
    }
}

/// Clients that we cannot serve are told so in words.
pub(super) fn check_version(version: u16) -> Result<(), Refusal> {
    match version < OLDEST_SERVED {
        true => Err(Refusal::ClientTooOld { version, oldest: OLDEST_SERVED }),
        false => Ok(()),
    }
}

/// Tailscale 1.80. From here on clients know all that our maps say (`wattle_wire::version` has the same number).
const OLDEST_SERVED: u16 = 113;

/// Facts about a host without what it measures, each list and text cut to what we keep.
pub(super) fn bounded(host: &HostFacts) -> HostFacts {
    let text = |text: &String| text.chars().take(limits::HOST_TEXT_MAX).collect::<String>();
    let host_key = |key: &String| key.chars().take(limits::SSH_HOST_KEY_CHARS_MAX).collect::<String>();
    let mut services: Vec<_> = host.services.iter().take(limits::HOST_LIST_MAX).cloned().collect();
    for service in &mut services {
        service.protocol = text(&service.protocol);
        service.description = text(&service.description);
    }
    HostFacts {
        os: text(&host.os),
        os_version: text(&host.os_version),
        hostname: text(&host.hostname),
        client_version: text(&host.client_version),
        routable_ips: host.routable_ips.iter().take(limits::HOST_LIST_MAX).map(Prefix::trunc).collect(),
        request_tags: host.request_tags.iter().take(limits::TAGS_MAX).map(text).collect(),
        services,
        ssh_host_keys: host.ssh_host_keys.iter().take(limits::SSH_HOST_KEYS_MAX).map(host_key).collect(),
        shields_up: host.shields_up,
        peer_relay: host.peer_relay,
        net: None,
    }
}
