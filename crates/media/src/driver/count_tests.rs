//! What a call and a packet cost in system calls: counted, on the test's own thread.
#![allow(clippy::unwrap_used)]

use super::inbox::Inbox;
use super::pool::Pool;
use super::totals::Counters;
use super::worker::{SOON, Worker, clock};
use super::{Command, Config, Event};
use pbx::id::CallId;
use pbx::media::{
    Expect, Link, MediaSource, Plan, PortPair, Rtcp, Stream, StreamId, Transport, TransportId,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use udp::{Calls, Events, Poller};
use uuid::Uuid;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CALL: CallId = CallId(Uuid::from_u128(1));

struct Edge {
    worker: Worker,
    inbox: Inbox,
    ready: Events,
    pairs: Vec<PortPair>,
}

impl Edge {
    /// A media thread that turns when it is told to, and two port pairs that need no rest.
    fn new() -> Self {
        let probe = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let first = probe.min(60_000);
        let ports = first..=first + 40;
        let rest = Duration::ZERO;
        let config = Config { ports, bind: LOCALHOST, spare_pairs: 2, rest, ..Config::default() };
        let counters = Arc::new(Counters::default());
        let poller = Arc::new(Poller::new().unwrap());
        let pollers = vec![Arc::clone(&poller)];
        let mut pool = Pool::new(&config, pollers, Arc::clone(&counters)).unwrap();
        let pairs = pool.tend(clock());
        let pool = Arc::new(Mutex::new(pool));
        let sink = Arc::new(|_: Event| Ok(()));
        let (worker, inbox) = Worker::new(&config, (0, poller), pool, sink, counters).unwrap();
        Self { worker, inbox, ready: Events::new(8), pairs }
    }

    /// One turn after these commands, in system calls. They find the thread asleep as it is while
    /// calls come and go.
    fn turn(&mut self, commands: Vec<Command>) -> Calls {
        self.worker.fall_asleep(SOON);
        let before = udp::calls();
        for command in commands {
            self.inbox.put(command).unwrap();
        }
        self.worker.turn(&mut self.ready, Some(Duration::ZERO)).unwrap();
        udp::calls() - before
    }

    /// The two phones of a call, each heard at the other.
    fn call(&self, phones: &[UdpSocket; 2]) -> Command {
        let mut plan = Plan { revision: 1, ..Plan::default() };
        for (id, (phone, ports)) in (0..).zip(phones.iter().zip(&self.pairs)) {
            let expect = Expect {
                advertised: Some(phone.local_addr().unwrap()),
                signalling: LOCALHOST,
                policy: MediaSource::Auto,
                generation: 1,
            };
            let (id, ports, rtcp) = (TransportId(id), *ports, Rtcp::Muxed);
            plan.transports.push(Transport {
                id,
                ports,
                source: LOCALHOST,
                rtcp,
                expect,
                watched: false,
            });
            plan.streams.push(Stream { id: StreamId(id.0), transport: id, line: 0 });
            plan.links.push(Link { from: StreamId(id.0), to: StreamId(1 - id.0) });
        }
        Command::Configure { call: CALL, plan }
    }

    fn close(&self) -> Command {
        Command::Close { call: CALL, pairs: self.pairs.clone().into() }
    }

    fn rtp(&self, phone: usize) -> SocketAddr {
        SocketAddr::new(LOCALHOST, self.pairs[phone].rtp)
    }
}

fn phones() -> [UdpSocket; 2] {
    [(); 2].map(|()| UdpSocket::bind((LOCALHOST, 0)).unwrap())
}

fn voice(sequence: u8) -> [u8; 172] {
    let mut packet = [0xD5; 172];
    packet[..4].copy_from_slice(&[0x80, 8, 0, sequence]);
    packet
}

#[test]
fn a_call_without_media_costs_a_wait() {
    let mut edge = Edge::new();
    let phones = phones();
    // The first call of a pair has it watched.
    let first = edge.turn(vec![edge.call(&phones), edge.close()]);
    assert_eq!(first.watches, 4);
    for _ in 0..3 {
        assert!(edge.worker.timeout().is_some_and(|it| it <= SOON), "it looks for the next");
        let call = edge.turn(vec![edge.call(&phones), edge.close()]);
        assert_eq!(call, Calls { waits: 1, ..Calls::default() });
    }
}

#[test]
fn a_relayed_packet_costs_a_receive_and_a_send() {
    let mut edge = Edge::new();
    let phones = phones();
    edge.turn(vec![edge.call(&phones)]);
    for sequence in 0..3 {
        phones[0].send_to(&voice(sequence), edge.rtp(0)).unwrap();
        let expected = Calls { waits: 1, receives: 1, sends: 1, ..Calls::default() };
        assert_eq!(edge.turn(vec![]), expected);
    }
    // As does a burst.
    for sequence in 3..11 {
        phones[0].send_to(&voice(sequence), edge.rtp(0)).unwrap();
    }
    let burst = Calls { waits: 1, receives: 1, sends: 1, ..Calls::default() };
    assert_eq!(edge.turn(vec![]), burst);
    let mut heard = 0;
    phones[1].set_nonblocking(true).unwrap();
    while phones[1].recv(&mut [0; 200]).is_ok() {
        heard += 1;
    }
    assert_eq!(heard, 11);
}

#[test]
fn who_goes_on_sending_after_the_end_wakes_the_thread_once() {
    let mut edge = Edge::new();
    let phones = phones();
    edge.turn(vec![edge.call(&phones), edge.close()]);
    phones[0].send_to(&voice(0), edge.rtp(0)).unwrap();
    assert_eq!(edge.turn(vec![]), Calls { waits: 1, watches: 2, ..Calls::default() });
    phones[0].send_to(&voice(1), edge.rtp(0)).unwrap();
    assert_eq!(edge.turn(vec![]), Calls { waits: 1, ..Calls::default() });
    // The next session has its ports empty.
    let next = edge.turn(vec![edge.call(&phones)]);
    assert_eq!((next.watches, next.sends), (2, 0));
    assert_eq!(edge.worker.received(), 0);
    phones[0].send_to(&voice(2), edge.rtp(0)).unwrap();
    edge.turn(vec![]);
    assert_eq!(edge.worker.received(), 1);
}

#[test]
fn media_that_comes_before_its_thread_has_heard_of_the_call_is_relayed() {
    let mut edge = Edge::new();
    let phones = phones();
    edge.turn(vec![edge.call(&phones), edge.close()]);
    phones[0].send_to(&voice(0), edge.rtp(0)).unwrap();
    let sent = edge.turn(vec![edge.call(&phones)]).sends;
    assert_eq!(sent, 1);
}
