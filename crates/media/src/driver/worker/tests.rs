//! Its limits, and what becomes of a fault.
#![allow(clippy::unwrap_used)]

use super::super::{CLOSES_MAX, COMMANDS_MAX, PRESS_ROOM};
use super::*;
use pbx::digit::{Digit, Press};
use pbx::media::{
    Companding, Expect, MediaSource, Plan, PortPair, Rtcp, Signal, Stream, StreamId, Tone,
    Transport, TransportId,
};
use smallvec::smallvec;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use uuid::Uuid;

/// One transport, and nothing linked.
fn plan(ports: PortPair) -> Plan {
    let expect = Expect {
        advertised: None,
        signalling: Ipv4Addr::LOCALHOST.into(),
        policy: MediaSource::Auto,
        generation: 1,
    };
    let transport = Transport {
        id: TransportId(0),
        ports,
        source: Ipv4Addr::LOCALHOST.into(),
        rtcp: Rtcp::Muxed,
        expect,
        watched: false,
    };
    let stream = Stream { id: StreamId(0), transport: TransportId(0), line: 0 };
    let (transports, streams) = (vec![transport], smallvec![stream]);
    Plan { revision: 1, transports, streams, ..Plan::default() }
}

/// A worker with two free pairs, and its inbox.
fn worker(sink: Sink) -> (Worker, Inbox, Vec<PortPair>) {
    let probe = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let first = probe.min(60_000);
    let config = Config {
        ports: first..=first + 40,
        bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
        spare_pairs: 2,
        rest: Duration::ZERO,
        ..Config::default()
    };
    let counters = Arc::new(Counters::default());
    let poller = Arc::new(Poller::new().unwrap());
    let pollers = vec![Arc::clone(&poller)];
    let mut pool = Pool::new(&config, pollers, Arc::clone(&counters)).unwrap();
    let pairs = pool.tend(clock());
    let pool = Arc::new(Mutex::new(pool));
    let (worker, inbox) = Worker::new(&config, (0, poller), pool, sink, counters).unwrap();
    (worker, inbox, pairs)
}

fn close(number: u128) -> Command {
    Command::Close { call: CallId(Uuid::from_u128(number)), pairs: smallvec![] }
}

#[test]
fn no_command_is_obeyed_while_events_are_not_read() {
    let (mut worker, inbox, _) = worker(Arc::new(Err));
    for number in 0..2 * PENDING_MAX as u128 {
        inbox.put(close(number)).unwrap();
    }
    for _ in 0..10 * PENDING_MAX / COMMANDS_PER_TURN_MAX {
        worker.obey();
        worker.offer();
    }
    assert_eq!(worker.pending.len(), PENDING_MAX);
    assert_eq!(worker.timeout().map(|it| it <= RETRY), Some(true));
}

#[test]
fn a_full_queue_gives_the_command_back_unless_it_is_a_close() {
    let (mut worker, inbox, pairs) = worker(Arc::new(|_| Ok(())));
    let call = CallId(Uuid::from_u128(1));
    for _ in 0..COMMANDS_MAX {
        inbox.put(Command::Want { leased: 0 }).unwrap();
    }
    let configure = Command::Configure { call, plan: plan(pairs[0]) };
    assert_eq!(inbox.put(configure.clone()), Err(configure.clone()));
    inbox.put(Command::Close { call, pairs: smallvec![pairs[0]] }).unwrap();

    // The pair the refused plan named comes back with the close.
    while worker.pending.is_empty() {
        worker.obey();
    }
    let events: Vec<Event> = worker.pending.drain(..).collect();
    let closed = Event::Closed { call, figures: vec![] };
    assert_eq!(events, [closed, Event::PortsReady { pairs: vec![pairs[0]] }]);
    assert_eq!(inbox.put(configure), Ok(()), "there is room again");
}

#[test]
fn a_flood_of_digits_leaves_room_for_what_leases_cause() {
    let (_worker, inbox, pairs) = worker(Arc::new(|_| Ok(())));
    let call = CallId(Uuid::from_u128(1));
    let digit = Digit::of_event(5).unwrap();
    let press = Press::new(digit, Duration::from_millis(100));
    let press = Command::Press { call, transport: TransportId(0), press };
    let taken = (0..COMMANDS_MAX).filter(|_| inbox.put(press.clone()).is_ok()).count();
    assert_eq!(taken, PRESS_ROOM);
    let configure = Command::Configure { call, plan: plan(pairs[0]) };
    for _ in 0..COMMANDS_MAX - PRESS_ROOM {
        inbox.put(configure.clone()).unwrap();
    }
    assert_eq!(inbox.put(configure.clone()), Err(configure));
}

#[test]
fn even_the_closes_have_a_limit() {
    let (_worker, inbox, _) = worker(Arc::new(Err));
    for _ in 0..COMMANDS_MAX + CLOSES_MAX {
        inbox.put(close(1)).unwrap();
    }
    assert_eq!(inbox.put(close(1)), Err(close(1)));
}

