//! The ring of events: one writer puts in what happened, any number of readers follow at their own pace.
//!
//! A reader that is too slow loses what was overwritten and is told so; it keeps nobody waiting.

use super::render::{Shown, shown};
use super::{Fact, Kinds};
use crate::Running;
use pbx::time::UnixMillis;
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Events that are kept for readers that lag; the oldest goes.
const EVENTS_MAX: usize = 4096;
/// So many newest are kept however old they are, for readers that come back. Beyond them what is older than [`LATELY`]
/// goes: what a busy minute brought, with all its call records, is not memory for good.
const EVENTS_OLD_MAX: usize = 1024;
const LATELY: Duration = Duration::from_secs(30);
/// Readers at a time, of all carriers together; one more is refused.
const READERS_MAX: usize = 64;
/// Events a reader takes in one go; the rest comes with the next.
const BATCH: usize = 256;

/// A place in the stream of events, as readers name it: which start of the server, and which event after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    epoch: u64,
    seq: u64,
}

impl Position {
    /// Of no server.
    pub const UNKNOWN: Self = Self { epoch: 0, seq: u64::MAX };

    pub fn seq(self) -> u64 {
        self.seq
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.seq)
    }
}

impl FromStr for Position {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, seq) = text.trim().split_once('-').unwrap_or((text, ""));
        Ok(Self { epoch: u64::from_str_radix(epoch, 16)?, seq: seq.parse()? })
    }
}

/// An event with its place in the stream.
pub struct Happened {
    pub position: Position,
    pub at: UnixMillis,
    pub fact: Fact,
    shown: OnceLock<Shown>,
}

impl Happened {
    /// As it goes over the wire; made by the first who asks.
    pub(crate) fn shown(&self, running: &dyn Running, node: &str) -> &Shown {
        self.shown.get_or_init(|| shown(self, running, node))
    }

    pub fn seq(&self) -> u64 {
        self.position.seq()
    }
}

/// The events of one server.
pub struct Ring {
    /// When the server started: its events are told from those of the process before.
    epoch: u64,
    /// The name of this server.
    pub node: Box<str>,
    held: Mutex<Held>,
    /// The number of the newest event that readers were woken for.
    told: watch::Sender<u64>,
    places: Arc<Semaphore>,
}

#[derive(Default)]
struct Held {
    /// Of the newest event; the first has 1.
    last: u64,
    events: VecDeque<Arc<Happened>>,
}

impl Held {
    /// Of the oldest event that is still there, or of the next.
    fn first(&self) -> u64 {
        self.events.front().map_or(self.last + 1, |it| it.position.seq)
    }
}

impl Ring {
    pub fn new(started_at: UnixMillis, node: impl Into<Box<str>>) -> Self {
        Self {
            epoch: started_at.0,
            node: node.into(),
            held: Mutex::default(),
            told: watch::Sender::new(0),
            places: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }

    /// Adds an event. Readers see it with the next [`wake`](Self::wake).
    pub fn push(&self, now: UnixMillis, fact: Fact) {
        let at = fact.at().unwrap_or(now);
        let mut held = self.lock();
        held.last += 1;
        let position = Position { epoch: self.epoch, seq: held.last };
        held.events.push_back(Arc::new(Happened { position, at, fact, shown: OnceLock::new() }));
        let oldest = if held.events.len() > EVENTS_MAX { held.events.pop_front() } else { None };
        drop(held);
        // Freed outside of the lock.
        drop(oldest);
    }

    /// Lets go of what is too old; called every second or so.
    pub fn sweep(&self, now: UnixMillis) {
        let mut held = self.lock();
        let beyond = held.events.len().saturating_sub(EVENTS_OLD_MAX);
        let lately = |it: &Arc<Happened>| now.since(it.at) < LATELY;
        let old = held.events.iter().take(beyond).take_while(|it| !lately(it)).count();
        let old: Vec<_> = held.events.drain(..old).collect();
        drop(held);
        // Freed outside of the lock.
        drop(old);
    }

    /// Wakes the readers where there is something new for them.
    pub fn wake(&self) {
        let last = self.lock().last;
        self.told.send_if_modified(|told| std::mem::replace(told, last) != last);
    }

    /// Where the stream is now.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.lock().last }
    }

