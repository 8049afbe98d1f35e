//! Relayed G.711, 50 packets a second each way in every call, beside rtpengine and the floor.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use interop::clock;
use interop::load::{Answering, Callee, Caller, Wires, register_all};
use interop::phone::SOON;
use interop::server::{LOCALHOST, Server};

use super::compare::RUNS;
use crate::candidate::{Candidate, Kind, users};
use crate::floor::Floor;
use crate::measure;
use crate::phones::{Heard, Phones, Targets};
use crate::rtpengine::{self, Rtpengine};
use crate::table::{Figure, Report};
use crate::verify::{Ledger, Made, Tally, settle};

/// Packets of each stream in one run.
const EACH: u32 = 250;
/// Packets before it counts: latching, growing, waking up.
const WARM_UP: u32 = 50;

/// `beside_engine` and `beside_floor` are what was promised.
pub(super) fn run(
    calls: usize,
    beside_engine: f64,
    beside_floor: Option<f64>,
    wait: Option<f64>,
) -> Result<Report> {
    let mut report = Report::of(vec![floor(calls)?, dialtone(calls)?, engine(calls)?]);
    report.beside("rtpengine", beside_engine);
    report.beside("floor", beside_floor);
    report.wait_beside("rtpengine", wait);
    Ok(report)
}

/// The stretch: below the floor by batching across calls, as io_uring and a tick would allow, with the delay of it.
/// By the floor's own program, as the product has no such way: see `docs/performance.md`.
pub(super) fn batched(calls: usize, tick: Duration) -> Result<Report> {
    let floor_with = |name, tick| {
        let start = |peers| Floor::batched(calls, peers, tick);
        plain(name, calls, "; multishot receives, all sends of a turn in one call", start)
    };
    let figures =
        vec![floor(calls)?, floor_with("io_uring", Duration::ZERO)?, floor_with("tick", tick)?];
    let [floor, at_once, ticking] = [&figures[0], &figures[1], &figures[2]].map(|it| it.value);
    let mut report = Report::of(figures);
    report.promise("io_uring / floor", at_once / floor, None);
    let what = format!("io_uring with a tick of {} ms / floor", tick.as_millis());
    report.promise(&what, ticking / floor, 1.0);
    Ok(report)
}

fn floor(calls: usize) -> Result<Figure> {
    let start = |peers| Floor::relay(calls, peers);
    plain("floor", calls, "; one epoll, one receive and one send each", start)
}

fn plain(
    name: &'static str,
    calls: usize,
    detail: &str,
    start: impl FnOnce([SocketAddr; 2]) -> Result<Floor>,
) -> Result<Figure> {
    let mut phones = Phones::new()?;
    // What the callers send comes out at the callees, and the other way round.
    let floor = start([phones.callers()?, phones.callees()?])?;
    let at = |port: u16| SocketAddr::new(LOCALHOST, port);
    let targets = floor.ports.chunks_exact(2).map(|it| (at(it[0]), at(it[1]))).collect();
    phones.call(&targets)?;
    Ok(measure_relay(name, floor.id(), calls, &mut phones)?.figure(detail))
}

fn engine(calls: usize) -> Result<Figure> {
    let mut phones = Phones::new()?;
    let folder = tempfile::tempdir()?;
    let mut engine = Rtpengine::start(folder.path())?;
    let (caller, callee) = (phones.callers()?, phones.callees()?);
    let call = |number: usize| engine.call(&format!("call{number}"), caller, callee);
    phones.call(&(0..calls).map(call).collect::<Result<Targets>>()?)?;
    let measured = measure_relay("rtpengine", engine.process.id(), calls, &mut phones)?;
    Ok(measured.figure(&format!("; {}", rtpengine::CONFIGURATION)))
}

