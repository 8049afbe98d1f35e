//! Runs cases one after the other and prints a line for each and the counts, as CONTRIBUTING.md describes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::clock;

/// One thing that is shown, with the name it is asked for by.
pub struct Case {
    pub name: &'static str,
    pub run: fn(&Context) -> Result<()>,
}

/// What a case is given: a folder of its own, which stays after a failure.
pub struct Context {
    pub folder: PathBuf,
}

impl Context {
    /// A line of figures below the case.
    #[expect(clippy::print_stdout, reason = "a runner prints its report")]
    pub fn note(&self, text: &str) {
        println!("    {text}");
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
    let filters: Vec<String> = std::env::args().skip(1).collect();
    match run(cases, &filters) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            line(&format!("FAILED runner: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cases: &[Case], filters: &[String]) -> Result<bool> {
    let asked = |name: &str| filters.is_empty() || filters.iter().any(|it| name.contains(it));
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in cases.iter().filter(|it| asked(it.name)) {
        let folder = tempfile::Builder::new().prefix("dialtone-interop-").tempdir()?;
        let context = Context { folder: folder.path().to_owned() };
        let started = clock::now();
        let name = case.name;
        match run_one(case, &context) {
            Ok(()) => {
                passed += 1;
                line(&format!("ok {name} ({:.1}s)", started.elapsed().as_secs_f64()));
            }
            Err(error) => match error.downcast_ref::<Skip>() {
                Some(Skip(why)) => {
                    skipped += 1;
                    line(&format!("SKIPPED {name}: {why}"));
                }
                None => {
                    failed += 1;
                    line(&format!("FAILED {name}: {}", one_line(&error)));
                    show_log(folder.path());
                    line(&format!("    files: {}", folder.keep().display()));
                }
            },
        }
    }
    line(&format!("{passed} passed, {failed} failed, {skipped} skipped"));
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

/// The end of the server's log, where there is one.
fn show_log(folder: &Path) {
    const LINES_MAX: usize = 15;
    let Ok(log) = std::fs::read_to_string(folder.join("server.log")) else { return };
    let lines: Vec<&str> = log.lines().collect();
    for text in lines.iter().skip(lines.len().saturating_sub(LINES_MAX)) {
        line(&format!("    | {text}"));
    }
}

#[expect(clippy::print_stdout, reason = "a runner prints its report")]
fn line(text: &str) {
    println!("{text}");
}
