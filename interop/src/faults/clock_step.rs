//! The wall clock is set an hour ahead, and back, while calls are up.
//!
//! libfaketime, loaded before the C library, shows the server a clock that the test sets; nobody else sees it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::office::{NO_GUARD, Office};
use crate::report::{Context, skip};
use crate::server::Server;

const CALLS: usize = 20;

/// More than any call of this test lasts. Unit: milliseconds.
const DURATION_MAX_MS: u64 = 60_000;

pub(super) fn clock_step(context: &Context) -> Result<()> {
    let Some(library) = library() else {
        return skip("libfaketime is not installed (package faketime)");
    };
    let shown = context.folder.join("clock");
    std::fs::write(&shown, "+0\n")?;
    let mut server = Server::stopped(context, &NO_GUARD)?;
    let set = |name: &str, value: &Path| (name.to_owned(), value.display().to_string());
    server.environment = vec![
        set("LD_PRELOAD", &library),
        set("FAKETIME_TIMESTAMP_FILE", &shown),
        set("FAKETIME_NO_CACHE", Path::new("1")),
        set("DONT_FAKE_MONOTONIC", Path::new("1")),
        set("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
    ];
    server.run()?;
    let mut office = Office::new(server, 20, 20)?;
    let mut done = 0;
    for step in ["+3600", "+0", "-3600"] {
        office.bring_up(CALLS)?;
        std::fs::write(&shown, format!("{step}\n"))?;
        office.idle(Duration::from_secs(3))?;
        ensure!(office.caller.up() == CALLS, "{step}: {} calls are up", office.caller.up());
        office.caller.hang_up_after(Duration::ZERO)?;
        office.idle(Duration::from_secs(1))?;
        office.load(context, 40, 20).with_context(|| format!("after {step} s"))?;
        done += CALLS + 40;
    }
    let bindings = office.server.json(&["registrations"])?.as_array().map_or(0, Vec::len);
    ensure!(bindings == 40, "{bindings} of 40 registrations are there");
    let records = office.server.wait_records(done)?;
    let longest = records.iter().filter_map(|it| it["duration_ms"].as_u64()).max();
    context.note(&format!("{} records, the longest call {longest:?} ms", records.len()));
    ensure!(longest < Some(DURATION_MAX_MS), "a call of {longest:?} ms");
    office.tell_cost(context, 0)
}

/// Debian keeps it in a folder named after the machine.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    let mut files = folders.map(|it| it.path().join("faketime/libfaketime.so.1"));
    files.find(|it| it.is_file())
}