#[test]
fn a_fault_at_a_datagram_ends_its_own_session_only() {
    let (mut worker, _inbox, pairs) = worker(Arc::new(|_| Ok(())));
    let calls = [1, 2].map(|it| CallId(Uuid::from_u128(it)));
    for (call, ports) in calls.into_iter().zip(&pairs) {
        let event = worker.command(&Command::Configure { call, plan: plan(*ports) });
        assert_eq!(event, Some(Event::Configured { call, revision: 1 }));
    }
    let [broken, sound] = [pairs[0].rtp, pairs[1].rtp];
    worker.sessions.break_pairs_of(calls[0]);
    let phone = UdpSocket::bind("127.0.0.1:0").unwrap();
    for ports in &pairs {
        phone.send_to(b"voice", ("127.0.0.1", ports.rtp)).unwrap();
    }
    worker.serve(broken);
    worker.serve(sound);
    worker.serve(broken);
    let reason = "internal error".to_owned();
    assert_eq!(worker.pending.pop_front(), Some(Event::Failed { call: calls[0], reason }));
    assert!(
        matches!(worker.pending.pop_front(), Some(Event::Latched { call, .. }) if call == calls[1])
    );
    worker.counters.add(&mut worker.tally);
    let totals = worker.counters.snapshot();
    assert_eq!((totals.faults, worker.sessions.len()), (1, 1));
    assert_eq!((totals.pairs_used, totals.pairs_resting), (1, 1));
}

fn is_ports(event: &Event) -> bool {
    matches!(event, Event::PortsReady { .. })
}

/// What is done for a session that goes wrong, and what is then said of its call.
type Wrong = (&'static str, fn(&mut Worker, CallId, Plan), fn(CallId) -> Event);

fn wrongs() -> [Wrong; 4] {
    [
        (
            "a plan",
            |worker, call, plan| {
                worker.sessions.break_index_of(call);
                let event = worker.command(&Command::Configure { call, plan });
                worker.pending.extend(event);
            },
            failed,
        ),
        (
            "its end",
            |worker, call, _| {
                worker.sessions.break_index_of(call);
                let event = worker.command(&Command::Close { call, pairs: smallvec![] });
                worker.pending.extend(event);
            },
            |call| Event::Closed { call, figures: vec![] },
        ),
        (
            "a tone",
            |worker, call, mut plan| {
                let (transport, companding) = (TransportId(0), Companding::ALaw);
                let tone = Tone { transport, companding, signal: Signal::Ringing, ssrc: 1 };
                plan.tone = Some(Box::new(tone));
                let expect = &mut plan.transports[0].expect;
                expect.advertised = Some(([127, 0, 0, 1], 9).into());
                expect.generation = 2;
                worker.command(&Command::Configure { call, plan });
                worker.sessions.break_pairs_of(call);
                worker.play();
            },
            failed,
        ),
        (
            "a look",
            |worker, _, _| {
                worker.progress = Duration::ZERO;
                for _ in 0..TICK_SLICES {
                    // What waits for its reader comes before progress.
                    worker.pending.retain(|it| !is_ports(it));
                    worker.tick_at = clock();
                    worker.tick();
                }
            },
            failed,
        ),
    ]
}

#[test]
fn a_fault_in_whatever_is_done_for_a_session_ends_it_and_nothing_else() {
    for (what, go_wrong, said) in wrongs() {
        let calls = [1, 2].map(|it| CallId(Uuid::from_u128(it)));
        let [broken, sound] = calls;
        let sink = move |event: Event| {
            let is_its = matches!(event, Event::Progress { call, .. } if call == broken);
            assert!(!is_its, "a fault that is meant to be");
            Ok(())
        };
        let (mut worker, _inbox, pairs) = worker(Arc::new(sink));
        for (call, ports) in calls.into_iter().zip(&pairs) {
            worker.command(&Command::Configure { call, plan: plan(*ports) });
        }
        go_wrong(&mut worker, broken, Plan { revision: 2, ..plan(pairs[0]) });
        let events: Vec<Event> = worker.pending.drain(..).filter(|it| !is_ports(it)).collect();
        assert_eq!(events, [said(broken)], "{what}");
        worker.counters.add(&mut worker.tally);
        let totals = worker.counters.snapshot();
        assert_eq!((totals.faults, totals.pairs_used), (1, 1), "{what}");
        assert_eq!((worker.sessions.len(), worker.sessions.at_call(sound).is_some()), (1, true));
        let closed = worker.command(&Command::Close { call: broken, pairs: smallvec![] });
        assert_eq!(closed, Some(Event::Closed { call: broken, figures: vec![] }), "{what}");
    }
}

#[test]
fn a_session_that_is_never_made_leaves_no_port_behind() {
    let (mut worker, _inbox, pairs) = worker(Arc::new(|_| Ok(())));
    let (plan, pool) = (plan(pairs[0]), Arc::clone(&worker.pool));
    worker.sessions.lend(&plan, &[], &mut vec![], &mut lock(&pool)).unwrap();
    assert_eq!(worker.counters.snapshot().pairs_used, 1);
    assert_eq!(worker.evict(None), None);
    assert_eq!(worker.counters.snapshot().pairs_used, 0);
}
