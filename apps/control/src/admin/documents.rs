//! The JSON of the administrators' door, for the server and for the command line.

mod policy;

use serde::{Deserialize, Serialize};
use wattle_coordinator::{AuthKey, Coordinator, Entry, NodeRecord, Now, Pending, Standing, UserRecord};
use wattle_netmap::UserId;
use wattle_time::UnixTime;

pub(crate) use policy::*;

/// Why something was not done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ErrorDocument {
    /// A sentence for people.
    pub(crate) error: String,
    /// A word for programs, where the status does not say enough: `policy-invalid`, `policy-tests`, `policy-moved`,
    /// `policy-lockout`, `policy-file`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) code: String,
    /// What is wrong with a policy, each with its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<ProblemDocument>,
}

/// A user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UserDocument {
    pub(crate) id: u64,
    pub(crate) login_name: String,
    pub(crate) display_name: String,
    pub(crate) created: String,
    pub(crate) nodes: usize,
    #[serde(default)]
    pub(crate) role: String,
    /// Groups that an identity provider says they are in.
    #[serde(default)]
    pub(crate) groups: Vec<String>,
    /// The provider that they signed in with last; none: an administrator made them known.
    #[serde(default)]
    pub(crate) provider: Option<String>,
    /// As the provider has verified it.
    #[serde(default)]
    pub(crate) email: Option<String>,
    /// Since when they are kept out.
    #[serde(default)]
    pub(crate) suspended: Option<String>,
    #[serde(default)]
    pub(crate) last_sign_in: Option<String>,
    /// Whether they used a second factor then; none: they have never signed in.
    #[serde(default)]
    pub(crate) second_factor: Option<bool>,
}

/// How a user is deleted.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteUserQuery {
    /// Whether their nodes go too.
    #[serde(default)]
    pub(crate) with_nodes: bool,
}

/// How the tailnet is run, or what of it to change.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsDocument {
    /// Whether an administrator must approve each new node; missing: as it is.
    #[serde(default)]
    pub(crate) device_approval: Option<bool>,
}

/// A user to make, or what to change of one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRequest {
    pub(crate) login_name: String,
    #[serde(default)]
    pub(crate) display_name: String,
}

/// A node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NodeDocument {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) dns_name: String,
    pub(crate) host_name: String,
    pub(crate) user: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) addresses: Vec<String>,
    pub(crate) node_key: String,
    pub(crate) machine_key: String,
    pub(crate) online: bool,
    pub(crate) last_seen: Option<String>,
    pub(crate) created: String,
    pub(crate) expires: Option<String>,
    pub(crate) expired: bool,
    pub(crate) ephemeral: bool,
    pub(crate) os: String,
    pub(crate) client_version: String,
    pub(crate) endpoints: Vec<String>,
    /// Whether it may take part as far as device approval goes.
    pub(crate) approved: bool,
    /// Whether its user is suspended, and it with them.
    pub(crate) suspended: bool,
}

/// A machine that waits to be let in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PendingDocument {
    pub(crate) auth_id: String,
    pub(crate) host_name: String,
    pub(crate) os: String,
    pub(crate) machine_key: String,
    pub(crate) url_path: String,
    pub(crate) since: String,
}

/// A machine to let in, as whose.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApproveRequest {
    pub(crate) auth_id: String,
    pub(crate) user: String,
}

/// A machine to turn away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclineRequest {
    pub(crate) auth_id: String,
}

/// A node's name; none: follow the host name again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenameRequest {
    pub(crate) name: Option<String>,
}

/// A node's tags.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagsRequest {
    pub(crate) tags: Vec<String>,
}

/// When a node's key expires.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpireRequest {
    /// RFC 3339; missing: now.
    #[serde(default)]
    pub(crate) at: Option<String>,
    /// Never, instead.
    #[serde(default)]
    pub(crate) never: bool,
}

/// An auth key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyDocument {
    pub(crate) id: u64,
    pub(crate) prefix: String,
    /// The secret: told once, when the key is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) reusable: bool,
    pub(crate) ephemeral: bool,
    #[serde(default)]
    pub(crate) preapproved: bool,
    pub(crate) created: String,
    pub(crate) expires: Option<String>,
    pub(crate) used: Option<String>,
    pub(crate) revoked: Option<String>,
}

