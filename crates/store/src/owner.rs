//! What the superuser makes in a data directory belongs to the directory's owner.
//!
//! `sudo dialtone ext add` while the server is down must not leave a database, a lock or a file of
//! records that the server's own user cannot open afterwards.

use rustix::fs::{Mode, OFlags, open};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

const SUPERUSER: u32 = 0;
/// The folders below the data directory that have files of ours.
const FOLDERS: [&str; 2] = ["cdr", "journal"];

/// Gives away what is the superuser's where the directory is not. Nothing happens for others, who
/// cannot make files of another owner. What cannot be given away stays, with a warning.
pub(crate) fn give_to_owner(data_dir: &Path) {
    let Ok(owner) = fs::metadata(data_dir) else { return };
    if owner.uid() == SUPERUSER {
        return;
    }
    let folders = FOLDERS.map(|it| data_dir.join(it));
    for folder in folders.iter().map(AsRef::as_ref).chain([data_dir]) {
        give(folder, &owner);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            give(&entry.path(), &owner);
        }
    }
}

fn give(path: &Path, owner: &Metadata) {
    if let Err(error) = try_to_give(path, owner)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "a file keeps its owner");
    }
}

/// Never through a link: whoever owns the directory could have laid one to a file of the system.
fn try_to_give(path: &Path, owner: &Metadata) -> io::Result<()> {
    let is_link = fs::symlink_metadata(path)?.file_type().is_symlink();
    if is_link {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // A socket, which the next server replaces.
        Err(rustix::io::Errno::NXIO) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?;
    let is_ours = found.is_dir() || (found.is_file() && found.nlink() == 1);
    if found.uid() == SUPERUSER && is_ours {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::os::unix::fs::{chown, symlink};

    #[test]
    fn the_owner_of_the_directory_gets_files_but_nothing_behind_a_link() {
        let dir = tempfile::tempdir().unwrap();
        if fs::metadata(dir.path()).unwrap().uid() != SUPERUSER {
            return testkit::skip::skip("store::owner_of_files", "needs root");
        }
        let (data, system) = (dir.path().join("data"), dir.path().join("system"));
        fs::create_dir_all(data.join("cdr")).unwrap();
        for path in [data.join("dialtone.db"), data.join("cdr/2025-11-23.csv"), system.clone()] {
            fs::write(path, "x").unwrap();
        }
        symlink(&system, data.join("soft")).unwrap();
        fs::hard_link(&system, data.join("hard")).unwrap();
        chown(&data, Some(12345), Some(23456)).unwrap();
        give_to_owner(&data);
        #[rustfmt::skip]
        let table = [
            ("data/dialtone.db",        12345),
            ("data/cdr",                12345),
            ("data/cdr/2025-11-23.csv", 12345),
            ("system",                  SUPERUSER),
        ];
        for (name, uid) in table {
            assert_eq!(fs::metadata(dir.path().join(name)).unwrap().uid(), uid, "{name}");
        }
    }
}
