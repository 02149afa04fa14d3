//! What the pages look up in the tailnet.

use std::net::IpAddr;

use wattle_coordinator::{AuthId, Coordinator, Entry, Standing};
use wattle_netmap::{NodeId, UserId};
use wattle_time::UnixTime;

use super::People;

/// A user.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) login_name: String,
    pub(super) display_name: String,
    pub(super) is_suspended: bool,
}

/// A machine that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) host_name: String,
    pub(super) os: String,
    pub(super) since: UnixTime,
    pub(super) from: Option<IpAddr>,
    pub(super) kinship: Kinship,
}

/// What a machine that waits is to the person who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinship {
    /// Nobody has it yet, as far as they may know.
    New,
    /// It is a device of theirs that comes back.
    Own,
    /// Somebody else uses it.
    OfAnother,
}

/// A device of somebody's.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) id: NodeId,
    pub(super) name: String,
    pub(super) os: String,
    pub(super) addresses: [IpAddr; 2],
    pub(super) is_online: bool,
    pub(super) last_seen: Option<UnixTime>,
    pub(super) key_expiry: Option<UnixTime>,
    pub(super) is_expired: bool,
    /// An administrator must approve it before it reaches anything.
    pub(super) awaits_approval: bool,
}

impl People {
    pub(super) async fn person(&self, user: UserId) -> Option<Person> {
        let found = self.tailnet.read(move |coordinator| {
            coordinator.user(user).map(|record| Person {
                login_name: record.login_name.clone(),
                display_name: record.display_name.clone(),
                is_suspended: record.suspended.is_some(),
            })
        });
        found.await.ok().flatten()
    }

    pub(super) async fn waiting(&self, auth_id: &AuthId, viewer: Option<UserId>) -> Option<Waiting> {
        let (id, from) = (auth_id.clone(), self.remotes.of(auth_id));
        let found = self.tailnet.read(move |coordinator| {
            let pending = coordinator.registration(&id)?;
            let mut others = coordinator.nodes().filter(|entry| entry.record.machine == pending.machine).peekable();
            let kinship = match viewer {
                Some(_) if others.peek().is_none() => Kinship::New,
                Some(user) if others.any(|entry| entry.record.user == Some(user)) => Kinship::Own,
                Some(_) => Kinship::OfAnother,
                None => Kinship::New,
            };
            let host = &pending.host;
            let os = format!("{} {}", host.os, host.os_version).trim().to_owned();
            Some(Waiting { host_name: host.hostname.clone(), os, since: pending.created, from, kinship })
        });
        found.await.ok().flatten()
    }

    /// The devices of a user, without tagged ones: those belong to nobody.
    pub(super) async fn devices(&self, user: UserId) -> Vec<Device> {
        let found = self.tailnet.read(move |coordinator| devices_of(coordinator, user));
        found.await.unwrap_or_default()
    }

    /// One of them.
    pub(super) async fn device(&self, user: UserId, node: NodeId) -> Option<Device> {
        let found = self.tailnet.read(move |coordinator| {
            coordinator.node(node).filter(|entry| entry.record.user == Some(user)).map(device)
        });
        found.await.ok().flatten()
    }
}

fn devices_of(coordinator: &Coordinator, user: UserId) -> Vec<Device> {
    coordinator.nodes_of(user).filter(|entry| entry.record.owner() == Some(user)).map(device).collect()
}

fn device(entry: &Entry) -> Device {
    let record = &entry.record;
    Device {
        id: record.id,
        name: record.label.clone(),
        os: record.host.os.clone(),
        addresses: record.addresses(),
        is_online: entry.presence.is_online(),
        last_seen: entry.reach.last_seen,
        key_expiry: record.key_expiry,
        is_expired: entry.expired,
        awaits_approval: entry.standing == Standing::Unapproved,
    }
}
