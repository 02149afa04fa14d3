//! The policies that were in force: a reading handle beside the one writer.

use std::path::PathBuf;

use sqlx::{FromRow, SqlitePool};
use wattle_coordinator::PolicyRevision;
use wattle_time::UnixTime;

use crate::StoreError;
use crate::codec::{self, BadColumn};

/// Reads revisions of the policy. It stays valid until the store is closed. Clones are cheap.
#[derive(Clone, Debug)]
pub struct PolicyHistory {
    path: PathBuf,
    pool: SqlitePool,
}

/// A revision without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionHead {
    /// Number, from 1.
    pub number: u64,
    /// When it was put in force.
    pub at: UnixTime,
    /// By whom; empty: not known.
    pub author: String,
    /// Why, in their words.
    pub note: String,
    /// Bytes of the text.
    pub size: u64,
}

#[derive(FromRow)]
struct HeadRow {
    number: i64,
    at: i64,
    author: String,
    note: String,
    size: i64,
}

#[derive(FromRow)]
pub(crate) struct RevisionRow {
    number: i64,
    at: i64,
    author: String,
    note: String,
    text: String,
}

impl PolicyHistory {
    pub(crate) fn new(path: PathBuf, pool: SqlitePool) -> Self {
        Self { path, pool }
    }

    /// What is kept, newest first. Numbers that are missing were forgotten: see [`crate::limits`].
    pub async fn heads(&self) -> Result<Vec<RevisionHead>, StoreError> {
        let sql = "SELECT number, at, author, note, size FROM policy_revisions ORDER BY number DESC";
        let rows: Vec<HeadRow> =
            sqlx::query_as(sql).fetch_all(&self.pool).await.map_err(|error| self.failed(&error))?;
        rows.into_iter().map(head).collect::<Result<_, _>>().map_err(|error| self.damaged(error))
    }

    /// One of them, with its text.
    pub async fn revision(&self, number: u64) -> Result<Option<PolicyRevision>, StoreError> {
        let sql = "SELECT number, at, author, note, text FROM policy_revisions WHERE number = $1";
        let query = sqlx::query_as(sql).bind(codec::number(number));
        let row = query.fetch_optional(&self.pool).await.map_err(|error| self.failed(&error))?;
        row.map(revision).transpose().map_err(|error| self.damaged(error))
    }

    /// The one in force.
    pub async fn newest(&self) -> Result<Option<PolicyRevision>, StoreError> {
        let sql = "SELECT number, at, author, note, text FROM policy_revisions ORDER BY number DESC LIMIT 1";
        let row = sqlx::query_as(sql).fetch_optional(&self.pool).await.map_err(|error| self.failed(&error))?;
        row.map(revision).transpose().map_err(|error| self.damaged(error))
    }

    fn failed(&self, error: &sqlx::Error) -> StoreError {
        StoreError::from_sql(&self.path, error)
    }

    fn damaged(&self, BadColumn(reason): BadColumn) -> StoreError {
        StoreError::damaged(&self.path, format!("table policy_revisions: {reason}"))
    }
}

fn head(row: HeadRow) -> Result<RevisionHead, BadColumn> {
    Ok(RevisionHead {
        number: codec::number_back(row.number)?,
        at: UnixTime::from_micros(row.at),
        author: row.author,
        note: row.note,
        size: codec::number_back(row.size)?,
    })
}

fn revision(row: RevisionRow) -> Result<PolicyRevision, BadColumn> {
    Ok(PolicyRevision {
        number: codec::number_back(row.number)?,
        at: UnixTime::from_micros(row.at),
        author: row.author,
        note: row.note,
        text: row.text,
    })
}
