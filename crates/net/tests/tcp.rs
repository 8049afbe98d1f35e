//! Real connections on the loopback, against [`Streams`] in the hands of a test.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use bytes::Bytes;
use net::{CORE_QUEUE, FromStream, Limits, OUTPUT_BYTES, OUTPUT_MESSAGES, SendError, Streams};
use sip::{ConnectionId, Flow, Transport};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

/// What must happen happens within this.
const SOON: Duration = Duration::from_secs(10);
/// For what must not happen; also the short limits in tests of limits.
const A_MOMENT: Duration = Duration::from_millis(150);

/// The core's side.
struct Edge {
    streams: Streams,
    woken: Arc<Notify>,
}

impl Edge {
    fn start(listener: &str, limits: Limits) -> Self {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let listeners = [listener.parse().unwrap()];
        let wake: net::Wake = Arc::new(move || wake.notify_one());
        let streams = Streams::start(&Handle::current(), &listeners, limits, wake).unwrap();
        Self { streams, woken }
    }

    fn local() -> Self {
        Self::start("127.0.0.1:0", Limits::default())
    }

    fn address(&self) -> SocketAddr {
        self.streams.bound()[0]
    }

    async fn phone(&self) -> TcpStream {
        timeout(SOON, TcpStream::connect(self.address())).await.unwrap().unwrap()
    }

    /// The next news, within [`SOON`].
    async fn next(&mut self) -> FromStream {
        timeout(SOON, self.wait()).await.expect("news for the core")
    }

    /// Whether nothing comes for a moment.
    async fn is_quiet(&mut self) -> bool {
        timeout(A_MOMENT, self.wait()).await.is_err()
    }

    async fn wait(&mut self) -> FromStream {
        loop {
            match self.streams.poll() {
                Some(news) => return news,
                None => self.woken.notified().await,
            }
        }
    }

    async fn message(&mut self) -> (Flow, Bytes) {
        match self.next().await {
            FromStream::Message { flow, bytes } => (flow, bytes),
            other => panic!("{other:?} instead of a message"),
        }
    }

    async fn closed(&mut self) -> Flow {
        match self.next().await {
            FromStream::Closed { flow } => flow,
            other => panic!("{other:?} instead of an end"),
        }
    }
}

fn id(flow: Flow) -> ConnectionId {
    flow.connection.unwrap()
}

