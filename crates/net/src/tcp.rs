//! All SIP connections over TCP, as the core's thread sees them.
//!
//! No lock is shared with the tasks: each connection announces itself, with the queue that leads to
//! it, through the same bounded channel as its messages, so [`Streams`] owns the only table.

mod connection;
#[cfg(test)]
mod count_tests;
mod listener;
mod seats;
mod socket;

use bytes::Bytes;
use sip::{ConnectionId, Flow, Transport};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use connection::{Connection, Output};
use seats::{Seat, Seats};

/// Most connections at once, in and out. One more is closed as soon as it is accepted.
pub const MAX_CONNECTIONS: usize = 20_000;
/// Most connections accepted from one IPv4 address or IPv6 /64. One more is closed at once, so that
/// nobody alone can take all of [`MAX_CONNECTIONS`].
pub const MAX_CONNECTIONS_PER_SOURCE: usize = 500;
/// Most messages waiting for the core. When it is full, connections are not read.
pub const CORE_QUEUE: usize = 1024;
/// Most messages waiting for one connection. One more closes it.
pub const OUTPUT_MESSAGES: usize = 64;
/// Most octets waiting for one connection. More close it.
pub const OUTPUT_BYTES: usize = 256 * 1024;

/// Tells the core's thread that [`Streams::poll`] has something. Called from any thread, often;
/// must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What a connection may cost. The default is what the product uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`MAX_CONNECTIONS`].
    pub connections: usize,
    /// See [`MAX_CONNECTIONS_PER_SOURCE`].
    pub connections_per_source: usize,
    /// A message must be complete this long after its first octet, else the connection is closed.
    pub message: Duration,
    /// An accepted connection must have brought a message by now, else it is closed.
    pub first_message: Duration,
    /// A connection without traffic in either direction is closed after this.
    pub idle: Duration,
    /// Opening a connection fails after this (architecture.md, rule 8).
    pub connect: Duration,
    /// A connection that is to end gets this long to take what it is still owed.
    pub flush: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: MAX_CONNECTIONS,
            connections_per_source: MAX_CONNECTIONS_PER_SOURCE,
            message: Duration::from_secs(30),
            first_message: Duration::from_secs(60),
            idle: Duration::from_secs(2 * 60 * 60),
            connect: Duration::from_secs(4),
            flush: Duration::from_secs(1),
        }
    }
}

/// What connections tell the core. Every flow that told anything ends with one `Closed`.
#[derive(Debug, PartialEq, Eq)]
pub enum FromStream {
    /// One whole message.
    Message { flow: Flow, bytes: Bytes },
    /// What came cannot be framed: no message follows on this flow. The next [`Streams::send`] is
    /// taken for the answer, and the connection closed behind it.
    Malformed { flow: Flow, head: Bytes },
    /// The connection is gone, or no longer accepts anything.
    Closed { flow: Flow },
    /// [`Streams::connect`] succeeded.
    Connected { token: u64, flow: Flow },
    /// [`Streams::connect`] failed.
    ConnectFailed { token: u64, remote: SocketAddr, error: String },
}

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on TCP {address}")]
pub struct BindError {
    pub address: SocketAddr,
    #[source]
    pub source: std::io::Error,
}

/// Why bytes do not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the connection is closed")]
    Gone,
    #[error("the connection does not take what it is sent and is being closed")]
    Full,
}

/// What happened at the listeners since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub accepted: u64,
    /// Closed at once because of [`Limits::connections`].
    pub refused_total: u64,
    /// Closed at once because of [`Limits::connections_per_source`].
    pub refused_source: u64,
    /// `accept` failed, mostly for want of file descriptors.
    pub accept_errors: u64,
}

/// The connections, in the hands of the core's thread. Nothing here blocks. When it is dropped,
/// listeners and connections end.
pub struct Streams {
    context: Arc<Context>,
    runtime: Handle,
    reports: mpsc::Receiver<Report>,
    outlets: HashMap<ConnectionId, Outlet>,
    bound: Vec<SocketAddr>,
    /// Ends the accepting tasks when dropped.
    _listeners: JoinSet<()>,
}

/// What all tasks share.
struct Context {
    limits: Limits,
    seats: Arc<Seats>,
    to_core: mpsc::Sender<Report>,
    wake: Wake,
}