fn dialtone(calls: usize) -> Result<Figure> {
    let mut phones = Phones::new()?;
    let candidate = Candidate::start(Kind::Dialtone)?;
    let users = users();
    let (callers, callees) = users[..2 * calls].split_at(calls);
    let (mut caller_wires, mut callee_wires) = (Wires::udp(LOCALHOST)?, Wires::udp(LOCALHOST)?);
    for (wires, users) in [(&mut caller_wires, callers), (&mut callee_wires, callees)] {
        register_all(wires, candidate.at, users, 1000)?;
    }
    let counts = [caller_wires.counts(), callee_wires.counts()];
    let ledger = candidate.dialtone().map(|it| Ledger::open(it, &counts)).transpose()?;
    let answering = Answering { after: Duration::ZERO, media: vec![phones.callees()?; calls] };
    let answering = Callee::start(callee_wires, candidate.at, answering)?;
    let mut caller = Caller::new(caller_wires, candidate.at, callers.to_vec());
    // One after the other, so that the callees' list of offers has the callers' order.
    for (index, callee) in callees.iter().enumerate() {
        caller.call(index, &callee.number, phones.callers()?)?;
        let end = clock::now() + SOON;
        while caller.up() <= index && clock::now() < end {
            caller.poll()?;
        }
    }
    ensure!(caller.up() == calls, "{} of {calls} calls are up: {}", caller.up(), caller.outcome);
    let (seen, wires) = answering.stop()?;
    let _confirms_the_end = Callee::start(wires, candidate.at, Answering::default())?;
    let (answers, offers) = (caller.media(), seen.offers);
    let targets: Targets =
        answers.into_iter().zip(offers).filter_map(|(a, b)| Some((a?, b))).collect();
    ensure!(targets.len() == calls, "{} of {calls} calls have media", targets.len());
    phones.call(&targets)?;

    let relayed = candidate.dialtone().map(Relayed::read).transpose()?;
    let measured = measure_relay("dialtone", candidate.id()?, calls, &mut phones)?;
    let mut figure = measured.figure("");
    caller.finish()?;
    let (Some(server), Some(ledger)) = (candidate.dialtone(), ledger) else { return Ok(figure) };
    let made = Made { calls: Tally::exactly(calls), ..Made::default() };
    let mismatch = ledger.close(server, &made)?;
    let uncounted = relayed.and_then(|it| it.mismatch(&Relayed::read(server).ok()?, &measured.all));
    figure.problem = figure.problem.or(mismatch).or(uncounted);
    Ok(figure)
}

/// What the server says it relayed.
#[derive(Clone, Copy)]
struct Relayed {
    packets_in: u64,
    packets_out: u64,
}

impl Relayed {
    fn read(server: &Server) -> Result<Self> {
        settle(server)?;
        let page = server.metrics()?;
        let count = |label| page.count("dialtone_rtp_packets_total", label);
        Ok(Self {
            packets_in: count("direction=\"in\"")?,
            packets_out: count("direction=\"out\"")?,
        })
    }

    fn mismatch(self, now: &Self, all: &Heard) -> Option<String> {
        let (taken, given) = (now.packets_in - self.packets_in, now.packets_out - self.packets_out);
        let (sent, received) = (all.sent as u64, all.delays_us.len() as u64);
        let counts = taken <= sent && given >= received && taken >= given;
        (!counts).then(|| {
            format!("packets by the metrics: {taken} in, {given} out, of {sent} and {received}")
        })
    }
}

struct Measured {
    candidate: &'static str,
    calls: usize,
    /// Of each run. Unit: microseconds.
    cpu_us: Vec<f64>,
    /// Of all runs that count.
    heard: Heard,
    /// And those before.
    all: Heard,
}

fn measure_relay(
    candidate: &'static str,
    id: u32,
    calls: usize,
    phones: &mut Phones,
) -> Result<Measured> {
    let mut all = phones.talk(WARM_UP)?;
    let mut heard = Heard::default();
    let mut cpu_us = vec![];
    for _ in 0..RUNS {
        let watch = measure::Watch::begin(id)?;
        let run = phones.talk(EACH)?;
        let used = watch.used()?;
        cpu_us.push(used.each_ms(run.delays_us.len()) * 1e3);
        for sum in [&mut heard, &mut all] {
            sum.sent += run.sent;
            sum.wrong += run.wrong;
            sum.delays_us.extend(&run.delays_us);
        }
    }
    Ok(Measured { candidate, calls, cpu_us, heard, all })
}

impl Measured {
    fn figure(&self, detail: &str) -> Figure {
        let mut delays = self.heard.delays_us.clone();
        delays.sort_unstable();
        let at = |part: usize| {
            let index = delays.len().saturating_sub(1) * part / 100;
            delays.get(index).map_or(f64::NAN, |it| f64::from(*it) / 1e3)
        };
        let (lost, wrong, sent) = (self.heard.lost(), self.heard.wrong, self.heard.sent);
        let bad = lost * 1000 > sent || wrong > 0;
        Figure {
            candidate: self.candidate,
            what: format!("{} calls", self.calls),
            value: measure::median(self.cpu_us.clone()),
            unit: "us CPU",
            wait_ms: Some((at(50), at(99))),
            detail: format!("{lost} of {sent} lost{detail}"),
            problem: bad.then(|| format!("{lost} of {sent} lost, {wrong} wrong")),
        }
    }
}
