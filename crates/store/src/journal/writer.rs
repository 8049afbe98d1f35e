//! The writing end of the journal, used on the core thread.
//!
//! One batch is one `write`. A disk that takes nothing makes it spool in memory, within a limit,
//! and everything is written in order when the disk takes it again.

use super::frame::{self, Sequence};
use super::keeper::{self, Message};
use super::segment::{Disk, SPARES, Spare};
use super::status::{State, Status};
use pbx::record::Record;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

/// Most of what may wait in memory while the disk takes nothing. Unit: bytes. What comes on top is
/// lost and counted.
pub const SPOOL_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The last part of the spool is for the calls that run already: from here on the outcome is
/// [`AppendOutcome::Full`]. Unit: bytes.
pub const SPOOL_BYTES_FULL: usize = 24 * 1024 * 1024;
/// At most so much of the spool is written with one batch, so that the core is not held up.
/// Unit: bytes.
const DRAIN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Segments the keeper may be behind. Nothing is written to one more before it has heard of it.
const KEEPER_QUEUE: usize = 64;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum AppendOutcome {
    /// In the file: it survives the end of the process.
    Written,
    /// In memory only: the disk takes nothing.
    Spooled,
    /// In memory, and no more may be promised: `Overload(true)` for the core.
    Full,
    /// The spool is empty again: `Overload(false)` for the core.
    Recovered,
}

/// Appends records. There is one for each journal.
#[derive(Debug)]
pub struct Writer {
    disk: Disk,
    status: Arc<Status>,
    next: Sequence,
    segment: Option<Segment>,
    /// The next one, while the keeper cannot be told of it.
    untold: Option<Segment>,
    /// Whole frames that no file took yet, oldest first.
    spool: Vec<u8>,
    batch: Vec<u8>,
    scratch: Vec<u8>,
    spares: Receiver<Spare>,
    keeper: SyncSender<Message>,
}

#[derive(Debug)]
struct Segment {
    file: Arc<File>,
    position: u64,
    bytes: u64,
}

