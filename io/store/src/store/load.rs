//! Everything at once, when the server starts.

use std::collections::BTreeMap;

use sqlx::FromRow;
use wattle_coordinator::{AuthKey, AuthKeyId, NextNumbers, NodeRecord, Reach, Settings, Snapshot, UserRecord};
use wattle_identity::IdentityKey;
use wattle_keys::{DiscoPublic, MachinePublic, NodePublic};
use wattle_netmap::{NodeId, RegionId, StableId, UserId};
use wattle_time::UnixTime;

use super::Store;
use crate::StoreError;
use crate::codec::{self, BadColumn};

#[derive(FromRow)]
struct UserRow {
    id: i64,
    login_name: String,
    display_name: String,
    created: i64,
    role: String,
    groups: String,
    provider: String,
    email: Option<String>,
    picture_url: String,
    suspended: Option<i64>,
    last_sign_in: Option<i64>,
    second_factor: bool,
}

#[derive(FromRow)]
struct IdentityRow {
    issuer: String,
    subject: String,
    user_id: i64,
}

#[derive(FromRow)]
struct AuthKeyRow {
    id: i64,
    prefix: String,
    hash: Vec<u8>,
    user_id: Option<i64>,
    tags: String,
    reusable: bool,
    ephemeral: bool,
    created: i64,
    expires: Option<i64>,
    used: Option<i64>,
    revoked: Option<i64>,
    preapproved: bool,
}

#[derive(FromRow)]
struct NodeRow {
    id: i64,
    stable_id: String,
    machine_key: Vec<u8>,
    node_key: Vec<u8>,
    user_id: Option<i64>,
    tags: String,
    tags_by_admin: bool,
    label: String,
    label_by_admin: bool,
    ipv4: String,
    ipv6: String,
    created: i64,
    key_expiry: Option<i64>,
    ephemeral: bool,
    auth_key_id: Option<i64>,
    host: String,
    capability_version: i64,
    approved_routes: String,
    approved: bool,
}

#[derive(FromRow)]
struct ReachRow {
    node_id: i64,
    disco: Option<Vec<u8>>,
    endpoints: String,
    home_region: Option<i64>,
    last_seen: Option<i64>,
    host: String,
}

impl Store {
    /// All that was committed.
    pub async fn load(&self) -> Result<Snapshot, StoreError> {
        let read = |error| self.failed(&error);
        let users = sqlx::query_as("SELECT * FROM users ORDER BY id").fetch_all(&self.pool).await.map_err(read)?;
        let identities = sqlx::query_as("SELECT * FROM identities ORDER BY issuer, subject");
        let identities: Vec<IdentityRow> = identities.fetch_all(&self.pool).await.map_err(read)?;
        let settings: Vec<(String, String)> =
            sqlx::query_as("SELECT name, value FROM settings").fetch_all(&self.pool).await.map_err(read)?;
        let keys = sqlx::query_as("SELECT * FROM auth_keys ORDER BY id").fetch_all(&self.pool).await.map_err(read)?;
        let nodes = sqlx::query_as("SELECT * FROM nodes ORDER BY id").fetch_all(&self.pool).await.map_err(read)?;
        let reach = sqlx::query_as("SELECT * FROM reach ORDER BY node_id").fetch_all(&self.pool).await.map_err(read)?;
        let numbers: Vec<(String, i64)> =
            sqlx::query_as("SELECT kind, next FROM numbers").fetch_all(&self.pool).await.map_err(read)?;
        let policy = self.policy_history().newest().await?;
        let mut users = self.rows("users", users, user)?;
        let mut of_user: BTreeMap<i64, Vec<IdentityKey>> = BTreeMap::new();
        for IdentityRow { issuer, subject, user_id } in identities {
            of_user.entry(user_id).or_default().push(IdentityKey { issuer, subject });
        }
        for user in &mut users {
            user.identities = of_user.remove(&codec::number(user.id.0)).unwrap_or_default();
        }
        let damaged = |BadColumn(reason)| StoreError::damaged(&self.path, reason);
        let snapshot = Snapshot {
            users,
            auth_keys: self.rows("auth_keys", keys, auth_key)?,
            nodes: self.rows("nodes", nodes, node)?,
            reach: self.rows("reach", reach, node_reach)?,
            policy,
            settings: tailnet_settings(&settings).map_err(damaged)?,
            next: next_numbers(&numbers).map_err(damaged)?,
        };
        Ok(snapshot)
    }

