//! Reads a backup: nothing of it is believed that its hashes, its names and SQLite do not bear out.

use super::archive::{Archive, Entry};
use super::manifest::{Counts, FORMAT, Manifest, Packed, hex};
use super::since;
use super::{
    BackupError, CERTIFICATES, DATABASE, KEY_FILE, MANIFEST, SEALED, SECRET_BYTES_MAX, Work,
    need_room, private_file, private_folder,
};
use crate::db::{self, Db};
use crate::error::StoreError;
use crate::secret::SecretKey;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

/// Unit: octets.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
const FILES_MAX: usize = 100;
/// What sealing adds to a secret, and more. Unit: octets.
const SEALING_BYTES_MAX: u64 = 1024;
/// Of the name of a machine or of a version.
const NAME_CHARS_MAX: usize = 255;
/// Hexadecimal digits of a salt.
const SALT_DIGITS: std::ops::RangeInclusive<usize> = 16..=64;
/// Read or written at once. Unit: octets.
const PIECE_BYTES: usize = 128 * 1024;

/// A backup whose files are there, checked. They go with this value.
#[derive(Debug)]
pub struct Unpacked {
    pub manifest: Manifest,
    pub contents: Contents,
    pub names: Names,
    pub(super) work: Work,
}

/// What its database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    pub schema: i64,
    pub counts: Counts,
}

/// What its rows are called, for a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub extensions: BTreeSet<String>,
    pub external_lines: BTreeSet<String>,
    pub sip_trunks: BTreeSet<String>,
    pub administrators: BTreeSet<String>,
    /// Their names by their ids.
    pub api_keys: BTreeMap<String, String>,
    /// The ids of those that were revoked: no restore brings them back.
    pub revoked: BTreeSet<String>,
}

/// What a backup says of itself. Its files are not looked at.
pub fn manifest(path: &Path) -> Result<Manifest, BackupError> {
    let file = File::open(path).map_err(BackupError::io(path))?;
    let mut archive = Archive::new(BufReader::new(file));
    // Whatever goes wrong this early: it never was one.
    let first = archive.next().ok().flatten().ok_or(BackupError::NoBackup)?;
    read_manifest(first)
}

/// Unpacks a backup below the folder of backups; with the key of its password also its secrets.
pub async fn unpack(
    path: &Path,
    backups: &Path,
    key: Option<SecretKey>,
) -> Result<Unpacked, BackupError> {
    let manifest = manifest(path)?;
    if manifest.format > FORMAT || manifest.schema > db::newest_schema() {
        return Err(BackupError::Newer { version: manifest.version });
    }
    let key = key.filter(|_| manifest.salt.is_some());
    private_folder(backups)?;
    need_room(backups, size(&manifest))?;
    let work = Work::begin(backups)?;
    let (from, into, of) = (path.to_owned(), work.path.clone(), manifest.clone());
    let done = tokio::task::spawn_blocking(move || {
        extract(&from, Some(&into), &of)?;
        key.map_or(Ok(()), |key| open_secrets(&into, &of, &key))
    });
    done.await.map_err(BackupError::damaged)??;
    let (contents, names) = look(&work.path.join(DATABASE)).await?;
    if contents.schema > db::newest_schema() {
        return Err(BackupError::Newer { version: manifest.version });
    }
    Ok(Unpacked { manifest, contents, names, work })
}

pub(super) fn read_manifest<R: Read>(mut entry: Entry<'_, R>) -> Result<Manifest, BackupError> {
    if entry.name != MANIFEST || entry.size > MANIFEST_BYTES_MAX {
        return Err(BackupError::NoBackup);
    }
    let mut text = String::new();
    entry.content.read_to_string(&mut text).map_err(BackupError::damaged)?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(BackupError::damaged)?;
    let has_database = manifest.files.iter().any(|it| it.name == DATABASE);
    if !has_database || manifest.files.len() > FILES_MAX || !manifest.files.iter().all(is_known) {
        return Err(BackupError::damaged("its list of files"));
    }
    // They are shown on pages and terminals.
    let is_name = |it: &str| it.chars().count() <= NAME_CHARS_MAX && !it.contains(char::is_control);
    if !is_name(&manifest.host) || !is_name(&manifest.version) {
        return Err(BackupError::damaged("its machine or version"));
    }
    let is_salt = |it: &String| {
        SALT_DIGITS.contains(&it.len()) && it.bytes().all(|it| it.is_ascii_hexdigit())
    };
    if !manifest.salt.as_ref().is_none_or(is_salt) {
        return Err(BackupError::damaged("its salt"));
    }
    Ok(manifest)
}

