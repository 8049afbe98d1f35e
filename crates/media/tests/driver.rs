//! The media edge on loopback: fake phones, real sockets, the core played by the test.
#![allow(clippy::unwrap_used)]
#![expect(clippy::wildcard_enum_match_arm, reason = "what else came belongs into the panic")]

use media::{Config, Lost, Media};
use pbx::digit::{Digit, Press};
use pbx::id::CallId;
use pbx::media::{
    Command, DigitWay, Digits, Event, Expect, Figures, Link, MediaSource, Plan, PortPair, Rtcp,
    Stream, StreamId, TelephoneEvents, Transport, TransportId,
};
use smallvec::smallvec;
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(10);

/// The media edge and what it said.
struct Edge {
    media: Media,
    events: Receiver<Event>,
    ready: VecDeque<PortPair>,
}

impl Edge {
    fn start(config: Config) -> Self {
        let (sender, events) = sync_channel(1000);
        let events_in = move |event| {
            sender.try_send(event).map_err(|it| match it {
                TrySendError::Full(event) | TrySendError::Disconnected(event) => event,
            })
        };
        let media = Media::start(config, events_in, |lost| panic!("{lost}"));
        Self { media: media.unwrap(), events, ready: VecDeque::new() }
    }

    /// The next event that is neither about ports nor progress.
    fn event(&mut self) -> Event {
        loop {
            match self.events.recv_timeout(PATIENCE).expect("an event") {
                Event::PortsReady { pairs } => self.ready.extend(pairs),
                Event::Progress { .. } => {}
                event => return event,
            }
        }
    }

    fn lease(&mut self) -> PortPair {
        while self.ready.is_empty() {
            self.wait_for_ports();
        }
        self.ready.pop_front().unwrap()
    }

    /// Waits until this pair is ready.
    fn wait_for(&mut self, pair: PortPair) {
        while !self.ready.contains(&pair) {
            self.wait_for_ports();
        }
    }

    fn wait_for_ports(&mut self) {
        match self.events.recv_timeout(PATIENCE).expect("ports") {
            Event::PortsReady { pairs } => self.ready.extend(pairs),
            other => panic!("{other:?}, where only ports were due"),
        }
    }

    fn configure(&mut self, number: u128, plan: Plan) {
        let revision = plan.revision;
        self.media.command(Command::Configure { call: call(number), plan }).unwrap();
        let configured = Event::Configured { call: call(number), revision };
        assert_eq!(self.event(), configured);
    }

    fn close(&mut self, number: u128) -> Vec<Figures> {
        self.media.command(Command::Close { call: call(number), pairs: smallvec![] }).unwrap();
        match self.event() {
            Event::Closed { call: closed, figures } if closed == call(number) => figures,
            other => panic!("{other:?}, where the session was to close"),
        }
    }
}

fn call(number: u128) -> CallId {
    CallId(Uuid::from_u128(number))
}

/// Ports that are free as far as one can tell; those that are not, the edge skips.
fn some_ports(pairs: u16) -> RangeInclusive<u16> {
    let probe = loop {
        let port = UdpSocket::bind("[::]:0").unwrap().local_addr().unwrap().port();
        if port < 60_000 {
            break port;
        }
    };
    probe..=probe + 2 * pairs + 40
}

fn config() -> Config {
    Config { ports: some_ports(8), spare_pairs: 4, rest: Duration::ZERO, ..Config::default() }
}

/// A phone with an RTP and an RTCP socket.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Phone {
    fn at(address: &str) -> Self {
        let bind = |port| {
            let socket = UdpSocket::bind((address.parse::<IpAddr>().unwrap(), port)).ok()?;
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            Some(socket)
        };
        loop {
            let rtp = bind(0).unwrap();
            let port = rtp.local_addr().unwrap().port();
            // The neighbour may be somebody else's.
            if let Some(rtcp) = port.checked_add(1).and_then(bind) {
                return Self { rtp, rtcp };
            }
        }
    }

    fn address(&self) -> SocketAddr {
        self.rtp.local_addr().unwrap()
    }

    fn transport(&self, id: u8, ports: PortPair, source: &str, rtcp: Rtcp) -> Transport {
        Transport {
            id: TransportId(id),
            ports,
            source: source.parse().unwrap(),
            rtcp,
            expect: Expect {
                advertised: Some(self.address()),
                signalling: self.address().ip(),
                policy: MediaSource::Auto,
                generation: 1,
            },
            watched: true,
        }
    }
}

