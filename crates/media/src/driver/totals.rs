//! What the media edge counts, for metrics: written by its threads, readable from any other.
//!
//! Threads count for themselves and add up once per turn of their loop.

use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot. Counters only grow; the others are as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Datagrams received on the ports of sessions, of whatever kind and source.
    pub packets_in: u64,
    /// Their octets, without UDP's and IP's own.
    pub bytes_in: u64,
    pub packets_out: u64,
    /// Dropped: from a source that does not qualify.
    pub refused: u64,
    /// Dropped: more from one transport than the limit of a second.
    pub limited: u64,
    /// Dropped: longer than any media packet.
    pub truncated: u64,
    /// Dropped: the kernel had no route, no room or no such source address.
    pub unsent: u64,
    /// Progress reports dropped because the reader of events was behind.
    pub progress_dropped: u64,
    /// Faults of our own that ended a session.
    pub faults: u64,
    /// Sessions now.
    pub sessions: u64,
    /// Port pairs now bound and reported ready.
    pub pairs_free: u64,
    /// Port pairs now held by sessions.
    pub pairs_used: u64,
    /// Port pairs now resting.
    pub pairs_resting: u64,
    /// Port pairs of the range that others hold, when last tried.
    pub pairs_taken: u64,
}

/// The shared counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
    packets_out: AtomicU64,
    refused: AtomicU64,
    limited: AtomicU64,
    truncated: AtomicU64,
    unsent: AtomicU64,
    progress_dropped: AtomicU64,
    faults: AtomicU64,
    pub(super) sessions: AtomicU64,
    pub(super) pairs_free: AtomicU64,
    pub(super) pairs_used: AtomicU64,
    pub(super) pairs_resting: AtomicU64,
    pub(super) pairs_taken: AtomicU64,
}

/// What one thread counted since it last added up.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) packets_in: u64,
    pub(super) bytes_in: u64,
    pub(super) packets_out: u64,
    pub(super) refused: u64,
    pub(super) limited: u64,
    pub(super) truncated: u64,
    pub(super) unsent: u64,
    pub(super) progress_dropped: u64,
    pub(super) faults: u64,
}

impl Counters {
    /// Adds what was counted and starts the tally anew.
    pub(super) fn add(&self, tally: &mut Tally) {
        let counted = std::mem::take(tally);
        let pairs = [
            (&self.packets_in, counted.packets_in),
            (&self.bytes_in, counted.bytes_in),
            (&self.packets_out, counted.packets_out),
            (&self.refused, counted.refused),
            (&self.limited, counted.limited),
            (&self.truncated, counted.truncated),
            (&self.unsent, counted.unsent),
            (&self.progress_dropped, counted.progress_dropped),
            (&self.faults, counted.faults),
        ];
        for (total, count) in pairs {
            if count > 0 {
                total.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn snapshot(&self) -> Totals {
        let read = |it: &AtomicU64| it.load(Ordering::Relaxed);
        Totals {
            packets_in: read(&self.packets_in),
            bytes_in: read(&self.bytes_in),
            packets_out: read(&self.packets_out),
            refused: read(&self.refused),
            limited: read(&self.limited),
            truncated: read(&self.truncated),
            unsent: read(&self.unsent),
            progress_dropped: read(&self.progress_dropped),
            faults: read(&self.faults),
            sessions: read(&self.sessions),
            pairs_free: read(&self.pairs_free),
            pairs_used: read(&self.pairs_used),
            pairs_resting: read(&self.pairs_resting),
            pairs_taken: read(&self.pairs_taken),
        }
    }
}
