//! The thread beside the writer: syncs once a second and keeps one spare segment ready.
//!
//! All that can take long on a disk (fsync, fallocate) happens here and not on the core thread.

use super::frame::Sequence;
use super::segment::{Disk, SPARES, Spare};
use super::status::Status;
use crate::thread;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

/// A power cut loses at most this much.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Writer → keeper.
#[derive(Debug)]
pub(super) enum Message {
    /// The writer is on this file from now on; sent before anything is written to it.
    Segment(Arc<File>),
    Stop,
}

struct Keeper {
    disk: Disk,
    status: Arc<Status>,
    spares: SyncSender<Spare>,
    current: Option<Arc<File>>,
}

/// Starts the thread; it ends with [`Message::Stop`] or when the writer is gone.
pub(super) fn spawn(
    disk: Disk,
    status: Arc<Status>,
    (messages, spares): (Receiver<Message>, SyncSender<Spare>),
    lost: impl FnOnce(&'static str) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let mut keeper = Keeper { disk, status, spares, current: None };
    thread::spawn("journal-keeper", lost, move || keeper.run(&messages))
}

impl Keeper {
    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            self.offer_spare();
            let written = self.status.written();
            let message = match messages.recv_timeout(SYNC_INTERVAL) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    self.sync(written);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => Message::Stop,
            };
            match message {
                Message::Segment(file) => self.follow(file),
                Message::Stop => break,
            }
        }
        self.sync(self.status.written());
        if let Err(error) = self.disk.clear_spares() {
            tracing::warn!(%error, "a spare journal segment was not removed");
        }
    }

    /// `written` is from before the queue was found empty, so all of it is in the current file or
    /// in one that was synced when the writer left it.
    fn sync(&self, written: Sequence) {
        let Some(current) = self.current.as_ref().filter(|_| written > self.status.synced()) else {
            return;
        };
        let result = current.sync_data();
        if result.is_ok() {
            self.status.set_synced(written);
        }
        self.report(result);
    }

    /// The writer has left the file before this one for good.
    fn follow(&mut self, next: Arc<File>) {
        if let Some(left) = self.current.replace(next) {
            self.report(left.sync_data());
        }
        // The new name must be as durable as what is written under it.
        self.report(self.disk.sync());
    }

    /// Allocates a spare where none waits. A full disk is tried again every second.
    fn offer_spare(&self) {
        if self.status.spare_ready() {
            return;
        }
        match self.disk.make_spare(SPARES[0]) {
            Ok(spare) => {
                self.status.set_disk_full(false);
                self.status.set_spare_ready(true);
                // Cannot be full: the writer had taken the last one. A writer that is gone needs
                // none, and the next message says so.
                let _ = self.spares.try_send(spare);
            }
            Err(error) => {
                if !self.status.disk_full() {
                    tracing::error!(%error, "no space for the next journal segment");
                }
                self.status.set_disk_full(true);
            }
        }
    }

    fn report(&self, result: io::Result<()>) {
        if let Err(error) = result {
            self.status.count_sync_error();
            tracing::error!(%error, "the journal could not be synced");
        }
    }
}
