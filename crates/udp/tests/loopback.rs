//! Sockets of this crate talking to each other over loopback: families, addresses, batches.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use udp::{Batch, Events, Options, Poller, Socket, Transmit};

const PATIENCE: Duration = Duration::from_secs(5);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn bind(text: &str) -> Socket {
    let few = Options { receive_buffer: 256 << 10, ..Options::SIGNALLING };
    Socket::bind(address(text), few).unwrap()
}

/// Whether this machine has IPv6; says so where it has not.
fn has_ipv6(test: &str) -> bool {
    let found = std::net::UdpSocket::bind("[::1]:0").is_ok();
    if !found {
        testkit::skip::skip(test, "no IPv6");
    }
    found
}

/// Waits until the socket has something, then receives it.
fn receive(socket: &Socket, batch: &mut Batch) -> usize {
    let poller = Poller::new().unwrap();
    poller.add(socket, 0).unwrap();
    poller.wait(&mut Events::new(1), Some(PATIENCE)).unwrap();
    socket.recv_batch(batch).unwrap()
}

fn text(bytes: &'static str, to: SocketAddr) -> Transmit<'static> {
    Transmit { to, source: None, bytes: bytes.as_bytes() }
}

#[test]
fn an_answer_leaves_from_the_address_asked() {
    if !has_ipv6("udp::an_answer_leaves_from_the_address_asked") {
        return;
    }
    // The server is dual-stack; what it sees of IPv4 is plain IPv4.
    let server = bind("[::]:0");
    let port = server.local_addr().port();
    for (phone, asked) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("127.0.0.1:0", "127.0.0.2"),
        ("127.0.0.3:0", "127.0.0.2"),
        ("[::1]:0", "::1"),
    ] {
        let phone = bind(phone);
        let asked: IpAddr = asked.parse().unwrap();
        phone.send_to(&text("question", SocketAddr::new(asked, port))).unwrap();

        let mut batch = Batch::new(4, 2048);
        assert_eq!(receive(&server, &mut batch), 1);
        let question = batch.iter().next().unwrap();
        assert_eq!(question.bytes, b"question");
        assert_eq!(question.remote, phone.local_addr());
        assert_eq!(question.local, asked);

        let (to, source) = (question.remote, Some(question.local));
        server.send_to(&Transmit { to, source, bytes: b"answer" }).unwrap();
        assert_eq!(receive(&phone, &mut batch), 1);
        let answer = batch.iter().next().unwrap();
        assert_eq!(answer.bytes, b"answer");
        assert_eq!(answer.remote, SocketAddr::new(asked, port));
    }
}

#[test]
fn a_v4_socket_knows_its_addresses_too() {
    let server = bind("0.0.0.0:0");
    let phone = bind("127.0.0.1:0");
    let asked = SocketAddr::new("127.0.0.2".parse().unwrap(), server.local_addr().port());
    phone.send_to(&text("question", asked)).unwrap();
    let mut batch = Batch::new(1, 2048);
    assert_eq!(receive(&server, &mut batch), 1);
    let question = batch.iter().next().unwrap();
    assert_eq!((question.remote, question.local), (phone.local_addr(), asked.ip()));
    let (to, source) = (question.remote, Some(question.local));
    server.send_to(&Transmit { to, source, bytes: b"answer" }).unwrap();
    receive(&phone, &mut batch);
    assert_eq!(batch.iter().next().unwrap().remote, asked);
}

#[test]
fn a_v4_mapped_address_binds_plain() {
    let socket = bind("[::ffff:127.0.0.1]:0");
    assert_eq!(socket.local_addr().ip(), IpAddr::from([127, 0, 0, 1]));
}

#[test]
fn without_packet_information_the_bound_address_stands_in() {
    let bound = Socket::bind(address("127.0.0.1:0"), Options::MEDIA).unwrap();
    bind("127.0.0.1:0").send_to(&text("x", bound.local_addr())).unwrap();
    let mut batch = Batch::new(1, 16);
    receive(&bound, &mut batch);
    assert_eq!(batch.iter().next().unwrap().local, bound.local_addr().ip());
}

