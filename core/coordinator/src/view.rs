//! A node as others and it itself see it, and what everybody is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use wattle_netmap::{Capability, DnsConfig, HostFacts, Node, Prefix, User, UserId};
use wattle_policy::is_exit_route;

use crate::capabilities::SUGGEST_EXIT_NODE;
use crate::config::Config;
use crate::feed::Revision;
use crate::record::{NodeRecord, Presence, Reach, Standing, UserRecord};

/// The identity that all tagged nodes show as their user. The number is the one that clients know from the hosted
/// service (headscale `hscontrol/types/users.go TaggedDevices`).
pub const TAGGED_DEVICES: UserId = UserId(2_147_455_555);

/// A node as peers see it. Its number and revision together name its bytes, whoever has encoded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// The node.
    pub node: Node,
    /// When it became so.
    pub revision: Revision,
}

/// A peer as one viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPeer {
    /// What all who see it see.
    pub view: Arc<PeerView>,
    /// The routes that this viewer may use; `None`: none.
    pub routes: Option<Arc<[Prefix]>>,
}

impl ShownPeer {
    /// The whole of it.
    pub fn node(&self) -> Node {
        let mut node = self.view.node.clone();
        let routes = self.routes.iter().flat_map(|routes| routes.iter().copied());
        node.allowed_ips.extend(routes.clone());
        node.primary_routes = routes.filter(|route| !is_exit_route(route)).collect();
        node
    }
}

/// All that views are made of.
pub(crate) struct Sight<'a> {
    pub(crate) config: &'a Config,
    pub(crate) record: &'a NodeRecord,
    pub(crate) reach: &'a Reach,
    pub(crate) presence: Presence,
    pub(crate) expired: bool,
    pub(crate) standing: Standing,
    pub(crate) ipv4_hidden: bool,
}

impl Sight<'_> {
    /// As a peer sees the node: of its host only what people and programs ask for.
    pub(crate) fn of_peer(&self) -> Node {
        let host = &self.record.host;
        let hidden = |address: &Prefix| self.ipv4_hidden && address.addr().is_ipv4();
        let addresses: Vec<_> = self.record.addresses().map(Prefix::from).into_iter().filter(|a| !hidden(a)).collect();
        let suggested = Capability { name: SUGGEST_EXIT_NODE.to_owned(), values: Vec::new() };
        Node {
            machine: None,
            allowed_ips: addresses.clone(),
            addresses,
            capabilities: self.record.is_exit_node().then_some(suggested).into_iter().collect(),
            host: HostFacts {
                os: host.os.clone(),
                hostname: host.hostname.clone(),
                services: host.services.clone(),
                ssh_host_keys: host.ssh_host_keys.clone(),
                shields_up: host.shields_up,
                ..HostFacts::default()
            },
            ..self.of_itself()
        }
    }

    /// As the node sees itself.
    pub(crate) fn of_itself(&self) -> Node {
        let record = self.record;
        let addresses = record.addresses().map(Prefix::from).to_vec();
        // Official clients sign in again when their key's time is over, not when they are told that it is.
        let (expired, key_expiry) = match self.standing {
            Standing::Suspended { since } => (true, Some(since)),
            Standing::Good | Standing::Unapproved => (self.expired, record.key_expiry),
        };
        Node {
            stable_id: record.stable_id.clone(),
            name: format!("{}.{}", record.label, self.config.domain),
            user: record.owner().unwrap_or(TAGGED_DEVICES),
            key_expiry,
            machine: Some(record.machine),
            disco: self.reach.disco,
            allowed_ips: addresses.clone(),
            addresses,
            endpoints: self.reach.endpoints.clone(),
            home_region: self.reach.home_region,
            host: record.host.clone(),
            created: record.created,
            capability_version: record.capability_version,
            tags: record.tags.clone(),
            online: Some(self.presence.is_online()),
            last_seen: self.reach.last_seen,
            authorized: record.approved,
            expired,
            ..Node::new(record.id, record.key)
        }
    }
}

/// A user as peers see them.
pub(crate) fn user(record: &UserRecord) -> User {
    User {
        id: record.id,
        login_name: record.login_name.clone(),
        display_name: record.display_name.clone(),
        picture_url: record.picture_url.clone(),
    }
}

/// The user that tagged nodes show.
pub(crate) fn tagged_devices() -> User {
    User {
        id: TAGGED_DEVICES,
        login_name: "tagged-devices".to_owned(),
        display_name: "Tagged Devices".to_owned(),
        picture_url: String::new(),
    }
}

/// Names of nodes are answered from the map; everything else goes to the tailnet's resolvers, if there are any.
pub(crate) fn dns_config(config: &Config) -> DnsConfig {
    DnsConfig {
        resolvers: config.resolvers.clone(),
        routes: BTreeMap::from([(config.domain.clone(), Vec::new())]),
        domains: vec![config.domain.clone()],
        proxied: true,
        ..DnsConfig::default()
    }
}
