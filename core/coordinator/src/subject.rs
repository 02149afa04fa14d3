//! Nodes and users as the policy looks at them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{HostFacts, Prefix};
use wattle_policy::language::document::Scalar;
use wattle_policy::{Person, Subject};

use crate::record::{NodeRecord, UserRecord};

/// What a policy asks of a node and its record does not spell out.
pub(crate) struct Looks {
    addresses: [IpAddr; 2],
    routes: Vec<Prefix>,
    attributes: BTreeMap<String, Scalar>,
}

impl Looks {
    pub(crate) fn of(record: &NodeRecord) -> Self {
        Self { addresses: record.addresses(), routes: record.served_routes(), attributes: attributes(&record.host) }
    }

    /// The whole of a node. Tagged nodes have no owner.
    pub(crate) fn subject<'a>(&'a self, record: &'a NodeRecord, owner: Option<&'a UserRecord>) -> Subject<'a> {
        let owner = owner.filter(|_| record.tags.is_empty());
        let subject = Subject::new(owner.map(person), &record.tags, &self.addresses);
        Subject { routes: &self.routes, attributes: &self.attributes, ..subject }
    }
}

/// A user.
pub(crate) fn person(user: &UserRecord) -> Person<'_> {
    Person { id: user.id, login: &user.login_name, role: user.role, groups: &user.groups }
}

/// What a node tells about itself, under the names that postures know (tailscale.com/kb/1288, "node attributes").
fn attributes(host: &HostFacts) -> BTreeMap<String, Scalar> {
    // "1.96.5-t1234abcd" is version 1.96.5; odd minor versions are not released.
    let version = host.client_version.split('-').next().unwrap_or_default();
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let track = minor.map(|minor| if minor % 2 == 0 { "stable" } else { "unstable" });
    let told = [
        ("node:os", host.os.as_str()),
        ("node:osVersion", host.os_version.as_str()),
        ("node:tsVersion", version),
        ("node:tsReleaseTrack", track.unwrap_or_default()),
    ];
    let known = told.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| (name.to_owned(), Scalar::Text(value.to_owned()))).collect()
}
