//! Backups: one file with a consistent copy of the database, checked when it is read, and put in the place of what is
//! there by the next start.
//!
//! What is secret in the database is sealed with the key file (`secret.key`), so a copy of the database gives nothing
//! away. The key file itself, and the certificates with their private keys, are in a backup only where it has a password.

mod archive;
mod error;
mod fuzz;
mod manifest;
mod pack;
mod since;
mod stage;
#[cfg(test)]
mod tests;
mod unpack;

pub use error::BackupError;
pub use fuzz::fuzz;
pub use manifest::{Counts, Manifest, Reason};
pub use pack::{Plan, create, file_name};
pub use stage::{BEFORE_FOLDER, Staged, prove, stage};
pub(crate) use stage::{Restored, apply};
pub use unpack::{Contents, Names, Unpacked, check, manifest, present, unpack};

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Where backups are, below the data directory.
pub const FOLDER: &str = "backups";
/// How their names end.
pub const SUFFIX: &str = ".tar.gz";
/// In this file's presence lines and trunks stay silent.
pub const STANDBY_FILE: &str = "standby";

/// Copies and unpacked files while something is made of them; below the folder of backups.
const WORK: &str = ".work";
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "dialtone.db";
const KEY_FILE: &str = "secret.key";
/// Of certificates, as a folder of the data directory and of a backup.
const CERTIFICATES: &str = "certs";
/// What the name of a sealed file ends with.
const SEALED: &str = ".sealed";
/// Left free beside what is written. Unit: octets.
const ROOM_BESIDE: u64 = 16 * 1024 * 1024;
/// Certificates and keys are small. Unit: octets.
const SECRET_BYTES_MAX: u64 = 256 * 1024;

/// A folder for one piece of work, gone with this value, whatever became of it.
#[derive(Debug)]
struct Work {
    path: PathBuf,
}

impl Work {
    /// Whoever calls does one piece of work at a time: what is left of an earlier one goes.
    fn begin(backups: &Path) -> Result<Self, BackupError> {
        let path = backups.join(WORK);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(BackupError::io(&path)(error));
            }
            Ok(()) | Err(_) => {}
        }
        private_folder(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What stays is removed by the next one.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn private_folder(path: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(BackupError::io(path))
}

/// A new file that only the server's user can read.
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Refuses what would fill the disk half-way: the journal and the records of calls are on it too.
pub fn need_room(folder: &Path, size: u64) -> Result<(), BackupError> {
    let needed = size.saturating_add(ROOM_BESIDE);
    // Where the system does not tell, the write itself does.
    let Ok(disk) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < needed {
        return Err(BackupError::NoRoom { folder: folder.to_owned(), needed, free });
    }
    Ok(())
}
