//! What a registration and a call cost in system calls and allocations: counted, on the test's own thread.
#![allow(clippy::unwrap_used)]

use super::media_events::{LOOK, PLENTY};
use super::rest::{REST_DENSE, Rest};
use super::{Driver, Listeners, Parts, media_events};
use crate::{board, clock, metrics, ring, watch};
use bytes::Bytes;
use pbx::core::{Config, Core, Input, Recovered};
use pbx::directory::{Directory, Relay, Tenant};
use pbx::id::TenantId;
use pbx::media::Event;
use pbx::network::Network;
use pbx::settings::Settings;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sip::{Flow, Transport};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use store::journal::{Disk, Status, Writer};
use testkit::office::extension;
use testkit::phone::{Heard, Phone, Request, Target, Wishes};
use udp::Calls;

/// So many port pairs that none of a few calls makes them scarce.
const PAIRS: usize = 128;
/// What must happen happens within this.
const SOON: Duration = Duration::from_secs(10);
/// More than what the media thread has to say in a test.
const EVENTS_MAX: usize = 1000;

const PASSWORD: &str = "Kd7-unripe-Plum";

/// The loop with everything it works with, which turns when it is told to.
struct Stage {
    driver: Driver,
    server: SocketAddr,
    journal: Arc<Status>,
    /// What the media thread tells.
    media: Receiver<Event>,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(relay: Relay) -> Self {
        let listeners = Listeners::open(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let server = listeners.bound()[0];
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let runtime = runtime.unwrap();
        let limits = net::Limits::default();
        let streams = net::Streams::start(runtime.handle(), &[], limits, listeners.wake()).unwrap();
        let names = net::Names::start(runtime.handle(), Vec::new(), listeners.wake());
        let (_, media_events) = media_events::media_events(listeners.waker.clone());
        let spare_pairs = if relay == Relay::Never { 1 } else { PAIRS };
        let ports = 40_000..=41_000;
        let config = media::Config { ports, spare_pairs, ..media::Config::default() };
        let (tells, media) = sync_channel(EVENTS_MAX);
        let sink = move |event| tells.try_send(event).map_err(|_| panic!("it is read in time"));
        let edge = media::Media::start(config, sink, |_| {}).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().join("journal"));
        let (writer, journal, _keeper) = Writer::open(disk, 1, |_| {}).unwrap();
        let board = Arc::new(board::Board::default());
        let now = clock::now();
        let told = Arc::new(web::events::Ring::new(now.utc, "test"));
        let config = Config { udp_port: server.port(), ..Config::default() };
        let rng = Box::new(ChaCha20Rng::from_seed([7; 32]));
        let parts = Parts {
            core: Core::new(config, rng, Recovered::default(), now),
            streams,
            names,
            media: edge,
            media_events,
            journal: writer,
            ring: ring::ring(1 << 20).0,
            sink: watch::start(board, told, || {}, |_| {}).unwrap().0,
            published: Arc::new(metrics::Published::new(now.instant)),
        };
        let mut driver = Driver::new(listeners, parts);
        let settings = Settings::default();
        let mut tenant = Tenant::default();
        for number in ["100", "101"] {
            let mut it = extension(number, number, PASSWORD, &settings);
            it.relay = relay;
            tenant.put(it);
        }
        let mut directory = Directory { version: 1, ..Directory::default() };
        directory.tenants.insert(TenantId::default(), tenant);
        let own = Ipv4Addr::LOCALHOST.into();
        let network = Network {
            interfaces: ipnet::IpNet::new(own, 8).into_iter().collect(),
            default_v4: Some(own),
            ..Network::default()
        };
        driver.handle(Input::Network(network), now);
        driver.handle(Input::Directory(Arc::new(directory)), now);
        // The first turn looks whether something had come before.
        driver.step();
        Self { driver, server, journal, media, _runtime: runtime, _folder: folder }
    }
}

/// A phone and its socket.
struct Desk {
    phone: Phone,
    socket: UdpSocket,
}

impl Desk {
    fn new(number: &str, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let remote = socket.local_addr().unwrap();
        let flow = Flow { transport: Transport::Udp, local: server, remote, connection: None };
        Self { phone: Phone::new(number, number, PASSWORD, flow), socket }
    }

