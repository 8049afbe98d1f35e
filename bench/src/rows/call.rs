//! Challenged calls without media at one rate, beside Kamailio and the floor of the same number of datagrams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use interop::load::{Answering, Callee, Caller, Counts, User, Wires, register_all};
use interop::server::LOCALHOST;

use super::compare::{self, Bench, Run, passes};
use crate::candidate::{Candidate, Kind, users};
use crate::floor::{self, Plain};
use crate::measure;
use crate::table::Report;
use crate::verify::{Ledger, Made, Tally, settle};

/// In and out of a back-to-back user agent: INVITE twice, ACK twice, 180, 200, BYE, 200 come in, and as many go out.
const DATAGRAMS: Plain = Plain { each: 8, octets: 550 };

/// Callers and callees, half of them each.
const PHONES: usize = 1000;

/// So many calls come before it counts.
const WARM_UP: u32 = 200;

/// With the default, `always`, every call leases and opens its media ports, though nobody talks. They rest for 5 s
/// after it, so that 1,600 calls a second would hold 32,000 descriptors, more than a process may have here: there
/// the media is left to the phones, as Kamailio leaves it.
pub(super) fn udp(rate: u32, seconds: u32, relay: &'static str, at_most: f64) -> Result<Report> {
    let what = format!("{rate} calls/s, relay {relay}");
    let load = Load { rate, count: rate * seconds, relay, over_tcp: false };
    let start = |kind| Office::start(kind, load);
    let mut report = Report::of(vec![
        floor::figure(&what, rate, DATAGRAMS)?,
        compare::dialtone(&what, start)?,
        compare::kamailio(&what, start)?,
    ]);
    report.beside("kamailio", at_most);
    report.wait_beside("kamailio", 1.0);
    report.beside("floor", None);
    Ok(report)
}

/// Every phone on a connection of its own, beside ourselves over UDP.
pub(super) fn tcp(rate: u32, seconds: u32, at_most: f64) -> Result<Report> {
    let mut load = Load { rate, count: rate * seconds, relay: "always", over_tcp: false };
    let mut over_udp =
        compare::dialtone(&format!("{rate} calls/s over UDP"), |kind| Office::start(kind, load))?;
    over_udp.candidate = "our UDP";
    load.over_tcp = true;
    let over_tcp =
        compare::dialtone(&format!("{rate} calls/s over TCP"), |kind| Office::start(kind, load))?;
    let mut report = Report::of(vec![over_udp, over_tcp]);
    report.beside("our UDP", at_most);
    Ok(report)
}

#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) rate: u32,
    pub(super) count: u32,
    pub(super) relay: &'static str,
    pub(super) over_tcp: bool,
}

/// A server with registered callers and callees.
pub(super) struct Office {
    pub(super) candidate: Candidate,
    pub(super) caller: Caller,
    pub(super) callees: Vec<User>,
    load: Load,
    ledger: Option<Ledger>,
    pub(super) calls: usize,
    failed: usize,
    _answering: Callee,
}

impl Office {
    pub(super) fn start(kind: Kind, load: Load) -> Result<Self> {
        Self::start_then(kind, load, |_| Ok(()))
    }

    /// With something to be done between the start of the server and that of the generators.
    pub(super) fn start_then(
        kind: Kind,
        load: Load,
        then: impl FnOnce(&Candidate) -> Result<()>,
    ) -> Result<Self> {
        let candidate = Candidate::start_with(kind, &["--relay", load.relay])?;
        then(&candidate)?;
        let all = users();
        let (callers, callees) = all[..PHONES].split_at(PHONES / 2);
        let server = server_of(&candidate, load);
        let wires = || match load.over_tcp {
            true => Wires::tcp(server, PHONES / 2),
            false => Wires::udp(LOCALHOST),
        };
        let (mut caller_wires, mut callee_wires) = (wires()?, wires()?);
        for (wires, users) in [(&mut caller_wires, callers), (&mut callee_wires, callees)] {
            let outcome = register_all(wires, server, users, 1000)?;
            ensure!(outcome.failed == 0, "registrations: {outcome}");
        }
        let counts: [Arc<Counts>; 2] = [caller_wires.counts(), callee_wires.counts()];
        let _answering = Callee::start(callee_wires, server, Answering::default())?;
        let mut caller = Caller::new(caller_wires, server, callers.to_vec());
        caller.run(callees, WARM_UP, WARM_UP, Duration::ZERO)?;
        let ledger = candidate.dialtone().map(|it| Ledger::open(it, &counts)).transpose()?;
        let callees = callees.to_vec();
        let (calls, failed) = (0, 0);
        Ok(Self { candidate, caller, callees, load, ledger, calls, failed, _answering })
    }
}

/// Where nobody listens and nobody sends: the media address of calls without media.
pub(super) fn nowhere() -> Result<SocketAddr> {
    Wires::udp(LOCALHOST)?.local(0)
}

fn server_of(candidate: &Candidate, load: Load) -> SocketAddr {
    match candidate.dialtone() {
        Some(server) if load.over_tcp => server.tcp(),
        Some(_) | None => candidate.at,
    }
}

impl Bench for Office {
    fn run(&mut self) -> Result<Run> {
        let Load { rate, count, .. } = self.load;
        self.caller.outcome = Default::default();
        let watch = measure::Watch::begin(self.candidate.id()?)?;
        self.caller.run(&self.callees, count, rate, Duration::ZERO)?;
        // What the calls leave to be done belongs to them.
        self.candidate.dialtone().map(settle).transpose()?;
        let used = watch.used()?;
        let outcome = std::mem::take(&mut self.caller.outcome);
        self.calls += outcome.done;
        self.failed += outcome.failed;
        let problem = passes(&outcome, count, rate);
        Ok(Run { used, outcome, problem })
    }

    fn close(self) -> Result<Option<String>> {
        let (Some(ledger), Some(server)) = (&self.ledger, self.candidate.dialtone()) else {
            return Ok(None);
        };
        let calls = Tally::between(self.calls, self.calls + self.failed);
        ledger.close(server, &Made { calls, ..Made::default() })
    }
}
