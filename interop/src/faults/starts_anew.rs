//! Three internal faults within a minute: the server replaces itself by a fresh process, which goes on from the journal.
//!
//! Only a server that was built to fail can be made to: xtask builds one with the feature `provoked-faults` and names
//! it in `DIALTONE_FAULTY_BIN`.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::office::{NO_GUARD, Office};
use crate::clock;
use crate::phone::SOON;
use crate::process::Signal;
use crate::report::{Context, skip};
use crate::server::Server;

const CALLS: usize = 5;

/// From the third fault to the first answer; the promise is two seconds, this build is slower than the product.
const BACK_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn starts_anew(context: &Context) -> Result<()> {
    let Some(program) = std::env::var_os("DIALTONE_FAULTY_BIN") else {
        return skip("DIALTONE_FAULTY_BIN names no server that can be made to fail");
    };
    let mut server = Server::stopped(context, &NO_GUARD)?;
    server.program = program.into();
    // The second start has the ports of the first in its arguments, which the fresh process gets too.
    server.run()?;
    server.terminate()?;
    server.run()?;
    let mut office = Office::new(server, 10, 10)?;
    office.bring_up(CALLS)?;

    for faults in [1.0, 2.0] {
        fail(&mut office, faults)?;
        let (up, byes) = (office.caller.up(), office.caller.byes);
        ensure!(up >= CALLS && byes == 0, "{up} of {CALLS} calls are up, {byes} got a BYE");
    }
    let (up, third) = (office.caller.up(), clock::now());
    fail(&mut office, 0.0)?;
    office.server.is_alive()?;
    let back = third.elapsed();
    context.note(&format!("answering again {:.0} ms after the third", back.as_secs_f64() * 1e3));
    context.cost(|it| it.recovered_ms = Some(back.as_secs_f64() * 1e3));
    ensure!(back < BACK_WITHIN, "answering only after {back:?}");
    ensure!(office.server.is_running()?, "the process ended instead of replacing itself");

    // Also of the attempts that made it fail, one of which the fresh process challenges once more.
    let end = clock::now() + SOON;
    while office.caller.under_way() > 0 && clock::now() < end {
        office.idle(Duration::from_millis(20))?;
    }
    ensure!(office.caller.byes >= up, "callers got {} of {up} BYEs", office.caller.byes);
    let records = office.server.records()?;
    let crashed = records.iter().filter(|it| it["release_code"] == "system.crash").count();
    ensure!(crashed >= up, "{crashed} of {up} records end with the code of a crash");
    let registered = office.server.json(&["registrations"])?.as_array().map_or(0, Vec::len);
    ensure!(registered == 20, "{registered} of 20 registrations are there");
    office.load(context, 20, 10)?;
    office.tell_cost(context, up)
}

/// Makes the core fail: at the next thing for which it needs a random number, which is an attempt to call here. Waits
/// until the server has counted that many; a fresh process has counted none.
fn fail(office: &mut Office, counted: f64) -> Result<()> {
    office.server.signal(Signal::Fail)?;
    let end = clock::now() + SOON;
    while clock::now() < end {
        let number = office.callees[CALLS].number.clone();
        office.try_call(CALLS, &number)?;
        office.idle(Duration::from_millis(300))?;
        if office.server.metric("dialtone_internal_faults_total", "").ok() == Some(counted) {
            return Ok(());
        }
    }
    anyhow::bail!("no {counted} faults counted within {SOON:?}")
}
