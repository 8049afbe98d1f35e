//! The store in a running server: opened, recovered, its threads started and ended.
//!
//! Three threads besides the core's: the keeper of the journal, the projection with a small
//! runtime of its own, and SQLite's.

use crate::db::{AuditEntry, Db, RegistrationChange, What, Why};
use crate::error::StoreError;
use crate::journal::{Disk, KeeperHandle, Sequence, State, Status, Writer};
use crate::lock::DataDirLock;
use crate::owner::give_to_owner;
use crate::projection::csv::CsvFiles;
use crate::projection::{Progress, Projection};
use crate::recover::{Recovery, recover};
use crate::thread;
use pbx::directory::Directory;
use pbx::id::TenantId;
use pbx::record::Binding;
use pbx::time::UnixMillis;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// Where and how to start.
#[derive(Clone, Debug)]
pub struct Options {
    pub data_dir: PathBuf,
    /// What others are told who find the data directory in use.
    pub who: String,
    /// The present: what has expired by now is not recovered.
    pub now: UnixMillis,
    /// `None`: segments of 64 MiB in `<data_dir>/journal`.
    pub disk: Option<Disk>,
}

/// All the server needs of the store.
pub struct Started {
    /// For the core thread.
    pub writer: Writer,
    pub db: Db,
    pub recovery: Recovery,
    /// As the database holds it, of version 1.
    pub directory: Directory,
    pub handle: StoreHandle,
}

/// The running store. Drop the writer, then call [`StoreHandle::shutdown`].
pub struct StoreHandle {
    probe: StoreProbe,
    keeper: KeeperHandle,
    projection: JoinHandle<()>,
    stop: watch::Sender<bool>,
    _lock: DataDirLock,
}

/// Reads the store's figures from anywhere, at any time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StoreProbe {
    status: Arc<Status>,
    progress: Arc<Progress>,
}

/// The store's figures at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreMetrics {
    pub state: State,
    pub written: Sequence,
    pub synced: Sequence,
    pub projected: Sequence,
    /// Records written and not yet projected.
    pub lag: u64,
    pub spooled_bytes: u64,
    /// No further segment can be allocated.
    pub disk_full: bool,
    pub sync_errors: u64,
    pub projection_failures: u64,
    /// Records that found disk and spool full.
    pub lost: u64,
    /// Records that damage made unreadable.
    pub missing: u64,
}

/// The database while the server is down, with all of the journal in it.
pub struct Offline {
    pub db: Db,
    _lock: DataDirLock,
}

/// Takes the data directory, recovers what was, and starts journal and projection. The records of
/// crashed calls are in the journal when this returns. `lost` hears of a thread that a fault ends.
pub async fn start<L>(options: Options, lost: L) -> Result<Started, StoreError>
where
    L: Fn(&'static str) + Clone + Send + 'static,
{
    let Options { data_dir, who, now, disk } = options;
    create_private_dir(&data_dir)?;
    let lock = DataDirLock::take(&data_dir, &who)?;
    let db = open(&data_dir).await?;
    let disk = disk.unwrap_or_else(|| Disk::new(data_dir.join("journal")));
    // The two longest reads of a start, on a processor each.
    let whole = db.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "joined below; after an error it ends with the process"
    )]
    let directory = tokio::spawn(async move { whole.load_directory(1).await });
    let recovery = recover(&db, &disk, now).await?;
    let applied = db.applied().await?;
    let csv = CsvFiles::open(data_dir.join("cdr"), applied)?;
    // A sequence is never used twice, even where a power cut took the journal's tail and left the
    // database or a file that is ahead of it.
    let next = recovery.newest.max(csv.newest()) + 1;
    // Before the writer's first record: what is there belongs to the past.
    let (path, recorded) = (db.path().to_owned(), recovery.recorded.clone());
    let mut projection = Projection::open(disk.clone(), path, csv, applied, recorded)?;
    let dir = disk.dir.clone();
    let opened = Writer::open(disk, next, lost.clone());
    let (mut writer, status, keeper) = opened.map_err(StoreError::io(&dir))?;
    // Whatever the outcome: until they are on the disk, the next start makes them again.
    let _ = writer.append_batch(&recovery.records());
    tell_expired(&db, &recovery).await;
    let directory = directory.await.map_err(|it| StoreError::io(&data_dir)(it.into()))??;

    let progress = projection.progress();
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(StoreError::io(&dir))?;
    let follows = Arc::clone(&status);
    let follow = move || {
        give_way();
        runtime.block_on(projection.follow(&follows, stopped));
    };
    let projection = thread::spawn("projection", lost, follow).map_err(StoreError::io(&dir))?;
    let probe = StoreProbe { status, progress };
    let handle = StoreHandle { probe, keeper, projection, stop, _lock: lock };
    Ok(Started { writer, db, recovery, directory, handle })
}

