//! Memory under a steady load of calls and registrations at once, and a minute after it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use interop::clock;
use interop::load::{Registering, Wires, register_with};
use interop::server::LOCALHOST;

use super::call::{Load, Office};
use super::compare::Bench as _;
use crate::candidate::{Kind, users};
use crate::measure;
use crate::table::{Figure, Report};

const CALLS: u32 = 1600;
const REGISTERS: u32 = 3200;
const SECONDS: u32 = 20;
/// Before and after, for what is freed a little later: by both, what is left over is seen and nothing else.
const REST: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The promise: what is left a minute later, beside what there was at the start.
const LEFT_MAX: f64 = 1.1;

pub(super) fn run() -> Result<Report> {
    let load = Load { rate: CALLS, count: CALLS * SECONDS, relay: "never", over_tcp: false };
    let mut fresh = 0;
    let mut office = Office::start_then(Kind::Dialtone, load, |it| {
        fresh = measure::memory_kib(it.id()?)?;
        Ok(())
    })?;
    let (at, id) = (office.candidate.at, office.candidate.id()?);
    // Apart from those who call; everybody is there before it counts.
    let users = users().split_off(usize::try_from(2 * REGISTERS)?);
    let mut wires = Wires::udp(LOCALHOST)?;
    let renew = |wires: &mut Wires| {
        let outcome =
            register_with(wires, at, &users, Registering { rate: REGISTERS, expires: 3600 })?;
        ensure!(outcome.failed == 0, "registrations: {outcome}");
        Ok(())
    };
    renew(&mut wires)?;
    clock::pause(REST);
    let start = measure::memory_kib(id)?;

    let (over, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let run = std::thread::scope(|scope| {
        let registers = scope.spawn(|| -> Result<()> {
            // Not until `over`: the calls are over once all is written, which it is only when nobody comes any more.
            let end = clock::now() + Duration::from_secs(SECONDS.into());
            while clock::now() < end {
                renew(&mut wires)?;
            }
            Ok(())
        });
        let looks = scope.spawn(|| -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(measure::memory_kib(id)?, Ordering::Relaxed);
                clock::pause(LOOK_EVERY);
            }
            Ok(())
        });
        let run = office.run();
        over.store(true, Ordering::Relaxed);
        for thread in [registers, looks] {
            thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        run
    })?;
    clock::pause(REST);
    let left = measure::memory_kib(id)?;

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 KiB")]
    let mib = |kib: u64| kib as f64 / 1024.0;
    let peak = mib(peak.into_inner());
    let mut figure = Figure {
        candidate: "dialtone",
        what: format!("{} s after the load", REST.as_secs()),
        value: mib(left),
        unit: "MiB",
        detail: format!(
            "{:.1} MiB before anybody came, {:.1} MiB before the load, {peak:.1} MiB at most; {CALLS} calls/s, relay never, and {REGISTERS} REGISTER/s \
             for {SECONDS} s: {}",
            mib(fresh),
            mib(start),
            run.outcome
        ),
        ..Figure::default()
    };
    figure.problem = run.problem;
    let mut report = Report::of(vec![figure]);
    report.promise("left / before", mib(left) / mib(start), LEFT_MAX);
    Ok(report)
}