    fn ask(&mut self, method: &str, target: Target) -> Bytes {
        let request = Request { method: method.to_owned(), target, wishes: Wishes::default() };
        self.phone.request(request).unwrap()
    }

    fn answer(&mut self, code: u16) -> Bytes {
        self.phone.answer(code, None, &Wishes::default()).unwrap()
    }

    /// Takes all that has come unread; how many that were.
    fn take(&self) -> u64 {
        let mut buffer = [0; 4096];
        std::iter::from_fn(|| self.socket.recv(&mut buffer).ok()).count() as u64
    }

    /// Takes all that has come; the statuses and methods in it.
    fn hear(&mut self) -> Vec<String> {
        let mut heard = vec![];
        let mut buffer = [0; 4096];
        while let Ok(size) = self.socket.recv(&mut buffer) {
            let bytes = Bytes::copy_from_slice(&buffer[..size]);
            heard.push(match self.phone.hear(&bytes).unwrap() {
                Heard::Request { method, .. } => method,
                Heard::Response { code, .. } => code.to_string(),
            });
        }
        heard
    }
}

impl Stage {
    /// One datagram of a phone, and the turn it causes.
    fn send(&mut self, from: &Desk, bytes: &Bytes) {
        from.socket.send_to(bytes, self.server).unwrap();
        self.driver.step();
    }

    fn register(&mut self, desk: &mut Desk) {
        let request = desk.ask("REGISTER", Target::Server);
        self.send(desk, &request);
        if desk.hear() == ["401"] {
            let again = desk.phone.request_with_credentials().unwrap();
            self.send(desk, &again);
            assert_eq!(desk.hear(), ["200"]);
        }
    }

    /// A challenged call: eight datagrams come in.
    fn call(&mut self, alice: &mut Desk, bob: &mut Desk) {
        alice.phone.forget_challenge();
        let number = alice.phone.calls.len();
        let invite = alice.ask("INVITE", Target::Number("101".to_owned()));
        self.send(alice, &invite);
        assert_eq!(alice.hear(), ["401"]);
        let ack = alice.ask("ACK", Target::Call(number));
        self.send(alice, &ack);
        let invite = alice.phone.request_with_credentials().unwrap();
        self.send(alice, &invite);
        assert_eq!((alice.hear(), bob.hear()), (vec!["100".into()], vec!["INVITE".into()]));
        let ringing = bob.answer(180);
        self.send(bob, &ringing);
        let answer = bob.answer(200);
        self.send(bob, &answer);
        assert_eq!(
            (alice.hear().pop(), bob.hear().pop()),
            (Some("200".into()), Some("ACK".into()))
        );
        let ack = alice.ask("ACK", Target::Call(number));
        self.send(alice, &ack);
        let bye = alice.ask("BYE", Target::Call(number));
        self.send(alice, &bye);
        assert_eq!(
            (alice.hear().pop(), bob.hear().pop()),
            (Some("200".into()), Some("BYE".into()))
        );
        let done = bob.answer(200);
        self.send(bob, &done);
    }

    /// Gives the core the ports that the media thread has bound.
    fn lend_ports(&mut self) {
        while self.driver.parts.core.counters().ports_free < PLENTY + 8 {
            let event = self.media.recv_timeout(SOON).unwrap();
            self.driver.handle(Input::Media(event), clock::now());
        }
    }

    /// How many commands of a call the media thread has obeyed until it closed the session.
    fn obeyed(&self) -> usize {
        let mut obeyed = 1;
        loop {
            let event = self.media.recv_timeout(SOON).unwrap();
            obeyed += usize::from(matches!(event, Event::Configured { .. }));
            if matches!(event, Event::Closed { .. }) {
                return obeyed;
            }
        }
    }

    /// What `act` cost: system calls for datagrams, and writes of the journal.
    fn cost(&mut self, act: impl FnOnce(&mut Self)) -> (Calls, u64) {
        let before = (udp::calls(), self.journal.writes());
        act(self);
        (udp::calls() - before.0, self.journal.writes() - before.1)
    }
}

/// Fewer than one receive takes.
const BURST: u64 = 8;

