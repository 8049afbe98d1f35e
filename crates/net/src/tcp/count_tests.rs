//! What messages over a connection cost in reads, writes and wake-ups: counted, on the test's own thread.
#![allow(clippy::unwrap_used)]

use super::{FromStream, Limits, Streams, Wake};
use bytes::Bytes;
use sip::ConnectionId;
use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::time::timeout;

/// What must happen happens within this.
const SOON: Duration = Duration::from_secs(10);

/// The least of so many counts: on a busy machine a connection may be told twice of the same octets.
const TRIES: usize = 8;

/// What an act costs where nothing disturbs it.
async fn least(mut act: impl AsyncFnMut()) -> Done {
    let mut least = Done { rounds: u64::MAX, ..Done::default() };
    for _ in 0..TRIES {
        DONE.set(Done::default());
        act().await;
        least = least.min(DONE.get());
    }
    least
}

/// What was done on this thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Done {
    /// How often a connection waited.
    pub(super) rounds: u64,
    pub(super) reads: u64,
    pub(super) writes: u64,
    /// How often the core was woken.
    pub(super) wakes: u64,
}

thread_local! {
    static DONE: Cell<Done> = const { Cell::new(Done { rounds: 0, reads: 0, writes: 0, wakes: 0 }) };
}

pub(super) fn count(add: impl FnOnce(&mut Done)) {
    let mut done = DONE.get();
    add(&mut done);
    DONE.set(done);
}

/// A phone that is connected, and the core's end, on one thread.
struct Edge {
    streams: Streams,
    woken: Arc<Notify>,
    phone: TcpStream,
}

impl Edge {
    fn new() -> Self {
        let woken = Arc::new(Notify::new());
        let tells = Arc::clone(&woken);
        let wake: Wake = Arc::new(move || {
            count(|it| it.wakes += 1);
            tells.notify_one();
        });
        let address = "127.0.0.1:0".parse().unwrap();
        let limits = Limits::default();
        let streams = Streams::start(&Handle::current(), &[address], limits, wake).unwrap();
        let phone = TcpStream::connect(streams.bound()[0]).unwrap();
        Self { streams, woken, phone }
    }

    /// Until so many messages have come; the connection they came over.
    async fn take(&mut self, messages: usize) -> ConnectionId {
        let mut connection = None;
        let mut taken = 0;
        while taken < messages {
            if let Some(FromStream::Message { flow, .. }) = self.streams.poll() {
                taken += 1;
                connection = flow.connection;
            } else {
                timeout(SOON, self.woken.notified()).await.unwrap();
            }
        }
        connection.unwrap()
    }
}

/// A message of so many octets.
fn message(octets: usize) -> Vec<u8> {
    let head = |body| format!("MESSAGE sip:1@a SIP/2.0\r\nContent-Length: {body:05}\r\n\r\n");
    let body = octets - head(0).len();
    [head(body).into_bytes(), vec![b'x'; body]].concat()
}

#[test]
fn what_came_is_read_once_told_at_once_and_answered_together() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut edge = Edge::new();
        edge.phone.write_all(&message(500)).unwrap();
        let connection = edge.take(1).await;
        #[rustfmt::skip]
        let table: [(&str, usize, usize, Done); 3] = [
            // messages of so many octets, written together
            ("one message",       1, 500,   Done { rounds: 1, reads: 1, wakes: 1, writes: 0 }),
            ("some together",     3, 500,   Done { rounds: 1, reads: 1, wakes: 3, writes: 0 }),
            ("more than a chunk", 1, 6_000, Done { rounds: 2, reads: 2, wakes: 1, writes: 0 }),
        ];
        for (what, messages, octets, expected) in table {
            let least = least(async || {
                edge.phone.write_all(&message(octets).repeat(messages)).unwrap();
                assert_eq!(edge.take(messages).await, connection);
            });
            assert_eq!(least.await, expected, "{what}");
        }
        let least = least(async || {
            for _ in 0..3 {
                edge.streams.send(connection, Bytes::from_static(b"SIP/2.0 200 OK\r\n")).unwrap();
            }
            // The connection has its turn when this waits.
            tokio::task::yield_now().await;
        });
        assert_eq!(least.await, Done { rounds: 1, reads: 0, wakes: 0, writes: 3 });
        let mut answers = [0; 48 * TRIES];
        edge.phone.read_exact(&mut answers).unwrap();
    });
}
