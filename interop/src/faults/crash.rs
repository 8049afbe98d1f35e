//! kill -9 with 50 calls up and 10,000 phones registered.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::office::{NO_GUARD, Office};
use crate::clock;
use crate::phone::Phone;
use crate::report::Context;
use crate::rtp::Media;
use crate::server::{LOCALHOST, PASSWORD, Server};

const CALLS: u32 = 50;
const PHONES: u32 = 10_000;

/// From the start of the new process to its first answer.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// Longer than the server's own sign of life, so that the records end near the crash.
const BEFORE_CRASH: Duration = Duration::from_secs(7);

/// Calls a second while every binding is tried.
const TRY_RATE: u32 = 250;

pub(super) fn crash(context: &Context) -> Result<()> {
    let server = Server::start_with(context, &NO_GUARD)?;
    server.add("100-101", &[])?;
    let mut office = Office::new(server, CALLS, PHONES - CALLS)?;
    register_over_tcp(&office.server)?;
    let calls = usize::try_from(CALLS)?;
    office.bring_up(calls)?;
    office.idle(BEFORE_CRASH)?;

    office.server.kill()?;
    let started = clock::now();
    office.server.run()?;
    office.server.is_alive()?;
    let back = started.elapsed();
    context.note(&format!("answering again {:.0} ms after the start", back.as_secs_f64() * 1e3));
    context.cost(|it| it.recovered_ms = Some(back.as_secs_f64() * 1e3));
    ensure!(back < BACK_WITHIN, "answering only after {back:?}");

    office.wait_byes(calls)?;
    office.idle(Duration::from_millis(500))?;
    let callee_byes = office.deaf()?.byes;
    ensure!(callee_byes == calls, "callees got {callee_byes} of {calls} BYEs");
    let records = office.server.wait_records(calls)?;
    let crashed = records.iter().filter(|it| it["release_code"] == "system.crash").count();
    ensure!(crashed == calls, "{crashed} of {calls} records end with the code of a crash");
    let shortest = records.iter().filter_map(|it| it["duration_ms"].as_u64()).min();
    context.note(&format!("{crashed} records, the shortest call {shortest:?} ms"));

    let bindings = office.server.json(&["registrations"])?.as_array().map_or(0, Vec::len);
    let expected = usize::try_from(PHONES)? + 1;
    ensure!(bindings == expected, "{bindings} of {expected} registrations are there");
    office.answer()?;
    office.load_with(context, PHONES - CALLS, TRY_RATE, Duration::ZERO).context("every binding")?;
    let reached = office.deaf()?.invites;
    ensure!(reached == expected - 1 - calls, "{reached} phones were called");
    lost_flow(context, &office.server)?;
    office.tell_cost(context, calls)
}

/// The connection of this phone is gone with the process, and nobody listens at its Contact.
fn register_over_tcp(server: &Server) -> Result<()> {
    Phone::tcp(LOCALHOST, server.tcp(), "101", PASSWORD)?.register()
}

fn lost_flow(context: &Context, server: &Server) -> Result<()> {
    let mut caller = server.phone("100")?;
    let media = Media::new(LOCALHOST, 1)?;
    let started = clock::now();
    let sent = caller.invite("101", &media.sdp()?)?;
    let answer = caller.expect(&sent, 480)?;
    caller.ack_refusal(&sent, &answer)?;
    let took = started.elapsed();
    context.note(&format!("a lost flow: 480 after {:.0} ms", took.as_secs_f64() * 1e3));
    ensure!(took < BACK_WITHIN, "480 only after {took:?}");
    Ok(())
}
