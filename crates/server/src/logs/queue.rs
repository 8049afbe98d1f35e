//! The thread that writes the log: who has something to say never waits for whoever reads it.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Most that waits to be written, in octets and in pieces; more is lost and counted.
const OCTETS_MAX: usize = 4 * 1024 * 1024;
const PIECES_MAX: usize = 1024;
/// How long the end of the process waits for its last lines, and how often it looks.
const LAST: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);
/// How much the thread gives way to those that carry calls.
const NICE: i32 = 5;

/// The end where lines go in.
pub(super) struct Queue {
    pieces: SyncSender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Not yet written. Unit: octets.
    waiting: AtomicUsize,
    /// Unit: lines.
    lost: AtomicU64,
}

impl Queue {
    /// Starts the thread. `tell_lost` says how many lines were lost, once there is room again.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        tell_lost: impl Fn(u64) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (pieces, taken) = sync_channel(PIECES_MAX);
        let state = Arc::new(State::default());
        let queue = Self { pieces, state: Arc::clone(&state) };
        let builder = std::thread::Builder::new().name("log".to_owned());
        builder.spawn(move || write_all(&taken, &state, out, &tell_lost))?;
        Ok(queue)
    }

    /// Never waits.
    pub(super) fn put(&self, lines: Vec<u8>) {
        let (octets, count) = (lines.len(), lines.iter().filter(|it| **it == b'\n').count());
        let fits = self.state.waiting.fetch_add(octets, Ordering::AcqRel) + octets <= OCTETS_MAX;
        if !fits || self.pieces.try_send(lines).is_err() {
            self.state.waiting.fetch_sub(octets, Ordering::AcqRel);
            self.state.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Waits until all that was put in is written, but not for ever.
    pub(super) fn flush(&self) {
        let looks = LAST.as_millis() / LOOK.as_millis();
        for _ in 0..looks {
            if self.state.waiting.load(Ordering::Acquire) == 0 {
                return;
            }
            #[expect(clippy::disallowed_methods, reason = "once, at the end of the process")]
            std::thread::sleep(LOOK);
        }
    }
}

fn write_all(
    pieces: &Receiver<Vec<u8>>,
    state: &State,
    mut out: impl Write,
    tell_lost: &dyn Fn(u64),
) {
    // It works as well without, only less smoothly.
    let _ = rustix::process::setpriority_process(None, NICE);
    for lines in pieces {
        // A fault costs these lines: without this thread, nothing that is lost would be told. There is no place to say
        // that the log cannot be written.
        let _ = catch_unwind(AssertUnwindSafe(|| out.write_all(&lines)));
        state.waiting.fetch_sub(lines.len(), Ordering::AcqRel);
        let lost = state.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tell_lost(lost);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Read;

    #[test]
    fn a_fault_costs_its_lines_and_nothing_else() {
        /// At an empty line there is a fault.
        struct Frail(std::io::PipeWriter);
        impl Write for Frail {
            fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
                assert_ne!(lines, b"\n", "a fault that is meant to be");
                self.0.write(lines)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (mut read, write) = std::io::pipe().unwrap();
        let queue = Queue::start(Frail(write), |_| {}).unwrap();
        for line in ["one\n", "\n", "three\n"] {
            queue.put(line.into());
        }
        drop(queue);
        let mut written = String::new();
        read.read_to_string(&mut written).unwrap();
        assert_eq!(written, "one\nthree\n");
    }

    #[test]
    fn a_reader_that_stands_still_holds_up_nobody() {
        let (mut read, write) = std::io::pipe().unwrap();
        let (told, lost) = sync_channel(10);
        let queue = Queue::start(write, move |lines| told.send(lines).unwrap()).unwrap();
        let line = [b"0".repeat(16 * 1024 - 1), b"\n".to_vec()].concat();
        let (fits, more) = (OCTETS_MAX / line.len(), 100);
        (0..fits + more).for_each(|_| queue.put(line.clone()));
        // The pipe has taken 64 KiB of what fits, and perhaps given room for as much.
        let mut kept = vec![0; line.len() * fits];
        read.read_exact(&mut kept).unwrap();
        assert!((90..=100).contains(&lost.recv().unwrap()));
        queue.put(line.clone());
        read.read_exact(&mut kept[..line.len()]).unwrap();
        queue.flush();
        drop(queue);
        assert!(read.read_to_end(&mut kept).unwrap() <= 10 * line.len());
    }
}
