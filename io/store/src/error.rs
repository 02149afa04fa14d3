//! What can go wrong with a disk, each in one sentence with what to do.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

/// The state was not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room.
    #[error("the disk that holds {0} is full: make room, nothing was changed")]
    Full(PathBuf),
    /// No right to write.
    #[error("{0} cannot be written: check its owner, its mode and whether its disk is mounted read-only")]
    ReadOnly(PathBuf),
    /// Another process has it.
    #[error("{0} is in use by another wattle-control: stop that one first")]
    Locked(PathBuf),
    /// A later version wrote it.
    #[error("{0} was written by a newer wattle-control: use that version, or restore a copy made before")]
    Newer(PathBuf),
    /// It is not what we wrote.
    #[error("{path} is damaged or not a wattle-control database ({reason}): restore a copy")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// Something else.
    #[error("{path}: {reason}")]
    Other {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

// Primary result codes of SQLite (sqlite.org/rescode.html).
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

impl StoreError {
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path),
            _ => Self::Other { path, reason: error.to_string() },
        }
    }

    pub(crate) fn from_sql(path: &Path, error: &sqlx::Error) -> Self {
        let code = match error {
            sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i32>().ok()),
            sqlx::Error::Io(error) => return Self::from_io(path, error),
            _ => None,
        };
        let path = path.to_owned();
        // The lowest byte of an extended code is the primary one.
        match code.map(|code| code & 0xff) {
            Some(FULL) => Self::Full(path),
            Some(READONLY | CANTOPEN) => Self::ReadOnly(path),
            Some(BUSY | LOCKED) => Self::Locked(path),
            Some(CORRUPT | NOTADB) => Self::Damaged { path, reason: error.to_string() },
            _ => Self::Other { path, reason: error.to_string() },
        }
    }

    pub(crate) fn from_migration(path: &Path, error: &MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Self::Newer(path.to_owned()),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::from_sql(path, error),
            other => Self::Damaged { path: path.to_owned(), reason: other.to_string() },
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}