    /// Before the first event.
    pub fn beginning(&self) -> Position {
        Position { epoch: self.epoch, seq: 0 }
    }

    /// A reader from after this position on, or from now on; `None` where there are too many readers.
    pub fn read(self: &Arc<Self>, after: Option<Position>, kinds: Kinds) -> Option<Reader> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut reader = Reader {
            ring: Arc::clone(self),
            kinds,
            next: self.position().seq + 1,
            forgotten: false,
            told: self.told.subscribe(),
            _place: place,
        };
        match after {
            Some(it) if it.epoch == self.epoch && it.seq < reader.next => reader.next = it.seq + 1,
            // Of an earlier process, or of no process at all.
            Some(_) => reader.forgotten = true,
            None => {}
        }
        Some(reader)
    }

    /// Readers that there are.
    pub fn readers(&self) -> usize {
        READERS_MAX - self.places.available_permits()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Whoever panicked has not left it half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One reader's place in the ring.
pub struct Reader {
    ring: Arc<Ring>,
    kinds: Kinds,
    next: u64,
    /// It comes back to what this process does not know.
    forgotten: bool,
    told: watch::Receiver<u64>,
    _place: OwnedSemaphorePermit,
}

/// What a reader is to be given next.
#[derive(Default)]
pub struct Batch {
    /// Events were missed: how many, where that is known. The first of `events` comes after the gap, which ends
    /// at this position.
    pub lost: Option<(Option<u64>, Position)>,
    pub events: Vec<Arc<Happened>>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.lost.is_none() && self.events.is_empty()
    }

    /// The position after which the reader goes on.
    pub fn end(&self) -> Option<Position> {
        let gap = self.lost.map(|(_, position)| position);
        self.events.last().map(|it| it.position).or(gap)
    }
}

impl Reader {
    /// What there is; empty where the reader has everything.
    pub fn take(&mut self) -> Batch {
        let mut batch = Batch::default();
        self.told.mark_unchanged();
        let held = self.ring.lock();
        let (first, epoch) = (held.first(), self.ring.epoch);
        let before = |seq: u64| Position { epoch, seq: seq - 1 };
        if std::mem::take(&mut self.forgotten) {
            self.next = first;
            batch.lost = Some((None, before(first)));
        } else if self.next < first {
            batch.lost = Some((Some(first - self.next), before(first)));
            self.next = first;
        }
        let skipped = usize::try_from(self.next - first).unwrap_or(usize::MAX);
        for it in held.events.iter().skip(skipped) {
            self.next = it.position.seq + 1;
            if it.fact.kind().is_none_or(|kind| self.kinds.has(kind)) {
                batch.events.push(Arc::clone(it));
                if batch.events.len() == BATCH {
                    break;
                }
            }
        }
        batch
    }

    /// After which event it goes on; `None` where it is to be told first that it lost some.
    pub fn place(&self) -> Option<Position> {
        let place = Position { epoch: self.ring.epoch, seq: self.next - 1 };
        (!self.forgotten).then_some(place)
    }

