//! Digest REGISTER at one rate, beside Kamailio and the floor of the same number of datagrams.

use anyhow::{Result, ensure};
use interop::load::{User, Wires, register_all};
use interop::server::LOCALHOST;

use super::compare::{self, Bench, Run, passes};
use crate::candidate::{Candidate, Kind, users};
use crate::floor::{self, Plain};
use crate::measure;
use crate::table::Report;
use crate::verify::{Ledger, Made, Tally, settle};

/// REGISTER, 401, REGISTER, 200.
const DATAGRAMS: Plain = Plain { each: 2, octets: 450 };

/// Everybody is there before it counts, so that every run renews; at this rate.
const FIRST_RATE: u32 = 4000;

pub(super) fn run(rate: u32, count: usize, at_most: f64) -> Result<Report> {
    let what = format!("{rate} REGISTER/s");
    let start = |kind| Phones::start(kind, rate, count);
    let mut report = Report::of(vec![
        floor::figure(&what, rate, DATAGRAMS)?,
        compare::dialtone(&what, start)?,
        compare::kamailio(&what, start)?,
    ]);
    report.beside("kamailio", at_most);
    report.beside("floor", None);
    Ok(report)
}

struct Phones {
    candidate: Candidate,
    wires: Wires,
    all: usize,
    users: Vec<User>,
    rate: u32,
    ledger: Option<Ledger>,
    registered: Tally,
}

impl Phones {
    fn start(kind: Kind, rate: u32, count: usize) -> Result<Self> {
        let candidate = Candidate::start(kind)?;
        let mut users = users();
        let mut wires = Wires::udp(LOCALHOST)?;
        let outcome = register_all(&mut wires, candidate.at, &users, FIRST_RATE)?;
        ensure!(outcome.failed == 0, "registrations: {outcome}");
        let all = users.len();
        users.truncate(count);
        let counts = [wires.counts()];
        let ledger = candidate.dialtone().map(|it| Ledger::open(it, &counts)).transpose()?;
        let registered = Tally::default();
        Ok(Self { candidate, wires, all, users, rate, ledger, registered })
    }
}

impl Bench for Phones {
    fn run(&mut self) -> Result<Run> {
        let watch = measure::Watch::begin(self.candidate.id()?)?;
        let outcome = register_all(&mut self.wires, self.candidate.at, &self.users, self.rate)?;
        // What the registrations leave to be done belongs to them.
        self.candidate.dialtone().map(settle).transpose()?;
        let used = watch.used()?;
        self.registered = self.registered.and(Tally::of(&outcome));
        let problem = passes(&outcome, u32::try_from(self.users.len())?, self.rate);
        Ok(Run { used, outcome, problem })
    }

    fn close(self) -> Result<Option<String>> {
        let (Some(ledger), Some(server)) = (&self.ledger, self.candidate.dialtone()) else {
            return Ok(None);
        };
        self.candidate.check_registrations(self.all)?;
        ledger.close(server, &Made { registrations: self.registered, ..Made::default() })
    }
}
