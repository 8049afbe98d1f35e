//! What can go wrong in the store, each with the sentence for the person who runs the server.

use crate::lock::LockError;
use crate::password::PasswordError;
use crate::secret::KeyError;
use pbx::dialplan::lint::finding::Finding;
use pbx::language::Text;
use pbx::settings::OutOfRange;
use std::io;
use std::path::{Path, PathBuf};

/// SQLite's result code of a write for which there is no room.
const SQLITE_FULL: &str = "13";

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database failed: {0}")]
    Sql(#[source] sqlx::Error),
    #[error("the disk is full: the database cannot be written. Nothing was changed")]
    DiskFull,
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the database was written by a newer version (its schema is {found}, this program knows \
         {known}): install that version again, or restore the backup made before the upgrade"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Setting(#[from] OutOfRange),
    #[error("there is no extension {0}")]
    NoExtension(String),
    #[error("extension {0} exists already")]
    ExtensionExists(String),
    #[error("the edit ended amid its operations: nothing of it is in force")]
    Unfinished,
    #[error("there is no tenant {0}")]
    NoTenant(u32),
    #[error("{field} = {value}: {}", .rule.en)]
    Invalid { field: &'static str, value: String, rule: Text },
    /// What the change would break, each with its table, row, field and remedy.
    #[error("{}", .0.iter().map(|it| it.text().en.into_owned()).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Finding>),
    #[error("the database holds {what} that cannot be read: {reason}")]
    Damaged { what: String, reason: String },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|it| it.code());
        if code.as_deref() == Some(SQLITE_FULL) { Self::DiskFull } else { Self::Sql(error) }
    }
}

impl StoreError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Damaged { what: what.into(), reason: reason.to_string() }
    }
}
