//! Several operations as one: a change and the entry in the audit that tells of it are in force together, or neither is.

use super::Db;
use super::durations::Watch;
use crate::error::StoreError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Sqlite, Transaction};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

/// A writer from its first statement.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The database within one transaction: what is written through it nobody else sees before [`Edit::commit`], and where
/// that is not reached nothing of it was.
///
/// The transaction begins with the first change: what is read and judged before keeps nobody else from writing.
#[derive(Debug)]
pub struct Edit(Db);

/// What all operations of an [`Edit`] share.
#[derive(Debug, Default)]
pub(super) struct Within {
    /// `None` until something is changed.
    transaction: Arc<Mutex<Option<Transaction<'static, Sqlite>>>>,
    /// Entries in the audit.
    entries: AtomicU32,
    /// An operation of several statements ended amid them.
    is_broken: AtomicBool,
}

/// The transaction of an edit, for as long as an operation takes.
type Shared =
    OwnedMappedMutexGuard<Option<Transaction<'static, Sqlite>>, Transaction<'static, Sqlite>>;

/// A connection for one operation.
pub(crate) struct Connection {
    held: Held,
    _watch: Watch,
}

enum Held {
    Own(PoolConnection<Sqlite>),
    OfEdit(Shared),
}

/// A transaction for one operation, or its part in that of an [`Edit`].
pub(super) struct Operation {
    place: Place,
    _watch: Watch,
}

enum Place {
    Own(Transaction<'static, Sqlite>),
    OfEdit(Part),
}

/// Dropped amid its statements it takes the whole edit with it.
struct Part {
    transaction: Shared,
    within: Arc<Within>,
    is_done: bool,
}

impl Db {
    /// Begins an edit. Whoever calls sees to it that nobody else edits the same meanwhile.
    pub fn edit(&self) -> Edit {
        Edit(Self { within: Some(Arc::default()), ..self.clone() })
    }

    /// For one statement that reads: a connection of the pool, or the transaction of the edit that this is in. To be
    /// given back before the next operation.
    pub(crate) async fn connection(&self) -> Result<Connection, StoreError> {
        let watch = Watch::begin(&self.durations);
        if let Some(within) = &self.within {
            let held = Arc::clone(&within.transaction).lock_owned().await;
            if let Ok(transaction) = OwnedMutexGuard::try_map(held, Option::as_mut) {
                return Ok(Connection { held: Held::OfEdit(transaction), _watch: watch });
            }
        }
        Ok(Connection { held: Held::Own(self.pool.acquire().await?), _watch: watch })
    }

    /// For one statement that writes.
    pub(super) async fn writing(&self) -> Result<Connection, StoreError> {
        let watch = Watch::begin(&self.durations);
        let held = match &self.within {
            Some(within) => Held::OfEdit(self.begun(within).await?),
            None => Held::Own(self.pool.acquire().await?),
        };
        Ok(Connection { held, _watch: watch })
    }

    /// A transaction that is a writer from its first statement, so that it cannot fail half-way
    /// because another one wrote in between.
    pub(super) async fn begin(&self) -> Result<Operation, StoreError> {
        let watch = Watch::begin(&self.durations);
        let place = match &self.within {
            Some(within) => {
                let transaction = self.begun(within).await?;
                Place::OfEdit(Part { transaction, within: Arc::clone(within), is_done: false })
            }
            None => Place::Own(self.pool.begin_with(BEGIN).await?),
        };
        Ok(Operation { place, _watch: watch })
    }

    async fn begun(&self, within: &Within) -> Result<Shared, StoreError> {
        let mut held = Arc::clone(&within.transaction).lock_owned().await;
        if held.is_none() {
            *held = Some(self.pool.begin_with(BEGIN).await?);
        }
        OwnedMutexGuard::try_map(held, Option::as_mut).map_err(|_| StoreError::Unfinished)
    }
}

impl Deref for Edit {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.0
    }
}

impl Edit {
    /// All of it is in force from now on. What has left no entry in the audit has changed nothing that anybody could
    /// want to know, and is not kept: so there is no change without its entry.
    pub async fn commit(self) -> Result<(), StoreError> {
        let within = self.0.within.and_then(Arc::into_inner).ok_or(StoreError::Unfinished)?;
        let Within { transaction, entries, is_broken } = within;
        if is_broken.into_inner() {
            return Err(StoreError::Unfinished);
        }
        let transaction = Arc::into_inner(transaction).ok_or(StoreError::Unfinished)?;
        let Some(transaction) = transaction.into_inner() else { return Ok(()) };
        match entries.into_inner() {
            0 => transaction.rollback().await?,
            _ => transaction.commit().await?,
        }
        Ok(())
    }
}

impl Operation {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self.place {
            Place::Own(transaction) => transaction.commit().await?,
            Place::OfEdit(mut part) => part.is_done = true,
        }
        Ok(())
    }

    /// It wrote an entry in the audit.
    pub(super) fn has_told(&self) {
        if let Place::OfEdit(part) = &self.place {
            part.within.entries.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_done {
            self.within.is_broken.store(true, Ordering::Relaxed);
        }
    }
}

