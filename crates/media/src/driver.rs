//! The sockets and threads of the media edge: commands in, events out, datagrams through.
//!
//! The server starts one [`Media`] and hands it the core's commands. Each thread owns the sessions
//! of its calls, both legs of a call on one; the port pairs are shared between them and change
//! hands only when a session begins or ends.

#[cfg(test)]
mod count_tests;
mod inbox;
mod pool;
mod running;
mod totals;
mod worker;

pub use totals::Totals;

use inbox::Inbox;
use pbx::media::{Command, Event};
use pool::Pool;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use totals::Counters;
use udp::Poller;
use worker::Worker;

/// Commands a thread takes in advance; one more is refused as [`Full`], unless it is a Close. More
/// than all leases of the default range can cause.
const COMMANDS_MAX: usize = 16_384;

/// No digit is taken while this many commands wait: leases do not bound what is pressed, and what
/// they cause has the rest of the room.
const PRESS_ROOM: usize = 1_024;

/// Closes a thread takes beyond that: one for each pair there can be, for until its Close is obeyed
/// no other session has the pair. So a session that was begun is always ended.
const CLOSES_MAX: usize = 32_768;

/// How the media edge is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// Ports to bind, in pairs of an even and the next odd one.
    pub ports: RangeInclusive<u16>,
    /// The address to bind them on; the unspecified IPv6 address takes IPv4 as well.
    pub bind: IpAddr,
    /// Media threads; at least one.
    pub threads: usize,
    /// Pairs kept bound and free at least; or a quarter of those in use, if that is more.
    pub spare_pairs: usize,
    /// How long a pair rests after its session, so that nothing late reaches the next.
    pub rest: Duration,
    /// How often a running session reports its figures.
    pub progress: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ports: 20_000..=29_999,
            bind: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            threads: 1,
            spare_pairs: 128,
            rest: Duration::from_secs(5),
            progress: Duration::from_secs(5),
        }
    }
}

/// The command was not taken, because the thread is too far behind.
#[derive(Debug, thiserror::Error)]
#[error("the media threads are behind by {COMMANDS_MAX} commands")]
pub struct Full(pub Box<Command>);

/// Why a media thread has ended that nobody told to: its calls are without media from then on.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error("waiting for packets: {0}")]
    Wait(#[from] io::Error),
    /// What it was, the panic hook has told.
    #[error("an internal fault")]
    Fault,
}

/// The running media edge. Dropping it ends the threads and closes all ports.
pub struct Media {
    threads: Vec<Thread>,
    counters: Arc<Counters>,
}

struct Thread {
    inbox: Inbox,
    handle: Option<JoinHandle<()>>,
}

impl Media {
    /// Binds the first ports and starts the threads.
    ///
    /// `events` is called on a media thread and must not wait; an event it gives back because its
    /// queue is full is offered again, except [`Event::Progress`], which is dropped. Whoever reads
    /// the events is to be woken by it. `lost` is called by a media thread that ends too soon; only
    /// a new [`Media`] brings back what it carried.
    pub fn start<F, L>(config: Config, events: F, lost: L) -> io::Result<Self>
    where
        F: Fn(Event) -> Result<(), Event> + Send + Sync + 'static,
        L: Fn(Lost) + Clone + Send + 'static,
    {
        let counters = Arc::new(Counters::default());
        let threads = config.threads.max(1);
        let pollers = (0..threads).map(|_| Ok(Arc::new(Poller::new()?)));
        let pollers = pollers.collect::<io::Result<Vec<_>>>()?;
        let pool = Pool::new(&config, pollers.clone(), Arc::clone(&counters))?;
        let pool = Arc::new(Mutex::new(pool));
        let events: worker::Sink = Arc::new(events);
        let mut media = Self { threads: Vec::new(), counters };
        for (index, poller) in pollers.into_iter().enumerate() {
            let (worker, inbox) = Worker::new(
                &config,
                (index, poller),
                Arc::clone(&pool),
                Arc::clone(&events),
                Arc::clone(&media.counters),
            )?;
            let lost = lost.clone();
            let run = move || {
                // Nothing of the worker is seen again.
                match catch_unwind(AssertUnwindSafe(|| worker.run())) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => lost(Lost::Wait(error)),
                    Err(_) => lost(Lost::Fault),
                }
            };
            let name = format!("media-{index}");
            let handle = std::thread::Builder::new().name(name).spawn(run)?;
            media.threads.push(Thread { inbox, handle: Some(handle) });
        }
        Ok(media)
    }

    /// Hands a command to the thread of its call, without waiting.
    pub fn command(&self, command: Command) -> Result<(), Full> {
        let call = match &command {
            Command::Configure { call, .. }
            | Command::Close { call, .. }
            | Command::Press { call, .. } => call.0.as_u128(),
            // The ports are everybody's: any thread will do.
            Command::Want { .. } => 0,
        };
        // The low bits of a UUIDv7 are random.
        let low = call % self.threads.len() as u128;
        let at = usize::try_from(low).unwrap_or_default();
        self.threads[at].inbox.put(command).map_err(|it| Full(Box::new(it)))
    }

    /// What was carried, and how many ports and sessions there are. Readable from any thread.
    pub fn totals(&self) -> Totals {
        self.counters.snapshot()
    }

    /// A handle that reads the totals while others own the [`Media`].
    pub fn totals_reader(&self) -> impl Fn() -> Totals + Send + Sync + 'static {
        let counters = Arc::clone(&self.counters);
        move || counters.snapshot()
    }

    /// Ends the threads, without closing the sessions one by one. Returns when all have ended.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for thread in &self.threads {
            thread.inbox.end();
        }
        for thread in &mut self.threads {
            if let Some(handle) = thread.handle.take() {
                // A thread that panicked has said so; the others are still to be joined.
                let _ = handle.join();
            }
        }
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.end();
    }
}
