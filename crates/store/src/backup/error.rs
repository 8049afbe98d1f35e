//! Why a backup is not made or not restored. Whatever it is, nothing was changed.

use crate::error::StoreError;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} has {free} bytes left, and {needed} are needed", .folder.display())]
    NoRoom { folder: PathBuf, needed: u64, free: u64 },
    #[error("this is not a backup of dialtone")]
    NoBackup,
    #[error("the backup is damaged or cut off: {0}")]
    Damaged(String),
    #[error("the backup was made by version {version}, which is newer than this one")]
    Newer { version: String },
    /// It has a password, and another one or none was given.
    #[error("the password of the backup is wrong")]
    WrongPassword,
    /// What is sealed in it opens with the key file of another data directory.
    #[error("the backup belongs to another key file and has no password")]
    OtherKey,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn damaged(why: impl ToString) -> Self {
        Self::Damaged(why.to_string())
    }
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
