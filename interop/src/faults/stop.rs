//! SIGTERM with 50 calls up: each ends for both phones and has its record.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::office::{NO_GUARD, Office};
use crate::clock;
use crate::process::Signal;
use crate::report::Context;
use crate::server::Server;

const CALLS: usize = 50;

/// The promise is five seconds; the rest is for a slow machine.
const STOP_LIMIT: Duration = Duration::from_secs(7);

pub(super) fn stop(context: &Context) -> Result<()> {
    let server = Server::start_with(context, &NO_GUARD)?;
    let mut office = Office::new(server, 50, 50)?;
    office.bring_up(CALLS)?;
    let started = clock::now();
    office.server.signal(Signal::Term)?;
    office.wait_byes(CALLS)?;
    while office.server.is_running()? && started.elapsed() < STOP_LIMIT {
        office.caller.poll()?;
    }
    let took = started.elapsed();
    ensure!(!office.server.is_running()?, "still running after {took:?}");
    let callee_byes = office.deaf()?.byes;
    ensure!(callee_byes == CALLS, "callees got {callee_byes} of {CALLS} BYEs");
    let records = office.server.records()?;
    let shut = records.iter().filter(|it| it["release_code"] == "system.shutdown").count();
    ensure!(shut == CALLS, "{shut} of {CALLS} records say that the server was shut down");
    context.note(&format!("stopped after {:.0} ms, {shut} records", took.as_secs_f64() * 1e3));
    context.cost(|it| {
        (it.calls, it.lost_calls, it.lost_records) = (Some(CALLS), Some(CALLS), Some(0));
    });
    Ok(())
}