    fn rows<R, T>(&self, table: &str, rows: Vec<R>, read: fn(R) -> Result<T, BadColumn>) -> Result<Vec<T>, StoreError> {
        let damaged = |BadColumn(reason)| StoreError::damaged(&self.path, format!("table {table}: {reason}"));
        rows.into_iter().map(read).collect::<Result<_, _>>().map_err(damaged)
    }
}

fn user(row: UserRow) -> Result<UserRecord, BadColumn> {
    Ok(UserRecord {
        id: UserId(codec::number_back(row.id)?),
        login_name: row.login_name,
        display_name: row.display_name,
        created: UnixTime::from_micros(row.created),
        role: codec::role_back(&row.role)?,
        groups: codec::tags_back(&row.groups)?,
        identities: Vec::new(),
        provider: row.provider,
        email: row.email,
        picture_url: row.picture_url,
        suspended: row.suspended.map(UnixTime::from_micros),
        last_sign_in: row.last_sign_in.map(UnixTime::from_micros),
        second_factor: row.second_factor,
    })
}

fn maybe_user(id: Option<i64>) -> Result<Option<UserId>, BadColumn> {
    id.map(|id| codec::number_back(id).map(UserId)).transpose()
}

fn auth_key(row: AuthKeyRow) -> Result<AuthKey, BadColumn> {
    Ok(AuthKey {
        id: AuthKeyId(codec::number_back(row.id)?),
        prefix: row.prefix,
        hash: codec::key_back(&row.hash)?,
        user: maybe_user(row.user_id)?,
        tags: codec::tags_back(&row.tags)?,
        reusable: row.reusable,
        ephemeral: row.ephemeral,
        created: UnixTime::from_micros(row.created),
        expires: row.expires.map(UnixTime::from_micros),
        used: row.used.map(UnixTime::from_micros),
        revoked: row.revoked.map(UnixTime::from_micros),
        preapproved: row.preapproved,
    })
}

fn node(row: NodeRow) -> Result<NodeRecord, BadColumn> {
    Ok(NodeRecord {
        id: NodeId(codec::number_back(row.id)?),
        stable_id: StableId(row.stable_id),
        machine: MachinePublic::from_bytes(codec::key_back(&row.machine_key)?),
        key: NodePublic::from_bytes(codec::key_back(&row.node_key)?),
        user: maybe_user(row.user_id)?,
        tags: codec::tags_back(&row.tags)?,
        tags_by_admin: row.tags_by_admin,
        label: row.label,
        label_by_admin: row.label_by_admin,
        ipv4: row.ipv4.parse()?,
        ipv6: row.ipv6.parse()?,
        created: UnixTime::from_micros(row.created),
        key_expiry: row.key_expiry.map(UnixTime::from_micros),
        ephemeral: row.ephemeral,
        auth_key: row.auth_key_id.map(|id| codec::number_back(id).map(AuthKeyId)).transpose()?,
        host: codec::host_back(&row.host)?,
        capability_version: row.capability_version.try_into()?,
        approved_routes: codec::routes_back(&row.approved_routes)?,
        approved: row.approved,
    })
}

fn node_reach(row: ReachRow) -> Result<(NodeId, Reach), BadColumn> {
    let disco = row.disco.map(|bytes| codec::key_back(&bytes).map(DiscoPublic::from_bytes)).transpose()?;
    let reach = Reach {
        disco,
        endpoints: codec::endpoints_back(&row.endpoints)?,
        home_region: row.home_region.map(|region| region.try_into().map(RegionId)).transpose()?,
        last_seen: row.last_seen.map(UnixTime::from_micros),
        net: codec::net_back(&row.host)?,
    };
    Ok((NodeId(codec::number_back(row.node_id)?), reach))
}

/// A setting that we do not know was written by a newer server, which keeps older ones out otherwise: it is damage.
fn tailnet_settings(rows: &[(String, String)]) -> Result<Settings, BadColumn> {
    let mut settings = Settings::default();
    for (name, value) in rows {
        match name.as_str() {
            codec::DEVICE_APPROVAL => settings.device_approval = codec::switch_back(value)?,
            other => return Err(BadColumn(format!("table settings: unknown setting {other}"))),
        }
    }
    Ok(settings)
}

fn next_numbers(rows: &[(String, i64)]) -> Result<NextNumbers, BadColumn> {
    let mut next = NextNumbers::default();
    for (kind, number) in rows {
        let number = codec::number_back(*number)?;
        match kind.as_str() {
            "user" => next.user = number,
            "auth_key" => next.auth_key = number,
            "node" => next.node = number,
            other => return Err(BadColumn(format!("table numbers: unknown kind {other}"))),
        }
    }
    Ok(next)
}
