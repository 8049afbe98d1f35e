//! The disk of the data directory is full while calls go on.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::office::{NO_GUARD, Office};
use crate::process;
use crate::report::{Context, skip};
use crate::server::Server;

/// Room for the server's own files; the rest is filled.
const DISK_MIB: u32 = 512;

const CALLS: u32 = 40;
const RATE: u32 = 10;

pub(super) fn disk_full(context: &Context) -> Result<()> {
    let disk = Disk::mount(context.subfolder("disk")?, DISK_MIB)?;
    let mut server = Server::stopped(context, &NO_GUARD)?;
    server.data = disk.folder.join("data");
    server.run()?;
    let mut office = Office::new(server, 20, 20)?;

    let filler = disk.folder.join("filler");
    let filled = fill(&filler)?;
    context.note(&format!("{} MiB filled", filled >> 20));
    office.load(context, CALLS, RATE).context("with a full disk")?;
    ensure!(office.server.is_running()?, "the server ended");
    let readable = office.server.records().map_or(0, |it| it.len());
    context.note(&format!("{readable} of {CALLS} records in the database while the disk is full"));
    std::fs::remove_file(&filler)?;
    office.load(context, CALLS, RATE).context("after the disk has room again")?;
    let records = office.server.wait_records(usize::try_from(2 * CALLS)?)?;
    context.note(&format!("{} records", records.len()));

    // The files are whole: the next start reads them.
    office.server.kill()?;
    office.server.run()?;
    office.server.wait_records(usize::try_from(2 * CALLS)?)?;
    office.tell_cost(context, 0)
}

/// Writes until nothing more fits; how much that was.
pub(super) fn fill(path: &Path) -> Result<u64> {
    let mut file = File::create(path)?;
    for block in [vec![0; 1 << 20], vec![0; 4 << 10], vec![0; 1]] {
        while file.write_all(&block).is_ok() {}
    }
    Ok(file.metadata()?.len())
}

/// A small file system, unmounted when dropped.
pub(super) struct Disk {
    pub(super) folder: PathBuf,
}

impl Disk {
    pub(super) fn mount(folder: PathBuf, mib: u32) -> Result<Self> {
        if !process::is_root() {
            return skip("mounting a small disk needs root");
        }
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "dialtone"])
            .arg(&folder)
            .output()
            .context("mount")?;
        if !mounted.status.success() {
            return skip(&format!("mount: {}", String::from_utf8_lossy(&mounted.stderr).trim()));
        }
        Ok(Self { folder })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be unmounted is seen by whoever looks at the mounts; there is no one to tell here.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