fn options(cseq: usize, body: &str) -> String {
    format!(
        "OPTIONS sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/TCP phone.example;branch=z9hG4bK{cseq}\r\n\
         From: <sip:100@pbx.example>;tag=1\r\nTo: <sip:pbx.example>\r\nCall-ID: one@phone.example\r\n\
         CSeq: {cseq} OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn write(phone: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    timeout(SOON, phone.write_all(bytes.as_ref())).await.unwrap().unwrap();
}

/// What comes until the other side closes its sending side.
async fn read_to_end(phone: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    timeout(SOON, phone.read_to_end(&mut bytes)).await.expect("the end of the stream").unwrap();
    bytes
}

async fn read_exactly(phone: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    timeout(SOON, phone.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

#[tokio::test]
async fn messages_arrive_whole_however_they_are_cut() {
    let mut edge = Edge::local();
    let mut phone = edge.phone().await;
    let texts =
        [options(1, ""), options(2, "v=0\r\n"), options(3, "OPTIONS sip:x SIP/2.0\r\n\r\n")];
    // All at once, then octet by octet.
    write(&mut phone, texts.concat()).await;
    phone.set_nodelay(true).unwrap();
    for octet in texts.concat().as_bytes() {
        write(&mut phone, [*octet]).await;
    }
    for text in texts.iter().chain(&texts) {
        let (flow, bytes) = edge.message().await;
        assert_eq!(bytes, text.as_bytes());
        assert_eq!(flow.transport, Transport::Tcp);
        assert_eq!((flow.local, flow.remote), (edge.address(), phone.local_addr().unwrap()));
    }
}

#[tokio::test]
async fn answers_reach_their_connection() {
    let mut edge = Edge::local();
    let mut phones = [edge.phone().await, edge.phone().await];
    for (cseq, phone) in phones.iter_mut().enumerate() {
        write(phone, options(cseq, "")).await;
    }
    for _ in 0..2 {
        let (flow, bytes) = edge.message().await;
        edge.streams.send(id(flow), bytes).unwrap();
    }
    for (cseq, phone) in phones.iter_mut().enumerate() {
        let expected = options(cseq, "");
        assert_eq!(read_exactly(phone, expected.len()).await, expected.as_bytes());
    }
    assert_eq!(edge.streams.open(), 2);
    drop(phones);
    edge.closed().await;
    let flow = edge.closed().await;
    assert_eq!(edge.streams.open(), 0);
    assert_eq!(edge.streams.send(id(flow), Bytes::from_static(b"x")), Err(SendError::Gone));
}

#[tokio::test]
async fn a_dual_stack_listener_tells_addresses_of_ipv4_as_such() {
    let mut edge = Edge::start("[::]:0", Limits::default());
    for host in ["127.0.0.1", "::1"] {
        let place = SocketAddr::new(host.parse().unwrap(), edge.address().port());
        let mut phone = timeout(SOON, TcpStream::connect(place)).await.unwrap().unwrap();
        write(&mut phone, options(1, "")).await;
        let (flow, _) = edge.message().await;
        assert_eq!((flow.local, flow.remote), (place, phone.local_addr().unwrap()));
        drop(phone);
        assert_eq!(edge.closed().await, flow);
    }
}

#[tokio::test]
async fn lies_about_the_length_end_the_stream_behind_one_answer() {
    let good = options(1, "");
    let inner = options(2, "");
    for length in ["99999999999999999999", "-1", "x", "70000", "0\r\nContent-Length: 5"] {
        let mut edge = Edge::local();
        let mut phone = edge.phone().await;
        let lie = good.replace("Content-Length: 0", &format!("Content-Length: {length}"));
        write(&mut phone, [good.as_str(), &lie, &inner, &inner].concat()).await;
        let (flow, _) = edge.message().await;
        match edge.next().await {
            FromStream::Malformed { flow: same, head } => {
                assert_eq!(same, flow);
                assert!(head.starts_with(b"OPTIONS sip:pbx.example"), "{length}");
            }
            other => panic!("{length}: {other:?}"),
        }
        edge.streams
            .send(id(flow), Bytes::from_static(b"SIP/2.0 400 Bad Request\r\n\r\n"))
            .unwrap();
        assert_eq!(edge.streams.send(id(flow), Bytes::from_static(b"x")), Err(SendError::Gone));
        assert_eq!(read_to_end(&mut phone).await, b"SIP/2.0 400 Bad Request\r\n\r\n", "{length}");
        assert_eq!(edge.closed().await, flow);
        assert!(edge.is_quiet().await, "{length}: more was read out of a broken stream");
    }
}

#[tokio::test]
async fn junk_without_an_answer_is_closed_too() {
    let mut edge = Edge::start("127.0.0.1:0", Limits { flush: A_MOMENT, ..Limits::default() });
    let mut phone = edge.phone().await;
    write(&mut phone, "GET / HTTP/1.1\r\nHost: pbx.example\r\n\r\n").await;
    assert!(matches!(edge.next().await, FromStream::Malformed { .. }));
    edge.closed().await;
    assert_eq!(read_to_end(&mut phone).await, b"");
}

#[tokio::test]
async fn a_keep_alive_is_answered_here() {
    let mut edge = Edge::local();
    let mut phone = edge.phone().await;
    for _ in 0..3 {
        write(&mut phone, "\r\n\r\n").await;
        assert_eq!(read_exactly(&mut phone, 2).await, b"\r\n");
    }
    assert!(edge.is_quiet().await, "a keep-alive is no business of the core");
}

#[tokio::test]
async fn a_peer_that_closed_its_sending_side_still_hears_the_answer() {
    let mut edge = Edge::local();
    let mut phone = edge.phone().await;
    write(&mut phone, options(1, "")).await;
    phone.shutdown().await.unwrap();
    let (flow, bytes) = edge.message().await;
    edge.streams.send(id(flow), bytes.clone()).unwrap();
    assert_eq!(edge.closed().await, flow);
    assert_eq!(read_to_end(&mut phone).await, bytes);
}

#[tokio::test]
async fn closing_writes_what_is_queued() {
    let mut edge = Edge::local();
    let mut phone = edge.phone().await;
    write(&mut phone, options(1, "")).await;
    let (flow, _) = edge.message().await;
    for _ in 0..OUTPUT_MESSAGES {
        edge.streams.send(id(flow), Bytes::from_static(b"0123456789")).unwrap();
    }
    edge.streams.close(id(flow));
    assert_eq!(read_to_end(&mut phone).await.len(), 10 * OUTPUT_MESSAGES);
    assert_eq!(edge.closed().await, flow);
}

#[tokio::test]
async fn a_peer_that_goes_when_told_frees_its_place_at_once() {
    let never = Duration::from_secs(3600);
    let limits = Limits { connections: 1, flush: never, ..Limits::default() };
    let mut edge = Edge::start("127.0.0.1:0", limits);
    for cseq in 0..3 {
        // The place is free a little after the peer's end is seen.
        let (mut phone, flow) = loop {
            let mut phone = edge.phone().await;
            let _ = phone.write_all(options(cseq, "").as_bytes()).await;
            match timeout(A_MOMENT, edge.wait()).await {
                Ok(FromStream::Message { flow, .. }) => break (phone, flow),
                Ok(other) => panic!("{other:?}"),
                Err(_) => assert!(edge.streams.counters().refused_total < 20, "never freed"),
            }
        };
        edge.streams.close(id(flow));
        assert_eq!(read_to_end(&mut phone).await, b"");
        assert_eq!(edge.closed().await, flow);
    }
}

#[tokio::test]
async fn one_source_cannot_keep_another_out() {
    let limits = Limits { connections_per_source: 2, ..Limits::default() };
    let mut edge = Edge::start("127.0.0.1:0", limits);
    let mut greedy = Vec::new();
    for _ in 0..5 {
        greedy.push(edge.phone().await);
    }
    for refused in &mut greedy[2..] {
        assert_eq!(read_to_end(refused).await, b"");
    }
    let other = TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = timeout(SOON, other.connect(edge.address())).await.unwrap().unwrap();
    write(&mut other, options(1, "")).await;
    let (flow, _) = edge.message().await;
    assert_eq!(flow.remote, other.local_addr().unwrap());
    assert_eq!(edge.streams.counters().refused_source, 3);

    // An end makes room.
    drop(greedy);
    edge.closed().await;
    edge.closed().await;
    let mut again = edge.phone().await;
    write(&mut again, options(2, "")).await;
    edge.message().await;
}

#[tokio::test]
async fn useless_connections_are_closed() {
    let useless: [&[&str]; 4] = [&[], &["\r\n\r\n"], &["OPTIONS sip:"], &["OPTI", "ONS ", "sip:"]];
    let limits = [
        Limits { first_message: A_MOMENT, ..Limits::default() },
        Limits { first_message: A_MOMENT, ..Limits::default() },
        Limits { message: A_MOMENT, ..Limits::default() },
        Limits { message: A_MOMENT, ..Limits::default() },
    ];
    for (pieces, limits) in useless.into_iter().zip(limits) {
        let mut edge = Edge::start("127.0.0.1:0", limits);
        let mut phone = edge.phone().await;
        for piece in pieces {
            write(&mut phone, piece).await;
        }
        edge.closed().await;
        read_to_end(&mut phone).await;
    }
}

#[tokio::test]
async fn a_message_in_drops_is_closed_in_time_too() {
    let limits = Limits { message: 2 * A_MOMENT, ..Limits::default() };
    let mut edge = Edge::start("127.0.0.1:0", limits);
    let mut phone = edge.phone().await;
    let mut drops = options(1, &"x".repeat(500)).into_bytes().into_iter();
    // Waiting for the end is the pause between the drops.
    let end = loop {
        let drop = drops.next().expect("the connection is closed before the message is complete");
        write(&mut phone, [drop]).await;
        if let Ok(news) = timeout(A_MOMENT / 4, edge.wait()).await {
            break news;
        }
    };
    assert!(matches!(end, FromStream::Closed { .. }), "{end:?}");
    read_to_end(&mut phone).await;
}

#[tokio::test]
async fn a_used_connection_lasts_until_it_is_idle() {
    let limits = Limits { first_message: A_MOMENT, idle: 10 * A_MOMENT, ..Limits::default() };
    let mut edge = Edge::start("127.0.0.1:0", limits);
    let mut phone = edge.phone().await;
    write(&mut phone, options(1, "")).await;
    edge.message().await;
    // Past the limit for the first message, of which this one needs no second.
    assert!(edge.is_quiet().await && edge.is_quiet().await);
    edge.closed().await;
}

#[tokio::test]
async fn we_connect_and_talk() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = server.local_addr().unwrap();
    let mut edge =
        Edge::start("127.0.0.1:0", Limits { first_message: A_MOMENT, ..Limits::default() });
    edge.streams.connect(7, Some("127.0.0.3".parse().unwrap()), remote);
    let (mut phone, from) = timeout(SOON, server.accept()).await.unwrap().unwrap();
    assert_eq!(from.ip().to_string(), "127.0.0.3");
    let FromStream::Connected { token: 7, flow } = edge.next().await else { panic!() };
    assert_eq!((flow.remote, flow.local), (remote, from));
    let request = options(1, "");
    edge.streams.send(id(flow), request.clone().into()).unwrap();
    assert_eq!(read_exactly(&mut phone, request.len()).await, request.as_bytes());
    // Our own connection need not bring a message early.
    assert!(edge.is_quiet().await && edge.is_quiet().await);
    write(&mut phone, &request).await;
    assert_eq!(edge.message().await.0, flow);
}

#[tokio::test]
async fn connecting_fails_in_words() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let none_left = Limits { connections: 0, ..Limits::default() };
    let table = [(Limits::default(), "refused"), (none_left, "too many connections")];
    for (limits, reason) in table {
        let mut edge = Edge::start("127.0.0.1:0", limits);
        edge.streams.connect(9, None, closed);
        match edge.next().await {
            FromStream::ConnectFailed { token: 9, remote, error } => {
                assert_eq!(remote, closed);
                assert!(error.contains(reason), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn connecting_takes_no_longer_than_its_limit() {
    // Nobody accepts, so the system stops answering when its short queue is full.
    let deaf = TcpSocket::new_v4().unwrap();
    deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let deaf = deaf.listen(1).unwrap();
    let mut edge = Edge::start("127.0.0.1:0", Limits { connect: A_MOMENT, ..Limits::default() });
    for token in 0..10 {
        edge.streams.connect(token, None, deaf.local_addr().unwrap());
        if let FromStream::ConnectFailed { error, .. } = edge.next().await {
            assert!(error.contains("timed out"), "{error}");
            return;
        }
    }
    panic!("all of them connected");
}

#[tokio::test]
async fn a_core_that_is_behind_stops_the_sender_and_loses_nothing() {
    // Waiting for the core is not idleness.
    let limits = Limits { idle: 2 * A_MOMENT, ..Limits::default() };
    let mut edge = Edge::start("127.0.0.1:0", limits);
    let mut phone = edge.phone().await;
    let body = "x".repeat(8000);
    let mut sent = 0;
    // The queue, then the system's buffers fill; then nothing more is taken.
    while timeout(5 * A_MOMENT, phone.write_all(options(sent, &body).as_bytes())).await.is_ok() {
        sent += 1;
        assert!(sent < 20 * CORE_QUEUE, "the sender is never stopped");
    }
    assert!(sent > CORE_QUEUE);
    for cseq in 0..sent {
        let (_, bytes) = edge.message().await;
        assert_eq!(bytes, options(cseq, &body).as_bytes());
    }
    // Half of one more message may have been written.
    drop(phone);
    edge.closed().await;
}

#[tokio::test]
async fn a_connection_that_takes_nothing_is_closed() {
    let long = Bytes::from(vec![b'x'; 60 * 1024]);
    let short = Bytes::from_static(b"x");
    for (bytes, most) in [(long, OUTPUT_BYTES / (60 * 1024)), (short, OUTPUT_MESSAGES)] {
        let mut edge = Edge::start("127.0.0.1:0", Limits { flush: A_MOMENT, ..Limits::default() });
        let mut phone = edge.phone().await;
        write(&mut phone, options(1, "")).await;
        let (flow, _) = edge.message().await;
        // Without a wait in between, so that the connection's task takes none of them.
        let sent = (0..).take_while(|_| edge.streams.send(id(flow), bytes.clone()).is_ok()).count();
        assert_eq!(sent, most);
        assert_eq!(edge.streams.open(), 0);
        assert_eq!(edge.closed().await, flow);
    }
}

#[tokio::test]
async fn a_connection_that_the_system_takes_nothing_for_ends_in_time() {
    let long = Bytes::from(vec![b'x'; 60 * 1024]);
    let mut edge = Edge::start("127.0.0.1:0", Limits { flush: A_MOMENT, ..Limits::default() });
    let mut phone = edge.phone().await;
    write(&mut phone, options(1, "")).await;
    let (flow, _) = edge.message().await;
    // Its task gets a turn after each, until the system's buffers are full.
    while edge.streams.send(id(flow), long.clone()).is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(edge.closed().await, flow);
}

#[tokio::test]
async fn every_connection_has_its_end_when_the_core_goes() {
    let mut edge = Edge::local();
    let mut phone = edge.phone().await;
    let mut silent = edge.phone().await;
    write(&mut phone, options(1, "")).await;
    let (flow, bytes) = edge.message().await;
    edge.streams.send(id(flow), bytes.clone()).unwrap();
    let address = edge.address();
    drop(edge);
    assert_eq!(read_to_end(&mut phone).await, bytes, "the last words go out");
    assert_eq!(read_to_end(&mut silent).await, b"");
    let refused = timeout(SOON, TcpStream::connect(address)).await.unwrap();
    assert!(refused.is_err(), "the listener is closed");
}

#[tokio::test]
async fn a_taken_port_is_an_error_with_its_address() {
    let edge = Edge::local();
    let wake: net::Wake = Arc::new(|| {});
    let again = Streams::start(&Handle::current(), &[edge.address()], Limits::default(), wake);
    assert_eq!(again.err().unwrap().address, edge.address());
}
