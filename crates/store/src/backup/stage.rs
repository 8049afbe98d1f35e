//! Puts a checked backup where the next start takes it from, and takes it: the running server never has its database
//! changed under it.
//!
//! What was there is moved aside and stays in `before-restore` until the next restore. Each step is a rename that can be
//! done again, so that a cut in between is made good by the start after it.

use super::since;
use super::unpack::open;
use super::{
    BackupError, CERTIFICATES, DATABASE, FOLDER, KEY_FILE, STANDBY_FILE, Unpacked, private_file,
    private_folder,
};
use crate::db::{self, Db};
use crate::error::StoreError;
use pbx::time::UnixMillis;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// What the last restore replaced, below the data directory.
pub const BEFORE_FOLDER: &str = "before-restore";

const STAGED: &str = "restore";
/// While it is put together.
const HALF: &str = "restore.half";
/// Below [`STAGED`]: what comes and what goes.
const NEW: &str = "new";
const OLD: &str = "old";
/// All is there and nothing was moved yet.
const READY: &str = "ready";
/// All that goes has gone.
const GONE: &str = "gone";

/// What is part of the state: it goes, whatever comes.
const STATE: [&str; 5] = ["dialtone.db-wal", "dialtone.db-shm", "journal", STANDBY_FILE, DATABASE];
/// What stays where the backup brings none.
const SECRETS: [&str; 2] = [KEY_FILE, CERTIFICATES];

/// Numbers of the journal that are skipped: what is written until the end of this process has them.
const SEQUENCES_SKIPPED: u64 = 1_000_000;

/// Who restores what, for the audit of the state that comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    pub backup: String,
    pub at: UnixMillis,
    pub actor_kind: String,
    pub actor: String,
    pub source: String,
    /// Lines and trunks stay silent until somebody says otherwise.
    pub standby: bool,
}

/// What a start has found and put into place.
pub(crate) struct Restored(pub(crate) Staged);

/// Makes a checked backup what the next start begins with.
pub async fn stage(db: &Db, unpacked: Unpacked, staged: &Staged) -> Result<(), BackupError> {
    let data_dir = db.folder();
    prove(db, &unpacked).await?;
    prepare(db, &unpacked).await?;
    let half = data_dir.join(HALF);
    remove(&half).map_err(BackupError::io(&half))?;
    let new = half.join(NEW);
    private_folder(&new)?;
    let brings_secrets = unpacked.key()?.is_some();
    let text = serde_json::to_vec(staged).map_err(BackupError::damaged)?;
    let write = || -> io::Result<()> {
        fs::rename(unpacked.database(), new.join(DATABASE))?;
        if brings_secrets {
            fs::rename(unpacked.work.path.join(KEY_FILE), new.join(KEY_FILE))?;
            open_certificates(&unpacked.work.path.join(CERTIFICATES), &new.join(CERTIFICATES))?;
        }
        if staged.standby {
            private_file(&new.join(STANDBY_FILE))?;
        }
        let mut ready = private_file(&half.join(READY))?;
        ready.write_all(&text)?;
        ready.sync_all()?;
        remove(&data_dir.join(STAGED))?;
        fs::rename(&half, data_dir.join(STAGED))
    };
    write().map_err(BackupError::io(&half))
}

/// Only those that were opened: what is sealed beside them stays behind.
fn open_certificates(from: &Path, to: &Path) -> io::Result<()> {
    let mut is_there = false;
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().ends_with(".pem") {
            continue;
        }
        if !std::mem::replace(&mut is_there, true) {
            fs::create_dir_all(to)?;
        }
        fs::rename(entry.path(), to.join(name))?;
    }
    Ok(())
}

/// Proves that the secrets of the database can be opened, with the key that it brings along or else with ours.
pub async fn prove(db: &Db, unpacked: &Unpacked) -> Result<(), BackupError> {
    let own = unpacked.key()?;
    let key = own.as_ref().unwrap_or_else(|| db.key());
    let mut connection = open(&unpacked.database()).await?;
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM key_check").fetch_optional(&mut connection).await?;
    sqlx::Connection::close(connection).await?;
    if sealed.is_some_and(|it| db::is_key_of(key, &it)) {
        return Ok(());
    }
    Err(match (&own, &unpacked.manifest.salt) {
        (Some(_), _) => BackupError::damaged("its key file is not that of its database"),
        (None, Some(_)) => BackupError::WrongPassword,
        (None, None) => BackupError::OtherKey,
    })
}

/// Proves that this version can work with the database, and makes it fit to go on from here.
async fn prepare(db: &Db, unpacked: &Unpacked) -> Result<(), BackupError> {
    let mut connection = open(&unpacked.database()).await?;
    // What the next start would do with it: where that fails, it fails before anything was moved.
    db::migrate(&mut connection).await.map_err(BackupError::damaged)?;
    // The journal begins anew behind every number that was ever given.
    let applied = db::applied(&mut connection).await?.max(db.applied().await?);
    db::set_applied(&mut connection, applied.saturating_add(SEQUENCES_SKIPPED)).await?;
    since::carry_over(db, &mut connection).await?;
    // Who was signed in then is not for that signed in now.
    sqlx::query("DELETE FROM sessions").execute(&mut connection).await?;
    // Nor are the calls of then: those that are up now are not in it.
    sqlx::query("DELETE FROM open_calls").execute(&mut connection).await?;
    sqlx::Connection::close(connection).await?;
    Ok(())
}

/// Puts into place what was staged, before the database is opened; who had it done.
pub(crate) fn apply(data_dir: &Path) -> Result<Option<Restored>, StoreError> {
    let staged = data_dir.join(STAGED);
    let failed = StoreError::io(&staged);
    match try_to_apply(data_dir, &staged) {
        Ok(done) => Ok(done),
        Err(error) => Err(failed(error)),
    }
}

fn try_to_apply(data_dir: &Path, staged: &Path) -> io::Result<Option<Restored>> {
    let (ready, gone) = (staged.join(READY), staged.join(GONE));
    let (new, old) = (staged.join(NEW), staged.join(OLD));
    // What cannot be looked at is an error: to go on without would be to forget the restore.
    if ready.try_exists()? {
        fs::create_dir_all(&old)?;
        let secrets = SECRETS.iter().filter(|it| new.join(it).exists());
        for name in STATE.iter().chain(secrets) {
            move_over(&data_dir.join(name), &old.join(name))?;
        }
        fs::rename(&ready, &gone)?;
    }
    if !gone.try_exists()? {
        return Ok(None);
    }
    for name in STATE.iter().chain(&SECRETS) {
        move_over(&new.join(name), &data_dir.join(name))?;
    }
    let text = fs::read(&gone)?;
    let before = data_dir.join(BEFORE_FOLDER);
    if old.exists() {
        remove(&before)?;
        fs::rename(&old, &before)?;
    }
    remove(staged)?;
    // It was written by us; where it cannot be read, the restore is done all the same.
    Ok(serde_json::from_slice(&text).ok().map(Restored))
}

fn move_over(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether lines and trunks are silent, and that they are no longer.
impl Db {
    pub fn is_standby(&self) -> bool {
        self.folder().join(STANDBY_FILE).exists()
    }

    /// False where it was not.
    pub fn end_standby(&self) -> Result<bool, StoreError> {
        let path = self.folder().join(STANDBY_FILE);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io(&path)(error)),
        }
    }

    /// Where the backups of this database are.
    pub fn backups(&self) -> std::path::PathBuf {
        self.folder().join(FOLDER)
    }
}
