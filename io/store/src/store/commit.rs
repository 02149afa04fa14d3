//! A batch of changes, whole or not at all.

use sqlx::SqliteConnection;
use wattle_coordinator::{AuthKey, Change, NodeRecord, PolicyRevision, Reach, Settings, UserRecord};
use wattle_netmap::NodeId;

use super::Store;
use crate::codec::{self, maybe_time, number, time};
use crate::{StoreError, limits};

impl Store {
    /// Writes the durable ones among the changes. When it fails, nothing was written.
    pub async fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        if !changes.iter().any(Change::is_durable) {
            return Ok(());
        }
        // IMMEDIATE takes the write lock at once: a transaction that upgrades later can fail without waiting.
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = transaction.map_err(|error| self.failed(&error))?;
        for change in changes {
            // An early return drops the transaction, which rolls it back.
            write(&mut transaction, change).await.map_err(|error| self.failed(&error))?;
        }
        transaction.commit().await.map_err(|error| self.failed(&error))
    }
}

async fn write(to: &mut SqliteConnection, change: &Change) -> sqlx::Result<()> {
    match change {
        Change::UserAdded(user) => {
            write_user(to, user).await?;
            use_number(to, "user", user.id.0).await
        }
        Change::UserChanged(user) => write_user(to, user).await,
        Change::UserDeleted(user) => delete(to, "DELETE FROM users WHERE id = $1", user.0).await,
        Change::AuthKeyAdded(key) => {
            write_auth_key(to, key).await?;
            use_number(to, "auth_key", key.id.0).await
        }
        Change::AuthKeyChanged(key) => write_auth_key(to, key).await,
        Change::AuthKeyDeleted(key) => delete(to, "DELETE FROM auth_keys WHERE id = $1", key.0).await,
        Change::NodeAdded(node) => {
            write_node(to, node).await?;
            use_number(to, "node", node.id.0).await
        }
        Change::NodeChanged(node) => write_node(to, node).await,
        Change::NodeDeleted(node) => delete(to, "DELETE FROM nodes WHERE id = $1", node.0).await,
        Change::PolicySet { revision, .. } => write_policy(to, revision).await,
        Change::SettingsSet(settings) => write_settings(to, *settings).await,
        Change::ReachSaved(saved) => {
            for (node, reach) in saved {
                write_reach(to, *node, reach).await?;
            }
            Ok(())
        }
        Change::ReachChanged { .. }
        | Change::StreamOpened { .. }
        | Change::StreamClosed { .. }
        | Change::WentOffline { .. }
        | Change::KeyExpired(_)
        | Change::RegistrationStarted(_)
        | Change::RegistrationEnded(_)
        | Change::RelaysSet(_)
        | Change::SshCheckSet(_)
        | Change::SshCheckEnded(_)
        | Change::SshApproved { .. } => Ok(()),
    }
}

/// Keeps a policy, and forgets the oldest when there are too many or too much of them.
async fn write_policy(to: &mut SqliteConnection, revision: &PolicyRevision) -> sqlx::Result<()> {
    let PolicyRevision { number, text, author, note, at } = revision;
    let sql = "INSERT INTO policy_revisions (number, at, author, note, size, text) VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sqlx::query(sql).bind(codec::number(*number)).bind(time(*at)).bind(author).bind(note);
    query.bind(codec::number(text.len() as u64)).bind(text).execute(&mut *to).await?;
    let sql = "DELETE FROM policy_revisions WHERE number < $1 AND number IN (SELECT number FROM (SELECT number, \
               SUM(size) OVER (ORDER BY number DESC) AS bytes, ROW_NUMBER() OVER (ORDER BY number DESC) AS place \
               FROM policy_revisions) AS kept WHERE bytes > $2 OR place > $3)";
    let query = sqlx::query(sql).bind(codec::number(*number));
    let query = query.bind(codec::number(limits::POLICY_BYTES_MAX)).bind(codec::number(limits::POLICY_REVISIONS_MAX));
    query.execute(to).await.map(drop)
}

async fn delete(to: &mut SqliteConnection, sql: &'static str, id: u64) -> sqlx::Result<()> {
    sqlx::query(sql).bind(number(id)).execute(to).await.map(drop)
}

/// Remembers that a number was given, so that it is never given again.
async fn use_number(to: &mut SqliteConnection, kind: &str, used: u64) -> sqlx::Result<()> {
    let sql = "INSERT INTO numbers (kind, next) VALUES ($1, $2) ON CONFLICT (kind) DO UPDATE SET next = excluded.next \
               WHERE excluded.next > numbers.next";
    sqlx::query(sql).bind(kind).bind(number(used + 1)).execute(to).await.map(drop)
}