    /// Waits for something new.
    pub async fn wait(&mut self) {
        // The ring, which this reader keeps, has the other end.
        let _ = self.told.changed().await;
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Edit;

    const NOW: UnixMillis = UnixMillis(1_000);

    fn ring() -> Arc<Ring> {
        Arc::new(Ring::new(UnixMillis(255), "test"))
    }

    fn fill(ring: &Ring, count: usize) {
        for _ in 0..count {
            ring.push(NOW, Fact::Changed(Edit::Settings));
        }
    }

    fn at(seq: u64) -> Option<Position> {
        Some(Position { epoch: 255, seq })
    }

    fn seqs(batch: &Batch) -> Vec<u64> {
        batch.events.iter().map(|it| it.seq()).collect()
    }

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let position = Position { epoch: 255, seq: 7 };
        assert_eq!(position.to_string(), "ff-7");
        assert_eq!("ff-7".parse(), Ok(position));
        for text in ["", "7", "ff-", "x-7", "ff-7-8"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn readers_begin_where_they_want() {
        let ring = ring();
        fill(&ring, 3);
        #[rustfmt::skip]
        let table = [
            (None,                                  None,                        vec![]),
            (at(3),                                 None,                        vec![]),
            (at(1),                                 None,                        vec![2, 3]),
            (at(0),                                 None,                        vec![1, 2, 3]),
            (at(9),                                 Some((None, at(0).unwrap())), vec![1, 2, 3]),
            (Some(Position { epoch: 254, seq: 2 }), Some((None, at(0).unwrap())), vec![1, 2, 3]),
        ];
        for (after, lost, expected) in table {
            let batch = ring.read(after, Kinds::ALL).unwrap().take();
            assert_eq!((batch.lost, seqs(&batch)), (lost, expected), "{after:?}");
        }
    }

    #[test]
    fn a_reader_that_lags_is_told_what_it_lost() {
        let ring = ring();
        let mut reader = ring.read(None, Kinds::ALL).unwrap();
        fill(&ring, EVENTS_MAX + 5);
        let batch = reader.take();
        assert_eq!(batch.lost, Some((Some(5), at(5).unwrap())));
        assert_eq!(seqs(&batch), (6..6 + BATCH as u64).collect::<Vec<_>>());
        let mut last = 0;
        let mut rest = reader.take();
        while !rest.is_empty() {
            assert_eq!(rest.lost, None);
            last = *seqs(&rest).last().unwrap();
            rest = reader.take();
        }
        assert_eq!(last, EVENTS_MAX as u64 + 5, "and has everything in the end");
    }

    #[test]
    fn of_what_is_old_only_the_newest_are_kept() {
        let (ring, old, new) = (ring(), EVENTS_OLD_MAX, 3);
        let mut lagging = ring.read(None, Kinds::ALL).unwrap();
        fill(&ring, old + 10);
        let later = NOW.after(LATELY);
        for _ in 0..new {
            ring.push(later, Fact::Lost);
        }
        let held = |ring: &Ring| ring.lock().events.len();
        ring.sweep(NOW);
        assert_eq!(held(&ring), old + 10 + new, "nothing is old yet");
        ring.sweep(later);
        assert_eq!(held(&ring), old, "the new ones are of the newest");
        assert_eq!(
            lagging.take().lost,
            Some((Some(10 + new as u64), at(10 + new as u64).unwrap()))
        );
        ring.sweep(later.after(LATELY));
        assert_eq!(held(&ring), old, "they are kept however old");
        for _ in 0..old + 5 {
            ring.push(later.after(LATELY), Fact::Lost);
        }
        ring.sweep(later.after(LATELY));
        assert_eq!(held(&ring), old + 5, "beside enough new ones no old one");
    }

    #[test]
    fn a_reader_gets_the_kinds_it_wants_and_every_gap() {
        let ring = ring();
        let mut reader = ring.read(None, Kinds::parse("call.*").unwrap()).unwrap();
        fill(&ring, 2);
        assert!(reader.take().is_empty());
        ring.push(NOW, Fact::Lost);
        assert_eq!(seqs(&reader.take()), [3]);
    }

    #[tokio::test]
    async fn a_reader_is_woken_once_for_a_batch() {
        let ring = ring();
        let mut reader = ring.read(None, Kinds::ALL).unwrap();
        fill(&ring, 3);
        ring.wake();
        reader.wait().await;
        assert_eq!(seqs(&reader.take()), [1, 2, 3]);
        ring.wake();
        assert!(!reader.told.has_changed().unwrap());
    }

    #[test]
    fn readers_are_bounded() {
        let ring = ring();
        let readers: Vec<_> =
            (0..READERS_MAX).map(|_| ring.read(None, Kinds::ALL).unwrap()).collect();
        assert!(ring.read(None, Kinds::ALL).is_none());
        assert_eq!(ring.readers(), readers.len());
        drop(readers);
        assert!(ring.read(None, Kinds::ALL).is_some());
    }
}
