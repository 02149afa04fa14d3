//! What was committed is there after a reload, whatever happened in between.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use wattle_coordinator::{
    Change, Command, Config, Coordinator, Dice, NewAuthKey, NewPolicy, Now, PolicyRevision, Register, Reply, Report,
    Role, Settings, Snapshot, UserRecord,
};
use wattle_identity::{IdentityKey, Profile};
use wattle_keys::{DiscoPublic, MachinePublic, NodePublic};
use wattle_netmap::{DerpMap, Endpoint, EndpointKind, HostFacts, NetFacts, NodeId, RegionId, Service, UserId};
use wattle_time::{Instant, UnixTime};

use super::Store;
use crate::StoreError;

const START: Now = Now { mono: Instant::ORIGIN, wall: UnixTime::from_secs(1_800_000_000) };

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn config() -> Config {
    Config::new("tail.example.com".to_owned(), DerpMap::default())
}

/// A command, made from a few small numbers.
fn command(kind: u8, a: u8, b: u8, secret: Option<String>) -> Command {
    let machine = MachinePublic::from_bytes([a % 3 + 1; 32]);
    let node_key = NodePublic::from_bytes([a % 3 * 4 + b % 4 + 1; 32]);
    let node = NodeId(u64::from(a % 6) + 1);
    let host = HostFacts {
        hostname: format!("host-{b}"),
        os: "linux".to_owned(),
        services: vec![Service {
            protocol: "peerapi4".to_owned(),
            port: u16::from(b),
            description: "\u{1f980}".to_owned(),
        }],
        net: Some(NetFacts {
            preferred_region: Some(RegionId(u16::from(b) + 1)),
            udp: Some(true),
            ..NetFacts::default()
        }),
        ..HostFacts::default()
    };
    let report = Box::new(Report {
        machine,
        node_key,
        capability_version: 113 + u16::from(b % 9),
        disco: Some(DiscoPublic::from_bytes([b; 32])),
        endpoints: Some(vec![Endpoint { address: ([192, 0, 2, a], 41641).into(), kind: EndpointKind::Stun }]),
        host: Some(host.clone()),
    });
    match kind {
        0..=4 => Command::Register(Box::new(Register {
            machine,
            node_key,
            old_node_key: None,
            auth_key: secret,
            followup: None,
            expiry: (kind == 4).then_some(UnixTime::from_secs(123)),
            ephemeral: b.is_multiple_of(2),
            host,
            capability_version: 120,
        })),
        5 => Command::Report(report),
        6 => Command::Connect(report),
        7 => Command::CreateUser { login_name: format!("user{b}"), display_name: "Some One".to_owned() },
        8 => Command::RenameUser { user: UserId(u64::from(a % 3)), login_name: format!("other{b}") },
        9 => Command::DeleteUser { user: UserId(u64::from(a % 4)), with_nodes: b.is_multiple_of(2) },
        10 => Command::SetTags { node, tags: vec![format!("tag:t{}", b % 3)] },
        11 => Command::RenameNode { node, name: (b.is_multiple_of(2)).then(|| format!("name{}", b % 3)) },
        12 => Command::ExpireNode { node, at: (b.is_multiple_of(2)).then(|| UnixTime::from_secs(1_900_000_000)) },
        13 => Command::DeleteNode { node },
        14 => Command::SetPolicy(Box::new(NewPolicy {
            text: format!(r#"{{"tagOwners": {{"tag:t1": []}}, "acls": [], /* {b} */}}"#),
            author: "alice".to_owned(),
            ..NewPolicy::default()
        })),
        18 => Command::SetRole { user: UserId(u64::from(a % 3)), role: Role::Auditor },
        19 => Command::ApproveRoutes {
            node,
            routes: vec![format!("10.{b}.0.0/16").parse().unwrap(), "::/0".parse().unwrap()],
        },
        15 => Command::RevokeAuthKey { key: wattle_coordinator::AuthKeyId(u64::from(a % 5)) },
        20 | 21 => Command::SignIn(Box::new(Profile {
            key: IdentityKey { issuer: format!("https://{}.example.com", b % 2), subject: format!("s{}", a % 3) },
            provider: "corp".to_owned(),
            email: b.is_multiple_of(3).then(|| format!("user{b}")),
            display_name: "Some One".to_owned(),
            picture_url: String::new(),
            groups: b.is_multiple_of(2).then(|| vec!["ops".to_owned()]),
            second_factor: b.is_multiple_of(5),
            key_expiry: None,
            login_name: format!("user{b}"),
        })),
        22 => Command::SuspendUser { user: UserId(u64::from(a % 4)) },
        23 => Command::RestoreUser { user: UserId(u64::from(a % 4)) },
        24 => Command::SetSettings(Settings { device_approval: b.is_multiple_of(2) }),
        25 => Command::ApproveNode { node },
        _ => Command::SaveReach,
    }
}

async fn ask(
    store: &Store,
    coordinator: &mut Coordinator,
    dice: &mut Dice,
    command: Command,
    now: Now,
) -> Option<Reply> {
    let decision = coordinator.decide(dice, command, now).ok()?;
    store.commit(&decision.changes).await.unwrap();
    coordinator.apply(&decision.changes, now);
    Some(decision.reply)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What a killed server finds when it comes back is what it had acknowledged.
    #[test]
    fn the_state_after_a_reload_is_the_state_before(steps in prop::collection::vec((0u8..26, any::<u8>(), any::<u8>()), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        run(async {
            let store = Store::open(&path).await.unwrap();
            let mut coordinator = Coordinator::new(config(), store.load().await.unwrap(), START).unwrap();
            let mut dice = Dice::new([3; 32]);
            let mut now = START;
            let alice = Command::CreateUser { login_name: "alice".to_owned(), display_name: String::new() };
            ask(&store, &mut coordinator, &mut dice, alice, now).await;
            for (kind, a, b) in steps {
                now.wall = now.wall.plus(Duration::from_secs(60));
                now.mono = now.mono + Duration::from_secs(60);
                let mut secret = None;
                if kind < 3 {
                    let tags = if kind == 2 { vec!["tag:t1".to_owned()] } else { Vec::new() };
                    let user = (kind != 2).then_some(UserId(1));
                    let wanted = NewAuthKey { user, tags, reusable: b.is_multiple_of(2), ephemeral: kind == 1, preapproved: b.is_multiple_of(3), expires: Some(now.wall.plus(Duration::from_secs(9))) };
                    let reply = ask(&store, &mut coordinator, &mut dice, Command::CreateAuthKey(wanted), now).await;
                    if let Some(Reply::AuthKeyCreated { secret: told, .. }) = reply {
                        secret = Some(told);
                    }
                }
                ask(&store, &mut coordinator, &mut dice, command(kind, a, b, secret), now).await;
            }
            ask(&store, &mut coordinator, &mut dice, Command::SaveReach, now).await;
            // The store is dropped without a word, as a killed process drops it.
            drop(store);
            let store = Store::open(&path).await.unwrap();
            let kept = store.load().await.unwrap();
            let again = Coordinator::new(config(), kept, now).unwrap();
            assert_eq!(again.snapshot(), coordinator.snapshot());
        });
    }
}

async fn with_one_user(path: &Path) -> (Store, Snapshot) {
    let store = Store::open(path).await.unwrap();
    store.commit(&[Change::UserAdded(user(1, "alice"))]).await.unwrap();
    let snapshot = store.load().await.unwrap();
    (store, snapshot)
}

fn user(id: u64, login_name: &str) -> UserRecord {
    let record = UserRecord::new(UserId(id), login_name.to_owned(), START.wall, Role::NetworkAdmin);
    UserRecord { groups: vec!["ops".to_owned()], ..record }
}

#[test]
fn a_batch_that_fails_in_the_middle_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let (store, before) = with_one_user(&folder.path().join("state.db")).await;
        // The second one breaks a constraint.
        let batch = [Change::UserAdded(user(2, "bob")), Change::UserAdded(user(3, "alice"))];
        assert!(store.commit(&batch).await.is_err());
        assert_eq!(store.load().await.unwrap(), before);
        store.commit(&[Change::UserAdded(user(2, "bob"))]).await.unwrap();
    });
}