/// An auth key to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    #[serde(default)]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default)]
    pub(crate) reusable: bool,
    #[serde(default)]
    pub(crate) ephemeral: bool,
    /// Whether its nodes need no approval.
    #[serde(default)]
    pub(crate) preapproved: bool,
    #[serde(default)]
    pub(crate) expires_in_secs: Option<u64>,
}

/// What a user may do from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleRequest {
    pub(crate) role: String,
}

/// A route that a node offers, or may serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RouteDocument {
    pub(crate) node: String,
    pub(crate) route: String,
    pub(crate) offered: bool,
    pub(crate) approved: bool,
    pub(crate) served: bool,
    /// Whether this node is in charge of it, where several serve it.
    pub(crate) primary: bool,
    pub(crate) exit_node: bool,
}

/// Routes that a node may serve from now on, and no longer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RoutesRequest {
    pub(crate) approve: Vec<String>,
    pub(crate) withdraw: Vec<String>,
}

/// Somebody who waits to log in by SSH.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SshCheckDocument {
    pub(crate) auth_id: String,
    pub(crate) user: Option<String>,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) local_user: String,
    pub(crate) since: String,
}

/// Somebody to let in by SSH, or to turn away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SshDecisionRequest {
    pub(crate) auth_id: String,
}

/// Where a browser enters the console.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ConsoleDocument {
    /// Good once, for a quarter of an hour.
    pub(crate) url: String,
}

/// Nothing more to say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct DoneDocument {}

impl UserDocument {
    pub(crate) fn of(user: &UserRecord, coordinator: &Coordinator) -> Self {
        Self {
            id: user.id.0,
            login_name: user.login_name.clone(),
            display_name: user.display_name.clone(),
            created: user.created.to_string(),
            nodes: coordinator.nodes().filter(|entry| entry.record.owner() == Some(user.id)).count(),
            role: user.role.name().to_owned(),
            groups: user.groups.clone(),
            provider: (!user.provider.is_empty()).then(|| user.provider.clone()),
            email: user.email.clone(),
            suspended: user.suspended.map(|time| time.to_string()),
            last_sign_in: user.last_sign_in.map(|time| time.to_string()),
            second_factor: user.last_sign_in.map(|_| user.second_factor),
        }
    }
}

impl NodeDocument {
    pub(crate) fn of(entry: &Entry, coordinator: &Coordinator, now: Now) -> Self {
        let record: &NodeRecord = &entry.record;
        Self {
            id: record.id.0,
            name: record.label.clone(),
            dns_name: format!("{}.{}", record.label, coordinator.config().domain),
            host_name: record.host.hostname.clone(),
            user: record.owner().and_then(|user| login_name(user, coordinator)),
            tags: record.tags.clone(),
            addresses: record.addresses().iter().map(ToString::to_string).collect(),
            node_key: record.key.to_string(),
            machine_key: record.machine.to_string(),
            online: entry.presence.is_online(),
            last_seen: entry.reach.last_seen.map(|time| time.to_string()),
            created: record.created.to_string(),
            expires: record.key_expiry.map(|time| time.to_string()),
            expired: record.is_expired(now.wall),
            ephemeral: record.ephemeral,
            os: record.host.os.clone(),
            client_version: record.host.client_version.clone(),
            endpoints: entry.reach.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect(),
            approved: record.approved,
            suspended: matches!(entry.standing, Standing::Suspended { .. }),
        }
    }
}

impl PendingDocument {
    pub(crate) fn of(pending: &Pending) -> Self {
        Self {
            auth_id: pending.id.to_string(),
            host_name: pending.host.hostname.clone(),
            os: pending.host.os.clone(),
            machine_key: pending.machine.to_string(),
            url_path: format!("/register/{}", pending.id),
            since: pending.created.to_string(),
        }
    }
}

impl KeyDocument {
    pub(crate) fn of(key: &AuthKey, coordinator: &Coordinator) -> Self {
        let text = |time: Option<UnixTime>| time.map(|time| time.to_string());
        Self {
            id: key.id.0,
            prefix: key.prefix.clone(),
            key: None,
            user: key.user.and_then(|user| login_name(user, coordinator)),
            tags: key.tags.clone(),
            reusable: key.reusable,
            ephemeral: key.ephemeral,
            preapproved: key.preapproved,
            created: key.created.to_string(),
            expires: text(key.expires),
            used: text(key.used),
            revoked: text(key.revoked),
        }
    }
}

fn login_name(user: UserId, coordinator: &Coordinator) -> Option<String> {
    coordinator.users().find(|record| record.id == user).map(|record| record.login_name.clone())
}
