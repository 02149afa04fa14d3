//! A policy as people write it: every name read, every reference checked, nothing yet resolved against a tailnet.
//!
//! Every part keeps its place in the text, so that errors and explanations can point at it.

use std::collections::BTreeMap;

use wattle_netmap::{Capability, PortRange, Prefix};

use crate::hujson::Span;

/// A part of a policy and where it stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot<T> {
    /// What.
    pub what: T,
    /// Where.
    pub at: Span,
}

/// All that a policy says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// `group:name` to its members.
    pub groups: BTreeMap<String, Vec<Spot<Member>>>,
    /// Host names to addresses or prefixes (host bits kept as written are cleared).
    pub hosts: BTreeMap<String, Spot<Prefix>>,
    /// `ipset:name` to what it is made of, in order.
    pub ip_sets: BTreeMap<String, Vec<Spot<IpSetPart>>>,
    /// `tag:name` to those who may give it.
    pub tag_owners: BTreeMap<String, Vec<Spot<Owner>>>,
    /// Whose routes need no administrator.
    pub auto_approvers: AutoApprovers,
    /// `posture:name` to conditions that must all hold.
    pub postures: BTreeMap<String, Vec<Spot<Condition>>>,
    /// Postures that every rule without `srcPosture` asks for.
    pub default_source_posture: Vec<Spot<String>>,
    /// `acls`; `None`: the policy has no such part (`acls` and `grants` both absent allows everything).
    pub acls: Option<Vec<Acl>>,
    /// `grants`.
    pub grants: Option<Vec<Grant>>,
    /// `nodeAttrs`.
    pub node_attributes: Vec<NodeAttribute>,
    /// `ssh`, in order: the first that matches decides.
    pub ssh: Vec<Ssh>,
    /// `tests`.
    pub tests: Vec<Test>,
    /// `sshTests`.
    pub ssh_tests: Vec<SshTest>,
    /// Every node gets `randomize-client-port`.
    pub randomize_client_port: bool,
    /// Every node gets `disable-ipv4`.
    pub disable_ipv4: bool,
    /// Whether nodes route the whole CGNAT range to the tunnel: every node gets `one-cgnat?v=true` or `=false`.
    pub one_cgnat_route: Option<bool>,
    /// Parts that the language has and that change nothing here, so that people can be told.
    pub without_effect: Vec<Spot<&'static str>>,
}

/// Who belongs to a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// A login name with `@`; `alice@` means the local user `alice`.
    User(String),
    /// Everybody whose login name ends in this domain (`user:*@domain`).
    Domain(String),
}

/// What stands for a set of nodes or addresses: a source or a destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alias {
    /// `*`
    Any,
    /// A user, by login name.
    User(String),
    /// `user:*@domain`
    Domain(String),
    /// `group:name`
    Group(String),
    /// `tag:name`
    Tag(String),
    /// `autogroup:name`
    Autogroup(Autogroup),
    /// A name of `hosts`.
    Host(String),
    /// `ipset:name`
    IpSet(String),
    /// `svc:name`, a service with addresses of its own.
    Service(String),
    /// An address or a prefix.
    Prefix(Prefix),
}

/// The sets that need no definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Autogroup {
    /// Public addresses, by way of exit nodes.
    Internet,
    /// Untagged nodes of everybody who belongs to the tailnet.
    Member,
    /// Tagged nodes.
    Tagged,
    /// Untagged nodes of the source's own user.
    Self_,
    /// In `ssh`: every login but root.
    NonRoot,
    /// Untagged nodes of users with that role.
    Role(Role),
    /// Every address there is.
    DangerAll,
    /// Nodes of others who were given access to a node of this tailnet.
    Shared,
}

/// What a user may do in a tailnet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The one who owns the tailnet.
    Owner,
    /// May do everything but own.
    Admin,
    /// Manages users and devices.
    ItAdmin,
    /// Manages policy, routes and DNS.
    NetworkAdmin,
    /// Manages billing.
    BillingAdmin,
    /// Reads everything.
    Auditor,
    /// Uses the network.
    #[default]
    Member,
}

/// What an IP set is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpSetPart {
    /// Whether it is taken out rather than put in.
    pub remove: bool,
    /// A host, an IP set, a prefix or a range.
    pub what: Addresses,
}

/// Addresses in an IP set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// `host:name`, or a name of `hosts`.
    Host(String),
    /// `ipset:name`
    IpSet(String),
    /// An address or a prefix.
    Prefix(Prefix),
    /// `a-b`
    Range(std::net::IpAddr, std::net::IpAddr),
    /// `autogroup:internet`
    Internet,
}

/// Who may give a tag, or have routes approved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A user.
    User(String),
    /// `user:*@domain`
    Domain(String),
    /// A group.
    Group(String),
    /// A tag.
    Tag(String),
    /// An autogroup of people (member or a role).
    Autogroup(Autogroup),
}

