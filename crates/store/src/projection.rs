//! Applies the journal to the database and the daily CSV files, behind the writer.
//!
//! Every step can be done twice: SQL remembers how far it is in the same transaction, each CSV line
//! carries its sequence. Whatever fails is tried again; nobody waits for it.

pub mod csv;

use crate::db::{self, LineName, tenant_names};
use crate::error::StoreError;
use crate::journal::{
    Disk, Gap, Reader, Sequence, Status, can_delete_before, delete_before, frame, newest_begin,
};
use csv::CsvFiles;
use pbx::id::CallId;
use pbx::record::{Binding, BindingKey, CallRecord, LineRegistration, Record};
use pbx::supplementary::PhoneRecord;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Most records of one transaction.
pub(crate) const BATCH_RECORDS: usize = 4096;
/// Segments that are kept for calls that run. Those that are up for longer go into the database.
pub(crate) const KEPT_SEGMENTS: usize = 4;
/// How long a fact may wait for its transaction, which costs more than the facts in it.
const BATCH_INTERVAL: Duration = Duration::from_secs(1);
/// So many times as long registrations may, where nothing else waits: nobody asks the database who is registered but a
/// start, and that reads the journal as well. Phones renew once in minutes, so few would share a transaction.
const REGISTRATIONS_PATIENCE: u32 = 10;
/// After a failure, doubled up to the most.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// While the server stops. What is left then is projected at the next start.
const STOPPING_TRIES: u32 = 3;

/// How the projection is doing.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    applied: AtomicU64,
    failures: AtomicU64,
    missing: AtomicU64,
}

impl Progress {
    pub(crate) fn applied(&self) -> Sequence {
        self.applied.load(Ordering::Acquire)
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Acquire)
    }

    /// Records that the journal lost to damage.
    pub(crate) fn missing(&self) -> u64 {
        self.missing.load(Ordering::Acquire)
    }
}

pub(crate) struct Projection {
    disk: Disk,
    database: PathBuf,
    reader: Reader,
    csv: CsvFiles,
    /// Opened anew after every failure.
    connection: Option<SqliteConnection>,
    /// Read and not yet applied.
    pending: Vec<(Sequence, Record)>,
    /// How often they were left to wait.
    looks: u32,
    /// Calls that run, with their first record that is in the journal only: a crash needs it to write theirs.
    open_calls: BTreeMap<CallId, Sequence>,
    /// Calls that the journal holds without their end, though they have their record: it is not kept for them.
    recorded: BTreeSet<CallId>,
    /// What was in the database or a file at the start: damage before it costs nothing.
    known: Sequence,
    progress: Arc<Progress>,
}

impl Projection {
    /// Reads from the oldest record there is: those that are applied already change nothing.
    /// `recorded`: see [`Recovery`](crate::Recovery).
    pub(crate) fn open(
        disk: Disk,
        database: PathBuf,
        csv: CsvFiles,
        applied: Sequence,
        recorded: BTreeSet<CallId>,
    ) -> Result<Self, StoreError> {
        let reader = Reader::from_oldest(disk.clone()).map_err(StoreError::io(&disk.dir))?;
        let progress = Arc::new(Progress::default());
        progress.applied.store(applied, Ordering::Release);
        let known = applied.max(csv.newest());
        Ok(Self {
            disk,
            database,
            reader,
            csv,
            connection: None,
            pending: Vec::new(),
            looks: 0,
            open_calls: BTreeMap::new(),
            recorded,
            known,
            progress,
        })
    }

    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Follows the writer until `stop` turns true or its sender is gone; then goes to the end.
    pub(crate) async fn follow(&mut self, status: &Status, mut stop: watch::Receiver<bool>) {
        let mut retry = RETRY_FIRST;
        let mut tries_left = STOPPING_TRIES;
        loop {
            let stopping = *stop.borrow_and_update() || stop.has_changed().is_err();
            let patience = if stopping { 0 } else { REGISTRATIONS_PATIENCE };
            let wait = match self.step(status.written(), patience).await {
                Ok(true) => continue,
                Ok(false) if stopping => break,
                Ok(false) => {
                    retry = RETRY_FIRST;
                    BATCH_INTERVAL
                }
                Err(error) => {
                    self.progress.failures.fetch_add(1, Ordering::AcqRel);
                    self.connection = None;
                    tracing::warn!(%error, "records wait in the journal");
                    if stopping {
                        tries_left -= 1;
                        retry = RETRY_FIRST;
                    }
                    if tries_left == 0 {
                        break;
                    }
                    let wait = retry;
                    retry = RETRY_MAX.min(2 * retry);
                    wait
                }
            };
            // Ends early where the server stops.
            let _ = tokio::time::timeout(wait, stop.changed()).await;
        }
        self.close().await;
    }

