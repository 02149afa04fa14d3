//! What is known of users, auth keys and nodes: the durable part, and the hot part that lives in memory.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use wattle_identity::IdentityKey;
use wattle_keys::{DiscoPublic, MachinePublic, NodePublic};
use wattle_netmap::{Endpoint, HostFacts, NetFacts, NodeId, Prefix, RegionId, StableId, UserId};
use wattle_policy::is_exit_route;
use wattle_policy::language::document::Role;
use wattle_time::{Instant, UnixTime};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord {
    /// Number.
    pub id: UserId,
    /// As policies and lists name them.
    pub login_name: String,
    /// As they are called.
    pub display_name: String,
    /// When they were made known.
    pub created: UnixTime,
    /// What they may do in the tailnet.
    pub role: Role,
    /// Groups that their identity provider says they are in, without `group:`.
    pub groups: Vec<String>,
    /// Who they are at their identity providers, sorted; none: an administrator made them known, and nobody has signed in
    /// as them.
    pub identities: Vec<IdentityKey>,
    /// The provider that they signed in with last, by its name in the configuration; empty: none.
    pub provider: String,
    /// Their e-mail address, as a provider has verified it.
    pub email: Option<String>,
    /// Where their picture is; empty: there is none.
    pub picture_url: String,
    /// Since when they are suspended.
    pub suspended: Option<UnixTime>,
    /// When they last signed in.
    pub last_sign_in: Option<UnixTime>,
    /// Whether they used a second factor then, as far as the provider says.
    pub second_factor: bool,
}

impl UserRecord {
    /// Somebody of whom nothing more is known.
    pub fn new(id: UserId, login_name: String, created: UnixTime, role: Role) -> Self {
        Self {
            id,
            display_name: login_name.clone(),
            login_name,
            created,
            role,
            groups: Vec::new(),
            identities: Vec::new(),
            provider: String::new(),
            email: None,
            picture_url: String::new(),
            suspended: None,
            last_sign_in: None,
            second_factor: false,
        }
    }
}

/// What administrators choose for the whole tailnet while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether an administrator must approve each new node.
    pub device_approval: bool,
}

/// Whether a node may take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Good,
    /// An administrator has not approved it yet: it sees nobody, and nobody sees it.
    Unapproved,
    /// Its owner is suspended: it sees nobody, nobody sees it, and it is told to sign in again.
    Suspended {
        /// Since when.
        since: UnixTime,
    },
}

/// A policy that was put in force at some time. The one with the highest number is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRevision {
    /// Number, from 1.
    pub number: u64,
    /// As it was written.
    pub text: String,
    /// Who put it in force; empty: not known.
    pub author: String,
    /// Why, in their words.
    pub note: String,
    /// When.
    pub at: UnixTime,
}

/// Numbers an auth key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthKeyId(pub u64);

/// A key that lets machines join. The secret itself is known only to who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthKey {
    /// Number.
    pub id: AuthKeyId,
    /// The part of the secret that lists show.
    pub prefix: String,
    /// SHA-256 of the whole secret, which has 200 random bits: nothing slower is needed.
    pub hash: [u8; 32],
    /// Whose nodes it makes; `None` for keys that only tag.
    pub user: Option<UserId>,
    /// Tags that its nodes get.
    pub tags: Vec<String>,
    /// Whether it works more than once.
    pub reusable: bool,
    /// Whether its nodes are removed soon after they go offline.
    pub ephemeral: bool,
    /// Whether its nodes need no administrator's approval.
    pub preapproved: bool,
    /// When it was made.
    pub created: UnixTime,
    /// When it stops working.
    pub expires: Option<UnixTime>,
    /// When it was last used.
    pub used: Option<UnixTime>,
    /// When an administrator revoked it.
    pub revoked: Option<UnixTime>,
}

/// What must be remembered of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// Number.
    pub id: NodeId,
    /// Name over its life.
    pub stable_id: StableId,
    /// The machine that it lives on.
    pub machine: MachinePublic,
    /// Its present key.
    pub key: NodePublic,
    /// Who registered it. A tagged node does not belong to them any more.
    pub user: Option<UserId>,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// Whether an administrator chose the tags, so that the node itself cannot change them.
    pub tags_by_admin: bool,
    /// First label of its name, unique.
    pub label: String,
    /// Whether an administrator chose the label, so that it does not follow the host name.
    pub label_by_admin: bool,
    /// IPv4 address.
    pub ipv4: Ipv4Addr,
    /// IPv6 address.
    pub ipv6: Ipv6Addr,
    /// When it joined.
    pub created: UnixTime,
    /// When its key stops being valid; `None`: never.
    pub key_expiry: Option<UnixTime>,
    /// Whether it is removed soon after it goes offline.
    pub ephemeral: bool,
    /// The auth key that let it in last.
    pub auth_key: Option<AuthKeyId>,
    /// What it says about its host, without what it measures.
    pub host: HostFacts,
    /// Capability version of its client.
    pub capability_version: u16,
    /// Routes that it may serve, offered or not, sorted.
    pub approved_routes: Vec<Prefix>,
    /// Whether it may take part as far as device approval goes.
    pub approved: bool,
}