/// Stops the keeper; the writer must be gone before.
#[derive(Debug)]
pub struct KeeperHandle {
    messages: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Opens the journal for appending from `next` on, in a segment of its own. Whoever knows
    /// what is in the journal says where it ends: see [`crate::recover`].
    /// `lost` hears where a fault ends the keeper's thread.
    pub fn open(
        disk: Disk,
        next: Sequence,
        lost: impl FnOnce(&'static str) + Send + 'static,
    ) -> io::Result<(Self, Arc<Status>, KeeperHandle)> {
        fs::create_dir_all(&disk.dir)?;
        disk.clear_spares()?;
        let status = Arc::new(Status::default());
        status.set_written(next.saturating_sub(1));
        status.set_synced(next.saturating_sub(1));
        let (keeper, messages) = sync_channel(KEEPER_QUEUE);
        let (spare_sender, spares) = sync_channel(1);
        let mut writer = Self {
            disk: disk.clone(),
            status: Arc::clone(&status),
            next,
            segment: None,
            untold: None,
            spool: Vec::new(),
            batch: Vec::new(),
            scratch: Vec::new(),
            spares,
            keeper: keeper.clone(),
        };
        // A server must also start on a full disk: what follows is spooled.
        if let Err(error) = writer.roll(next) {
            tracing::error!(%error, "the journal cannot be written");
        }
        let thread = keeper::spawn(disk, Arc::clone(&status), (messages, spare_sender), lost)?;
        Ok((writer, status, KeeperHandle { messages: keeper, thread }))
    }

    /// The sequence the next record gets.
    pub fn next_sequence(&self) -> Sequence {
        self.next
    }

    /// Appends a batch with one write, or behind what waits in memory. An empty batch tries again to write that: to try
    /// costs time that the core has not got for every batch.
    pub fn append_batch(&mut self, records: &[Record]) -> AppendOutcome {
        self.batch.clear();
        for record in records {
            let bytes_max = usize::try_from(self.disk.segment_bytes).unwrap_or(usize::MAX);
            if frame::encode(self.next, record, bytes_max, &mut self.scratch, &mut self.batch) {
                self.next += 1;
            } else {
                self.status.count_lost(1);
            }
        }
        match (self.spool.is_empty(), records.is_empty()) {
            (true, _) => self.write_batch(),
            (false, true) => self.drain(),
            (false, false) => self.spool_batch(),
        }
    }

    /// How much waits in memory. Unit: bytes.
    pub fn spooled(&self) -> usize {
        self.spool.len()
    }

    fn write_batch(&mut self) -> AppendOutcome {
        let batch = std::mem::take(&mut self.batch);
        let (written, result) = self.write_frames(&batch);
        if let Err(error) = result {
            tracing::error!(%error, "the journal waits in memory");
            self.spool.extend_from_slice(&batch[written..]);
        }
        self.batch = batch;
        self.publish(self.spooling_outcome(AppendOutcome::Written))
    }

    /// Puts the batch behind what waits.
    fn spool_batch(&mut self) -> AppendOutcome {
        let room = SPOOL_BYTES_MAX.saturating_sub(self.spool.len());
        let fits = whole_frames(&self.batch, room);
        self.spool.extend_from_slice(&self.batch[..fits.bytes]);
        let left = whole_frames(&self.batch[fits.bytes..], usize::MAX);
        // What does not fit gives its sequences back, so that the journal has no gap.
        self.next -= left.count;
        self.status.count_lost(left.count);
        self.publish(self.spooling_outcome(AppendOutcome::Recovered))
    }

    /// Writes as much of what waits as the disk takes.
    fn drain(&mut self) -> AppendOutcome {
        let spool = std::mem::take(&mut self.spool);
        let drain = whole_frames(&spool, DRAIN_BYTES_MAX.min(spool.len()));
        let (written, _still_full) = self.write_frames(&spool[..drain.bytes]);
        self.spool = spool;
        self.spool.drain(..written);
        if self.spool.is_empty() {
            // 32 MiB that are needed once in the life of a disk.
            self.spool = Vec::new();
            tracing::info!("the journal is on the disk again");
        }
        self.publish(self.spooling_outcome(AppendOutcome::Recovered))
    }

    fn spooling_outcome(&self, when_empty: AppendOutcome) -> AppendOutcome {
        match self.spool.len() {
            0 => when_empty,
            bytes if bytes < SPOOL_BYTES_FULL => AppendOutcome::Spooled,
            _ => AppendOutcome::Full,
        }
    }

    fn publish(&self, outcome: AppendOutcome) -> AppendOutcome {
        let bytes = self.spool.len() as u64;
        let state = match outcome {
            AppendOutcome::Written | AppendOutcome::Recovered => State::Healthy,
            AppendOutcome::Spooled => State::Spooling { bytes },
            AppendOutcome::Full => State::Full,
        };
        self.status.set_state(state, bytes);
        outcome
    }

    /// Writes whole frames, one write for each segment they need. Returns how many bytes are in a
    /// file now.
    fn write_frames(&mut self, frames: &[u8]) -> (usize, io::Result<()>) {
        let mut done = 0;
        let mut failed_before = false;
        self.leave_unsynced();
        while done < frames.len() {
            let left = &frames[done..];
            let first = self.status.written() + 1;
            let fits = whole_frames(left, self.room());
            let result = if fits.bytes == 0 {
                self.roll(first)
            } else {
                self.write_at_end(&left[..fits.bytes]).inspect(|()| {
                    done += fits.bytes;
                    self.status.set_written(first + fits.count - 1);
                })
            };
            match result {
                Ok(()) => {}
                // A segment that takes no write is left for the next one, once a batch.
                Err(_) if fits.bytes > 0 && !failed_before => {
                    failed_before = true;
                    self.segment = None;
                }
                Err(error) => return (done, Err(error)),
            }
        }
        (done, Ok(()))
    }

    fn room(&self) -> usize {
        let left = self.segment.as_ref().map_or(0, |it| it.bytes - it.position);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    fn write_at_end(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(segment) = &mut self.segment else { return Err(io::ErrorKind::NotFound.into()) };
        self.status.count_write();
        segment.file.write_all_at(bytes, segment.position)?;
        segment.position += bytes.len() as u64;
        Ok(())
    }

    /// Goes to the next segment: to one that the keeper knows, for it would take what is in another for synced.
    fn roll(&mut self, first: Sequence) -> io::Result<()> {
        let next = match self.untold.take() {
            Some(untold) => untold,
            None => self.adopt_spare(first)?,
        };
        match self.keeper.try_send(Message::Segment(Arc::clone(&next.file))) {
            // A keeper that is gone is missed elsewhere: what it did not sync survives this process at least.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {
                self.segment = Some(next);
                self.status.set_leaving(false);
                Ok(())
            }
            Err(TrySendError::Full(_)) => {
                self.untold = Some(next);
                Err(io::Error::other("the disk is far behind"))
            }
        }
    }

    /// Leaves a file that could not be synced, where that costs nothing.
    fn leave_unsynced(&mut self) {
        if self.status.is_leaving() && self.status.spare_ready() {
            self.segment = None;
        }
    }

    /// Takes the spare; makes one where none is ready, unless the disk was just found full.
    fn adopt_spare(&self, first: Sequence) -> io::Result<Segment> {
        let ready = self.spares.try_recv().ok();
        let (spare, was_ready) = match ready {
            Some(spare) => (spare, true),
            None if self.status.disk_full() => return Err(io::ErrorKind::StorageFull.into()),
            None => (self.make_spare()?, false),
        };
        let adopted = self.disk.adopt(&spare, first);
        if was_ready {
            self.status.set_spare_ready(false);
        }
        adopted?;
        let Spare { file, bytes, .. } = spare;
        Ok(Segment { file, position: 0, bytes })
    }

    /// Until the keeper finds space again, nobody tries in vain on the core thread.
    fn make_spare(&self) -> io::Result<Spare> {
        self.disk.make_spare(SPARES[1]).inspect_err(|_| self.status.set_disk_full(true))
    }
}

impl Drop for Writer {
    /// The last chance of what waits in memory.
    fn drop(&mut self) {
        let mut before = usize::MAX;
        while self.spool.len() < before && !self.spool.is_empty() {
            before = self.spool.len();
            let _ = self.append_batch(&[]);
        }
        if !self.spool.is_empty() {
            let frames = whole_frames(&self.spool, usize::MAX);
            self.status.count_lost(frames.count);
            tracing::error!(records = frames.count, "records lost: the disk is full at the end");
        }
    }
}

impl KeeperHandle {
    /// Syncs what is written and ends the thread. False where the thread had died before.
    pub fn stop(self) -> bool {
        // Fails only where the thread is gone, which the join then tells.
        let _ = self.messages.send(Message::Stop);
        self.thread.join().is_ok()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Frames {
    bytes: usize,
    count: u64,
}

/// How many whole frames lie within the first `limit` bytes.
fn whole_frames(frames: &[u8], limit: usize) -> Frames {
    let mut found = Frames::default();
    while let Some(bytes) = frames.get(found.bytes..).and_then(frame::whole_bytes) {
        if found.bytes + bytes > limit.min(frames.len()) {
            break;
        }
        found.bytes += bytes;
        found.count += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::journal::{Reader, samples};

    fn bound(number: u32) -> Record {
        Record::Bound(Arc::new(samples::binding("100", "desk", number)))
    }

    /// The file is replaced by one that cannot be written, as on a disk with a fault.
    fn break_segment(writer: &mut Writer) {
        if let Some(segment) = &mut writer.segment {
            segment.file = Arc::new(File::open("/dev/null").unwrap());
        }
    }

    #[test]
    fn a_segment_that_takes_no_write_is_left_for_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path().to_owned());
        let (mut writer, status, keeper) = Writer::open(disk.clone(), 1, |_| {}).unwrap();
        for number in 1..=4 {
            if number == 3 {
                break_segment(&mut writer);
            }
            assert_eq!(writer.append_batch(&[bound(number)]), AppendOutcome::Written);
        }
        assert_eq!((status.written(), status.lost()), (4, 0));
        let batch = Reader::new(disk, 1).read(10, Sequence::MAX).unwrap();
        let expected: Vec<_> = (1..=4).map(|it| (u64::from(it), bound(it))).collect();
        assert_eq!((batch.records, batch.gaps), (expected, vec![]));
        drop(writer);
        assert!(keeper.stop());
    }

    /// So that it is synced before the next is, and not taken for synced by mistake.
    #[test]
    fn nothing_is_written_to_a_segment_that_the_keeper_does_not_know() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk { segment_bytes: 4096, ..Disk::new(dir.path().to_owned()) };
        let (mut writer, status, _keeper) = Writer::open(disk.clone(), 1, |_| {}).unwrap();
        let (keeper, messages) = sync_channel(1);
        writer.keeper = keeper;
        let mut next = 1..100;
        let outcome = next.find_map(|number| {
            Some(writer.append_batch(&[bound(number)])).filter(|it| *it != AppendOutcome::Written)
        });
        assert_eq!(outcome, Some(AppendOutcome::Spooled));
        let told = disk.segments().unwrap()[1].first;
        assert_eq!(status.written() + 1, u64::from(next.start) - 1, "all but the last");
        assert_eq!(disk.segments().unwrap().len(), 3, "the third waits for its first record");
        assert!(told <= status.written());
        assert_eq!(messages.try_iter().count(), 1);
        assert_eq!(writer.append_batch(&[]), AppendOutcome::Recovered);
        assert_eq!((messages.try_iter().count(), disk.segments().unwrap().len()), (1, 3));
        let batch = Reader::new(disk, 1).read(1000, status.written()).unwrap();
        assert_eq!((batch.records.len() as u64, batch.gaps), (status.written(), vec![]));
    }

    #[test]
    fn whole_frames_table() {
        let mut frames = Vec::new();
        let mut scratch = Vec::new();
        for sequence in 1..=3 {
            assert!(frame::encode(sequence, &bound(1), 1000, &mut scratch, &mut frames));
        }
        let one = frames.len() / 3;
        #[rustfmt::skip]
        let table = [
            (0,           0),
            (one - 1,     0),
            (one,         1),
            (2 * one - 1, 1),
            (3 * one,     3),
            (usize::MAX,  3),
        ];
        for (limit, count) in table {
            let expected = Frames { bytes: one * count, count: count as u64 };
            assert_eq!(whole_frames(&frames, limit), expected, "limit {limit}");
        }
    }
}