#[test]
fn registers_that_come_together_share_a_turn_and_a_stream_of_them_lets_the_loop_rest() {
    let mut stage = Stage::new(Relay::Never);
    let mut alice = Desk::new("100", stage.server);
    stage.register(&mut alice);
    let (alone, _) = stage.cost(|stage| stage.register(&mut alice));
    assert_eq!(alone, Calls { waits: 1, receives: 1, sends: 1, ..Calls::default() });
    let mut burst = |stage: &mut Stage| {
        for _ in 0..BURST {
            let request = alice.ask("REGISTER", Target::Server);
            alice.socket.send_to(&request, stage.server).unwrap();
        }
        let before = clock::now().instant;
        let cost = stage.cost(|stage| {
            stage.driver.step();
        });
        assert_eq!(alice.take(), BURST);
        (cost, before.elapsed())
    };
    let (together, _) = burst(&mut stage);
    assert_eq!(together, (alone, 1), "of {BURST} together");
    // As if one had come each millisecond before.
    stage.driver.rest = Rest::default();
    let now = clock::now().instant;
    for ms in (1..600).rev() {
        stage.driver.rest.came(Transport::Udp, b"REGISTER sip:");
        stage.driver.rest.after(now - Duration::from_millis(ms));
    }
    let (_, lasted) = burst(&mut stage);
    assert!(lasted >= REST_DENSE, "{lasted:?}");
}

#[test]
fn a_datagram_costs_a_wait_a_receive_and_a_send_and_only_facts_a_write() {
    let mut stage = Stage::new(Relay::Never);
    let (mut alice, mut bob) = (Desk::new("100", stage.server), Desk::new("101", stage.server));
    let (calls, writes) = stage.cost(|stage| stage.register(&mut alice));
    let challenged = Calls { waits: 2, receives: 2, sends: 2, ..Calls::default() };
    assert_eq!((calls, writes), (challenged, 1));
    stage.register(&mut bob);
    for _ in 0..3 {
        let (calls, writes) = stage.cost(|stage| stage.call(&mut alice, &mut bob));
        // Nothing leaves for either ACK and for the last 200.
        let expected = Calls { waits: 8, receives: 8, sends: 5, ..Calls::default() };
        assert_eq!(calls, expected);
        assert!(writes <= 3, "started, answered, ended: {writes} writes");
    }
}

#[test]
fn a_relayed_call_costs_the_core_two_commands_and_no_turn_more() {
    let mut stage = Stage::new(Relay::Always);
    stage.lend_ports();
    let (mut alice, mut bob) = (Desk::new("100", stage.server), Desk::new("101", stage.server));
    stage.register(&mut alice);
    stage.register(&mut bob);
    for _ in 0..3 {
        let (calls, _) = stage.cost(|stage| stage.call(&mut alice, &mut bob));
        let wakes = calls.wakes;
        assert_eq!(calls, Calls { waits: 8, receives: 8, sends: 5, wakes, ..Calls::default() });
        assert_eq!(stage.obeyed(), 2, "its plan and its end");
        assert!(wakes <= 2, "one for each command at most: {wakes}");
        let look = stage.driver.parts.media_events.timeout(clock::now().instant);
        assert!(look.is_some_and(|it| it <= LOOK), "what is acknowledged wakes nobody: {look:?}");
    }
}

/// In the turn of one datagram, the core's part in it. Whoever needs less lowers it.
#[test]
fn a_turn_allocates_only_for_what_it_sends_and_records() {
    let mut stage = Stage::new(Relay::Never);
    let mut alice = Desk::new("100", stage.server);
    stage.register(&mut alice);
    type Ask = fn(&mut Desk) -> Bytes;
    #[rustfmt::skip]
    let table: [(&str, Ask, &[&str], u64); 3] = [
        ("a keep-alive", |_| Bytes::from_static(b"\r\n\r\n"),    &[],      0),
        ("OPTIONS",      |it| it.ask("OPTIONS", Target::Server),  &["200"], 1),
        ("a refresh",    |it| it.ask("REGISTER", Target::Server), &["200"], 2),
    ];
    for (what, ask, answers, most) in table {
        let counts = (0..8).map(|_| {
            let bytes = ask(&mut alice);
            alice.socket.send_to(&bytes, stage.server).unwrap();
            let counted = allocation_counter::measure(|| {
                stage.driver.step();
            });
            assert_eq!(alice.hear(), answers, "{what}");
            counted.count_total
        });
        // Now and then a table grows, or counters are published.
        let least = counts.min().unwrap();
        assert!(least <= most, "{what} allocates {least} times, not {most}");
    }
}