/// The database, or a secret, which is small: it is opened in memory.
fn is_known(it: &Packed) -> bool {
    let name = &*it.name;
    let certificate = name.strip_prefix(CERTIFICATES).and_then(|it| it.strip_prefix('/'));
    let is_plain = |it: &str| !it.contains('/') && !it.starts_with('.') && it.ends_with(SEALED);
    let is_secret = name == format!("{KEY_FILE}{SEALED}") || certificate.is_some_and(is_plain);
    name == DATABASE || (is_secret && it.size <= SECRET_BYTES_MAX + SEALING_BYTES_MAX)
}

/// Of all its files.
fn size(manifest: &Manifest) -> u64 {
    manifest.files.iter().fold(0, |sum, it| sum.saturating_add(it.size))
}

/// Reads a backup to its end, and compares all of it with what it says of itself. One for which there is no room here is
/// not read: a small file can say that it is as long as one likes.
pub async fn check(path: &Path) -> Result<(), BackupError> {
    let (of, path) = (manifest(path)?, path.to_owned());
    need_room(path.parent().unwrap_or(&path), size(&of))?;
    let done = tokio::task::spawn_blocking(move || extract(&path, None, &of));
    done.await.map_err(BackupError::damaged)?
}

/// Reads the files of the archive, each as the manifest says it is, and writes them where `into` names a folder.
pub(super) fn extract(
    path: &Path,
    into: Option<&Path>,
    manifest: &Manifest,
) -> Result<(), BackupError> {
    let file = File::open(path).map_err(BackupError::io(path))?;
    let mut archive = Archive::new(BufReader::new(file));
    let mut first = archive.next().map_err(BackupError::damaged)?;
    if let Some(first) = &mut first {
        io::copy(&mut first.content, &mut io::sink()).map_err(BackupError::damaged)?;
    }
    if let Some(into) = into {
        private_folder(&into.join(CERTIFICATES))?;
    }
    for wanted in &manifest.files {
        let found = archive.next().map_err(BackupError::damaged)?;
        let found = found.filter(|it| it.name == wanted.name && it.size == wanted.size);
        let mut found = found.ok_or_else(|| BackupError::damaged(&wanted.name))?;
        let to = into.map(|it| it.join(&wanted.name));
        let (size, sha256) = extract_one(&mut found.content, to.as_deref())?;
        if size != wanted.size || sha256 != wanted.sha256 {
            return Err(BackupError::damaged(&wanted.name));
        }
    }
    match archive.next().map_err(BackupError::damaged)? {
        None => Ok(()),
        Some(_) => Err(BackupError::damaged("it has more files than it says")),
    }
}

/// Size and hash of a file that is written, where it is.
fn extract_one(content: &mut impl Read, to: Option<&Path>) -> Result<(u64, String), BackupError> {
    let mut file = match to {
        Some(to) => Some((private_file(to).map_err(BackupError::io(to))?, to)),
        None => None,
    };
    let mut sha256 = Sha256::new();
    // Only what is read can be damaged; what is written may find the disk full.
    let mut full = None;
    let size = copy(content, |piece| {
        sha256.update(piece);
        let Some((file, to)) = &mut file else { return Ok(()) };
        file.write_all(piece).map_err(|error| {
            full = Some(BackupError::io(to)(error));
            io::ErrorKind::Other.into()
        })
    });
    if let Some(error) = full {
        return Err(error);
    }
    let size = size.map_err(BackupError::damaged)?;
    if let Some((file, to)) = file {
        file.sync_all().map_err(BackupError::io(to))?;
    }
    Ok((size, hex(&sha256.finalize())))
}