#[test]
fn an_identity_belongs_to_one_user_and_goes_with_them() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let (store, _) = with_one_user(&folder.path().join("state.db")).await;
        let key = IdentityKey { issuer: "https://id.example.com".to_owned(), subject: "1".to_owned() };
        let known =
            |id, name| UserRecord { identities: vec![key.clone()], suspended: Some(START.wall), ..user(id, name) };
        store.commit(&[Change::UserChanged(known(1, "alice"))]).await.unwrap();
        let before = store.load().await.unwrap();
        assert_eq!(before.users, [known(1, "alice")]);
        assert!(store.commit(&[Change::UserAdded(known(2, "bob"))]).await.is_err());
        assert_eq!(store.load().await.unwrap(), before);
        store.commit(&[Change::UserDeleted(UserId(1)), Change::UserAdded(known(2, "bob"))]).await.unwrap();
        assert_eq!(store.load().await.unwrap().users, [known(2, "bob")]);
    });
}

#[test]
fn a_full_disk_is_told_as_such_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let (store, before) = with_one_user(&folder.path().join("state.db")).await;
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.pool).await.unwrap();
        let limit = format!("PRAGMA max_page_count = {pages}");
        sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&store.pool).await.unwrap();
        let text = "x".repeat(1 << 20);
        let error = store.commit(&[policy_of(1, &text)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Full(_)), "{error}");
        assert_eq!(store.load().await.unwrap(), before);
    });
}

