//! What others may know of the journal while it runs: sequences and state, in atomics.

use super::frame::Sequence;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Whether the journal takes what the core gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Healthy,
    /// The disk takes nothing; so many bytes wait in memory.
    Spooling {
        bytes: u64,
    },
    /// The memory spool is full too: no new registration or call may be promised.
    Full,
}

/// Written by the writer and the keeper, read by anybody.
#[derive(Debug, Default)]
pub struct Status {
    written: AtomicU64,
    writes: AtomicU64,
    synced: AtomicU64,
    spooled_bytes: AtomicU64,
    state: AtomicU8,
    lost: AtomicU64,
    sync_errors: AtomicU64,
    disk_full: AtomicBool,
    spare_ready: AtomicBool,
    leaving: AtomicBool,
}

const HEALTHY: u8 = 0;
const SPOOLING: u8 = 1;
const FULL: u8 = 2;

impl Status {
    /// The newest record that is in a file: a reader finds everything up to here.
    pub fn written(&self) -> Sequence {
        self.written.load(Ordering::Acquire)
    }

    /// How often the file was written to.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Acquire)
    }

    /// Up to here all records survive a power cut.
    pub fn synced(&self) -> Sequence {
        self.synced.load(Ordering::Acquire)
    }

    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            HEALTHY => State::Healthy,
            SPOOLING => State::Spooling { bytes: self.spooled_bytes() },
            // Only the three values are ever stored.
            _ => State::Full,
        }
    }

    pub fn spooled_bytes(&self) -> u64 {
        self.spooled_bytes.load(Ordering::Acquire)
    }

    /// Records that found disk and spool full, or were too large. Anything but 0 is an alarm.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }

    pub fn sync_errors(&self) -> u64 {
        self.sync_errors.load(Ordering::Acquire)
    }

    /// No further segment can be allocated: the alarm before anything is spooled.
    pub fn disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Acquire)
    }

    pub(super) fn count_write(&self) {
        self.writes.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn set_written(&self, sequence: Sequence) {
        self.written.store(sequence, Ordering::Release);
    }

    pub(super) fn set_synced(&self, sequence: Sequence) {
        self.synced.store(sequence, Ordering::Release);
    }

    pub(super) fn set_state(&self, state: State, spooled_bytes: u64) {
        let code = match state {
            State::Healthy => HEALTHY,
            State::Spooling { .. } => SPOOLING,
            State::Full => FULL,
        };
        self.spooled_bytes.store(spooled_bytes, Ordering::Release);
        self.state.store(code, Ordering::Release);
    }

    /// A spare waits in the channel to the writer; its file name is taken until it has been renamed.
    pub(super) fn spare_ready(&self) -> bool {
        self.spare_ready.load(Ordering::Acquire)
    }

    pub(super) fn set_spare_ready(&self, ready: bool) {
        self.spare_ready.store(ready, Ordering::Release);
    }

    /// The writer is to leave its file, of which something could not be synced, once there is another.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    pub(super) fn set_leaving(&self, leaving: bool) {
        self.leaving.store(leaving, Ordering::Release);
    }

    pub(super) fn set_disk_full(&self, full: bool) {
        self.disk_full.store(full, Ordering::Release);
    }

    pub(super) fn count_lost(&self, records: u64) {
        self.lost.fetch_add(records, Ordering::AcqRel);
    }

    pub(super) fn count_sync_error(&self) {
        self.sync_errors.fetch_add(1, Ordering::AcqRel);
    }
}
