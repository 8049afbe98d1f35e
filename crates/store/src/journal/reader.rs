//! The reading end of the journal: behind a running writer, or alone after a crash.
//!
//! A torn tail is where the journal ends. Damage before that costs the rest of its segment; the
//! reader says which records those were and goes on with the next segment.

use super::frame::{self, Decoded, FRAME_BYTES_MAX, Sequence};
use super::segment::{Disk, SegmentName};
use pbx::record::Record;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What is read from a file at once; doubled where a frame is larger. Unit: bytes.
const CHUNK_BYTES: usize = 128 * 1024;
/// Holds any frame. Unit: bytes.
const CHUNK_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// Records that should be there and cannot be read: first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub first: Sequence,
    pub last: Sequence,
}

/// What one call of [`Reader::read`] found.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    pub records: Vec<(Sequence, Record)>,
    pub gaps: Vec<Gap>,
}

/// Reads records in order, each once.
#[derive(Debug)]
pub struct Reader {
    disk: Disk,
    next: Sequence,
    open: Option<Open>,
    chunk: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    first: Sequence,
    file: File,
    position: u64,
}

/// How far one segment brought us.
enum Stop {
    /// As far as was asked.
    Reached,
    /// No further frame in this segment, or none yet.
    SegmentEnds,
}

impl Reader {
    /// Starts with the first record that is not older than `from`.
    pub fn new(disk: Disk, from: Sequence) -> Self {
        Self { disk, next: from, open: None, chunk: vec![0; CHUNK_BYTES] }
    }

    /// Starts with the oldest record that is still there.
    pub fn from_oldest(disk: Disk) -> io::Result<Self> {
        let from = segments(&disk)?.first().map_or(1, |it| it.first);
        Ok(Self::new(disk, from))
    }

    /// The record that comes next.
    pub fn position(&self) -> Sequence {
        self.next
    }

    /// Reads at most `count` records, none newer than `up_to`: what the writer says is written, or
    /// `Sequence::MAX` where there is no writer. An empty batch is the end, for now.
    pub fn read(&mut self, count: usize, up_to: Sequence) -> io::Result<Batch> {
        let mut batch = Batch::default();
        while batch.records.len() < count && self.next <= up_to {
            if self.open.is_none() && !self.enter_segment(&mut batch)? {
                break;
            }
            match self.read_segment(count, up_to, &mut batch)? {
                Stop::Reached => {}
                Stop::SegmentEnds => {
                    if !self.enter_segment(&mut batch)? {
                        break;
                    }
                }
            }
        }
        Ok(batch)
    }

    /// Opens the segment that should hold the next record; false where there is none further.
    fn enter_segment(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let segments = segments(&self.disk)?;
        let left = self.open.as_ref().map(|it| it.first);
        let is_further = |it: &&SegmentName| left.is_none_or(|left| it.first > left);
        let holds_next = segments.iter().rfind(|it| it.first <= self.next).filter(is_further);
        let beyond = || segments.iter().find(|it| it.first > self.next);
        let Some(segment) = holds_next.or_else(beyond) else { return Ok(false) };
        self.skip_to(segment.first, batch);
        let file = File::open(&segment.path)?;
        self.open = Some(Open { first: segment.first, file, position: 0 });
        Ok(true)
    }

    fn read_segment(
        &mut self,
        count: usize,
        up_to: Sequence,
        batch: &mut Batch,
    ) -> io::Result<Stop> {
        // Read anew with every call: the writer may have gone on where there was nothing before.
        let mut filled = self.fill()?;
        let mut used = 0;
        while batch.records.len() < count && self.next <= up_to {
            match frame::decode(&self.chunk[used..filled]) {
                Decoded::Frame { sequence, record, bytes } => {
                    used += bytes;
                    if let Some(open) = &mut self.open {
                        open.position += bytes as u64;
                    }
                    if sequence >= self.next {
                        self.skip_to(sequence, batch);
                        self.next = sequence + 1;
                        batch.records.push((sequence, record));
                    }
                }
                Decoded::Short if used > 0 => {
                    filled = self.fill()?;
                    used = 0;
                }
                Decoded::Short if filled == self.chunk.len() && filled < CHUNK_BYTES_MAX => {
                    self.chunk.resize(2 * filled, 0);
                    filled = self.fill()?;
                }
                Decoded::Short | Decoded::End | Decoded::Bad => return Ok(Stop::SegmentEnds),
            }
        }
        Ok(Stop::Reached)
    }

    /// Reads the bytes at the position; fewer than asked only at the end of the file.
    fn fill(&mut self) -> io::Result<usize> {
        let Some(open) = &self.open else { return Ok(0) };
        let mut filled = 0;
        while filled < self.chunk.len() {
            let at = open.position + filled as u64;
            match open.file.read_at(&mut self.chunk[filled..], at) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn skip_to(&mut self, found: Sequence, batch: &mut Batch) {
        if found > self.next {
            batch.gaps.push(Gap { first: self.next, last: found - 1 });
            self.next = found;
        }
    }
}

/// Deletes the segments that hold nothing from `needed` on. The newest one always stays.
pub fn delete_before(disk: &Disk, needed: Sequence) -> io::Result<u64> {
    let segments = segments(disk)?;
    let mut deleted = 0;
    for pair in segments.windows(2) {
        if pair[1].first <= needed {
            disk.delete(&pair[0])?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// Whether [`delete_before`] would find something.
pub fn can_delete_before(disk: &Disk, needed: Sequence) -> io::Result<bool> {
    Ok(segments(disk)?.get(1).is_some_and(|it| it.first <= needed))
}

/// Where the newest `count` segments begin; `None` where there are no more than these.
pub fn newest_begin(disk: &Disk, count: usize) -> io::Result<Option<Sequence>> {
    let segments = segments(disk)?;
    let older = segments.len().saturating_sub(count);
    Ok(segments.get(older).filter(|_| older > 0).map(|it| it.first))
}

fn segments(disk: &Disk) -> io::Result<Vec<SegmentName>> {
    match disk.segments() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result,
    }
}
