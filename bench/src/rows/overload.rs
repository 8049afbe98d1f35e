//! Twice as many calls are offered as the server can take: how many it still completes, and how soon it is well again.
//!
//! The generators must be able to offer that much, so the server gets a part of one core, which it shares with
//! programs that only burn it, and the generators get the other core.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use interop::clock;
use interop::load::{Caller, Outcome, Wires};
use interop::server::LOCALHOST;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::call::{Load, Office, nowhere};
use crate::candidate::{Candidate, Kind, users};
use crate::spin::Spinning;
use crate::table::{Figure, Report};

/// Programs beside the server on its core.
const SPINNING: usize = 3;

/// Calls that are under way at once while the most is looked for.
const AT_ONCE: usize = 200;
const LOOKED_FOR: Duration = Duration::from_secs(5);

/// How long too much is offered; the first part does not count, as the queues only fill.
const OFFERED: Duration = Duration::from_secs(10);
const FILLING: Duration = Duration::from_secs(2);

/// After it: a quarter of the most, which must be served at once.
const AFTER: Duration = Duration::from_secs(5);
const WELL: Duration = Duration::from_millis(200);

/// What was promised.
const GOODPUT_MIN: f64 = 0.8;
const RECOVERY_MAX_S: f64 = 1.0;

/// Callers of one load.
const GROUP: usize = 500;

pub(super) fn run() -> Result<Report> {
    let all = sched_getaffinity(None)?;
    let cores = std::thread::available_parallelism()?.get();
    ensure!(cores >= 2, "needs two cores: one for the server, one for what calls it");
    let report = on_two_cores();
    sched_setaffinity(None, &all)?;
    report
}

fn on_two_cores() -> Result<Report> {
    // Processes and threads inherit it.
    sched_setaffinity(None, &only(0))?;
    let spinning = (0..SPINNING).map(|_| Spinning::start()).collect::<Result<Vec<_>>>()?;
    let load = Load { rate: 1, count: 1, relay: "never", over_tcp: false };
    let away = |_: &Candidate| Ok(sched_setaffinity(None, &only(1))?);
    let mut office = Office::start_then(Kind::Dialtone, load, away)?;
    let most = most(&mut office)?;
    let (goodput, refused) = too_much(&office, 2.0 * most)?;
    let well_after = well_after(&office, most / 4.0)?;
    drop(spinning);

    let share = goodput / most;
    let figure = Figure {
        candidate: "dialtone",
        what: "completed of the most".to_owned(),
        value: share,
        unit: "",
        detail: format!(
            "{most:.0} calls/s at most with a share of a core, {goodput:.0}/s completed of {:.0}/s, \
             {refused}; well {well_after:.2} s after",
            2.0 * most
        ),
        ..Figure::default()
    };
    let mut report = Report::of(vec![figure]);
    report.promise("promised share / completed share", GOODPUT_MIN / share, 1.0);
    report.promise("seconds until calls are served at once", well_after, RECOVERY_MAX_S);
    Ok(report)
}

fn only(core: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(core);
    set
}

/// Calls a second with always so many under way.
fn most(office: &mut Office) -> Result<f64> {
    // Without those that came before it counts.
    office.caller.outcome = Outcome::default();
    let (started, mut user) = (clock::now(), 0);
    let nowhere = nowhere()?;
    while started.elapsed() < LOOKED_FOR {
        while office.caller.under_way() < AT_ONCE {
            let callee = &office.callees[user % office.callees.len()];
            office.caller.call(user % GROUP, &callee.number, nowhere)?;
            user += 1;
        }
        office.caller.poll()?;
        office.caller.hang_up_after(Duration::ZERO)?;
    }
    let done = office.caller.outcome.done;
    let rate = f64::from(u32::try_from(done)?) / started.elapsed().as_secs_f64();
    office.caller.finish()?;
    Ok(rate)
}

/// Calls completed a second while so many are offered, and what became of the others.
fn too_much(office: &Office, rate: f64) -> Result<(f64, String)> {
    let mut caller = others(office)?;
    let (started, nowhere) = (clock::now(), nowhere()?);
    let (mut made, mut before) = (0_u32, None);
    while started.elapsed() < OFFERED {
        while f64::from(made) < started.elapsed().as_secs_f64() * rate {
            let place = usize::try_from(made)? % GROUP;
            caller.call(place, &office.callees[place].number, nowhere)?;
            made += 1;
        }
        caller.poll()?;
        caller.hang_up_after(Duration::ZERO)?;
        if started.elapsed() > FILLING {
            let done = caller.outcome.done;
            before.get_or_insert_with(|| (clock::now(), done));
        }
    }
    let (since, done_before) = before.context("never full")?;
    let done = u32::try_from(caller.outcome.done - done_before)?;
    let refused = format!(
        "{} refused {:?}, {} resent, {} left hanging",
        caller.outcome.failed,
        caller.outcome.failures,
        caller.outcome.resent,
        caller.under_way()
    );
    Ok((f64::from(done) / since.elapsed().as_secs_f64(), refused))
}

/// After how long the last call began that had to wait. Unit: seconds.
fn well_after(office: &Office, rate: f64) -> Result<f64> {
    let mut caller = others(office)?;
    let (started, nowhere) = (clock::now(), nowhere()?);
    let mut began: Vec<Instant> = vec![];
    while started.elapsed() < AFTER {
        while f64::from(u32::try_from(began.len())?) < started.elapsed().as_secs_f64() * rate {
            let place = began.len() % GROUP;
            caller.call(place, &office.callees[place].number, nowhere)?;
            began.push(clock::now());
        }
        caller.poll()?;
        caller.hang_up_after(Duration::ZERO)?;
    }
    // The last ones have their time, too.
    let end = clock::now() + WELL;
    while clock::now() < end {
        caller.poll()?;
        caller.hang_up_after(Duration::ZERO)?;
    }
    let slow = caller.rang_within(WELL);
    let last = began.iter().zip(slow).filter(|(_, quick)| !quick).map(|(at, _)| *at).next_back();
    Ok(last.map_or(0.0, |at| (at - started).as_secs_f64()))
}

/// Callers that nobody has heard of yet, on a socket of their own.
fn others(office: &Office) -> Result<Caller> {
    let callers = users()[2 * GROUP..3 * GROUP].to_vec();
    Ok(Caller::new(Wires::udp(LOCALHOST)?, office.candidate.at, callers))
}