/// Both transports carry one stream each, linked to each other.
fn two_way(a: Transport, b: Transport) -> Plan {
    let stream = |id, transport| Stream { id: StreamId(id), transport, line: 0 };
    let link = |from, to| Link { from: StreamId(from), to: StreamId(to) };
    Plan {
        revision: 1,
        streams: [stream(0, a.id), stream(1, b.id)].into(),
        transports: vec![a, b],
        links: [link(0, 1), link(1, 0)].into(),
        silence_ms: None,
        digits: None,
        tone: None,
    }
}

fn rtp(sequence: u16, ssrc: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend([0, 0, 0, ssrc]);
    packet.resize(172, ssrc);
    packet
}

fn receiver_report(ssrc: u8) -> Vec<u8> {
    vec![0x80, 201, 0, 1, 0, 0, 0, ssrc]
}

fn hear(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut room = [0; 4096];
    let (length, from) = socket.recv_from(&mut room).expect("media");
    (room[..length].to_vec(), from)
}

/// Whatever waits in the socket.
fn overheard(socket: &UdpSocket) -> Vec<Vec<u8>> {
    socket.set_nonblocking(true).unwrap();
    let mut room = [0; 4096];
    let mut heard = Vec::new();
    while let Ok((length, _)) = socket.recv_from(&mut room) {
        heard.push(room[..length].to_vec());
    }
    heard
}

const SEPARATE: Rtcp = Rtcp::Separate { remote: None };

#[test]
fn two_phones_hear_each_other_and_nobody_else() {
    #[rustfmt::skip]
    let table = [
        // alice       our side of alice   bob         our side of bob   bob's RTCP
        ("127.0.0.1",  "127.0.0.1",        "127.0.0.1", "127.0.0.1",     SEPARATE),
        ("127.0.0.1",  "127.0.0.2",        "127.0.0.3", "127.0.0.1",     SEPARATE),
        ("127.0.0.1",  "127.0.0.2",        "::1",       "::1",           SEPARATE),
        ("::1",        "::1",              "::1",       "::1",           SEPARATE),
        ("127.0.0.1",  "127.0.0.1",        "127.0.0.1", "127.0.0.1",     Rtcp::Muxed),
    ];
    let has_ipv6 = UdpSocket::bind("[::1]:0").is_ok();
    if !has_ipv6 {
        testkit::skip::skip("media::two_phones_hear_each_other_over_ipv6", "no IPv6");
    }
    for (alice, our_a, bob, our_b, rtcp) in table {
        if bob.contains(':') && !has_ipv6 {
            continue;
        }
        let name = format!("{alice} - {our_a} = {our_b} - {bob}, {rtcp:?}");
        let mut edge = Edge::start(config());
        let (alice, bob, mallory) = (Phone::at(alice), Phone::at(bob), Phone::at("127.0.0.9"));
        let (a, b) = (edge.lease(), edge.lease());
        edge.configure(
            1,
            two_way(alice.transport(0, a, our_a, SEPARATE), bob.transport(1, b, our_b, rtcp)),
        );
        let to = |ip: &str, port| SocketAddr::new(ip.parse().unwrap(), port);
        let (to_a, to_b) = (to(our_a, a.rtp), to(our_b, b.rtp));
        let bob_reports =
            if rtcp == Rtcp::Muxed { (&bob.rtp, b.rtp) } else { (&bob.rtcp, b.rtcp()) };

        // Before, between and after the phones, to every port.
        let spray = |sequence| {
            for port in [a.rtp, a.rtcp(), b.rtp, b.rtcp()] {
                mallory.rtp.send_to(&rtp(sequence, 9), to("127.0.0.1", port)).unwrap();
            }
        };
        spray(0);
        for sequence in 0..50 {
            alice.rtp.send_to(&rtp(sequence, 1), to_a).unwrap();
            assert_eq!(hear(&bob.rtp), (rtp(sequence, 1), to_b), "{name}");
            bob.rtp.send_to(&rtp(sequence, 2), to_b).unwrap();
            assert_eq!(hear(&alice.rtp), (rtp(sequence, 2), to_a), "{name}");
            spray(sequence);
        }
        alice.rtcp.send_to(&receiver_report(1), to(our_a, a.rtcp())).unwrap();
        assert_eq!(hear(bob_reports.0), (receiver_report(1), to(our_b, bob_reports.1)), "{name}");
        bob_reports.0.send_to(&receiver_report(2), to(our_b, bob_reports.1)).unwrap();
        assert_eq!(hear(&alice.rtcp), (receiver_report(2), to(our_a, a.rtcp())), "{name}");

        for phone in [&alice, &bob] {
            let remote = phone.address();
            assert!(matches!(edge.event(), Event::Latched { remote: it, .. } if it == remote));
        }
        let figures = edge.close(1);
        let total: u64 = figures.iter().map(|it| it.refused).sum();
        assert!(
            figures.iter().all(|it| (it.packets_in, it.packets_out) == (50, 50)),
            "{figures:?}"
        );
        assert!(figures.iter().all(|it| (it.bytes_in, it.lost_in) == (50 * 172, 0)), "{figures:?}");
        let expected = 4 * 51;
        assert!(total <= expected && total >= expected - 8, "{total} refused: {name}");
        for socket in [&alice.rtp, &alice.rtcp, &bob.rtp, &bob.rtcp, &mallory.rtp, &mallory.rtcp] {
            assert_eq!(overheard(socket), Vec::<Vec<u8>>::new(), "{name}");
        }
        edge.media.shutdown();
    }
}

