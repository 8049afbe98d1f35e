//! What the superuser makes in a data directory belongs to the directory's owner.
//!
//! `sudo dialtone ext add` or `sudo dialtone restore` while the server is down must not leave a
//! database, a backup, a certificate or a file of records that the server's own user cannot open
//! afterwards.

use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

const SUPERUSER: u32 = 0;
/// Folders within folders that are looked into: `restore/new/certs` has files of ours.
const DEPTH_MAX: usize = 4;

/// Gives away what is the superuser's where the directory is not. Nothing happens for others, who
/// cannot make files of another owner. What cannot be given away stays, with a warning.
pub(crate) fn give_to_owner(data_dir: &Path) {
    let Ok(folder) = File::open(data_dir) else { return };
    let Ok(owner) = folder.metadata() else { return };
    if owner.uid() == SUPERUSER {
        return;
    }
    if let Err(error) = give_all(&folder, &owner, DEPTH_MAX) {
        tracing::warn!(%error, path = %data_dir.display(), "files keep their owner");
    }
}

/// What is in a folder, and in those below it.
fn give_all(folder: &File, owner: &Metadata, depth: usize) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        let given = give(folder, name, owner).and_then(|inner| match inner {
            Some(inner) if depth > 0 => give_all(&inner, owner, depth - 1),
            Some(_) | None => Ok(()),
        });
        if let Err(error) = given
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, name = %name.to_string_lossy(), "a file keeps its owner");
        }
    }
    Ok(())
}

/// Never through a link, of a file or of a folder: whoever owns the directory could have laid one to a
/// place of the system. The folder that it is, where it is one.
fn give(folder: &File, name: &CStr, owner: &Metadata) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        // A link, or a socket, which the next server replaces.
        Err(Errno::LOOP | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?;
    let is_ours = found.is_dir() || (found.is_file() && found.nlink() == 1);
    if found.uid() == SUPERUSER && is_ours {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(found.is_dir().then_some(file))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;
    use std::os::unix::fs::{chown, symlink};

    #[test]
    fn the_owner_of_the_directory_gets_files_but_nothing_behind_a_link() {
        let dir = tempfile::tempdir().unwrap();
        if fs::metadata(dir.path()).unwrap().uid() != SUPERUSER {
            return testkit::skip::skip("store::owner_of_files", "needs root");
        }
        let (data, system) = (dir.path().join("data"), dir.path().join("system"));
        let others = dir.path().join("others");
        for folder in [&data.join("cdr"), &data.join("restore/new/certs"), &others] {
            fs::create_dir_all(folder).unwrap();
        }
        let files = ["dialtone.db", "cdr/2025-11-23.csv", "restore/new/certs/installed.pem"];
        let files = files.map(|it| data.join(it));
        for path in files.iter().chain([&system, &others.join("shadow")]) {
            fs::write(path, "x").unwrap();
        }
        symlink(&system, data.join("soft")).unwrap();
        symlink(&others, data.join("journal")).unwrap();
        fs::hard_link(&system, data.join("hard")).unwrap();
        chown(&data, Some(12345), Some(23456)).unwrap();
        give_to_owner(&data);
        #[rustfmt::skip]
        let table = [
            ("data/dialtone.db",        12345),
            ("data/cdr",                12345),
            ("data/cdr/2025-11-23.csv", 12345),
            ("data/restore",            12345),
            ("data/restore/new/certs/installed.pem", 12345),
            ("system",                  SUPERUSER),
            ("others",                  SUPERUSER),
            ("others/shadow",           SUPERUSER),
        ];
        for (name, uid) in table {
            assert_eq!(fs::metadata(dir.path().join(name)).unwrap().uid(), uid, "{name}");
        }
    }
}
