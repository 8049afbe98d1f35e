//! The disk of the data directory is full while calls go on.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::office::{NO_GUARD, Office};
use crate::http::Request;
use crate::process;
use crate::report::{Context, skip};
use crate::server::Server;

/// Room for the server's own files; the rest is filled.
const DISK_MIB: u32 = 512;

const CALLS: u32 = 40;
const RATE: u32 = 10;

/// Of an administrator who has lost his phone.
const CODE: &str = "k7mfx2pq";

pub(super) fn disk_full(context: &Context) -> Result<()> {
    let disk = Disk::mount(context.subfolder("disk")?, DISK_MIB)?;
    let mut server = Server::stopped(context, &NO_GUARD)?;
    server.data = disk.folder.join("data");
    let password = administrator(&server)?;
    server.run()?;
    let mut office = Office::new(server, 20, 20)?;

    let filler = disk.folder.join("filler");
    let filled = fill(&filler)?;
    context.note(&format!("{} MiB filled", filled >> 20));
    office.load(context, CALLS, RATE).context("with a full disk")?;
    ensure!(office.server.is_running()?, "the server ended");
    let readable = office.server.records().map_or(0, |it| it.len());
    context.note(&format!("{readable} of {CALLS} records in the database while the disk is full"));
    sign_in(&office.server, &password)?;
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

/// An administrator with a second factor, of which this recovery code is left; his password.
fn administrator(server: &Server) -> Result<String> {
    std::fs::create_dir(&server.data)?;
    let made = server.json(&["admin", "add", "ann"])?;
    let hash: String = Sha256::digest(CODE).iter().map(|it| format!("{it:02x}")).collect();
    server.execute(&format!(
        "INSERT INTO totp (tenant_id, user_name, secret, confirmed_at) VALUES (0, 'ann', x'00', 1);
        INSERT INTO recovery_codes (tenant_id, user_name, hash) VALUES (0, 'ann', x'{hash}')"
    ))?;
    Ok(made["password"].as_str().context("no password")?.to_owned())
}

/// Whoever is to make room must be let in.
fn sign_in(server: &Server, password: &str) -> Result<()> {
    let proof = json!({ "name": "ann", "password": password, "code": CODE });
    let answer = Request::new(server.http_address(), "POST", "/api/v1/sessions").json(&proof);
    let answer = answer.send()?;
    ensure!(answer.status == 200, "sign-in: {} {}", answer.status, answer.body);
    Ok(())
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