#[test]
fn a_burst_is_relayed_in_order() {
    let mut edge = Edge::start(config());
    let (alice, bob) = (Phone::at("127.0.0.1"), Phone::at("127.0.0.1"));
    let (a, b) = (edge.lease(), edge.lease());
    edge.configure(
        1,
        two_way(
            alice.transport(0, a, "127.0.0.1", SEPARATE),
            bob.transport(1, b, "127.0.0.1", SEPARATE),
        ),
    );
    for sequence in 0..100 {
        alice.rtp.send_to(&rtp(sequence, 1), ("127.0.0.1", a.rtp)).unwrap();
    }
    for sequence in 0..100 {
        assert_eq!(hear(&bob.rtp).0, rtp(sequence, 1));
    }
}

#[test]
fn an_echo_gives_back_the_voice_and_nothing_else() {
    let mut edge = Edge::start(config());
    let alice = Phone::at("127.0.0.1");
    let ports = edge.lease();
    let stream = Stream { id: StreamId(0), transport: TransportId(0), line: 0 };
    let plan = Plan {
        revision: 1,
        transports: vec![alice.transport(0, ports, "127.0.0.1", SEPARATE)],
        streams: smallvec![stream],
        links: smallvec![Link { from: StreamId(0), to: StreamId(0) }],
        silence_ms: None,
        digits: None,
        tone: None,
    };
    edge.configure(1, plan);
    alice.rtcp.send_to(&receiver_report(1), ("127.0.0.1", ports.rtcp())).unwrap();
    for sequence in 0..10 {
        alice.rtp.send_to(&rtp(sequence, 1), ("127.0.0.1", ports.rtp)).unwrap();
        assert_eq!(hear(&alice.rtp).0, rtp(sequence, 1));
    }
    assert!(matches!(edge.event(), Event::Latched { .. }));
    let figures = edge.close(1);
    assert_eq!((figures[0].packets_in, figures[0].packets_out), (10, 10));
    assert_eq!(overheard(&alice.rtcp), Vec::<Vec<u8>>::new());
}

