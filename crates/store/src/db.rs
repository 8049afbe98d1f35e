//! The database: opened, brought to the present schema, tied to its key file.
//!
//! SQLite in WAL mode. Configuration is written here first and handed to the core as a new
//! directory; bindings and call records arrive from the projection.

mod api_key;
mod audit;
mod binding;
mod call_record;
mod call_search;
mod dial_plan;
mod durations;
mod edit;
mod extension;
mod line_registration;
mod migrate;
mod open_call;
mod outside;
mod phone;
mod registration_change;
mod reserve;
mod session;
mod setting;
#[cfg(test)]
mod tests;
mod totp;
mod user;
mod webhook;

pub use api_key::ApiKey;
pub use audit::{AuditEntry, AuditQuery, KEPT_BYTES_MAX, KEPT_FOR};
pub use call_record::{CallPage, CallQuery, StoredCall};
pub use call_search::{CallPlace, CallSearch, FoundCalls};
pub use durations::{Durations, LIMITS_US};
pub use edit::Edit;
pub use extension::{DEVICES_MAX, ExtensionProfile, NewExtension, StoredExtension};
pub use registration_change::{RegistrationChange, What, Why};
pub use session::Session;
pub use setting::TenantName;
pub use totp::{Factor, Totp};
pub use user::User;

pub use webhook::{Delivery, DeliveryState, NewDelivery, Webhook};

pub(crate) use binding::{delete_bindings, upsert_bindings};
pub(crate) use call_record::upsert_call_records;
pub(crate) use extension::{bound_to, stored};
pub(crate) use line_registration::{
    LineName, delete_line_registrations, upsert_line_registrations,
};
pub(crate) use migrate::{migrate, newest as newest_schema};
pub(crate) use open_call::{delete_open_calls, upsert_open_calls};
pub(crate) use phone::replace_phones;
pub(crate) use setting::{parse as parse_settings, tenant_names, time_zone};

use crate::error::StoreError;
use crate::secret::{KEY_FILE, KeyError, SecretKey};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _};
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Name of the database in the data directory.
pub const DATABASE_FILE: &str = "dialtone.db";

/// An edit waits this long for another writer before it fails: for a sheet of 100,000 rows too.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// The projection tries again by itself, and must not hold up the end of the server.
const PROJECTION_BUSY_TIMEOUT: Duration = Duration::from_secs(1);
/// Of the database, what each connection keeps in memory: the system keeps the file anyway. Unit: KiB.
const CACHE_KIB: u32 = 512;
/// Connections for pages and commands; SQLite has one writer at a time anyway.
const CONNECTIONS_MAX: u32 = 4;
/// Rows in one INSERT: 45 columns each stay below SQLite's limit of 32,766 parameters.
pub(crate) const ROWS_PER_STATEMENT: usize = 500;
/// Rows that the projection writes with one INSERT: a power of two.
const PORTION_MAX: usize = 64;

/// The open database and the key of its secrets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: SqlitePool,
    key: SecretKey,
    path: PathBuf,
    /// The edit that this is a part of.
    within: Option<Arc<edit::Within>>,
    durations: Arc<Durations>,
}

impl Db {
    /// Opens or creates the database of a data directory, with its key file. The caller holds the
    /// [`DataDirLock`](crate::lock::DataDirLock).
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(DATABASE_FILE);
        create_private(&path)?;
        // On a connection of its own: one that remembers an older schema would find rows of more
        // columns than it prepared for.
        let mut connection = options(&path).connect().await?;
        migrate(&mut connection).await?;
        connection.close().await?;
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX);
        // Where the disk is full SQLite ends the transaction by itself, and the connection believes ever after that it is
        // in one: such a connection is closed, and another one opened.
        let pool =
            pool.before_acquire(|it, _| Box::pin(std::future::ready(Ok(!it.is_in_transaction()))));
        let pool = pool.connect_with(options(&path)).await?;
        let key = unlock(&pool, data_dir).await?;
        Ok(Self { pool, key, path, within: None, durations: Arc::default() })
    }

    /// The key of this database's secrets, from which others may be derived.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Closes all connections; other clones of this value fail from then on.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The newest record of the journal that is in the database.
    pub async fn applied(&self) -> Result<u64, StoreError> {
        applied(&mut *self.connection().await?).await
    }

    #[cfg(test)]
    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How long its operations took.
    pub fn durations(&self) -> &Durations {
        &self.durations
    }

    /// The data directory.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// A copy as of one moment, whoever writes meanwhile, in one file without a journal.
    pub(crate) async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let copied = sqlx::query("VACUUM INTO ?")
            .bind(path.to_string_lossy().into_owned())
            .execute(&mut *self.writing().await?)
            .await;
        match copied.map_err(StoreError::from) {
            Ok(_) => Ok(()),
            Err(StoreError::DiskFull) => {
                Err(StoreError::io(path)(std::io::ErrorKind::StorageFull.into()))
            }
            Err(error) => Err(error),
        }
    }
}

