//! Runs cases one after the other and prints a line for each and the counts, as CONTRIBUTING.md describes.
//!
//! With `--json` each case is one line of JSON with what it cost: `{fault, seed, version, calls, lost_calls, lost_cdr,
//! lost_regs, mttr_ms, p99_ms, rss_delta, verdict, why}`.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::clock;

/// One thing that is shown, with the name it is asked for by.
pub struct Case {
    pub name: &'static str,
    pub run: fn(&Context) -> Result<()>,
}

/// What a case is given: a folder of its own, which stays after a failure.
pub struct Context {
    pub folder: PathBuf,
    impact: RefCell<Impact>,
    json: bool,
}

/// What a fault cost; `None` where the case does not measure it.
#[derive(Clone, Debug, Default)]
pub struct Impact {
    /// Attempts, and how many of them the fault ended or refused.
    pub calls: Option<usize>,
    pub lost_calls: Option<usize>,
    /// Call records and registrations that should be there and are not.
    pub lost_records: Option<usize>,
    pub lost_registrations: Option<usize>,
    /// From the repair, or the restart, to the first answer. Unit: milliseconds.
    pub recovered_ms: Option<f64>,
    /// From INVITE to 180, of the calls that were made. Unit: milliseconds.
    pub p99_ms: Option<f64>,
    /// Memory at the end less that before. Unit: KiB.
    pub resident_delta_kib: Option<i64>,
}

impl Context {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, impact: RefCell::default(), json: false }
    }

    /// A line of figures below the case.
    pub fn note(&self, text: &str) {
        if !self.json {
            line(&format!("    {text}"));
        }
    }

    /// Says what the fault cost.
    pub fn cost(&self, tell: impl FnOnce(&mut Impact)) {
        tell(&mut self.impact.borrow_mut());
    }

    /// A folder within the case's own.
    pub fn subfolder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }
}

/// The case cannot run on this machine; returned as an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Skip(pub String);

pub fn skip<T>(why: &str) -> Result<T> {
    Err(Skip(why.to_owned()).into())
}

/// Runs the cases whose name contains one of the arguments, all of them without arguments.
pub fn main(cases: &[Case]) -> ExitCode {
    let mut filters: Vec<String> = std::env::args().skip(1).collect();
    let json = filters.iter().any(|it| it == "--json");
    filters.retain(|it| it != "--json");
    match run(cases, &filters, json) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            line(&format!("FAILED runner: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cases: &[Case], filters: &[String], json: bool) -> Result<bool> {
    let unknown = filters.iter().find(|filter| !cases.iter().any(|it| it.name.contains(*filter)));
    if let Some(unknown) = unknown {
        let names: Vec<&str> = cases.iter().map(|it| it.name).collect();
        anyhow::bail!("there is no {unknown}; there are {}", names.join(", "));
    }
    let asked = |name: &str| filters.is_empty() || filters.iter().any(|it| name.contains(it));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in cases.iter().filter(|it| asked(it.name)) {
        let folder = tempfile::Builder::new().prefix("dialtone-interop-").tempdir()?;
        let context = Context { json, ..Context::new(folder.path().to_owned()) };
        let started = clock::now();
        let name = case.name;
        let outcome = run_one(case, &context);
        let (verdict, text) = match &outcome {
            Ok(()) => {
                passed += 1;
                ("ok", format!("ok {name} ({:.1}s)", started.elapsed().as_secs_f64()))
            }
            Err(error) if error.is::<Skip>() => {
                skipped += 1;
                ("skipped", format!("SKIPPED {name}: {error}"))
            }
            Err(error) => {
                failed += 1;
                ("failed", format!("FAILED {name}: {}", one_line(error)))
            }
        };
        if json {
            line(&as_json(name, &context.impact.borrow(), verdict, &outcome));
        } else {
            line(&text);
        }
        if verdict == "failed" {
            show_log(&context);
            context.note(&format!("files: {}", folder.keep().display()));
        }
    }
    if !json {
        line(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
    }
    Ok(failed == 0)
}

/// A panic is a failure of its case; the other cases still run.
fn run_one(case: &Case, context: &Context) -> Result<()> {
    let unwound = std::panic::AssertUnwindSafe(|| (case.run)(context));
    std::panic::catch_unwind(unwound).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        anyhow::bail!("panicked: {}", text.unwrap_or("without a text"))
    })
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace(['\r', '\n'], " | ")
}

fn as_json(name: &str, it: &Impact, verdict: &str, outcome: &Result<()>) -> String {
    json!({
        // None of the faults is drawn by lot.
        "fault": name, "seed": null, "version": env!("CARGO_PKG_VERSION"),
        "calls": it.calls, "lost_calls": it.lost_calls, "lost_cdr": it.lost_records,
        "lost_regs": it.lost_registrations, "mttr_ms": it.recovered_ms, "p99_ms": it.p99_ms,
        "rss_delta": it.resident_delta_kib, "verdict": verdict,
        "why": outcome.as_ref().err().map(one_line),
    })
    .to_string()
}

/// The end of the server's log, where there is one.
fn show_log(context: &Context) {
    const LINES_MAX: usize = 15;
    let file = context.folder.join("server.log");
    let Ok(log) = std::fs::read_to_string(file) else { return };
    let lines: Vec<&str> = log.lines().collect();
    for text in lines.iter().skip(lines.len().saturating_sub(LINES_MAX)) {
        context.note(&format!("| {text}"));
    }
}

#[expect(clippy::print_stdout, reason = "a runner prints its report")]
fn line(text: &str) {
    println!("{text}");
}
