//! Room that is kept for the one who makes room: where the disk is full, an administrator must be able to sign in and to
//! delete what fills it.

use super::Db;
use crate::journal::preallocate;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// Holds nothing but its place on the disk.
const FILE: &str = "dialtone.reserve";
/// A few sessions and entries of the audit, many times over. Unit: octets.
const BYTES: u64 = 1024 * 1024;

impl Db {
    /// Takes the room, unless it is taken already.
    ///
    /// # Errors
    /// There is none: nothing is taken then.
    pub fn keep_reserve(&self) -> io::Result<()> {
        let path = self.reserve();
        // One whose taking was cut off has no length.
        if path.metadata().is_ok_and(|it| it.len() == BYTES) {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        preallocate(&file, BYTES).inspect_err(|_| drop(std::fs::remove_file(&path)))
    }

    /// Leaves it to the database. False where it is not there any more.
    pub fn give_up_reserve(&self) -> bool {
        std::fs::remove_file(self.reserve()).is_ok()
    }

    fn reserve(&self) -> PathBuf {
        self.folder().join(FILE)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn it_is_taken_once_and_given_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let db = runtime.block_on(Db::open(folder.path())).unwrap();
        assert!(!db.give_up_reserve());
        std::fs::write(folder.path().join(FILE), []).unwrap();
        db.keep_reserve().unwrap();
        db.keep_reserve().unwrap();
        assert_eq!(folder.path().join(FILE).metadata().unwrap().len(), BYTES);
        assert!(db.give_up_reserve());
        assert!(!db.give_up_reserve());
    }
}
