//! The database: opened, read once, then written by one writer.

mod commit;
mod load;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlSafeStr, SqlitePool};

use crate::{PolicyHistory, StoreError};

/// Steps of the schema, oldest first. A step that has been released is never edited.
const STEPS: [(i64, &str, &str); 4] = [
    (1, "first", include_str!("../migrations/0001_first.sql")),
    (2, "policy revisions", include_str!("../migrations/0002_policy_revisions.sql")),
    (3, "roles and routes", include_str!("../migrations/0003_roles_and_routes.sql")),
    (4, "people", include_str!("../migrations/0004_people.sql")),
];

/// How long a statement waits for somebody who reads the file with another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The database of one server.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    pool: SqlitePool,
    /// Held as long as the store is, so that no second server decides beside us.
    _lock: File,
}

impl Store {
    /// Opens the file, makes it if there is none, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        // SQLite gives its side files the mode of the main one.
        let created = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        created.map_err(|error| StoreError::from_io(path, &error))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // Every commit reaches the disk: an acknowledged registration survives the power too. Commits come in groups.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        let pool = pool.map_err(|error| StoreError::from_sql(path, &error))?;
        let steps = STEPS.iter().map(|(version, name, sql)| {
            Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        let migrator = Migrator::with_migrations(steps.collect());
        migrator.run(&pool).await.map_err(|error| StoreError::from_migration(path, &error))?;
        Ok(Self { path: path.to_owned(), pool, _lock: lock })
    }

    /// A way to read the policies that were in force, which stays open beside the writer.
    pub fn policy_history(&self) -> PolicyHistory {
        PolicyHistory::new(self.path.clone(), self.pool.clone())
    }

    /// Writes what is pending and lets go of the file.
    pub async fn close(self) {
        self.pool.close().await;
    }

    fn failed(&self, error: &sqlx::Error) -> StoreError {
        StoreError::from_sql(&self.path, error)
    }
}

/// The lock file beside the database. The system lets go of it when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let beside = path.with_file_name(name);
    let failed = |error: &std::io::Error| StoreError::from_io(&beside, error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| StoreError::from_io(folder, &error))?;
    }
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&beside);
    let file = file.map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}