/// Whose routes need no administrator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutoApprovers {
    /// Subnet routes: this prefix and what lies in it.
    pub routes: Vec<(Spot<Prefix>, Vec<Spot<Owner>>)>,
    /// Exit nodes.
    pub exit_node: Vec<Spot<Owner>>,
    /// Services, `svc:name` or `tag:name` to who may host them.
    pub services: BTreeMap<String, Vec<Spot<Owner>>>,
}

/// A condition of a posture: `node:os == 'linux'`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// `node:os`, `custom:tier`, `ip:country`...
    pub attribute: String,
    /// How to compare.
    pub operator: Operator,
    /// With what; a list for `IN` and `NOT IN`, nothing for `IS SET` and `NOT SET`.
    pub values: Vec<Scalar>,
}

/// How a posture compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `IN`
    In,
    /// `NOT IN`
    NotIn,
    /// `IS SET`
    IsSet,
    /// `NOT SET`
    NotSet,
}

/// A value in a posture.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// `'text'`
    Text(String),
    /// A number, as written.
    Number(f64),
    /// `true`, `false`
    Bool(bool),
}

/// A rule of `acls`.
#[derive(Clone, Debug, PartialEq)]
pub struct Acl {
    /// The whole rule.
    pub at: Span,
    /// Who.
    pub sources: Vec<Spot<Alias>>,
    /// To where, on which ports.
    pub targets: Vec<Spot<(Alias, Vec<PortRange>)>>,
    /// IP protocol numbers; empty: TCP, UDP and ICMP.
    pub protocols: Vec<u8>,
    /// `srcPosture`
    pub source_posture: Vec<Spot<String>>,
}

/// A rule of `grants`.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The whole rule.
    pub at: Span,
    /// Who.
    pub sources: Vec<Spot<Alias>>,
    /// To where.
    pub targets: Vec<Spot<Alias>>,
    /// Which packets: protocols (empty: TCP, UDP and ICMP) and ports.
    pub ip: Vec<Spot<(Vec<u8>, Vec<PortRange>)>>,
    /// Which capabilities, in the order of the text. `None`: no `app`; `Some` of nothing: `"app": {}`.
    pub app: Option<Vec<Capability>>,
    /// Tags of the routers that may carry it.
    pub via: Vec<Spot<String>>,
    /// `srcPosture`
    pub source_posture: Vec<Spot<String>>,
}

/// A rule of `nodeAttrs`.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeAttribute {
    /// The whole rule.
    pub at: Span,
    /// Whose.
    pub targets: Vec<Spot<Alias>>,
    /// `attr`: capability names.
    pub attributes: Vec<String>,
    /// `app`: capabilities with values.
    pub app: Vec<Capability>,
    /// `ipPool`: where addresses of the targets come from.
    pub ip_pool: Vec<Prefix>,
}

/// A rule of `ssh`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ssh {
    /// The whole rule.
    pub at: Span,
    /// `accept` or `check`.
    pub action: SshAction,
    /// Who.
    pub sources: Vec<Spot<Alias>>,
    /// To which nodes.
    pub targets: Vec<Spot<Alias>>,
    /// As which local users, trimmed: names, `root`, `autogroup:nonroot`, `localpart:*@domain`.
    pub users: Vec<String>,
    /// Environment variables to take from the client.
    pub accept_env: Vec<String>,
    /// Recorders: tags (or addresses) of nodes that keep recordings.
    pub recorders: Vec<Spot<Alias>>,
    /// Whether a session without a reachable recorder is refused.
    pub enforce_recorder: bool,
    /// `srcPosture`
    pub source_posture: Vec<Spot<String>>,
}

/// What happens with an SSH session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshAction {
    /// Let in.
    Accept,
    /// Let in if the person signed in no longer than this ago (seconds; 0: always ask).
    Check(u64),
}

/// A claim of `tests`.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The whole test.
    pub at: Span,
    /// From whom.
    pub source: Spot<String>,
    /// IP protocol numbers; empty: TCP, UDP or ICMP.
    pub protocols: Vec<u8>,
    /// What must be reachable: `destination:port`, as written.
    pub accept: Vec<Spot<String>>,
    /// What must not.
    pub deny: Vec<Spot<String>>,
    /// Posture attributes that the source is supposed to have.
    pub source_posture: Vec<(String, Scalar)>,
}

/// A claim of `sshTests`.
#[derive(Clone, Debug, PartialEq)]
pub struct SshTest {
    /// The whole test.
    pub at: Span,
    /// From whom, trimmed.
    pub source: Spot<String>,
    /// To which nodes, trimmed.
    pub targets: Vec<Spot<String>>,
    /// As which users one gets in, checked or not.
    pub accept: Vec<String>,
    /// As which users one does not.
    pub deny: Vec<String>,
    /// As which users one gets in after a check.
    pub check: Vec<String>,
}
