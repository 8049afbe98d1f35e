//! The tokio runtimes: one for the streams of SIP, one for everything else that waits.

use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Threads for HTTP, DNS, the database and the control socket: light work.
const EDGE_THREADS: usize = 2;
/// One alone: a second would be woken for each message only to find that the first has it.
const STREAM_THREADS: usize = 1;
/// What still runs at the end gets this long.
const END: Duration = Duration::from_secs(1);

pub(super) struct Runtimes {
    pub(super) edge: Runtime,
    /// A page that is slow delays no call here.
    pub(super) streams: Runtime,
}

impl Runtimes {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = |name: &str, threads| {
            Builder::new_multi_thread()
                .worker_threads(threads)
                .thread_name(name)
                .enable_all()
                .build()
        };
        Ok(Self {
            edge: runtime("edge", EDGE_THREADS)?,
            streams: runtime("streams", STREAM_THREADS)?,
        })
    }

    /// Connections that are still open end with their tasks.
    pub(super) fn shutdown(self) {
        self.streams.shutdown_timeout(END);
        self.edge.shutdown_timeout(END);
    }
}
