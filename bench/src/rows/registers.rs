//! Digest REGISTER at two rates, beside the floor of the same number of datagrams.

use anyhow::Result;
use interop::load::{Outcome, register_all, socket};
use interop::server::LOCALHOST;

use super::RUNS;
use super::calls::{floor_figure, passes};
use crate::candidate::{Candidate, KINDS, Kind, users};
use crate::measure;
use crate::table::Figure;

/// REGISTERs a second, and how many.
const RATES: [(u32, usize); 2] = [(400, 3200), (3200, 9600)];

/// REGISTER, 401, REGISTER, 200.
const DATAGRAMS: u32 = 2;

pub(super) fn run() -> Result<Vec<Figure>> {
    let mut figures = vec![];
    for (rate, _) in RATES {
        figures.push(floor_figure(&format!("{rate} REGISTER/s"), rate * DATAGRAMS, DATAGRAMS)?);
    }
    for kind in KINDS {
        let candidate = Candidate::start(kind)?;
        figures.extend(one(kind, &candidate)?);
    }
    Ok(figures)
}

fn one(kind: Kind, candidate: &Candidate) -> Result<Vec<Figure>> {
    let users = users();
    let socket = socket(LOCALHOST)?;
    // Everybody is there before it counts, so that every run renews.
    register_all(&socket, candidate.at, &users, 2000)?;
    let mut figures = vec![];
    for (rate, count) in RATES {
        let mut values = vec![];
        let mut problem = None;
        let mut last = Outcome::default();
        for _ in 0..RUNS {
            let before = measure::cpu(candidate.id()?)?;
            last = register_all(&socket, candidate.at, &users[..count], rate)?;
            let used = measure::cpu(candidate.id()?)? - before;
            values.push(used.as_secs_f64() * 1e3 / f64::from(u32::try_from(last.done.max(1))?));
            problem = problem.or_else(|| passes(&last, count));
        }
        let complete = candidate.check_registrations(users.len());
        figures.push(Figure {
            candidate: kind.name(),
            what: format!("{rate} REGISTER/s"),
            value: measure::median(values),
            unit: "ms CPU",
            detail: format!("{last}; {}", kind.configuration()),
            problem: problem.or_else(|| complete.err().map(|it| format!("{it:#}"))),
        });
    }
    Ok(figures)
}
