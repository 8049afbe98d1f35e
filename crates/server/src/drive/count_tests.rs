//! What a registration and a call cost in system calls: counted, on the test's own thread.
#![allow(clippy::unwrap_used)]

use super::rest::{REST_DENSE, Rest};
use super::{Driver, Listeners, Parts, media_events};
use crate::{board, clock, metrics, ring, watch};
use bytes::Bytes;
use pbx::core::{Config, Core, Input, Recovered};
use pbx::directory::{Directory, Relay, Tenant};
use pbx::id::TenantId;
use pbx::network::Network;
use pbx::settings::Settings;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sip::{Flow, Transport};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use store::journal::{Disk, Status, Writer};
use testkit::office::extension;
use testkit::phone::{Heard, Phone, Request, Target, Wishes};
use udp::Calls;

const PASSWORD: &str = "Kd7-unripe-Plum";

/// The loop with everything it works with, which turns when it is told to.
struct Stage {
    driver: Driver,
    server: SocketAddr,
    journal: Arc<Status>,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let listeners = Listeners::open(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let server = listeners.bound()[0];
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let runtime = runtime.unwrap();
        let limits = net::Limits::default();
        let streams = net::Streams::start(runtime.handle(), &[], limits, listeners.wake()).unwrap();
        let names = net::Names::start(runtime.handle(), Vec::new(), listeners.wake());
        let (_, media_events) = media_events::media_events(listeners.waker.clone());
        let ports = 40_000..=40_100;
        let media = media::Config { ports, spare_pairs: 1, ..media::Config::default() };
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
            media: media::Media::start(media, |_| Ok(()), |_| {}).unwrap(),
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
            it.relay = Relay::Never;
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
        Self { driver, server, journal, _runtime: runtime, _folder: folder }
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
    let mut stage = Stage::new();
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
        stage.driver.rest.after(now - std::time::Duration::from_millis(ms));
    }
    let (_, lasted) = burst(&mut stage);
    assert!(lasted >= REST_DENSE, "{lasted:?}");
}

#[test]
fn a_datagram_costs_a_wait_a_receive_and_a_send_and_only_facts_a_write() {
    let mut stage = Stage::new();
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