/// What tasks send to [`Streams`].
enum Report {
    /// Precedes all else from a connection. The token is that of [`Streams::connect`].
    Opened {
        flow: Flow,
        outlet: Outlet,
        token: Option<u64>,
    },
    ToCore(FromStream),
}

/// The way to a connection. Dropping it ends the connection, once it has written what is queued.
struct Outlet {
    queue: mpsc::Sender<Bytes>,
    /// Octets in the queue and in the hands of the connection.
    queued: Arc<AtomicUsize>,
    /// Told when this is dropped: the connection may be waiting for its peer then.
    left: Arc<Notify>,
    /// The core has been told that the peer cannot be understood; what it sends now is the last.
    answering: bool,
}

impl Streams {
    /// Opens the listeners and starts accepting. A wildcard IPv6 address also takes IPv4.
    ///
    /// # Errors
    /// [`BindError`] for the first address that cannot be listened on.
    pub fn start(
        runtime: &Handle,
        listeners: &[SocketAddr],
        limits: Limits,
        wake: Wake,
    ) -> Result<Self, BindError> {
        let (to_core, reports) = mpsc::channel(CORE_QUEUE);
        let seats = Arc::new(Seats::new(limits.connections, limits.connections_per_source));
        let context = Arc::new(Context { limits, seats, to_core, wake });
        let mut bound = Vec::with_capacity(listeners.len());
        let mut tasks = JoinSet::new();
        for address in listeners {
            let failed = |source| BindError { address: *address, source };
            // Registering a socket needs the runtime's context.
            let _guard = runtime.enter();
            let listener = listener::bind(*address).map_err(failed)?;
            bound.push(listener.local_addr().map_err(failed)?);
            tasks.spawn_on(listener::accept(listener, Arc::clone(&context)), runtime);
        }
        let runtime = runtime.clone();
        let outlets = HashMap::new();
        Ok(Self { context, runtime, reports, outlets, bound, _listeners: tasks })
    }

    /// Where we listen, with the ports the system chose.
    pub fn bound(&self) -> &[SocketAddr] {
        &self.bound
    }

    /// What happened at the listeners.
    pub fn counters(&self) -> Counters {
        self.context.seats.counters()
    }

    /// Connections that can be sent to.
    pub fn open(&self) -> usize {
        self.outlets.len()
    }

    /// The next thing the connections have for the core, or `None` until the next wake-up.
    pub fn poll(&mut self) -> Option<FromStream> {
        loop {
            match self.reports.try_recv().ok()? {
                Report::Opened { flow, outlet, token } => {
                    if let Some(connection) = flow.connection {
                        self.outlets.insert(connection, outlet);
                    }
                    if let Some(token) = token {
                        return Some(FromStream::Connected { token, flow });
                    }
                }
                Report::ToCore(news) => {
                    self.note(&news);
                    return Some(news);
                }
            }
        }
    }

    /// Queues bytes for a connection. One that does not take them is closed (architecture.md,
    /// rule 5).
    ///
    /// # Errors
    /// [`SendError`]; the bytes are lost then, and `Closed` follows where it has not been told yet.
    pub fn send(&mut self, connection: ConnectionId, bytes: Bytes) -> Result<(), SendError> {
        let outlet = self.outlets.get(&connection).ok_or(SendError::Gone)?;
        let last = outlet.answering;
        let sent = outlet.send(bytes);
        if last || sent.is_err() {
            self.close(connection);
        }
        sent
    }

    /// Opens a connection, from `local` where given; answered by `Connected` or `ConnectFailed`
    /// with the token.
    pub fn connect(&self, token: u64, local: Option<IpAddr>, remote: SocketAddr) {
        // The task ends with the connection, and that with its outlet.
        self.runtime.spawn(connect(Arc::clone(&self.context), token, local, remote));
    }

    /// Closes a connection once it has written what is queued; `Closed` follows.
    pub fn close(&mut self, connection: ConnectionId) {
        self.outlets.remove(&connection);
    }