    /// Applies all the journal holds, where nobody writes to it.
    pub(crate) async fn catch_up(&mut self) -> Result<(), StoreError> {
        while self.step(Sequence::MAX, 0).await? {}
        self.close().await;
        Ok(())
    }

    /// Applies the next batch; false where there is nothing to apply, or only registrations that were left to wait fewer
    /// times than `patience`.
    pub(crate) async fn step(
        &mut self,
        up_to: Sequence,
        patience: u32,
    ) -> Result<bool, StoreError> {
        let room = BATCH_RECORDS - self.pending.len();
        let batch = self.reader.read(room, up_to).map_err(StoreError::io(&self.disk.dir))?;
        self.report(&batch.gaps);
        self.pending.extend(batch.records);
        let Some(&(last, _)) = self.pending.last() else { return Ok(false) };
        let is_full = self.pending.len() == BATCH_RECORDS;
        let can_wait = self.looks < patience && self.pending.iter().all(|(_, it)| can_wait(it));
        if !is_full && can_wait {
            self.looks += 1;
            return Ok(false);
        }
        self.apply(last).await?;
        self.note_calls();
        self.pending.clear();
        self.looks = 0;
        self.progress.applied.fetch_max(last, Ordering::AcqRel);
        self.delete_old().await?;
        Ok(true)
    }

    async fn apply(&mut self, last: Sequence) -> Result<(), StoreError> {
        let applied = self.progress.applied();
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(db::connect(&self.database).await?),
        };
        let ended = ended_calls(&self.pending);
        if !ended.is_empty() {
            let names = tenant_names(connection).await?;
            self.csv.append(&ended, &names)?;
        }
        if last <= applied {
            return Ok(());
        }
        let changes = Changes::of(&self.pending, applied);
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        db::upsert_bindings(&mut transaction, &changes.bound).await?;
        db::delete_bindings(&mut transaction, &changes.unbound).await?;
        db::upsert_line_registrations(&mut transaction, &changes.lines).await?;
        db::delete_line_registrations(&mut transaction, &changes.lines_gone).await?;
        db::replace_phones(&mut transaction, &changes.phones).await?;
        db::upsert_call_records(&mut transaction, &changes.calls).await?;
        db::delete_open_calls(&mut transaction, &changes.ended).await?;
        db::set_applied(&mut transaction, last).await?;
        transaction.commit().await?;
        Ok(())
    }

    fn note_calls(&mut self) {
        for (sequence, record) in &self.pending {
            if let Record::CallEnded(record) = record {
                self.open_calls.remove(&record.call_id);
            } else if let Some(call) = running(record).filter(|it| !self.recorded.contains(it)) {
                self.open_calls.entry(call).or_insert(*sequence);
            }
        }
    }

    /// Puts calls that are up for long into the database, as they were told last.
    async fn keep_long_calls(&mut self) -> Result<(), StoreError> {
        let dir = self.disk.dir.clone();
        let end = newest_begin(&self.disk, KEPT_SEGMENTS).map_err(StoreError::io(&dir))?;
        let Some(end) = end else { return Ok(()) };
        let Some(oldest) = self.oldest_call().filter(|it| *it < end) else { return Ok(()) };
        let Some(connection) = &mut self.connection else { return Ok(()) };
        // What a start reads again may hold the ends of these calls, which the database has already.
        if self.reader.position() <= self.progress.applied() {
            return Ok(());
        }
        let mut reader = Reader::new(self.disk.clone(), oldest);
        loop {
            let batch = reader.read(BATCH_RECORDS, end - 1).map_err(StoreError::io(&dir))?;
            if batch.records.is_empty() {
                break;
            }
            let mut newest = BTreeMap::new();
            for (sequence, record) in &batch.records {
                if let Some(call) = running(record)
                    && self.open_calls.get(&call).is_some_and(|first| *first < end)
                    && let Some(frame) = frame(*sequence, record)
                {
                    newest.insert(call, frame);
                }
            }
            let newest: Vec<_> = newest.into_iter().collect();
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            db::upsert_open_calls(&mut transaction, &newest).await?;
            transaction.commit().await?;
        }
        self.open_calls.retain(|_, first| *first >= end);
        Ok(())
    }

    fn oldest_call(&self) -> Option<Sequence> {
        self.open_calls.values().min().copied()
    }

    /// Deletes segments nobody needs any more, after what came of them is safe from a power cut.
    async fn delete_old(&mut self) -> Result<(), StoreError> {
        self.keep_long_calls().await?;
        let projected = self.reader.position().min(self.progress.applied() + 1);
        let needed = self.oldest_call().map_or(projected, |it| it.min(projected));
        let failed = |error| StoreError::Io { path: self.disk.dir.clone(), source: error };
        if !can_delete_before(&self.disk, needed).map_err(failed)? {
            return Ok(());
        }
        self.csv.sync()?;
        if let Some(connection) = &mut self.connection {
            let row: (i64, i64, i64) =
                sqlx::query_as("PRAGMA wal_checkpoint(FULL)").fetch_one(connection).await?;
            // Somebody reads an old state: the next batch tries again.
            if row.0 != 0 {
                return Ok(());
            }
        }
        delete_before(&self.disk, needed).map(drop).map_err(failed)
    }

    fn report(&self, gaps: &[Gap]) {
        for Gap { first, last } in gaps.iter().filter(|it| it.last > self.known) {
            self.progress.missing.fetch_add(last - first + 1, Ordering::AcqRel);
            tracing::error!(first, last, "the journal is damaged: records cannot be read");
        }
    }

    async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database was not closed");
        }
    }
}