#[test]
fn ports_come_back_after_their_rest_and_without_what_came_late() {
    let mut edge = Edge::start(Config { rest: Duration::from_millis(300), ..config() });
    let alice = Phone::at("127.0.0.1");
    let (a, b) = (edge.lease(), edge.lease());
    let plan = |revision, generation| {
        let mut first = alice.transport(0, a, "127.0.0.1", SEPARATE);
        first.expect.generation = generation;
        let second = alice.transport(1, b, "127.0.0.1", SEPARATE);
        Plan { revision, ..two_way(first, second) }
    };
    edge.configure(1, plan(1, 1));
    // The second transport goes; its pair comes back while the session lives.
    let mut one = plan(2, 1);
    one.transports.pop();
    one.streams.pop();
    one.links.clear();
    edge.configure(1, one);
    edge.wait_for(b);
    assert!(!edge.ready.contains(&a));

    #[expect(clippy::disallowed_methods, reason = "the rest is measured")]
    let before = Instant::now();
    assert_eq!(edge.close(1).len(), 1);
    alice.rtp.send_to(&rtp(7, 1), ("127.0.0.1", a.rtp)).unwrap();
    edge.wait_for(a);
    assert!(before.elapsed() >= Duration::from_millis(300));

    alice.rtp.send_to(&rtp(8, 1), ("127.0.0.1", a.rtp)).unwrap();
    edge.configure(2, Plan { revision: 1, ..plan(1, 1) });
    let figures = edge.close(2);
    assert_eq!(figures[0].packets_in, 0, "late packets are of the old session");
}

#[test]
fn ports_that_others_hold_are_skipped() {
    let ports = some_ports(8);
    let first = ports.start().next_multiple_of(2);
    // The odd port of one pair, the even one of another.
    let others = [first + 3, first + 4];
    let _others = others.map(|port| UdpSocket::bind(("127.0.0.1", port)).unwrap());
    let mut edge = Edge::start(Config { ports: ports.clone(), ..config() });
    let leased: Vec<_> = (0..4).map(|_| edge.lease()).collect();
    assert!(leased.iter().all(|it| it.rtp % 2 == 0 && ports.contains(&it.rtcp())), "{leased:?}");
    assert!(leased.iter().all(|it| ![first + 2, first + 4].contains(&it.rtp)), "{leased:?}");
    assert_eq!(edge.media.totals().pairs_free, 4);
    assert!(edge.media.totals().pairs_taken >= 2);
}

#[test]
fn a_range_without_a_free_pair_is_an_error() {
    let taken = UdpSocket::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port() & !1;
    let nothing = |_| Ok(());
    assert!(Media::start(Config { ports: port..=port + 1, ..config() }, nothing, |_| {}).is_err());
    assert!(Media::start(Config { ports: 7..=8, ..config() }, nothing, |_| {}).is_err());
}

#[test]
fn pairs_are_bound_ahead_of_need_up_to_the_range() {
    let mut edge = Edge::start(Config { ports: some_ports(40), spare_pairs: 2, ..config() });
    let alice = Phone::at("127.0.0.1");
    // Twenty pairs in use ask for five free ones.
    for number in 0..10 {
        let (a, b) = (edge.lease(), edge.lease());
        let transport = |id, pair| alice.transport(id, pair, "127.0.0.1", SEPARATE);
        edge.configure(number, two_way(transport(0, a), transport(1, b)));
    }
    let totals = edge.media.totals();
    assert_eq!((totals.pairs_used, totals.sessions), (20, 10));
    for _ in 0..5 {
        edge.lease();
    }
}

#[test]
fn pairs_are_bound_beyond_what_the_core_leased() {
    let mut edge = Edge::start(Config { ports: some_ports(100), spare_pairs: 2, ..config() });
    // Forty leased, none in a session yet: the quarter beyond them is ten.
    edge.media.command(Command::Want { leased: 40 }).unwrap();
    for _ in 0..50 {
        edge.lease();
    }
    assert_eq!(edge.media.totals().pairs_free, 50);
}