/// Copies piece by piece; how much it was.
pub(super) fn copy(
    from: &mut impl Read,
    mut to: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut size = 0;
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(size),
            Ok(read) => {
                to(&piece[..read])?;
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Puts what is sealed beside it, open.
fn open_secrets(work: &Path, manifest: &Manifest, key: &SecretKey) -> Result<(), BackupError> {
    for it in &manifest.files {
        let Some(name) = it.name.strip_suffix(SEALED) else { continue };
        let (from, to) = (work.join(&it.name), work.join(name));
        let sealed = fs::read(&from).map_err(BackupError::io(&from))?;
        let plain = key.open(&sealed, name.as_bytes()).map_err(|_| BackupError::WrongPassword)?;
        let write = |mut file: File| file.write_all(&plain).and_then(|()| file.sync_all());
        private_file(&to).and_then(write).map_err(BackupError::io(&to))?;
    }
    Ok(())
}

/// Looks into a database that nobody writes to, and has SQLite check it.
pub(super) async fn look(path: &Path) -> Result<(Contents, Names), BackupError> {
    let mut connection = open(path).await.map_err(BackupError::damaged)?;
    only_tables(&mut connection).await?;
    let verdict: Result<String, _> =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
    let found = match verdict {
        Ok(verdict) if verdict == "ok" => contents(&mut connection).await,
        Ok(verdict) => Err(BackupError::Damaged(verdict)),
        Err(error) => Err(BackupError::damaged(error)),
    };
    connection.close().await?;
    found
}

/// What SQLite would run by itself has never been in a database of ours: no view is counted, and no trigger runs.
async fn only_tables(connection: &mut SqliteConnection) -> Result<(), BackupError> {
    let other = "SELECT name FROM sqlite_schema
        WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%' LIMIT 1";
    let found: Result<Option<String>, _> =
        sqlx::query_scalar(other).fetch_optional(connection).await;
    match found.map_err(BackupError::damaged)? {
        None => Ok(()),
        Some(_) => Err(BackupError::damaged("its database has what none of ours has")),
    }
}

/// What the database in use holds.
pub async fn present(db: &Db) -> Result<(Contents, Names), BackupError> {
    contents(&mut *db.connection().await?).await
}

async fn contents(connection: &mut SqliteConnection) -> Result<(Contents, Names), BackupError> {
    let schema = sqlx::query_scalar("SELECT max(version) FROM schema_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(BackupError::damaged)?;
    let mut count = async |table: &str, condition: &str| {
        let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new("SELECT count(*) FROM ");
        query.push(table).push(condition);
        let found: Result<i64, _> = query.build_query_scalar().fetch_one(&mut *connection).await;
        // An older database lacks tables that came later.
        u64::try_from(found.unwrap_or_default()).unwrap_or_default()
    };
    let counts = Counts {
        extensions: count("extensions", "").await,
        external_lines: count("dial_plan_rows", " WHERE kind = 'lines'").await,
        sip_trunks: count("dial_plan_rows", " WHERE kind = 'trunks'").await,
        dial_plan_rows: count("dial_plan_rows", " WHERE kind NOT IN ('lines', 'trunks')").await,
        administrators: count("users", "").await,
        call_records: count("call_records", "").await,
    };
    Ok((Contents { schema, counts }, names(connection).await?))
}

async fn names(connection: &mut SqliteConnection) -> Result<Names, BackupError> {
    let extensions: Vec<String> =
        sqlx::query_scalar("SELECT number FROM extensions").fetch_all(&mut *connection).await?;
    let rows = "SELECT kind, id FROM dial_plan_rows WHERE kind IN ('lines', 'trunks')";
    // The first schemas had none.
    let rows: Vec<(String, String)> =
        sqlx::query_as(rows).fetch_all(&mut *connection).await.unwrap_or_default();
    let administrators: Vec<String> = sqlx::query_scalar("SELECT name FROM users")
        .fetch_all(&mut *connection)
        .await
        .unwrap_or_default();
    let api_keys: Vec<(String, String)> = sqlx::query_as("SELECT id, name FROM api_keys")
        .fetch_all(&mut *connection)
        .await
        .unwrap_or_default();
    let of = |kind: &str| rows.iter().filter(|it| it.0 == kind).map(|it| it.1.clone()).collect();
    Ok(Names {
        extensions: extensions.into_iter().collect(),
        external_lines: of("lines"),
        sip_trunks: of("trunks"),
        administrators: administrators.into_iter().collect(),
        api_keys: api_keys.into_iter().collect(),
        // The first schemas had none.
        revoked: since::revoked(connection).await.unwrap_or_default(),
    })
}

/// A database that is not in use: one file, without a journal beside it.
pub(super) async fn open(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
    options.connect().await
}

impl Unpacked {
    /// The key file it brings along, where its password was right.
    pub(super) fn key(&self) -> Result<Option<SecretKey>, BackupError> {
        Ok(SecretKey::read(&self.work.path).map_err(StoreError::from)?)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.work.path.join(DATABASE)
    }
}
