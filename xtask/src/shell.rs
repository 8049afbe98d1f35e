//! Running other programs. Sits under every step; their errors go straight to our standard error.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

/// What a program left behind.
pub(crate) struct Outcome {
    /// It exited with zero.
    pub(crate) success: bool,
    /// Its standard output.
    pub(crate) stdout: String,
}

/// The root of the repository, whatever directory the command was started in.
pub(crate) fn root() -> PathBuf {
    // Cargo names it at run time too, which holds where worktrees share one target directory.
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR");
    let mut path = manifest_dir.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    path.pop();
    path
}

/// Where cargo builds to.
pub(crate) fn target_dir() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A cargo command at the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Given by `.cargo/config.toml` to us as well: cargo would take it for another one than that of its own file, and
    // compile all that stands on SQLite again.
    command.args(arguments).env_remove("LIBSQLITE3_FLAGS");
    command
}

/// Builds what CI runs: programs, examples and tests in one, so that what they share is compiled once. A package alone
/// asks less of its dependencies, and all of them would be compiled again for it.
pub(crate) fn build_all() -> anyhow::Result<bool> {
    run(&mut cargo(&["build", "-q", "--workspace", "--all-targets"]))
}

/// A program that `build_all` has built, below its folder.
pub(crate) fn built(path: &str) -> Command {
    program(target_dir().join("debug").join(path))
}

/// Any program, started at the root of the repository.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs the program to its end with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<bool> {
    Ok(command.status().with_context(|| format!("cannot start {command:?}"))?.success())
}

/// Runs the program to its end, showing each line of its output that `shown` accepts, and keeps them all.
pub(crate) fn run_and_read(
    command: &mut Command,
    shown: impl Fn(&str) -> bool,
) -> anyhow::Result<Outcome> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let mut kept = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            if shown(&line) {
                println!("{line}");
            }
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    Ok(Outcome { success: child.wait()?.success(), stdout: kept })
}