    fn note(&mut self, news: &FromStream) {
        match news {
            FromStream::Malformed { flow, .. } => {
                let outlet = flow.connection.and_then(|it| self.outlets.get_mut(&it));
                if let Some(outlet) = outlet {
                    outlet.answering = true;
                }
            }
            FromStream::Closed { flow } => {
                if let Some(connection) = flow.connection {
                    self.outlets.remove(&connection);
                }
            }
            FromStream::Message { .. }
            | FromStream::Connected { .. }
            | FromStream::ConnectFailed { .. } => {}
        }
    }
}

impl Outlet {
    fn send(&self, bytes: Bytes) -> Result<(), SendError> {
        let len = bytes.len();
        // The other side adds but keep-alives, so this limit is exact enough in two steps.
        let queued = self.queued.load(Ordering::Relaxed);
        if queued + len > OUTPUT_BYTES {
            return Err(SendError::Full);
        }
        // What waits holds its own octets, which are counted, and not the block they were written in.
        let bytes = if queued == 0 { bytes } else { Bytes::copy_from_slice(&bytes) };
        self.queued.fetch_add(len, Ordering::Relaxed);
        self.queue.try_send(bytes).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Gone,
        })
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.left.notify_one();
    }
}

impl Context {
    /// Tells the core, waiting while it is behind. `false` when there is no core any more.
    async fn report(&self, report: Report) -> bool {
        let told = self.to_core.send(report).await.is_ok();
        (self.wake)();
        told
    }
}

/// Runs one connection that we open, from the attempt to its end.
async fn connect(context: Arc<Context>, token: u64, local: Option<IpAddr>, remote: SocketAddr) {
    let attempt = async {
        let seat = Seats::take_outgoing(&context.seats)
            .ok_or_else(|| std::io::Error::other("too many connections"))?;
        let attempt = timeout(context.limits.connect, socket::connect(local, remote));
        let stream = attempt.await.map_err(|_| std::io::ErrorKind::TimedOut)??;
        let flow = flow_of(&stream)?;
        Ok::<_, std::io::Error>((stream, flow, seat))
    };
    match attempt.await {
        Ok((stream, flow, seat)) => run(context, stream, flow, seat, Some(token)).await,
        Err(error) => {
            let error = error.to_string();
            let failed = FromStream::ConnectFailed { token, remote, error };
            context.report(Report::ToCore(failed)).await;
        }
    }
}

/// Runs one connection from its announcement to its end.
async fn run(
    context: Arc<Context>,
    stream: tokio::net::TcpStream,
    flow: Flow,
    seat: Seat,
    token: Option<u64>,
) {
    socket::tune(&stream);
    let (queue, outbox) = mpsc::channel(OUTPUT_MESSAGES);
    let queued = Arc::new(AtomicUsize::new(0));
    let left = Arc::new(Notify::new());
    let outlet =
        Outlet { queue, queued: Arc::clone(&queued), left: Arc::clone(&left), answering: false };
    if context.report(Report::Opened { flow, outlet, token }).await {
        let outgoing = token.is_some();
        let output = Output { queue: outbox, queued, left };
        Connection::new(Arc::clone(&context), stream, flow, output, outgoing).run().await;
    }
    drop(seat);
}

/// The flow of a new connection, with a name of its own.
fn flow_of(stream: &tokio::net::TcpStream) -> std::io::Result<Flow> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let local = socket::unmapped(stream.local_addr()?);
    let remote = socket::unmapped(stream.peer_addr()?);
    let connection = Some(ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed)));
    Ok(Flow { transport: Transport::Tcp, local, remote, connection })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_waits_behind_another_does_not_hold_its_block() {
        let (queue, mut outbox) = mpsc::channel(OUTPUT_MESSAGES);
        let (queued, left) = (Arc::default(), Arc::default());
        let outlet = Outlet { queue, queued, left, answering: false };
        let block = Bytes::from(vec![b'a'; 1000]);
        for from in [0, 10, 20] {
            outlet.send(block.slice(from..from + 10)).unwrap();
        }
        let first = outbox.try_recv().unwrap();
        assert_eq!(first.as_ptr(), block.as_ptr());
        drop(first);
        assert!(block.is_unique());
        assert_eq!([outbox.try_recv().unwrap(), outbox.try_recv().unwrap()], [&[b'a'; 10][..]; 2]);
    }
}