#[test]
fn a_session_that_fails_gives_its_ports_back() {
    let mut edge = Edge::start(config());
    let alice = Phone::at("127.0.0.1");
    let pairs: Vec<_> = (0..4).map(|_| edge.lease()).collect();
    let transport = |id, pair| alice.transport(id, pair, "127.0.0.1", SEPARATE);
    let not_bound = PortPair { rtp: 2 };
    let mut senseless = two_way(transport(0, pairs[0]), transport(1, pairs[1]));
    senseless.streams.pop();

    edge.configure(1, two_way(transport(0, pairs[2]), transport(1, pairs[3])));
    let plans = [
        two_way(transport(0, pairs[0]), transport(1, not_bound)),
        two_way(transport(0, not_bound), transport(1, pairs[0])),
        senseless,
    ];
    for plan in plans {
        for number in [2, 1] {
            let command = Command::Configure { call: call(number), plan: plan.clone() };
            edge.media.command(command).unwrap();
            let failed = edge.event();
            assert!(
                matches!(&failed, Event::Failed { call: it, .. } if *it == call(number)),
                "{failed:?}"
            );
            edge.wait_for(pairs[0]);
            edge.ready.retain(|it| !pairs.contains(it));
        }
    }
    // Another session's ports are not to be had.
    let stolen = two_way(transport(0, pairs[2]), transport(1, pairs[3]));
    edge.media.command(Command::Configure { call: call(2), plan: stolen }).unwrap();
    assert!(matches!(edge.event(), Event::Failed { .. }));
    // What failed left the running session as it was, and none behind.
    alice.rtp.send_to(&rtp(1, 1), ("127.0.0.1", pairs[2].rtp)).unwrap();
    assert_eq!(hear(&alice.rtp).0, rtp(1, 1));
    assert_eq!(edge.media.totals().sessions, 1);
    assert!(matches!(edge.event(), Event::Latched { .. }));
    assert_eq!(edge.close(1).len(), 2);
    assert_eq!(edge.close(2), []);
    assert_eq!(edge.close(1), []);
}

