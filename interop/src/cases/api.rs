//! The HTTP API against its own document: schemathesis makes requests of the document, right and wrong ones, and
//! judges the answers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::setup::office;
use crate::http::Request;
use crate::process::need;
use crate::report::{Context, skip};
use crate::server::Server;

/// What is installed, at exact versions.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis/requirements.txt");

/// The virtual environment, beside what is built.
const ENVIRONMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/schemathesis");

pub(super) const SCOPES: [&str; 4] = ["read", "config", "calls", "admin"];

/// What is asked, and what is held true of every answer.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis/schemathesis.toml");

/// Streams that do not end by themselves, the doctor, who asks carriers that are not there, the archive that
/// schemathesis cannot write, and what puts another state in the place of the one that is examined: the case
/// `api_left_out` asks those.
const LEFT_OUT: &str = "/(events|ws|trace)$|:(doctor|upload|restore)$";

/// One operation at a time, with a key of each scope.
const PHASES: &str = "coverage,fuzzing";

/// The lines that are shown of what was found.
const TOLD_LINES_MAX: usize = 120;

/// No request of the document, or near it, brings forth a fault, an answer that the document does not know, or
/// something done for somebody without a key.
pub(super) fn api_schemathesis(context: &Context) -> Result<()> {
    let program = installed()?;
    let server = office(context)?;
    server.json(&["admin", "add", "ann"])?;
    server.json(&["line", "add", "5678", "--domain", "127.0.0.1", "--register", "false"])?;
    let path = context.folder.join("openapi.json");
    std::fs::write(&path, document(&server, &key(&server, "read")?)?)?;
    let mut found = vec![];
    for scope in SCOPES {
        let key = key(&server, scope)?;
        found.extend(faults(context, &program, &path, &server, (scope, &key, PHASES))?);
    }
    // What is made is looked at, changed and removed: that needs every right.
    let key = key(&server, &SCOPES.join(","))?;
    found.extend(faults(context, &program, &path, &server, ("stateful", &key, "stateful"))?);
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// A key with this scope.
pub(super) fn key(server: &Server, scope: &str) -> Result<String> {
    let made = server.json(&["apikey", "add", scope, "--scope", scope])?;
    Ok(made["key"].as_str().context("no key")?.to_owned())
}

/// The document of the API. Only who may read is shown it.
pub(super) fn document(server: &Server, key: &str) -> Result<String> {
    let ask = Request::new(server.http_address(), "GET", "/api/v1/openapi.json");
    let answer = ask.with("Authorization", &format!("Bearer {key}")).send()?;
    ensure!(answer.status == 200, "the document: {}", answer.status);
    Ok(answer.body)
}

/// What a program with this key finds; `None`: nothing.
fn faults(
    context: &Context,
    program: &Path,
    document: &Path,
    server: &Server,
    (name, key, phases): (&str, &str, &str),
) -> Result<Option<String>> {
    let folder = context.subfolder(name)?;
    let output = Command::new(program)
        .args(["--config-file", RULES, "run", "--exclude-path-regex", LEFT_OUT])
        .args(["--phases", phases])
        .args(["--url", &format!("http://{}", server.http_address())])
        .arg(document)
        .args(["--header", &format!("Authorization: Bearer {key}")])
        .current_dir(&folder)
        .output()
        .context("schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout);
    std::fs::write(folder.join("said.txt"), said.as_bytes())?;
    let cases = said.lines().map(str::trim).find(|it| it.contains(" generated"));
    context.note(&format!("{name}: {}", cases.unwrap_or("no count of cases")));
    if output.status.success() {
        return Ok(None);
    }
    let failures = said.split_once("= FAILURES =").map_or(&*said, |(_, it)| it);
    let told: Vec<&str> = failures.lines().take(TOLD_LINES_MAX).collect();
    Ok(Some(format!("{name}:\n{}", told.join("\n"))))
}

/// The program, installed where what it needs has changed.
fn installed() -> Result<PathBuf> {
    need("python3")?;
    let folder = Path::new(ENVIRONMENT);
    let (program, known) = (folder.join("bin/schemathesis"), folder.join("requirements.txt"));
    let wanted = std::fs::read(REQUIREMENTS)?;
    if program.exists() && std::fs::read(&known).ok().as_ref() == Some(&wanted) {
        return Ok(program);
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(folder);
    // Without a way to the registry it would try for minutes.
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--no-deps", "--retries=1", "--timeout=30"]);
    pip.args(["--disable-pip-version-check", "--requirement", REQUIREMENTS]);
    for mut step in [venv, pip] {
        let done = step.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !done.is_ok_and(|it| it.success()) {
            return skip(&format!("{step:?} failed"));
        }
    }
    std::fs::write(known, wanted)?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_one_exact_version() {
        let requirements = std::fs::read_to_string(REQUIREMENTS).expect("requirements.txt");
        let mut lines = requirements.lines();
        assert!(lines.all(|it| it.split_once("==").is_some()), "{requirements}");
    }
}
