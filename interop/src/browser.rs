//! Chromium on the administration pages, driven by a script of `interop/browser` with playwright-core.
//!
//! The script gets what it needs to know in `BROWSER_CASE`. What only this side can do (a phone that registers, a
//! command) it asks for by a line of JSON on its standard output, and reads the answer from its standard input.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::process::need;
use crate::report::{Context, skip};

/// Where the scripts are.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");

/// Installed modules and screenshots, beside what is built.
const OUTPUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/browser");

const CHROMIUM: &str = "/usr/bin/chromium";

/// A script at its work.
struct Script {
    child: Child,
    answers: ChildStdin,
    questions: BufReader<ChildStdout>,
}

impl Drop for Script {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a script to its end. `known` is what it is told; `answer` does what it asks for, by the word in `ask`. What
/// the script notes is shown below the case.
pub fn run(
    context: &Context,
    script: &str,
    known: &Value,
    mut answer: impl FnMut(&str, &Value) -> Result<Value>,
) -> Result<()> {
    need("node")?;
    need("chromium")?;
    let output = Path::new(OUTPUT).join(script);
    std::fs::create_dir_all(&output)?;
    let mut known = known.clone();
    known["output"] = output.to_string_lossy().into();
    known["chromium"] = CHROMIUM.into();
    let mut child = Command::new("node")
        .arg(Path::new(SCRIPTS).join(script).with_extension("cjs"))
        .env("NODE_PATH", modules()?)
        .env("BROWSER_CASE", known.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("node")?;
    let answers = child.stdin.take().context("no input of the script")?;
    let questions = BufReader::new(child.stdout.take().context("no output of the script")?);
    let mut script = Script { child, answers, questions };
    let mut line = String::new();
    let mut failures = vec![];
    while script.questions.read_line(&mut line)? > 0 {
        let said: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        line.clear();
        if let Some(note) = said["note"].as_str() {
            context.note(note);
        } else if let Some(failure) = said["failure"].as_str() {
            failures.push(failure.to_owned());
        } else {
            let ask = said["ask"].as_str().context("a line of the script says nothing")?;
            let given = answer(ask, &said).with_context(|| format!("asked for {ask}"))?;
            writeln!(script.answers, "{}", json!({ "given": given }))?;
        }
    }
    let status = script.child.wait()?;
    ensure!(failures.is_empty(), "{}", failures.join("; "));
    if !status.success() {
        bail!("the script ended with {status}");
    }
    Ok(())
}

/// The folder with the modules that the lock file names, installed where it has changed.
fn modules() -> Result<PathBuf> {
    const LOCK: &str = "package-lock.json";
    let (from, to) = (Path::new(SCRIPTS), Path::new(OUTPUT));
    let installed = to.join("node_modules");
    let read = |folder: &Path| std::fs::read(folder.join(LOCK)).ok();
    if installed.is_dir() && read(from) == read(to) {
        return Ok(installed);
    }
    need("npm")?;
    for file in ["package.json", LOCK] {
        std::fs::copy(from.join(file), to.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(to);
    // Without a way to the registry it would try for minutes.
    npm.args(["--fetch-retries=1", "--fetch-timeout=30000"]);
    let done = npm.stdout(Stdio::null()).status().context("npm")?;
    if !done.success() {
        // The next run tries again.
        std::fs::remove_file(to.join(LOCK))?;
        return skip(&format!("npm ci in {} ended with {done}", to.display()));
    }
    Ok(installed)
}