impl Deref for Operation {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match &self.place {
            Place::Own(transaction) => transaction,
            Place::OfEdit(part) => &part.transaction,
        }
    }
}

impl DerefMut for Operation {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.place {
            Place::Own(transaction) => transaction,
            Place::OfEdit(part) => &mut part.transaction,
        }
    }
}

impl Deref for Connection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match &self.held {
            Held::Own(connection) => connection,
            Held::OfEdit(transaction) => transaction,
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.held {
            Held::Own(connection) => connection,
            Held::OfEdit(transaction) => transaction,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::db::{AuditEntry, AuditQuery, CONNECTIONS_MAX, ExtensionProfile, NewExtension};
    use pbx::id::TenantId;
    use pbx::settings::Settings;
    use sqlx::Connection as _;

    const TENANT: TenantId = TenantId(0);

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    async fn change(db: &Db) -> Result<(), StoreError> {
        let new = NewExtension { profile: ExtensionProfile::new("100"), password: None };
        db.insert_extensions(TENANT, vec![new]).await?;
        let settings = Settings { no_answer_s: 30, ..db.settings(TENANT).await? };
        db.set_settings(TENANT, settings).await.map(drop)
    }

    /// Extensions, whether the setting is another one, and entries.
    async fn seen(db: &Db) -> (usize, bool, usize) {
        let query = AuditQuery { limit: 10, ..AuditQuery::default() };
        let is_set = db.settings(TENANT).await.unwrap().no_answer_s == 30;
        let extensions = db.extensions(TENANT).await.unwrap().len();
        (extensions, is_set, db.audit_entries(TENANT, &query).await.unwrap().len())
    }

    #[test]
    fn what_is_committed_is_there_with_its_entry_and_nothing_before() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let edit = db.edit();
            change(&edit).await.unwrap();
            edit.insert_audit_entry(TENANT, &AuditEntry::default()).await.unwrap();
            assert_eq!(seen(&edit).await, (1, true, 1));
            assert_eq!(seen(&db).await, (0, false, 0), "others see nothing of it yet");
            edit.commit().await.unwrap();
            assert_eq!(seen(&db).await, (1, true, 1));
        });
    }

    #[test]
    fn until_it_changes_something_it_keeps_nobody_from_writing() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let edit = db.edit();
            assert_eq!(seen(&edit).await, (0, false, 0));
            change(&db).await.unwrap();
            assert_eq!(seen(&edit).await, (1, true, 0));
            edit.commit().await.unwrap();
        });
    }

    #[test]
    fn without_commit_entry_or_end_nothing_is_kept() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let edit = db.edit();
            change(&edit).await.unwrap();
            edit.insert_audit_entry(TENANT, &AuditEntry::default()).await.unwrap();
            drop(edit);
            assert_eq!(seen(&db).await, (0, false, 0), "it was given up");

            let edit = db.edit();
            change(&edit).await.unwrap();
            edit.commit().await.unwrap();
            assert_eq!(seen(&db).await, (0, false, 0), "it has no entry");

            let edit = db.edit();
            change(&edit).await.unwrap();
            edit.insert_audit_entry(TENANT, &AuditEntry::default()).await.unwrap();
            assert!(change(&edit).await.is_err(), "the number is taken");
            let ended = edit.commit().await;
            assert!(matches!(ended, Err(StoreError::Unfinished)), "a part of it failed: {ended:?}");
            assert_eq!(seen(&db).await, (0, false, 0));
        });
    }

    #[test]
    fn a_full_disk_is_told() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let edit = db.edit();
            // No page more than there is.
            let limit = sqlx::query("PRAGMA max_page_count = 1");
            limit.execute(&mut *edit.writing().await.unwrap()).await.unwrap();
            let new = |number: u32| NewExtension {
                profile: ExtensionProfile::new(&number.to_string()),
                password: None,
            };
            let full = edit.insert_extensions(TENANT, (1000..2000).map(new).collect()).await;
            assert!(matches!(full, Err(StoreError::DiskFull)), "{full:?}");
        });
    }

    #[test]
    fn an_edit_that_sqlite_has_ended_keeps_nobody_from_the_next() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let edit = db.edit();
            change(&edit).await.unwrap();
            // As it does by itself where it cannot write down what is committed.
            let end = sqlx::query("ROLLBACK");
            end.execute(&mut *edit.writing().await.unwrap()).await.unwrap();
            drop(edit);
            let mut all = vec![];
            for _ in 0..CONNECTIONS_MAX {
                all.push(db.pool().acquire().await.unwrap());
                assert!(!all.iter().any(|it| it.is_in_transaction()), "it would begin no other");
            }
            drop(all);
            change(&db).await.unwrap();
            assert_eq!(seen(&db).await, (1, true, 0));
        });
    }
}