/// Whether nobody misses it in the database for a while.
fn can_wait(record: &Record) -> bool {
    match record {
        Record::Bound(_) | Record::Alive(_) => true,
        Record::Unbound(_)
        | Record::CallStarted(_)
        | Record::CallAnswered(_)
        | Record::CallEnded(_)
        | Record::LineRegistration(_)
        | Record::LineForgotten { .. }
        | Record::Phone(_) => false,
    }
}

/// The call that runs as of this record.
fn running(record: &Record) -> Option<CallId> {
    match record {
        Record::CallStarted(it) => Some(it.record.call_id),
        Record::CallAnswered(it) => Some(it.record.call_id),
        Record::CallEnded(_)
        | Record::Bound(_)
        | Record::Unbound(_)
        | Record::Alive(_)
        | Record::LineRegistration(_)
        | Record::LineForgotten { .. }
        | Record::Phone(_) => None,
    }
}

fn ended_calls(pending: &[(Sequence, Record)]) -> Vec<(Sequence, &CallRecord)> {
    let mut calls = Vec::new();
    for (sequence, record) in pending {
        if let Record::CallEnded(record) = record {
            calls.push((*sequence, &**record));
        }
    }
    calls
}

/// What a batch comes to, each row once.
#[derive(Default)]
struct Changes<'a> {
    bound: Vec<&'a Binding>,
    unbound: Vec<&'a BindingKey>,
    calls: Vec<(Sequence, &'a CallRecord)>,
    ended: Vec<CallId>,
    lines: Vec<&'a LineRegistration>,
    lines_gone: Vec<LineName>,
    phones: Vec<&'a PhoneRecord>,
}

impl<'a> Changes<'a> {
    /// Of the records that are newer than `applied`.
    fn of(pending: &'a [(Sequence, Record)], applied: Sequence) -> Self {
        let mut bindings: BTreeMap<&BindingKey, Option<&Binding>> = BTreeMap::new();
        let mut calls = BTreeMap::new();
        let mut phones: BTreeMap<_, &PhoneRecord> = BTreeMap::new();
        let mut lines: BTreeMap<LineName, Option<&LineRegistration>> = BTreeMap::new();
        for (sequence, record) in pending.iter().filter(|it| it.0 > applied) {
            match record {
                Record::Bound(binding) => {
                    bindings.insert(&binding.key, Some(binding));
                }
                Record::Unbound(key) => {
                    bindings.insert(key, None);
                }
                Record::CallEnded(record) => {
                    calls.insert(record.call_id, (*sequence, &**record));
                }
                Record::LineRegistration(it) => {
                    lines.insert((it.tenant, it.account.clone()), Some(it));
                }
                Record::LineForgotten { tenant, account } => {
                    lines.insert((*tenant, account.clone()), None);
                }
                Record::Phone(it) => {
                    phones.insert((it.tenant, &it.extension), it);
                }
                Record::CallStarted(_) | Record::CallAnswered(_) | Record::Alive(_) => {}
            }
        }
        let ended = calls.keys().copied().collect();
        let calls = calls.into_values().collect();
        let phones = phones.into_values().collect();
        let mut changes = Self { calls, ended, phones, ..Self::default() };
        for (key, binding) in bindings {
            match binding {
                Some(binding) => changes.bound.push(binding),
                None => changes.unbound.push(key),
            }
        }
        for (name, line) in lines {
            match line {
                Some(line) => changes.lines.push(line),
                None => changes.lines_gone.push(name),
            }
        }
        changes
    }
}
