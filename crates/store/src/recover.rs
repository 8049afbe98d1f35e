//! What a start finds: the database, and the tail of the journal behind it.
//!
//! Bindings that have not expired live on. A call that was left open gets the record it is owed,
//! ending when the server was last seen alive, and its dialogs get a BYE.

use crate::db::{Db, LineName};
use crate::error::StoreError;
use crate::journal::{Disk, Gap, Reader, Sequence};
use pbx::core::Recovered;
use pbx::id::{CallId, TenantId};
use pbx::record::{Binding, BindingKey, CallRecord, DialogFacts, LineRegistration, Record, Side};
use pbx::release::ReleaseCode;
use pbx::supplementary::PhoneRecord;
use pbx::time::{UnixMillis, millis};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records read at once.
const READ_RECORDS: usize = 10_000;

/// The state of before, ready for the core.
#[derive(Debug, Default)]
pub struct Recovery {
    /// For [`Core::new`](pbx::core::Core::new).
    pub recovered: Recovered,
    /// The records of the calls that were left open.
    pub crashed: Vec<CallRecord>,
    /// Calls whose end damage took from the journal, while the database has their record: nothing is owed to them.
    pub recorded: BTreeSet<CallId>,
    /// Bindings that expired while nobody was there to notice.
    pub expired: Vec<Binding>,
    /// Damage in the journal behind what the database holds.
    pub gaps: Vec<Gap>,
    /// The newest record in the journal or the database; 0 where both are new.
    pub newest: Sequence,
}

impl Recovery {
    /// What the start itself adds to the journal, before anything else.
    pub fn records(&self) -> Vec<Record> {
        let crashed = self.crashed.iter().map(|it| Record::CallEnded(Arc::new(it.clone())));
        let expired = self.expired.iter().map(|it| Record::Unbound(it.key.clone()));
        crashed.chain(expired).collect()
    }
}

/// Reads database and journal. Nobody may write to either meanwhile.
pub async fn recover(db: &Db, disk: &Disk, now: UnixMillis) -> Result<Recovery, StoreError> {
    let applied = db.applied().await?;
    // Expired ones too: the tail of the journal may have renewed them.
    let stored = db.bindings(UnixMillis(0)).await?;
    let lines = db.line_registrations().await?;
    let phones = db.phone_settings().await?;
    let mut tail = Tail {
        bindings: stored.into_iter().map(|it| (it.key.clone(), it)).collect(),
        lines: lines.into_iter().map(|it| ((it.tenant, it.account.clone()), it)).collect(),
        phones: phones.into_iter().map(|it| ((it.tenant, it.extension.clone()), it)).collect(),
        ..Tail::default()
    };
    for record in db.open_calls().await? {
        tail.take(record, true);
    }
    let failed = |error| StoreError::Io { path: disk.dir.clone(), source: error };
    let mut reader = Reader::from_oldest(disk.clone()).map_err(failed)?;
    let mut recovery = Recovery::default();
    loop {
        let batch = reader.read(READ_RECORDS, Sequence::MAX).map_err(failed)?;
        recovery.gaps.extend(batch.gaps.iter().filter(|it| it.last > applied));
        let Some(&(last, _)) = batch.records.last() else { break };
        recovery.newest = last;
        for (sequence, record) in batch.records {
            tail.take(record, sequence > applied);
        }
    }
    recovery.newest = recovery.newest.max(applied);
    recovery.recovered.lines = tail.lines.into_values().collect();
    recovery.recovered.phones = tail.phones.into_values().collect();
    for binding in tail.bindings.into_values() {
        if binding.expires_at > now {
            recovery.recovered.bindings.push(binding);
        } else {
            recovery.expired.push(binding);
        }
    }
    for (call, open) in tail.open {
        if db.call_record(call).await?.is_some() {
            recovery.recorded.insert(call);
            continue;
        }
        recovery.recovered.dialogs.extend(open.dialogs);
        recovery.crashed.push(crash_record(open.record, tail.last_seen));
    }
    Ok(recovery)
}

/// What the records so far come to.
#[derive(Default)]
struct Tail {
    bindings: BTreeMap<BindingKey, Binding>,
    lines: BTreeMap<LineName, LineRegistration>,
    phones: BTreeMap<(TenantId, Box<str>), PhoneRecord>,
    open: BTreeMap<CallId, OpenCall>,
    /// The latest time at which a record was written, as far as records tell.
    last_seen: UnixMillis,
}

struct OpenCall {
    record: CallRecord,
    dialogs: Vec<DialogFacts>,
}

impl Tail {
    /// `is_new`: the database does not have it yet.
    fn take(&mut self, record: Record, is_new: bool) {
        match record {
            // Its time is that of the first registration, which a refresh keeps.
            Record::Bound(binding) if is_new => {
                self.bindings.insert(binding.key.clone(), Arc::unwrap_or_clone(binding));
            }
            Record::Bound(_) => {}
            Record::Unbound(key) if is_new => {
                self.bindings.remove(&key);
            }
            Record::Unbound(_) => {}
            Record::CallStarted(started) => {
                self.saw(Some(started.record.started_at));
                let record = Arc::unwrap_or_clone(started.record);
                let open = OpenCall { record, dialogs: Vec::new() };
                self.open.insert(open.record.call_id, open);
            }
            Record::CallAnswered(answered) => {
                let record = Arc::unwrap_or_clone(answered.record);
                self.saw(record.answered_at);
                let open = OpenCall { record, dialogs: answered.dialogs.into_vec() };
                self.open.insert(open.record.call_id, open);
            }
            Record::CallEnded(record) => {
                self.saw(record.ended_at);
                self.open.remove(&record.call_id);
            }
            Record::Alive(at) => self.saw(Some(at)),
            Record::LineRegistration(line) if is_new => {
                self.lines.insert((line.tenant, line.account.clone()), *line);
            }
            Record::LineForgotten { tenant, account } if is_new => {
                self.lines.remove(&(tenant, account));
            }
            Record::Phone(it) if is_new => {
                self.phones.insert((it.tenant, it.extension.clone()), *it);
            }
            Record::LineRegistration(_) | Record::LineForgotten { .. } | Record::Phone(_) => {}
        }
    }

    /// A clock that was set back does not take the time back.
    fn saw(&mut self, at: Option<UnixMillis>) {
        self.last_seen = self.last_seen.max(at.unwrap_or_default());
    }
}

/// The record of a call that ended with the server. Only the wall clock is left to measure it.
fn crash_record(mut record: CallRecord, last_seen: UnixMillis) -> CallRecord {
    let code = ReleaseCode::SystemCrash;
    let known = [Some(last_seen), Some(record.started_at), record.ringing_at, record.answered_at];
    let ended = known.into_iter().flatten().max().unwrap_or(last_seen);
    record.ended_at = Some(ended);
    record.duration_ms = millis(ended.since(record.started_at));
    record.billable_ms = record.answered_at.map_or(0, |it| millis(ended.since(it)));
    record.sip_status = if record.answered_at.is_some() { 200 } else { code.status() };
    record.q850_cause = code.cause();
    record.released_by = Some(Side::System);
    record.release_code = Some(code);
    record.furnish(code);
    record
}