#[test]
fn a_batch_is_sent_whole_and_received_in_order() {
    let server = bind("[::]:0");
    let phone = bind("127.0.0.1:0");
    let to = SocketAddr::new("127.0.0.1".parse().unwrap(), server.local_addr().port());
    let payloads: Vec<[u8; 2]> = (0..100_u16).map(u16::to_be_bytes).collect();
    let transmits: Vec<_> =
        payloads.iter().map(|it| Transmit { to, source: None, bytes: it }).collect();
    let outcome = phone.send_batch(&transmits);
    assert_eq!((outcome.sent, outcome.refused, outcome.would_block), (100, 0, false));

    let mut batch = Batch::new(32, 64);
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    while seen.len() < 100 {
        sizes.push(receive(&server, &mut batch));
        assert_ne!(sizes.last(), Some(&0), "the rest never came: {sizes:?}");
        seen.extend(batch.iter().map(|it| it.bytes.to_vec()));
    }
    assert_eq!(sizes, [32, 32, 32, 4]);
    assert!(seen.iter().zip(&payloads).all(|(got, sent)| got == sent));
    assert_eq!(server.recv_batch(&mut batch).unwrap(), 0);
    assert_eq!(batch.iter().count(), 0);
}

#[test]
fn a_refused_datagram_does_not_hold_up_the_others() {
    let server = bind("127.0.0.1:0");
    let good = text("good", server.local_addr());
    let not_our_address = Transmit { source: Some("192.0.2.77".parse().unwrap()), ..good };
    let other_family = text("lost", address("[2001:db8::1]:9"));
    let too_long = vec![0; 70_000];
    let too_long = Transmit { bytes: &too_long, ..good };

    let phone = bind("127.0.0.1:0");
    let outcome = phone.send_batch(&[good, not_our_address, other_family, good, too_long, good]);
    assert_eq!((outcome.sent, outcome.refused, outcome.would_block), (3, 3, false));
    assert!(outcome.error.is_some());
    let mut batch = Batch::new(8, 64);
    assert_eq!(receive(&server, &mut batch), 3);
    // One alone takes the other path through the code.
    let outcome = phone.send_batch(&[not_our_address]);
    assert_eq!((outcome.sent, outcome.refused), (0, 1));
}

#[test]
fn a_datagram_longer_than_its_room_is_dropped_and_counted() {
    let server = bind("127.0.0.1:0");
    let phone = bind("127.0.0.1:0");
    let to = server.local_addr();
    for bytes in ["12345678", "123456789", "1", ""] {
        phone.send_to(&text(bytes, to)).unwrap();
    }
    let mut batch = Batch::new(8, 8);
    assert_eq!(receive(&server, &mut batch), 4);
    let lengths: Vec<_> = batch.iter().map(|it| it.bytes.len()).collect();
    assert_eq!(lengths, [8, 1, 0]);
    assert_eq!(batch.truncated(), 1);
}

#[test]
fn a_port_in_use_is_refused_by_name() {
    let taken = bind("[::]:0");
    let again = Socket::bind(taken.local_addr(), Options::MEDIA).unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AddrInUse);
    assert!(again.to_string().contains(&taken.local_addr().port().to_string()), "{again}");
    // An address of one family keeps the dual-stack socket away, too.
    let v4 = bind("127.0.0.1:0");
    let port = v4.local_addr().port();
    let both = Socket::bind(SocketAddr::new(IpAddr::from([0_u16; 8]), port), Options::MEDIA);
    assert_eq!(both.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn both_families_carry_the_code_point() {
    if !has_ipv6("udp::both_families_carry_the_code_point") {
        return;
    }
    let socket = Socket::bind(address("[::]:0"), Options::MEDIA).unwrap();
    let view = socket2::SockRef::from(&socket);
    assert_eq!(view.tos_v4().unwrap(), u32::from(udp::DSCP_EF) << 2);
    assert_eq!(view.tclass_v6().unwrap(), u32::from(udp::DSCP_EF) << 2);
}
