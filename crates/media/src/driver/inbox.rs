//! The commands on their way to a media thread.
//!
//! The writing end is with [`Media`](super::Media), the reading end with the worker.

use super::COMMANDS_MAX;
use pbx::media::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use udp::Waker;

/// Where commands are put.
pub(super) struct Inbox {
    queue: SyncSender<Command>,
    ended: Arc<AtomicBool>,
    waker: Waker,
}

/// Where the thread takes them.
pub(super) struct Outlet {
    queue: Receiver<Command>,
    ended: Arc<AtomicBool>,
}

pub(super) fn inbox(waker: Waker) -> (Inbox, Outlet) {
    let (sender, receiver) = sync_channel(COMMANDS_MAX);
    let ended = Arc::new(AtomicBool::new(false));
    let inbox = Inbox { queue: sender, ended: Arc::clone(&ended), waker };
    (inbox, Outlet { queue: receiver, ended })
}

impl Inbox {
    /// Gives the command back if the thread is too far behind, or gone.
    pub(super) fn put(&self, command: Command) -> Result<(), Command> {
        self.queue.try_send(command).map_err(|it| match it {
            TrySendError::Full(command) | TrySendError::Disconnected(command) => command,
        })?;
        self.waker.wake();
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
        self.queue.try_recv().ok()
    }

    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}
