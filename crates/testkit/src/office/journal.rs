//! The journal in memory: what survives when the process is killed, and the records it holds.

use pbx::core::Recovered;
use pbx::id::{CallId, TenantId};
use pbx::record::{Binding, BindingKey, CallRecord, DialogFacts, LineRegistration, Record, Side};
use pbx::release::ReleaseCode;
use pbx::supplementary::PhoneRecord;
use pbx::time::UnixMillis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The state all records add up to.
#[derive(Debug, Default)]
pub struct Journal {
    pub bindings: BTreeMap<BindingKey, Binding>,
    pub lines: BTreeMap<(TenantId, Box<str>), LineRegistration>,
    pub phones: BTreeMap<(TenantId, Box<str>), PhoneRecord>,
    /// Calls started and not ended.
    pub open: BTreeMap<CallId, (CallRecord, Vec<DialogFacts>)>,
    /// The record of each ended call, in the order of their ends.
    pub ended: Vec<CallRecord>,
    /// What the core recorded that cannot be.
    pub complaints: Vec<String>,
    ended_ids: BTreeSet<CallId>,
    alive: UnixMillis,
}

impl Journal {
    pub fn append(&mut self, record: Record) {
        match record {
            Record::Bound(binding) => {
                self.bindings.insert(binding.key.clone(), Arc::unwrap_or_clone(binding));
            }
            Record::Unbound(key) => {
                if self.bindings.remove(&key).is_none() {
                    self.complaints.push(format!("unbound twice: {key:?}"));
                }
            }
            Record::CallStarted(it) => {
                let id = it.record.call_id;
                let started = (Arc::unwrap_or_clone(it.record), Vec::new());
                let before = self.open.insert(id, started);
                if before.is_some_and(|it| it.0.answered_at.is_some()) {
                    self.complaints.push(format!("started after its answer: {id:?}"));
                }
            }
            Record::CallAnswered(it) => match self.open.get_mut(&it.record.call_id) {
                Some(open) => *open = (Arc::unwrap_or_clone(it.record), it.dialogs.into_vec()),
                None => {
                    self.complaints.push(format!("answered, not open: {:?}", it.record.call_id))
                }
            },
            Record::CallEnded(record) => self.end(Arc::unwrap_or_clone(record)),
            Record::Alive(at) => self.alive = at,
            Record::LineRegistration(it) => {
                self.lines.insert((it.tenant, it.account.clone()), *it);
            }
            Record::LineForgotten { tenant, account } => {
                self.lines.remove(&(tenant, account));
            }
            Record::Phone(it) => {
                self.phones.insert((it.tenant, it.extension.clone()), *it);
            }
        }
    }

    fn end(&mut self, record: CallRecord) {
        let id = record.call_id;
        // A call that is refused at once was never recorded as started.
        self.open.remove(&id);
        if !self.ended_ids.insert(id) {
            self.complaints.push(format!("ended twice: {id:?}"));
        }
        self.ended.push(record);
    }

    /// What a start after a crash finds: open calls get the record of their end at the last sign
    /// of life, and their dialogs are still to be ended.
    pub fn recover(&mut self) -> Recovered {
        let mut recovered = Recovered {
            bindings: self.bindings.values().cloned().collect(),
            lines: self.lines.values().cloned().collect(),
            phones: self.phones.values().cloned().collect(),
            ..Recovered::default()
        };
        for (mut record, dialogs) in std::mem::take(&mut self.open).into_values() {
            let end = self.alive.max(record.answered_at.unwrap_or(record.started_at));
            record.ended_at = Some(end);
            record.released_by = Some(Side::System);
            record.release_code = Some(ReleaseCode::SystemCrash);
            self.ended_ids.insert(record.call_id);
            self.ended.push(record);
            recovered.dialogs.extend(dialogs);
        }
        recovered
    }
}