async fn write_user(to: &mut SqliteConnection, user: &UserRecord) -> sqlx::Result<()> {
    let sql = "INSERT INTO users (id, login_name, display_name, created, role, groups, provider, email, picture_url, \
               suspended, last_sign_in, second_factor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
               ON CONFLICT (id) DO UPDATE SET login_name = excluded.login_name, display_name = excluded.display_name, \
               role = excluded.role, groups = excluded.groups, provider = excluded.provider, email = excluded.email, \
               picture_url = excluded.picture_url, suspended = excluded.suspended, \
               last_sign_in = excluded.last_sign_in, second_factor = excluded.second_factor";
    let query = sqlx::query(sql).bind(number(user.id.0)).bind(&user.login_name).bind(&user.display_name);
    let query = query.bind(time(user.created)).bind(codec::role(user.role)).bind(codec::tags(&user.groups));
    let query = query.bind(&user.provider).bind(&user.email).bind(&user.picture_url);
    let query = query.bind(maybe_time(user.suspended)).bind(maybe_time(user.last_sign_in)).bind(user.second_factor);
    query.execute(&mut *to).await?;
    delete(to, "DELETE FROM identities WHERE user_id = $1", user.id.0).await?;
    for key in &user.identities {
        // An identity that is somebody else's breaks the table's key, and the whole batch with it.
        let query = sqlx::query("INSERT INTO identities (issuer, subject, user_id) VALUES ($1, $2, $3)");
        query.bind(&key.issuer).bind(&key.subject).bind(number(user.id.0)).execute(&mut *to).await?;
    }
    Ok(())
}

async fn write_settings(to: &mut SqliteConnection, settings: Settings) -> sqlx::Result<()> {
    let sql =
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let query = sqlx::query(sql).bind(codec::DEVICE_APPROVAL).bind(codec::switch(settings.device_approval));
    query.execute(to).await.map(drop)
}

async fn write_auth_key(to: &mut SqliteConnection, key: &AuthKey) -> sqlx::Result<()> {
    let sql = "INSERT INTO auth_keys \
               (id, prefix, hash, user_id, tags, reusable, ephemeral, created, expires, used, revoked, preapproved) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
               ON CONFLICT (id) DO UPDATE SET used = excluded.used, revoked = excluded.revoked";
    sqlx::query(sql)
        .bind(number(key.id.0))
        .bind(&key.prefix)
        .bind(&key.hash[..])
        .bind(key.user.map(|user| number(user.0)))
        .bind(codec::tags(&key.tags))
        .bind(key.reusable)
        .bind(key.ephemeral)
        .bind(time(key.created))
        .bind(maybe_time(key.expires))
        .bind(maybe_time(key.used))
        .bind(maybe_time(key.revoked))
        .bind(key.preapproved)
        .execute(to)
        .await
        .map(drop)
}

async fn write_node(to: &mut SqliteConnection, node: &NodeRecord) -> sqlx::Result<()> {
    let sql = "INSERT INTO nodes (id, stable_id, machine_key, node_key, user_id, tags, tags_by_admin, label, label_by_admin, \
               ipv4, ipv6, created, key_expiry, ephemeral, auth_key_id, host, capability_version, approved_routes, \
               approved) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
               ON CONFLICT (id) DO UPDATE SET stable_id = excluded.stable_id, machine_key = excluded.machine_key, \
               node_key = excluded.node_key, user_id = excluded.user_id, tags = excluded.tags, \
               tags_by_admin = excluded.tags_by_admin, label = excluded.label, label_by_admin = excluded.label_by_admin, \
               ipv4 = excluded.ipv4, ipv6 = excluded.ipv6, key_expiry = excluded.key_expiry, \
               ephemeral = excluded.ephemeral, auth_key_id = excluded.auth_key_id, host = excluded.host, \
               capability_version = excluded.capability_version, approved_routes = excluded.approved_routes, \
               approved = excluded.approved";
    sqlx::query(sql)
        .bind(number(node.id.0))
        .bind(&node.stable_id.0)
        .bind(&node.machine.as_bytes()[..])
        .bind(&node.key.as_bytes()[..])
        .bind(node.user.map(|user| number(user.0)))
        .bind(codec::tags(&node.tags))
        .bind(node.tags_by_admin)
        .bind(&node.label)
        .bind(node.label_by_admin)
        .bind(node.ipv4.to_string())
        .bind(node.ipv6.to_string())
        .bind(time(node.created))
        .bind(maybe_time(node.key_expiry))
        .bind(node.ephemeral)
        .bind(node.auth_key.map(|key| number(key.0)))
        .bind(codec::host(&node.host))
        .bind(i64::from(node.capability_version))
        .bind(codec::routes(&node.approved_routes))
        .bind(node.approved)
        .execute(to)
        .await
        .map(drop)
}

async fn write_reach(to: &mut SqliteConnection, node: NodeId, reach: &Reach) -> sqlx::Result<()> {
    let sql = "INSERT INTO reach (node_id, disco, endpoints, home_region, last_seen, host) \
               VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (node_id) DO UPDATE SET disco = excluded.disco, endpoints = excluded.endpoints, \
               home_region = excluded.home_region, last_seen = excluded.last_seen, host = excluded.host";
    sqlx::query(sql)
        .bind(number(node.0))
        .bind(reach.disco.as_ref().map(|key| &key.as_bytes()[..]))
        .bind(codec::endpoints(&reach.endpoints))
        .bind(reach.home_region.map(|region| i64::from(region.0)))
        .bind(maybe_time(reach.last_seen))
        .bind(codec::net(reach.net.as_ref()))
        .execute(to)
        .await
        .map(drop)
}
