//! Files that are generated from the code and committed, so that a reader has them and CI finds them stale.

use anyhow::Context;

use crate::report::Report;
use crate::shell;

/// A file and what makes it.
struct Generated {
    /// From the root of the repository.
    path: &'static str,
    make: fn() -> anyhow::Result<String>,
}

/// Every generated file. To add one, add a line.
const FILES: &[Generated] = &[];

/// Writes the files that differ from what is generated.
pub(crate) fn write() -> anyhow::Result<()> {
    for file in FILES {
        let text = (file.make)().context(file.path)?;
        if !is_fresh(file, &text) {
            std::fs::write(shell::root().join(file.path), text).context(file.path)?;
            println!("wrote {}", file.path);
        }
    }
    Ok(())
}

/// One check for each file.
pub(crate) fn check() -> anyhow::Result<Report> {
    let mut report = Report::default();
    for file in FILES {
        let text = (file.make)().context(file.path)?;
        let stale = format!("{} is stale: run `cargo xtask codegen`", file.path);
        report.add(Report::of(&stale, is_fresh(file, &text)));
    }
    Ok(report)
}

fn is_fresh(file: &Generated, text: &str) -> bool {
    std::fs::read_to_string(shell::root().join(file.path)).is_ok_and(|found| found == text)
}