impl NodeRecord {
    /// Both addresses.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.ipv4.into(), self.ipv6.into()]
    }

    /// The user that it belongs to, which a tagged node does not.
    pub fn owner(&self) -> Option<UserId> {
        self.user.filter(|_| self.tags.is_empty())
    }

    /// The routes that it serves: those that it offers and may serve.
    pub fn served_routes(&self) -> Vec<Prefix> {
        self.host.routable_ips.iter().filter(|route| self.approved_routes.contains(route)).copied().collect()
    }

    /// Whether it may be used as an exit node.
    pub fn is_exit_node(&self) -> bool {
        let mut offered = self.host.routable_ips.iter().filter(|route| is_exit_route(route));
        offered.any(|route| self.approved_routes.contains(route))
    }

    /// Whether its key is no longer valid.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.key_expiry.is_some_and(|expiry| expiry <= now)
    }
}

/// Where a node can be reached: changes often, is written now and then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Path discovery key.
    pub disco: Option<DiscoPublic>,
    /// Underlay addresses.
    pub endpoints: Vec<Endpoint>,
    /// Region of its relay connection.
    pub home_region: Option<RegionId>,
    /// When it was last known to be connected.
    pub last_seen: Option<UnixTime>,
    /// What it measured of its network.
    pub net: Option<NetFacts>,
}

/// Numbers a map stream within one run of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Whether a node holds a map stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It holds none.
    #[default]
    Offline,
    /// It holds this one.
    Online(StreamId),
    /// It lost its stream and may still come back before others are told.
    Leaving {
        /// When it counts as offline.
        until: Instant,
    },
}

impl Presence {
    /// Whether others see it as online.
    pub fn is_online(self) -> bool {
        !matches!(self, Self::Offline)
    }
}

/// Names a registration that waits for an administrator: the last part of the page's path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthId(String);

impl AuthId {
    /// Characters of the text: 120 random bits.
    pub(crate) const LENGTH: usize = 24;

    /// From a text that dice made.
    pub(crate) fn from_random(text: String) -> Self {
        Self(text)
    }

    /// Reads the name back from the URL that a client was sent to.
    pub fn from_url(url: &str) -> Option<Self> {
        url.rsplit('/').next()?.parse().ok()
    }
}

impl fmt::Display for AuthId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that names no registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a registration is named by 24 letters and digits")]
pub struct ParseAuthIdError;

impl FromStr for AuthId {
    type Err = ParseAuthIdError;

    fn from_str(text: &str) -> Result<Self, ParseAuthIdError> {
        let well_formed = text.len() == Self::LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        well_formed.then(|| Self(text.to_owned())).ok_or(ParseAuthIdError)
    }
}

/// A registration that waits for an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its name.
    pub id: AuthId,
    /// The machine that asks.
    pub machine: MachinePublic,
    /// The key that it wants to use.
    pub node_key: NodePublic,
    /// The key that it had.
    pub old_node_key: Option<NodePublic>,
    /// Whether it asked to be ephemeral.
    pub ephemeral: bool,
    /// What it says about its host.
    pub host: HostFacts,
    /// Capability version of its client.
    pub capability_version: u16,
    /// When it asked.
    pub created: UnixTime,
}

/// Somebody who wants to log in by SSH and must be let in by an administrator first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshCheck {
    /// Its name.
    pub id: AuthId,
    /// The node that they come from.
    pub from: NodeId,
    /// Who owns that node; `None`: it is tagged.
    pub user: Option<UserId>,
    /// The node that they want to log in to.
    pub to: NodeId,
    /// As whom there.
    pub local_user: String,
    /// When they asked.
    pub created: UnixTime,
    /// What became of it.
    pub verdict: SshVerdict,
}

/// What became of an SSH check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SshVerdict {
    /// Nobody has decided.
    #[default]
    Waiting,
    /// An administrator let them in.
    Approved,
    /// An administrator turned them away.
    Declined,
    /// Nobody decided in time.
    TimedOut,
}

/// That somebody was let in by SSH: not asked again for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SshApproval {
    /// Who owned the node that they came from.
    pub user: Option<UserId>,
    /// When.
    pub at: UnixTime,
}
