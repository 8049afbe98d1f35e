//! Memory at the start, with 10,000 phones registered, and with 1,000 calls up.

use std::time::Duration;

use anyhow::{Result, ensure};
use interop::clock;
use interop::load::{Answering, Callee, Caller, register_all, socket};
use interop::server::LOCALHOST;

use crate::candidate::{Candidate, KINDS, Kind, users};
use crate::measure;
use crate::table::Figure;

const CALLS: usize = 1000;

/// For a thousand calls to come up.
const LIMIT: Duration = Duration::from_secs(30);

/// For what is freed a little later, so that all are looked at in rest.
const REST: Duration = Duration::from_secs(2);

pub(super) fn run() -> Result<Vec<Figure>> {
    let mut figures = vec![];
    for kind in KINDS {
        figures.extend(one(kind)?);
    }
    Ok(figures)
}

fn one(kind: Kind) -> Result<Vec<Figure>> {
    let candidate = Candidate::start(kind)?;
    let mut figures = vec![];
    let mut look = |what: &str, detail: String| -> Result<()> {
        clock::pause(REST);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 KiB")]
        let value = measure::memory_kib(candidate.id()?)? as f64 / 1024.0;
        let what = what.to_owned();
        figures.push(Figure {
            candidate: kind.name(),
            what,
            value,
            unit: "MiB",
            detail,
            problem: None,
        });
        Ok(())
    };
    let ring = match kind {
        Kind::Dialtone => "with the ring of messages, 32 MiB, and 10,000 users".to_owned(),
        Kind::Kamailio => "without users".to_owned(),
    };
    look("start", ring)?;

    let users = users();
    let (callers, callees) = users.split_at(users.len() / 2);
    let (caller_socket, callee_socket) = (socket(LOCALHOST)?, socket(LOCALHOST)?);
    for (socket, users) in [(&caller_socket, callers), (&callee_socket, callees)] {
        let outcome = register_all(socket, candidate.at, users, 1000)?;
        ensure!(outcome.failed == 0, "{outcome}");
    }
    candidate.check_registrations(users.len())?;
    look("10,000 registered", String::new())?;

    let _answering = Callee::start(callee_socket, candidate.at, Answering::default())?;
    let mut caller = Caller::new(caller_socket, candidate.at, callers.to_vec());
    let nowhere = socket(LOCALHOST)?.local_addr()?;
    for (index, callee) in callees.iter().enumerate().take(CALLS) {
        caller.call(index, &callee.number, nowhere)?;
        caller.poll()?;
    }
    let end = clock::now() + LIMIT;
    while caller.up() < CALLS && clock::now() < end {
        caller.poll()?;
    }
    let up = caller.up();
    let detail = match kind {
        Kind::Dialtone => format!("{up} calls up, each with its media ports"),
        Kind::Kamailio => format!("{up} calls up; a proxy forgets them once they are"),
    };
    look("1,000 calls up", detail)?;
    if up < CALLS {
        let last = figures.last_mut();
        last.into_iter()
            .for_each(|it| it.problem = Some(format!("only {up} calls: {}", caller.outcome)));
    }
    Ok(figures)
}
