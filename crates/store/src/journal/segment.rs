//! The files of the journal: their names, their preallocation, their end of life.
//!
//! A segment is named after the first sequence in it, so that a listing of the directory is the
//! journal's table of contents.

use super::frame::Sequence;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Size of a segment. Unit: bytes.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// A disk without room for a whole segment gets smaller ones, down to this. Unit: bytes.
pub const SEGMENT_BYTES_MIN: u64 = 1024 * 1024;

const EXTENSION: &str = "journal";
/// The keeper's spare, and the one the writer makes where the keeper has none ready.
pub(super) const SPARES: [&str; 2] = ["spare.tmp", "next.tmp"];

/// Bytes the journal may still allocate on its disk. Tests use it as a disk that fills up.
#[derive(Clone, Debug)]
pub struct Quota(Arc<AtomicU64>);

impl Quota {
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes `bytes` if they are there, else fails as a full disk does.
    fn take(&self, bytes: u64) -> io::Result<()> {
        let less = |left: u64| left.checked_sub(bytes);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    /// Space returns.
    pub fn give(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::AcqRel);
    }
}

/// Where segments are made, and how large.
#[derive(Clone, Debug)]
pub struct Disk {
    pub dir: PathBuf,
    /// Default: [`SEGMENT_BYTES`].
    pub segment_bytes: u64,
    /// `None`: as much as the file system gives.
    pub quota: Option<Quota>,
}

impl Disk {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, segment_bytes: SEGMENT_BYTES, quota: None }
    }

    /// An empty preallocated file that waits for its name.
    pub(super) fn make_spare(&self, name: &str) -> io::Result<Spare> {
        let path = self.dir.join(name);
        let mut bytes = self.segment_bytes;
        loop {
            match self.allocate(&path, bytes) {
                Ok(file) => return Ok(Spare { path, file: Arc::new(file), bytes }),
                Err(error) => {
                    // The same disk may hold half of it; what was begun is taken back.
                    remove_if_there(&path)?;
                    bytes /= 2;
                    if error.kind() != io::ErrorKind::StorageFull || bytes < SEGMENT_BYTES_MIN {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Gives the spare its name: from here on it is part of the journal.
    pub(super) fn adopt(&self, spare: &Spare, first: Sequence) -> io::Result<PathBuf> {
        let path = self.path_of(first);
        fs::rename(&spare.path, &path)?;
        Ok(path)
    }

    /// Makes renames and deletions last.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    /// All segments, oldest first.
    pub(super) fn segments(&self) -> io::Result<Vec<SegmentName>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if let Some(first) = first_sequence(&path) {
                found.push(SegmentName { first, path });
            }
        }
        found.sort_by_key(|it| it.first);
        Ok(found)
    }

    pub(super) fn delete(&self, segment: &SegmentName) -> io::Result<()> {
        let bytes = fs::metadata(&segment.path)?.len();
        fs::remove_file(&segment.path)?;
        if let Some(quota) = &self.quota {
            quota.give(bytes);
        }
        Ok(())
    }

    /// Removes unused spares, also those of a process that died.
    pub(super) fn clear_spares(&self) -> io::Result<()> {
        SPARES.iter().try_for_each(|name| remove_if_there(&self.dir.join(name)))
    }

    fn allocate(&self, path: &Path, bytes: u64) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        if let Some(quota) = &self.quota {
            quota.take(bytes)?;
        }
        let allocated = preallocate(&file, bytes);
        if let (Err(_), Some(quota)) = (&allocated, &self.quota) {
            quota.give(bytes);
        }
        allocated.map(|()| file)
    }

    fn path_of(&self, first: Sequence) -> PathBuf {
        self.dir.join(format!("{first:020}.{EXTENSION}"))
    }
}

/// A segment that is allocated and not yet used.
#[derive(Debug)]
pub(super) struct Spare {
    path: PathBuf,
    pub(super) file: Arc<File>,
    pub(super) bytes: u64,
}

/// A segment as the directory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentName {
    pub(super) first: Sequence,
    pub(super) path: PathBuf,
}

/// Reserves the blocks, so that a write within the segment cannot find the disk full.
pub(crate) fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        // A file system that cannot reserve gets a sparse file; the writer copes with its errors.
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(bytes),
        Err(error) => Err(error.into()),
    }
}

fn first_sequence(path: &Path) -> Option<Sequence> {
    if path.extension()? != EXTENSION {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
