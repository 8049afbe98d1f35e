//! What 10,000 registered phones cost that do nothing but renew: each is registered for 300 s and renews at half of it.

use std::time::Duration;

use anyhow::{Result, ensure};
use interop::clock;
use interop::load::{Registering, User, Wires, register_with};
use interop::server::LOCALHOST;

use crate::candidate::{Candidate, Kind, users};
use crate::measure;
use crate::table::{Figure, Report};
use crate::verify::settle;

const EXPIRES_S: u32 = 300;
const FIRST_RATE: u32 = 4000;
/// How long each of both is looked at.
const WATCHED: Duration = Duration::from_secs(12);

/// The promise: of one core.
const SHARE_MAX: f64 = 1.0;

pub(super) fn run() -> Result<Report> {
    let figures = [Kind::Dialtone, Kind::Kamailio { workers: 2 }].map(one);
    let figures = figures.into_iter().collect::<Result<Vec<_>>>()?;
    let ours = figures.first().map_or(f64::NAN, |it| it.value);
    let mut report = Report::of(figures);
    report.promise("% of a core", ours, SHARE_MAX);
    report.beside("kamailio", None);
    Ok(report)
}

fn one(kind: Kind) -> Result<Figure> {
    let candidate = Candidate::start(kind)?;
    let (users, mut wires) = (users(), Wires::udp(LOCALHOST)?);
    let how = Registering { rate: FIRST_RATE, expires: EXPIRES_S };
    let outcome = register_with(&mut wires, candidate.at, &users, how)?;
    ensure!(outcome.failed == 0, "registrations: {outcome}");
    // What the registrations left to be done is over by then.
    candidate.dialtone().map(settle).transpose()?;
    clock::pause(Duration::from_secs(2));

    let silent = share(&candidate, || {
        clock::pause(WATCHED);
        Ok(())
    })?;
    let rate = u32::try_from(users.len())? / (EXPIRES_S / 2);
    let renewing: &[User] = &users[..usize::try_from(u64::from(rate) * WATCHED.as_secs())?];
    let how = Registering { rate, expires: EXPIRES_S };
    let renewed = share(&candidate, || {
        let outcome = register_with(&mut wires, candidate.at, renewing, how)?;
        ensure!(outcome.failed == 0, "registrations: {outcome}");
        Ok(())
    })?;
    candidate.check_registrations(users.len())?;
    Ok(Figure {
        candidate: kind.name(),
        what: format!("{} phones, idle", users.len()),
        value: renewed,
        unit: "% core",
        detail: format!("{rate} REGISTER/s; {silent:.3} % without any{}", kind.configuration()),
        ..Figure::default()
    })
}

/// CPU time for each second that this takes, with what it leaves to be done. Unit: percent of one core.
fn share(candidate: &Candidate, act: impl FnOnce() -> Result<()>) -> Result<f64> {
    let (started, watch) = (clock::now(), measure::Watch::begin(candidate.id()?)?);
    act()?;
    let took = started.elapsed();
    candidate.dialtone().map(settle).transpose()?;
    let used = watch.used()?.total();
    Ok(used.as_secs_f64() * 100.0 / took.as_secs_f64())
}
