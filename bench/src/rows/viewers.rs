//! What those who follow the events of calls cost, beside the same calls without them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use interop::events::Events;

use super::call::{Load, Office};
use super::compare::{self, Bench, Run};
use crate::table::Report;

/// The rate and the number of viewers of the promise.
const RATE: u32 = 50;
const VIEWERS: usize = 20;
const SECONDS: u32 = 6;

/// The promise: of one core.
const SHARE_MAX: f64 = 5.0;

/// Everything has arrived when nothing comes for so long.
const QUIET: Duration = Duration::from_secs(1);

pub(super) fn run() -> Result<Report> {
    let load = Load { rate: RATE, count: RATE * SECONDS, relay: "always", over_tcp: false };
    let what = format!("{RATE} calls/s");
    let start = |viewers| {
        move |kind| {
            let office = Office::start(kind, load)?;
            let server = office.candidate.dialtone().context("only ours has events")?;
            let follow = |_| Events::follow(server, "types=call.*");
            let viewers = (0..viewers).map(follow).collect::<Result<Vec<_>>>()?;
            Ok(Watched { office, viewers })
        }
    };
    let mut alone = compare::dialtone(&what, start(0))?;
    alone.candidate = "no viewers";
    let watched = compare::dialtone(&format!("{what}, {VIEWERS} viewers"), start(VIEWERS))?;
    // Milliseconds for each call, so many calls a second.
    let share = (watched.value - alone.value) * f64::from(RATE) / 10.0;
    let mut report = Report::of(vec![watched, alone]);
    report.promise("% of a core", share, SHARE_MAX);
    Ok(report)
}

struct Watched {
    office: Office,
    viewers: Vec<Events>,
}

impl Bench for Watched {
    fn run(&mut self) -> Result<Run> {
        self.office.run()
    }

    /// Every viewer was told of every call, from its start to its end.
    fn close(self) -> Result<Option<String>> {
        let made = self.office.calls;
        let told = |it: &Events| {
            let events = it.rest(QUIET);
            ["call.created", "call.ringing", "call.answered", "call.ended"]
                .map(|name| events.iter().filter(|it| it.name() == name).count())
        };
        let wrong = self.viewers.iter().map(told).find(|it| it.iter().any(|it| *it != made));
        let problem = wrong.map(|it| format!("a viewer was told of {it:?} of {made} calls"));
        Ok(problem.or(self.office.close()?))
    }
}