#[test]
fn acknowledgements_wait_for_a_reader_that_is_behind() {
    const CALLS: u128 = 3_000;
    let (sender, events) = sync_channel(32);
    let refused = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&refused);
    let sink = move |event| {
        sender.try_send(event).map_err(|it| match it {
            TrySendError::Full(event) | TrySendError::Disconnected(event) => {
                counter.fetch_add(1, Ordering::Relaxed);
                event
            }
        })
    };
    let media = Media::start(Config { threads: 2, ..config() }, sink, |_| {}).unwrap();
    for number in 0..CALLS {
        media.command(Command::Close { call: call(number), pairs: smallvec![] }).unwrap();
    }
    let mut closed = BTreeSet::new();
    while closed.len() < usize::try_from(CALLS).unwrap() {
        match events.recv_timeout(PATIENCE).expect("an acknowledgement") {
            Event::Closed { call, .. } => assert!(closed.insert(call), "{call:?} twice"),
            Event::PortsReady { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(refused.load(Ordering::Relaxed) > 0, "the reader was never behind");
}

#[test]
fn a_thread_that_ends_by_a_fault_says_so_and_one_that_is_told_to_does_not() {
    for (is_fault, said) in [(true, vec!["an internal fault".to_owned()]), (false, vec![])] {
        let (told, lost) = sync_channel(10);
        let (seen, first) = sync_channel(10);
        let sink = move |_| {
            let _ = seen.try_send(());
            assert!(!is_fault, "a fault that is meant to be");
            Ok(())
        };
        let told = move |lost: Lost| told.send(lost.to_string()).unwrap();
        let media = Media::start(config(), sink, told).unwrap();
        first.recv_timeout(PATIENCE).expect("its ports are ready");
        media.shutdown();
        assert_eq!(lost.iter().collect::<Vec<_>>(), said);
    }
}

#[test]
fn several_threads_share_the_ports_and_each_carries_its_calls() {
    let mut edge = Edge::start(Config { threads: 3, ..config() });
    for round in 0..4 {
        let mut phones = Vec::new();
        for number in 0..3 {
            let (alice, ports) = (Phone::at("127.0.0.1"), (edge.lease(), edge.lease()));
            let transport = |id, pair| alice.transport(id, pair, "127.0.0.1", SEPARATE);
            edge.configure(number, two_way(transport(0, ports.0), transport(1, ports.1)));
            phones.push((alice, ports));
        }
        for (phone, (a, b)) in &phones {
            // Both legs are this phone: what it sends to one comes from the other.
            phone.rtp.send_to(&rtp(round, 1), ("127.0.0.1", a.rtp)).unwrap();
            let from = SocketAddr::new("127.0.0.1".parse().unwrap(), b.rtp);
            assert_eq!(hear(&phone.rtp), (rtp(round, 1), from));
            assert!(matches!(edge.event(), Event::Latched { .. }));
        }
        assert_eq!(edge.media.totals().sessions, 3);
        for number in 0..3 {
            edge.close(number);
        }
    }
    let totals = edge.media.totals();
    assert_eq!((totals.sessions, totals.pairs_used), (0, 0));
}

#[test]
fn running_sessions_report_their_figures_and_silence() {
    let mut edge = Edge::start(Config { progress: Duration::ZERO, ..config() });
    let alice = Phone::at("127.0.0.1");
    let (a, b) = (edge.lease(), edge.lease());
    let transport = |id, pair| alice.transport(id, pair, "127.0.0.1", SEPARATE);
    let mut plan = two_way(transport(0, a), transport(1, b));
    plan.silence_ms = NonZeroU32::new(1);
    plan.transports[1].watched = false;
    edge.configure(1, plan);
    let silent = Event::Silent { call: call(1), transport: TransportId(0) };
    assert_eq!(edge.event(), silent);
    loop {
        match edge.events.recv_timeout(PATIENCE).expect("progress") {
            Event::Progress { call: it, figures } => {
                assert_eq!((it, figures.len()), (call(1), 2));
                break;
            }
            Event::PortsReady { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn after_shutdown_the_ports_are_free_again() {
    let mut edge = Edge::start(config());
    let pair = edge.lease();
    assert!(UdpSocket::bind(("127.0.0.1", pair.rtp)).is_err());
    edge.media.shutdown();
    for port in [pair.rtp, pair.rtcp()] {
        UdpSocket::bind(("127.0.0.1", port)).unwrap();
    }
}

#[test]
fn digits_change_their_form_on_real_sockets() {
    let mut edge = Edge::start(config());
    let (alice, bob) = (Phone::at("127.0.0.1"), Phone::at("127.0.0.1"));
    let (a, b) = (edge.lease(), edge.lease());
    let events = TelephoneEvents { payload_type: 101, clock: 8000 };
    let way = |id, heard, sent| DigitWay { transport: TransportId(id), heard, sent };
    let ways = vec![way(0, Some(events), None), way(1, None, Some(events))];
    let plan = Plan {
        digits: Some(Box::new(Digits { ssrc: 7, ways })),
        ..two_way(
            alice.transport(0, a, "127.0.0.1", SEPARATE),
            bob.transport(1, b, "127.0.0.1", SEPARATE),
        )
    };
    edge.configure(1, plan);

    let mut packet = rtp(1, 1)[..12].to_vec();
    packet[1] = 101;
    packet.extend([9, 0x8a, 3, 32]);
    alice.rtp.send_to(&packet, ("127.0.0.1", a.rtp)).unwrap();
    assert!(matches!(edge.event(), Event::Latched { .. }));
    let press = Press::new(Digit::of_event(9).unwrap(), Duration::from_millis(100));
    let pressed = Event::Pressed { call: call(1), transport: TransportId(0), press };
    assert_eq!(edge.event(), pressed);

    edge.media.command(Command::Press { call: call(1), transport: TransportId(1), press }).unwrap();
    let mut ends = Vec::new();
    while ends.iter().filter(|it| **it).count() < 3 {
        let (event, from) = hear(&bob.rtp);
        assert_eq!((event.len(), event[12], from.port()), (16, 9, b.rtp));
        assert_eq!(event[1] & 0x80 != 0, ends.is_empty(), "the first one has the marker");
        ends.push(event[13] & 0x80 != 0);
    }
    assert!(ends.is_sorted() && !ends[0], "{ends:?}");
    assert_eq!(edge.close(1)[1].packets_out, ends.len() as u64);
}