/// The history of the devices that nobody was there to see leave. The server starts without it too.
async fn tell_expired(db: &Db, recovery: &Recovery) {
    let gone =
        |it: &Binding| RegistrationChange::of(it, it.expires_at, What::Gone, Why::ExpiredWhileOff);
    let mut by_tenant: BTreeMap<TenantId, Vec<RegistrationChange>> = BTreeMap::new();
    for binding in &recovery.expired {
        by_tenant.entry(binding.key.tenant).or_default().push(gone(binding));
    }
    for (tenant, changes) in by_tenant {
        if let Err(error) = db.note_registration_changes(tenant, &changes).await {
            tracing::warn!(%error, "the history of registrations misses some that ended");
        }
    }
}

/// Opens the database for a command while no server runs.
pub async fn open_offline(data_dir: &Path, who: &str) -> Result<Offline, StoreError> {
    create_private_dir(data_dir)?;
    let lock = DataDirLock::take(data_dir, who)?;
    let db = open(data_dir).await?;
    let applied = db.applied().await?;
    let csv = CsvFiles::open(data_dir.join("cdr"), applied)?;
    let disk = Disk::new(data_dir.join("journal"));
    // What the journal is kept for is for the next start to find out.
    let recorded = BTreeSet::new();
    let path = db.path().to_owned();
    Projection::open(disk, path, csv, applied, recorded)?.catch_up().await?;
    give_to_owner(data_dir);
    Ok(Offline { db, _lock: lock })
}

/// What was made meanwhile, a staged restore or a certificate, is for the server to open.
impl Drop for Offline {
    fn drop(&mut self) {
        give_to_owner(self.db.folder());
    }
}

/// Opens the database, after what was staged to be restored has taken the place of what was there.
async fn open(data_dir: &Path) -> Result<Db, StoreError> {
    let restored = crate::backup::apply(data_dir)?;
    let db = Db::open(data_dir).await?;
    let Some(crate::backup::Restored(it)) = restored else { return Ok(db) };
    tracing::warn!(backup = it.backup, standby = it.standby, "a backup was restored");
    let entry = AuditEntry {
        at: it.at,
        actor_kind: it.actor_kind,
        actor: it.actor,
        source: it.source,
        action: "restore".to_owned(),
        kind: "backups".to_owned(),
        name: it.backup,
        ..AuditEntry::default()
    };
    db.insert_audit_entry(TenantId::default(), &entry).await?;
    Ok(db)
}

impl StoreHandle {
    pub fn probe(&self) -> StoreProbe {
        self.probe.clone()
    }

    pub fn metrics(&self) -> StoreMetrics {
        self.probe.metrics()
    }

    /// Projects to the end, syncs, ends the threads. Blocks: a few seconds where the database
    /// does not answer; then the rest waits in the journal for the next start. Returns the last
    /// figures.
    pub fn shutdown(self) -> StoreMetrics {
        // The receiver is gone only where its thread is, which the join tells.
        let _ = self.stop.send(true);
        if self.projection.join().is_err() {
            tracing::error!("the projection ended by a fault");
        }
        if !self.keeper.stop() {
            tracing::error!("the keeper of the journal ended by a fault");
        }
        self.probe.metrics()
    }
}

impl StoreProbe {
    pub fn metrics(&self) -> StoreMetrics {
        let Self { status, progress } = self;
        // The projection first: it can never be ahead of what is read after it.
        let projected = progress.applied();
        let written = status.written();
        StoreMetrics {
            state: status.state(),
            written,
            synced: status.synced(),
            projected,
            lag: written.saturating_sub(projected),
            spooled_bytes: status.spooled_bytes(),
            disk_full: status.disk_full(),
            sync_errors: status.sync_errors(),
            projection_failures: progress.failures(),
            lost: status.lost(),
            missing: progress.missing(),
        }
    }
}

/// Lowers the priority of this thread and of those it starts: nobody waits for the projection, and
/// calls wait for no burst of it.
fn give_way() {
    const NICE: i32 = 10;
    // Works as well without, only less smoothly.
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// Records and keys are nobody else's to read.
fn create_private_dir(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(StoreError::io(dir))
}
