//! One process at a time in a data directory: the server, or a command that edits offline.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "dialtone.lock";

/// Held for as long as the value lives; the system releases it when the process ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} is in use by {holder}", .dir.display())]
    Held { dir: PathBuf, holder: String },
    #[error("cannot lock {}: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl DataDirLock {
    /// Takes the lock of `dir`, or says who has it. `who` is what others are told, such as
    /// `dialtone serve`.
    pub fn take(dir: &Path, who: &str) -> Result<Self, LockError> {
        let path = dir.join(FILE);
        let failed = |source| LockError::Io { path: path.clone(), source };
        // Not truncated: until the lock is ours, the text is the holder's.
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(failed)?;
                let holder = if holder.trim().is_empty() { "another process" } else { &holder };
                return Err(LockError::Held {
                    dir: dir.to_owned(),
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The lock is ours whatever becomes of the text: a full disk is no reason not to start.
        let text = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{who} (process {})", std::process::id()));
        if let Err(error) = text {
            tracing::warn!(%error, path = %path.display(), "who holds the lock is not written");
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDirLock::take(dir.path(), "dialtone serve").unwrap();
        let error = DataDirLock::take(dir.path(), "dialtone ext add").unwrap_err().to_string();
        let holder = format!("is in use by dialtone serve (process {})", std::process::id());
        assert!(error.ends_with(&holder), "{error}");
        drop(first);
        DataDirLock::take(dir.path(), "dialtone ext add").unwrap();
    }
}
