//! The thread beside the writer: syncs once a second and keeps one spare segment ready.
//!
//! All that can take long on a disk (fsync, fallocate) happens here and not on the core thread.

use super::frame::Sequence;
use super::segment::{Disk, SPARES, Spare};
use super::status::Status;
use crate::thread;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
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
    /// The newest file of which something may never have come to the disk.
    failed: Option<Arc<File>>,
}

/// Starts the thread; it ends with [`Message::Stop`] or when the writer is gone.
pub(super) fn spawn(
    disk: Disk,
    status: Arc<Status>,
    (messages, spares): (Receiver<Message>, SyncSender<Spare>),
    lost: impl FnOnce(&'static str) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let mut keeper = Keeper { disk, status, spares, current: None, failed: None };
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
    fn sync(&mut self, written: Sequence) {
        let Some(current) = self.current.clone().filter(|_| written > self.status.synced()) else {
            return;
        };
        // The oldest are deleted first, once the database has what is in them.
        self.failed.take_if(|it| is_deleted(it));
        let had_failed = self.failed.is_some();
        let is_synced = self.judge(current.sync_data(), &current);
        match &self.failed {
            None => self.status.set_synced(written),
            // At once, and where that failed too, as soon as the disk is well again.
            Some(failed) if !had_failed || (is_synced && Arc::ptr_eq(failed, &current)) => {
                self.status.set_leaving(true);
            }
            Some(_) => {}
        }
    }

    /// The writer has left the file before this one for good.
    fn follow(&mut self, next: Arc<File>) {
        if let Some(left) = self.current.replace(Arc::clone(&next)) {
            self.judge(left.sync_data(), &left);
        }
        // The new name must be as durable as what is written under it.
        self.judge(self.disk.sync(), &next);
    }

    /// Whether it is synced. The kernel may drop what it could not write (fsync(2)): a later success says nothing of
    /// that.
    fn judge(&mut self, synced: io::Result<()>, file: &Arc<File>) -> bool {
        if let Err(error) = &synced {
            self.status.count_sync_error();
            tracing::error!(%error, "the journal could not be synced");
            self.failed = Some(Arc::clone(file));
        }
        synced.is_ok()
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
}

fn is_deleted(file: &File) -> bool {
    file.metadata().is_ok_and(|it| it.nlink() == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::path::Path;

    /// A pipe cannot be synced (fsync(2)).
    fn unsyncable(path: &Path) -> Arc<File> {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        Arc::new(File::options().read(true).write(true).open(path).unwrap())
    }

    #[test]
    fn what_a_failed_sync_may_have_lost_is_not_synced_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path().to_owned());
        let (spares, _spares) = std::sync::mpsc::sync_channel(1);
        let status = Arc::new(Status::default());
        let broken = dir.path().join("broken");
        let current = Some(unsyncable(&broken));
        let mut keeper =
            Keeper { disk, status: Arc::clone(&status), spares, current, failed: None };
        keeper.sync(5);
        assert_eq!((status.sync_errors(), status.synced(), status.is_leaving()), (1, 0, true));
        // The writer has left it.
        status.set_leaving(false);
        keeper.follow(Arc::new(File::create(dir.path().join("sound")).unwrap()));
        keeper.sync(10);
        assert_eq!((status.synced(), status.is_leaving()), (0, false), "1 to 5 may be lost");
        std::fs::remove_file(broken).unwrap();
        keeper.sync(12);
        assert_eq!(status.synced(), 12, "the database has what was in it");
        keeper.failed.clone_from(&keeper.current);
        keeper.sync(13);
        assert_eq!((status.synced(), status.is_leaving()), (12, true), "the disk is well again");
    }
}
