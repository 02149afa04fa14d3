//! One machine in the network, as others and it itself see it.

use std::net::{IpAddr, SocketAddr};

use wattle_keys::{DiscoPublic, MachinePublic, NodePublic};
use wattle_time::UnixTime;

use crate::{Prefix, RegionId, UserId};

/// Numbers a node. Never reused, below 2^53 because peers read it as a JSON number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// Names a node over its whole life, in texts: command lines, APIs, exit node choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StableId(pub String);

/// A node of the tailnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Number.
    pub id: NodeId,
    /// Name over its life.
    pub stable_id: StableId,
    /// Full DNS name, lowercase, without the last dot: `laptop.example.ts.net`.
    pub name: String,
    /// Owner; for tagged nodes the tag identity.
    pub user: UserId,
    /// WireGuard and relay identity.
    pub key: NodePublic,
    /// When the key stops being valid; `None`: never.
    pub key_expiry: Option<UnixTime>,
    /// Identity on the control channel. Control tells it of oneself only.
    pub machine: Option<MachinePublic>,
    /// Path discovery key; `None` while the node has not reported one.
    pub disco: Option<DiscoPublic>,
    /// Own addresses, IPv4 first.
    pub addresses: Vec<Prefix>,
    /// What may come from it and be routed to it: own addresses, and the routes it serves.
    pub allowed_ips: Vec<Prefix>,
    /// The routes among them for which it is the one in charge.
    pub primary_routes: Vec<Prefix>,
    /// Underlay addresses where it may be reached directly, best guess first.
    pub endpoints: Vec<Endpoint>,
    /// Region where it keeps a relay connection; `None`: none known.
    pub home_region: Option<RegionId>,
    /// What it says about its host.
    pub host: HostFacts,
    /// When it joined.
    pub created: UnixTime,
    /// Capability version of its client.
    pub capability_version: u16,
    /// Tags, such as `tag:server`.
    pub tags: Vec<String>,
    /// Whether it is connected to control; `None`: not told.
    pub online: Option<bool>,
    /// When it last was, told of offline nodes.
    pub last_seen: Option<UnixTime>,
    /// Whether an administrator has let it in.
    pub authorized: bool,
    /// Whether control says that its key has expired.
    pub expired: bool,
    /// What it may do, or what is known about it, by capability name.
    pub capabilities: Vec<Capability>,
    /// A WireGuard peer that speaks neither disco nor DERP.
    pub wireguard_only: bool,
    /// Whether nothing may be accepted from it.
    pub jailed: bool,
}

impl Node {
    /// A node of which only the number and the key are known.
    pub fn new(id: NodeId, key: NodePublic) -> Self {
        Self {
            id,
            stable_id: StableId::default(),
            name: String::new(),
            user: UserId::default(),
            key,
            key_expiry: None,
            machine: None,
            disco: None,
            addresses: Vec::new(),
            allowed_ips: Vec::new(),
            primary_routes: Vec::new(),
            endpoints: Vec::new(),
            home_region: None,
            host: HostFacts::default(),
            created: UnixTime::EPOCH,
            capability_version: 0,
            tags: Vec::new(),
            online: None,
            last_seen: None,
            authorized: false,
            expired: false,
            capabilities: Vec::new(),
            wireguard_only: false,
            jailed: false,
        }
    }

    /// The IPv4 tailnet address, if it has one.
    pub fn ipv4(&self) -> Option<IpAddr> {
        self.addresses.iter().map(|prefix| prefix.addr()).find(IpAddr::is_ipv4)
    }

    /// The IPv6 tailnet address, if it has one.
    pub fn ipv6(&self) -> Option<IpAddr> {
        self.addresses.iter().map(|prefix| prefix.addr()).find(IpAddr::is_ipv6)
    }

    /// The first label of the name.
    pub fn short_name(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// Whether the key is no longer valid at this time.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expired || self.key_expiry.is_some_and(|expiry| expiry <= now)
    }
}

/// A capability with its values, each a JSON text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    /// Such as `https://tailscale.com/cap/is-admin`.
    pub name: String,
    /// JSON texts; often none.
    pub values: Vec<String>,
}

/// An underlay address and how it was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Where.
    pub address: SocketAddr,
    /// How it was learnt.
    pub kind: EndpointKind,
}

/// How an endpoint was learnt. The numbers are those of the wire (tailscale `tailcfg.EndpointType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointKind {
    /// Not told.
    #[default]
    Unknown = 0,
    /// An address of a local interface.
    Local = 1,
    /// Seen by a STUN server.
    Stun = 2,
    /// A mapping that the router made on request.
    PortMapped = 3,
    /// Address seen by STUN with the local port: right when the router forwards that port.
    StunLocalPort = 4,
    /// Configured by hand.
    Explicit = 5,
}

/// What a node says about its host. Peers see a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Operating system, such as `linux`.
    pub os: String,
    /// Its version.
    pub os_version: String,
    /// Host name as the machine calls itself.
    pub hostname: String,
    /// Version of the client program.
    pub client_version: String,
    /// Prefixes that it offers to route.
    pub routable_ips: Vec<Prefix>,
    /// Tags that it asks for.
    pub request_tags: Vec<String>,
    /// Services on the tailnet addresses.
    pub services: Vec<Service>,
    /// Public keys of its SSH server, as `known_hosts` has them. Peers see them.
    pub ssh_host_keys: Vec<String>,
    /// Whether it refuses all incoming connections.
    pub shields_up: bool,
    /// Whether it is willing to relay UDP for its peers.
    pub peer_relay: bool,
    /// What it measured of its network.
    pub net: Option<NetFacts>,
}

/// A service that a node announces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// `tcp`, `udp`, `peerapi4`, `peerapi6`, ...
    pub protocol: String,
    /// Port.
    pub port: u16,
    /// For people.
    pub description: String,
}

/// What a node measured of its network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetFacts {
    /// Whether its NAT maps differently per destination; `None`: unknown.
    pub mapping_varies: Option<bool>,
    /// Whether UDP works.
    pub udp: Option<bool>,
    /// Whether IPv6 works.
    pub ipv6: Option<bool>,
    /// Home region.
    pub preferred_region: Option<RegionId>,
}