/// A connection of its own, for the projection.
pub(crate) async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path).busy_timeout(PROJECTION_BUSY_TIMEOUT).connect().await
}

/// Rows in portions of as many as a power of two: so few statements stay prepared, where to read
/// one costs more than to run it.
pub(crate) fn portions<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = 1 << rows.len().min(PORTION_MAX).checked_ilog2()?;
        let (portion, rest) = rows.split_at(size);
        rows = rest;
        Some(portion)
    })
}

/// How far the journal is in these tables.
pub(crate) async fn applied(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let applied: i64 =
        sqlx::query_scalar("SELECT applied_seq FROM journal_progress WHERE journal = 'main'")
            .fetch_one(connection)
            .await?;
    u64::try_from(applied).map_err(|it| StoreError::damaged("the journal's progress", it))
}

pub(crate) async fn set_applied(
    connection: &mut SqliteConnection,
    sequence: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE journal_progress SET applied_seq = ? WHERE journal = 'main'")
        .bind(integer(sequence))
        .execute(connection)
        .await?;
    Ok(())
}

/// SQL has no unsigned numbers; none of ours comes near the limit.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The text of an enum, as serde names it: one spelling for SQL, CSV and JSON.
pub fn word<T: serde::Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // Used for plain enums only, which are strings.
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn from_word<T: serde::de::DeserializeOwned>(
    what: &str,
    word: String,
) -> Result<T, StoreError> {
    let value = serde_json::Value::String(word);
    serde_json::from_value(value).map_err(|error| StoreError::damaged(what, error))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .disable_statement_logging()
}

/// The database names who called whom: it is nobody else's to read, also where a restored copy
/// came with other rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).map_err(StoreError::io(path))?;
    let mode = file.metadata().map_err(StoreError::io(path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let private = Permissions::from_mode(mode & 0o700);
        file.set_permissions(private).map_err(StoreError::io(path))?;
        let (path, mode) = (path.display(), format!("{mode:04o}"));
        tracing::warn!(%path, mode, "others could read the database; its owner alone can now");
    }
    Ok(())
}

const PLAIN: &[u8] = b"dialtone";
const BOUND_TO: &[u8] = b"key_check";

/// Whether this is the key of the database that holds this proof of one.
pub(crate) fn is_key_of(key: &SecretKey, sealed: &[u8]) -> bool {
    key.open(sealed, BOUND_TO).is_ok_and(|it| it.as_slice() == PLAIN)
}

/// Reads the key file and proves that it is this database's, or makes both new.
async fn unlock(pool: &SqlitePool, data_dir: &Path) -> Result<SecretKey, StoreError> {
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM key_check").fetch_optional(pool).await?;
    let path = || data_dir.join(KEY_FILE);
    match (SecretKey::read(data_dir)?, sealed) {
        (Some(key), Some(sealed)) if is_key_of(&key, &sealed) => Ok(key),
        (Some(_), Some(_)) => Err(KeyError::Wrong(path()).into()),
        (None, Some(_)) => Err(KeyError::Missing(path()).into()),
        (found, None) => {
            let key = match found {
                Some(key) => key,
                None => SecretKey::create(data_dir)?,
            };
            sqlx::query("INSERT INTO key_check (id, sealed) VALUES (0, ?)")
                .bind(key.seal(PLAIN, BOUND_TO)?)
                .execute(pool)
                .await?;
            Ok(key)
        }
    }
}
