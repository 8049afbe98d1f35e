//! The rules of CONTRIBUTING.md that no compiler knows. Each rule is one check of CI.
//!
//! The rules are pure functions from a file's path and text to complaints; this file reads the tree.

mod documents;
mod ratchet;
mod rules;
mod size;

use anyhow::{Context, ensure};

use crate::report::Report;
use crate::shell;

/// A file that git knows or would know.
struct SourceFile {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

/// Checks every text file of the repository.
pub(crate) fn run() -> anyhow::Result<Report> {
    let files = text_files()?;
    let mut report = Report::default();
    for rule in rules::RULES {
        let complaints: Vec<String> = files
            .iter()
            .filter(|file| (rule.concerns)(&file.path))
            .flat_map(|file| (rule.check)(&file.path, &file.text))
            .collect();
        add(&mut report, rule.name, complaints);
    }
    let tolerated = std::fs::read_to_string(shell::root().join(ratchet::PATH))?;
    let sizes: Vec<size::Oversize> =
        files.iter().flat_map(|file| size::oversizes(&file.path, &file.text)).collect();
    add(&mut report, "size", ratchet::judge(&tolerated, &sizes)?);
    let exists = |path: &str| shell::root().join(path).exists();
    add(&mut report, "documents", documents::judge(&files, exists));
    Ok(report)
}

/// One rule is one check, however many places break it.
fn add(report: &mut Report, rule: &str, complaints: Vec<String>) {
    if complaints.is_empty() {
        report.passed += 1;
        return;
    }
    report.failed += 1;
    report.failures.extend(complaints.into_iter().map(|it| format!("tidy {rule}: {it}")));
}

fn text_files() -> anyhow::Result<Vec<SourceFile>> {
    let mut git = shell::program("git");
    // The checkout may belong to somebody else where CI runs as root.
    git.args(["-c", "safe.directory=*", "ls-files", "-z"]);
    git.args(["--cached", "--others", "--exclude-standard"]);
    let outcome = shell::run_and_read(&mut git, |_| false)?;
    ensure!(outcome.success, "git ls-files: tidy needs a git checkout");
    let mut files = Vec::new();
    for path in outcome.stdout.trim_end().split('\0').filter(|path| !path.is_empty()) {
        let full = shell::root().join(path);
        // Deleted but not yet committed, or a link.
        if !full.symlink_metadata().is_ok_and(|it| it.is_file()) {
            continue;
        }
        let bytes = std::fs::read(&full).with_context(|| path.to_owned())?;
        if let Ok(text) = String::from_utf8(bytes)
            && !text.contains('\0')
        {
            files.push(SourceFile { path: path.to_owned(), text });
        }
    }
    Ok(files)
}
