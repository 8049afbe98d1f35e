//! How long the server takes from its start to its first answer, with 50,000 extensions, each registered.

use std::time::Duration;

use anyhow::{Result, ensure};
use interop::clock;
use interop::load::{User, Wires, register_all};
use interop::report::Context;
use interop::server::{LOCALHOST, PASSWORD, Server};

use super::compare::RUNS;
use crate::candidate::SETTINGS;
use crate::measure;
use crate::table::{Figure, Report};
use crate::verify::settle;

const FIRST: u32 = 100_000;
const PHONES: u32 = 50_000;
const RATE: u32 = 4000;

/// The promise. Unit: seconds.
const START_MAX_S: f64 = 1.0;

pub(super) fn run() -> Result<Report> {
    let folder = tempfile::Builder::new().prefix("dialtone-bench-").tempdir()?;
    let context = Context::new(folder.path().to_owned());
    let mut server = Server::start_with(&context, &SETTINGS)?;
    server.add(&format!("{FIRST}-{}", FIRST + PHONES - 1), &[])?;
    let users = User::range(FIRST, PHONES, PASSWORD);
    let outcome = register_all(&mut Wires::udp(LOCALHOST)?, server.udp(), &users, RATE)?;
    ensure!(outcome.failed == 0, "registrations: {outcome}");
    // As after a night: the database holds them; the journal's last segment is there all the same.
    settle(&server)?;
    let mut times = vec![];
    for _ in 0..RUNS {
        server.kill()?;
        times.push(start(&mut server)?);
    }
    // It is published a moment after the first answer.
    settle(&server)?;
    let registered = server.metric("dialtone_registrations_active", "")?;
    let seconds = measure::median(times.iter().map(Duration::as_secs_f64).collect());
    let mut figure = Figure {
        candidate: "dialtone",
        what: "start to the first 200".to_owned(),
        value: seconds,
        unit: "s",
        detail: format!("after kill -9, {PHONES} extensions, {registered} registered: {times:.2?}"),
        ..Figure::default()
    };
    let is_complete = registered >= f64::from(PHONES);
    figure.problem = (!is_complete).then(|| format!("{registered} of {PHONES} registered"));
    let mut report = Report::of(vec![figure]);
    report.promise("seconds to the first 200", seconds, START_MAX_S);
    Ok(report)
}

/// From the start of the process until a stranger's OPTIONS is answered.
fn start(server: &mut Server) -> Result<Duration> {
    let started = clock::now();
    server.run()?;
    server.is_alive()?;
    Ok(started.elapsed())
}
