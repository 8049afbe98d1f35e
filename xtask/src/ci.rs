//! `cargo xtask ci`: all of CI, step by step, whatever failed before, with one line of counts at the end.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::report::Report;
use crate::{codegen, delegate, dependencies, shell, skips, tidy};

/// The file a test appends `name: why` to when it finds that it cannot run here.
const SKIPS_LOG: &str = "DIALTONE_SKIPS_LOG";

/// What CI does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// The code is formatted.
    Fmt,
    /// The rules no compiler knows.
    Tidy,
    /// The shell scripts, where shellcheck is installed.
    Scripts,
    /// No warnings.
    Clippy,
    /// The documentation builds, for those who read the code too.
    Doc,
    /// Every crate knows only the layers below it.
    Dependencies,
    /// The generated files are fresh.
    Codegen,
    /// Licences and known vulnerabilities of what we depend on, where cargo-deny is installed.
    Deny,
    /// The oldest promised Rust builds it, where it is installed.
    MinimumRust,
    /// All Rust tests.
    Test,
    /// 50 seeds of the simulator.
    Simulator,
    /// The real server and other programs' phones.
    Interop,
}

/// Runs the steps named, or all, and prints times, failures, skips and counts; true where nothing failed.
pub(crate) fn run(steps: &[Step]) -> anyhow::Result<bool> {
    let allowed = skips::Allowed::read()?;
    let steps = if steps.is_empty() { Step::value_variants() } else { steps };
    let mut done = Vec::new();
    for step in steps {
        println!("==> {}", name(*step));
        let started = now();
        // A step that cannot even start is a failure of its own, not the end of the others.
        let mut report = step
            .report()
            .unwrap_or_else(|error| Report::of(&format!("{}: {error:#}", name(*step)), false));
        allowed.judge(&mut report);
        done.push((*step, report, now().duration_since(started)));
    }
    Ok(print_summary(done))
}

impl Step {
    fn report(self) -> anyhow::Result<Report> {
        match self {
            Self::Fmt => cargo(self, &["fmt", "--all", "--check"], &[]),
            Self::Tidy => tidy::run(),
            Self::Scripts => scripts(),
            Self::Clippy => {
                let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--"];
                cargo(self, &[&arguments[..], &["-D", "warnings"]].concat(), &[])
            }
            Self::Doc => {
                let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items"];
                // Whoever reads the documentation has the private modules in view, so links may lead there.
                let flags = "-D warnings -A rustdoc::private-intra-doc-links";
                cargo(self, &arguments, &[("RUSTDOCFLAGS", flags)])
            }
            Self::Dependencies => dependencies::check(),
            Self::Codegen => codegen::check(),
            Self::Deny => deny(),
            Self::MinimumRust => minimum_rust(),
            Self::Test => test(),
            Self::Simulator => delegate::SIMULATOR.check(&["--count", "50"]),
            Self::Interop => delegate::INTEROP.check(&[]),
        }
    }
}

/// One cargo command is one check.
fn cargo(step: Step, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Report> {
    let mut command = shell::cargo(arguments);
    command.envs(environment.iter().copied());
    Ok(Report::of(&name(step), shell::run(&mut command)?))
}

fn scripts() -> anyhow::Result<Report> {
    if !is_installed("shellcheck") {
        return Ok(Report::skipped("shellcheck", "shellcheck is not installed"));
    }
    let mut command = shell::program("shellcheck");
    command.args(["-x", "run", "test", ".ci/run", "xtask/need.sh"]);
    Ok(Report::of("shellcheck", shell::run(&mut command)?))
}

fn test() -> anyhow::Result<Report> {
    let log = shell::target_dir().join("skips.log");
    std::fs::create_dir_all(shell::target_dir())?;
    std::fs::write(&log, "")?;
    let mut command = shell::cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.env(SKIPS_LOG, &log);
    let outcome = shell::run_and_read(&mut command, |_| true)?;
    let log = std::fs::read_to_string(&log)?;
    Ok(Report::from_cargo_test(outcome.success, &outcome.stdout, &log))
}

/// Licences and sources are judged offline; advisories need a database that may be out of reach.
fn deny() -> anyhow::Result<Report> {
    if !is_installed("cargo-deny") {
        return Ok(Report::skipped("cargo-deny", "cargo-deny is not installed"));
    }
    let mut command = shell::cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]);
    let mut report = Report::of("cargo deny", shell::run(&mut command)?);
    if shell::run(&mut shell::cargo(&["deny", "fetch", "db"]))? {
        let mut command = shell::cargo(&["deny", "--offline", "check", "advisories"]);
        report.add(Report::of("cargo deny: advisories", shell::run(&mut command)?));
    } else {
        report.add(Report::skipped("advisories", "the advisory database is out of reach"));
    }
    Ok(report)
}

fn minimum_rust() -> anyhow::Result<Report> {
    let manifest = std::fs::read_to_string(shell::root().join("Cargo.toml"))?;
    let version = rust_version(&manifest).unwrap_or("unknown");
    let installed = is_installed("rustup")
        && shell::run_and_read(shell::program("rustup").args(["toolchain", "list"]), |_| false)?
            .stdout
            .lines()
            .any(|line| line.starts_with(version));
    if !installed {
        return Ok(Report::skipped("minimum-rust", &format!("Rust {version} is not installed")));
    }
    // Its own target directory: two compilers in one would rebuild everything for each other.
    let mut command = shell::program("rustup");
    command.args(["run", version, "cargo", "check", "--workspace", "--locked"]);
    command.env("CARGO_TARGET_DIR", shell::target_dir().join("minimum-rust"));
    Ok(Report::of(&format!("builds with Rust {version}"), shell::run(&mut command)?))
}

/// The value of `rust-version` in a manifest.
fn rust_version(manifest: &str) -> Option<&str> {
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "))?;
    Some(line.trim_matches('"'))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| Path::new(&directory).join(program).is_file())
}

fn print_summary(done: Vec<(Step, Report, Duration)>) -> bool {
    println!("\n{:<14}{:>8}{:>8}{:>8}{:>10}", "step", "passed", "failed", "skipped", "seconds");
    let mut total = Report::default();
    for (step, report, took) in done {
        let counts = report.counts();
        let (passed, failed, skipped) = (counts.passed, counts.failed, counts.skipped);
        let seconds = took.as_secs_f64();
        println!("{:<14}{passed:>8}{failed:>8}{skipped:>8}{seconds:>10.1}", name(step));
        total.add(report);
    }
    for failure in &total.failures {
        println!("failed: {failure}");
    }
    for skip in &total.skips {
        println!("skipped: {}: {}", skip.name, skip.why);
    }
    println!("{}", total.counts());
    total.failed == 0
}

fn name(step: Step) -> String {
    step.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "steps are timed for the person who waits")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_version_table() {
        let table = [
            ("[workspace.package]\nrust-version = \"1.89\"\nlicense = \"MIT\"\n", Some("1.89")),
            ("rust-version.workspace = true\n", None),
            ("", None),
        ];
        for (manifest, expected) in table {
            assert_eq!(rust_version(manifest), expected, "{manifest:?}");
        }
    }
}
