//! Makes a backup: a copy of the database, its hash, and what else belongs to it, in one file that is there whole or not
//! at all.

use super::archive::Packer;
use super::manifest::{FORMAT, Manifest, Packed, Reason, hex};
use super::unpack::{extract, look};
use super::{
    BackupError, CERTIFICATES, DATABASE, FOLDER, KEY_FILE, MANIFEST, SEALED, SECRET_BYTES_MAX,
    SUFFIX, Work, need_room, private_file, private_folder,
};
use crate::db::Db;
use crate::secret::SecretKey;
use pbx::time::UnixMillis;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    pub reason: Reason,
    pub version: String,
    pub host: String,
    pub now: UnixMillis,
    /// Of a password: the key made of it and the salt it was made with. Then secrets are in it.
    pub seal: Option<(SecretKey, String)>,
}

/// Makes a backup of this database; its file.
pub async fn create(db: &Db, plan: Plan) -> Result<PathBuf, BackupError> {
    let data_dir = db.folder().to_owned();
    let folder = data_dir.join(FOLDER);
    private_folder(&folder)?;
    let size = fs::metadata(data_dir.join(DATABASE)).map_or(0, |it| it.len());
    // The copy, and the archive of it where nothing can be made smaller.
    need_room(&folder, size.saturating_mul(2))?;
    let work = Work::begin(&folder)?;
    let copy = work.path.join(DATABASE);
    db.copy_to(&copy).await?;
    let (contents, _) = look(&copy).await?;
    let mut manifest = Manifest {
        format: FORMAT,
        version: plan.version,
        schema: contents.schema,
        created_at: plan.now,
        host: plan.host,
        reason: plan.reason,
        counts: contents.counts,
        salt: plan.seal.as_ref().map(|it| it.1.clone()),
        files: vec![],
    };
    let name = file_name(&manifest);
    let seal = plan.seal.map(|it| it.0);
    let made = tokio::task::spawn_blocking(move || {
        if let Some(key) = seal {
            seal_secrets(&data_dir, &work.path, &key)?;
        }
        let packed = work.path.join("backup");
        pack(&work.path, &packed, &mut manifest)?;
        // What cannot be read again is no backup; it is seen now and not when it is needed.
        extract(&packed, None, &manifest)?;
        let path = folder.join(&name);
        fs::rename(&packed, &path).map_err(BackupError::io(&path))?;
        Ok(path)
    });
    made.await.map_err(BackupError::damaged)?
}

/// `dialtone-backup-office-20261126T101500123Z-11.tar.gz`: machine, time, schema.
pub fn file_name(manifest: &Manifest) -> String {
    let is_plain = |it: &char| it.is_ascii_alphanumeric() || *it == '-';
    let host: String = manifest.host.chars().filter(is_plain).take(40).collect();
    let seconds = i64::try_from(manifest.created_at.0 / 1000).unwrap_or_default();
    let at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let at = at.strftime("%Y%m%dT%H%M%S");
    let millis = manifest.created_at.0 % 1000;
    format!("dialtone-backup-{host}-{at}{millis:03}Z-{}{SUFFIX}", manifest.schema)
}

/// Puts the key file and the certificates beside the copy, sealed.
fn seal_secrets(data_dir: &Path, work: &Path, key: &SecretKey) -> Result<(), BackupError> {
    let mut files = vec![KEY_FILE.to_owned()];
    for entry in fs::read_dir(data_dir.join(CERTIFICATES)).into_iter().flatten().flatten() {
        if let Some(name) = entry.file_name().to_str().filter(|it| it.ends_with(".pem")) {
            files.push(format!("{CERTIFICATES}/{name}"));
        }
    }
    private_folder(&work.join(CERTIFICATES))?;
    for name in files {
        let path = data_dir.join(&name);
        let file = File::open(&path).map_err(BackupError::io(&path))?;
        let mut plain = zeroize::Zeroizing::new(Vec::new());
        let read = file.take(SECRET_BYTES_MAX).read_to_end(&mut plain);
        read.map_err(BackupError::io(&path))?;
        let sealed = key.seal(&plain, name.as_bytes()).map_err(crate::StoreError::from)?;
        let path = work.join(format!("{name}{SEALED}"));
        fs::write(&path, sealed).map_err(BackupError::io(&path))?;
    }
    Ok(())
}

/// Packs the database and what is sealed; the manifest, which knows them all, comes first.
fn pack(work: &Path, to: &Path, manifest: &mut Manifest) -> Result<(), BackupError> {
    let mut names = vec![DATABASE.to_owned()];
    for folder in ["", CERTIFICATES] {
        for entry in fs::read_dir(work.join(folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(SEALED) {
                names.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
    }
    for name in names {
        let path = work.join(&name);
        let (size, sha256) = digest(&path).map_err(BackupError::io(&path))?;
        manifest.files.push(Packed { name, size, sha256 });
    }
    let text = serde_json::to_vec_pretty(manifest).map_err(BackupError::damaged)?;
    let write = || -> io::Result<()> {
        let mut packer = Packer::new(private_file(to)?);
        packer.append(MANIFEST, text.len() as u64, &*text)?;
        for it in &manifest.files {
            packer.append(&it.name, it.size, File::open(work.join(&it.name))?)?;
        }
        packer.finish()?.sync_all()
    };
    write().map_err(BackupError::io(to))
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut sha256 = Sha256::new();
    let size = super::unpack::copy(&mut file, |it| {
        sha256.update(it);
        Ok(())
    })?;
    Ok((size, hex(&sha256.finalize())))
}
