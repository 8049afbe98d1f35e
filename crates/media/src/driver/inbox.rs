//! The commands on their way to a media thread.
//!
//! The writing end is with [`Media`](super::Media), the reading end with the worker.

use super::{CLOSES_MAX, COMMANDS_MAX};
use pbx::media::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use udp::Waker;

/// Where commands are put.
pub(super) struct Inbox {
    queue: Sender<Command>,
    /// How many are in the queue; bounds it.
    waiting: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    stirs: Arc<AtomicBool>,
    waker: Waker,
}

/// Where the thread takes them.
pub(super) struct Outlet {
    queue: Receiver<Command>,
    waiting: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    /// The thread wakes by itself soon.
    stirs: Arc<AtomicBool>,
}

pub(super) fn inbox(waker: Waker) -> (Inbox, Outlet) {
    #[expect(
        clippy::disallowed_methods,
        reason = "`waiting` limits it, each kind of command apart"
    )]
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let stirs = Arc::new(AtomicBool::new(false));
    let outlet = Outlet {
        queue: receiver,
        waiting: Arc::clone(&waiting),
        ended: Arc::clone(&ended),
        stirs: Arc::clone(&stirs),
    };
    (Inbox { queue: sender, waiting, ended, stirs, waker }, outlet)
}

impl Inbox {
    /// Gives the command back if the thread is too far behind, or gone.
    pub(super) fn put(&self, command: Command) -> Result<(), Command> {
        let room = match command {
            Command::Configure { .. } | Command::Want { .. } => COMMANDS_MAX,
            Command::Close { .. } => COMMANDS_MAX + CLOSES_MAX,
        };
        // The core's thread alone adds, so the limit holds in two steps.
        if self.waiting.load(Ordering::Relaxed) >= room {
            return Err(command);
        }
        // Nobody waits for the end of a session: it is no reason to wake a thread that will wake
        // anyway.
        let can_wait = matches!(command, Command::Close { .. });
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.queue.send(command).map_err(|it| it.0)?;
        if !(can_wait && self.stirs.load(Ordering::SeqCst)) {
            self.waker.wake();
        }
        Ok(())
    }

    /// Tells the thread to end.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Outlet {
    pub(super) fn take(&self) -> Option<Command> {
        let command = self.queue.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(command)
    }

    /// Says whether the thread's next sleep is short. False where a command came before that was
    /// known: then it must not sleep at all.
    pub(super) fn may_sleep(&self, shortly: bool) -> bool {
        self.stirs.store(shortly, Ordering::SeqCst);
        shortly || self.waiting.load(Ordering::SeqCst) == 0
    }

    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}