#[test]
fn a_second_server_is_refused_and_the_file_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/state.db");
    run(async {
        let store = Store::open(&path).await.unwrap();
        assert!(matches!(Store::open(&path).await, Err(StoreError::Locked(_))));
        store.commit(&[Change::UserAdded(user(1, "alice"))]).await.unwrap();
        for file in ["state.db", "state.db-wal", "state.db.lock"] {
            let mode = std::fs::metadata(path.with_file_name(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        store.close().await;
        Store::open(&path).await.unwrap();
    });
}

#[test]
fn files_that_are_something_else_or_newer_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (text, newer) = (folder.path().join("text.db"), folder.path().join("newer.db"));
    std::fs::write(&text, "this is no database at all, but long enough to look like one").unwrap();
    run(async {
        let error = Store::open(&text).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        let store = Store::open(&newer).await.unwrap();
        let sql = "INSERT INTO _sqlx_migrations VALUES (999, 'later', CURRENT_TIMESTAMP, TRUE, x'00', 0)";
        sqlx::query(sql).execute(&store.pool).await.unwrap();
        store.close().await;
        let error = Store::open(&newer).await.unwrap_err();
        assert!(matches!(error, StoreError::Newer(_)), "{error}");
        let error = Store::open(Path::new("/proc/nowhere/state.db")).await.unwrap_err();
        assert!(!error.to_string().is_empty());
    });
}

fn policy_of(number: u64, text: &str) -> Change {
    let policy = std::sync::Arc::new(wattle_policy::Policy::allow_all());
    let (text, author, note) = (text.to_owned(), String::new(), String::new());
    Change::PolicySet { revision: PolicyRevision { number, text, author, note, at: START.wall }, policy }
}

#[test]
fn what_the_first_version_wrote_is_read_and_its_policy_becomes_the_first_revision() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    run(async {
        // What the first version wrote.
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let (version, name, sql) = super::STEPS[0];
        use sqlx::SqlSafeStr;
        let kind = sqlx::migrate::MigrationType::Simple;
        let first = sqlx::migrate::Migration::new(version, name.into(), kind, sql.into_sql_str(), false);
        sqlx::migrate::Migrator::with_migrations(vec![first]).run(&pool).await.unwrap();
        let text = "{ // \u{fc}\n \"acls\": [] }";
        sqlx::query("INSERT INTO policy (id, text) VALUES (1, $1)").bind(text).execute(&pool).await.unwrap();
        let rows = "INSERT INTO users VALUES (3, 'alice', 'Alice', 1), (5, 'bob', 'Bob', 2);
            INSERT INTO nodes VALUES (7, 'n7CNTRL', zeroblob(32), zeroblob(32), 5, '[]', FALSE, 'web', FALSE,
            '100.64.0.7', 'fd7a:115c:a1e0::7', 3, NULL, FALSE, NULL, '{}', 120);";
        sqlx::raw_sql(rows).execute(&pool).await.unwrap();
        pool.close().await;

        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.load().await.unwrap().policy.unwrap().text, text);
        let kept = store.load().await.unwrap();
        let roles: Vec<_> = kept.users.iter().map(|user| (user.id.0, user.role)).collect();
        assert_eq!(roles, [(3, Role::Owner), (5, Role::Member)], "the first user owns the tailnet");
        assert!(kept.nodes[0].approved_routes.is_empty() && kept.nodes[0].approved);
        let unknown = |user: &UserRecord| user.identities.is_empty() && user.suspended.is_none();
        assert!(kept.users.iter().all(unknown) && kept.settings == Settings::default());
        Coordinator::new(config(), kept, START).unwrap();
        let heads = store.policy_history().heads().await.unwrap();
        let [head] = heads.as_slice() else { panic!("{heads:?}") };
        assert_eq!((head.number, head.size), (1, text.len() as u64));
        assert!(head.at > UnixTime::from_secs(1_700_000_000), "{}", head.at);
        store.commit(&[policy_of(2, "{}")]).await.unwrap();
        let history = store.policy_history();
        assert_eq!(history.revision(1).await.unwrap().unwrap().text, text);
        assert_eq!(history.newest().await.unwrap().unwrap().number, 2);
        assert_eq!(history.revision(3).await.unwrap(), None);
    });
}

#[test]
fn oldest_policies_are_forgotten_when_there_are_too_many_or_too_much() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = Store::open(&folder.path().join("state.db")).await.unwrap();
        let many: Vec<Change> = (1..=1_005).map(|number| policy_of(number, &format!("{{}} // {number}"))).collect();
        store.commit(&many).await.unwrap();
        let numbers = async || -> (usize, u64, u64) {
            let heads = store.policy_history().heads().await.unwrap();
            (heads.len(), heads.first().unwrap().number, heads.last().unwrap().number)
        };
        assert_eq!(numbers().await, (1_000, 1_005, 6));
        let large = "x".repeat(30 << 20);
        store.commit(&[policy_of(1_006, &large), policy_of(1_007, &large), policy_of(1_008, &large)]).await.unwrap();
        assert_eq!(numbers().await, (2, 1_008, 1_007));
        assert_eq!(store.load().await.unwrap().policy.map(|revision| revision.text.len()), Some(30 << 20));
    });
}
