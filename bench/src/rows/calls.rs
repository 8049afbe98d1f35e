//! Challenged calls without media at two rates, beside the floor of the same number of datagrams.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::Result;
use interop::clock;
use interop::load::{Answering, Callee, Caller, Outcome, register_all, socket};
use interop::server::LOCALHOST;

use super::RUNS;
use crate::candidate::{Candidate, KINDS, Kind, users};
use crate::floor::Floor;
use crate::measure;
use crate::table::Figure;

/// Calls a second, and how many.
const RATES: [(u32, u32); 2] = [(50, 500), (400, 4000)];

/// In and out of a back-to-back user agent: INVITE twice, ACK twice, 180, 200, BYE, 200 come in, and as many go out.
const DATAGRAMS: u32 = 8;

/// Callers and callees, half of them each.
const PHONES: usize = 1000;

pub(super) fn run() -> Result<Vec<Figure>> {
    let mut figures = vec![];
    for (rate, _) in RATES {
        figures.push(floor_figure(&format!("{rate} calls/s"), rate * DATAGRAMS, DATAGRAMS)?);
    }
    for kind in KINDS {
        let candidate = Candidate::start(kind)?;
        figures.extend(one(kind, &candidate)?);
    }
    Ok(figures)
}

fn one(kind: Kind, candidate: &Candidate) -> Result<Vec<Figure>> {
    let all = users();
    let (callers, callees) = all[..PHONES].split_at(PHONES / 2);
    let (caller_socket, callee_socket) = (socket(LOCALHOST)?, socket(LOCALHOST)?);
    register_all(&caller_socket, candidate.at, callers, 400)?;
    register_all(&callee_socket, candidate.at, callees, 400)?;
    let answering = Callee::start(callee_socket, candidate.at, Answering::default())?;
    let mut figures = vec![];
    let mut made = 0;
    for (rate, count) in RATES {
        let mut values = vec![];
        let mut problem = None;
        let mut last = Outcome::default();
        for _ in 0..RUNS {
            let callers = callers.to_vec();
            let mut caller = Caller::new(caller_socket.try_clone()?, candidate.at, callers);
            let before = measure::cpu(candidate.id()?)?;
            caller.run(callees, count, rate, Duration::ZERO)?;
            let used = measure::cpu(candidate.id()?)? - before;
            last = caller.outcome;
            values.push(used.as_secs_f64() * 1e3 / f64::from(u32::try_from(last.done.max(1))?));
            problem = problem.or_else(|| passes(&last, usize::try_from(count).unwrap_or(0)));
            made += last.done + last.failed;
        }
        let complete = candidate.check_records(made);
        figures.push(Figure {
            candidate: kind.name(),
            what: format!("{rate} calls/s"),
            value: measure::median(values),
            unit: "ms CPU",
            detail: format!("{last}; {}", kind.configuration()),
            problem: problem.or_else(|| complete.err().map(|it| format!("{it:#}"))),
        });
    }
    let seen = answering.stop()?.invites;
    if kind == Kind::Dialtone && seen < made {
        let figure = figures.last_mut();
        figure
            .into_iter()
            .for_each(|it| it.problem = Some(format!("callees saw {seen} of {made}")));
    }
    Ok(figures)
}

/// Passed: 99.9 % done and at most 0.1 % sent again.
pub(super) fn passes(outcome: &Outcome, count: usize) -> Option<String> {
    let few = |it: usize| it * 1000 <= count;
    match outcome {
        it if it.done + it.failed != count => Some(format!("{} of {count} made", it.done)),
        it if !few(it.failed) => Some(format!("{} failed {:?}", it.failed, it.failures)),
        it if !few(it.resent) => Some(format!("{} sent again", it.resent)),
        _ => None,
    }
}

/// What it costs only to receive and send so many datagrams an operation, at that rate.
pub(super) fn floor_figure(what: &str, datagrams_per_s: u32, each: u32) -> Result<Figure> {
    const SECONDS: u32 = 4;
    /// About a SIP message.
    const SIZE: usize = 550;
    let floor = Floor::echo()?;
    let socket = UdpSocket::bind((LOCALHOST, 0))?;
    socket.connect((LOCALHOST, floor.ports[0]))?;
    socket.set_nonblocking(true)?;
    let mut values = vec![];
    let mut buffer = [0; 2048];
    for _ in 0..RUNS {
        let before = measure::cpu(floor.id())?;
        let started = clock::now();
        for number in 0..datagrams_per_s * SECONDS {
            let due = started + Duration::from_secs(1) * number / datagrams_per_s;
            let early = due.saturating_duration_since(clock::now());
            if !early.is_zero() {
                clock::pause(early);
            }
            socket.send(&[b'x'; SIZE])?;
            while socket.recv(&mut buffer).is_ok() {}
        }
        let used = measure::cpu(floor.id())? - before;
        values.push(
            used.as_secs_f64() * 1e3 * f64::from(each) / f64::from(datagrams_per_s * SECONDS),
        );
    }
    Ok(Figure {
        candidate: "floor",
        what: what.to_owned(),
        value: measure::median(values),
        unit: "ms CPU",
        detail: format!("{each} datagrams in and out, received and sent one by one"),
        problem: None,
    })
}
