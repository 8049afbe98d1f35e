//! Files that are generated from the code and committed, so that a reader has them and CI finds them stale.
//!
//! What makes a file is a program beside the code it describes: xtask then builds even where that code does not.

use anyhow::{Context, ensure};

use crate::report::Report;
use crate::shell;

/// A file and the program that prints it.
struct Generated {
    /// From the root of the repository.
    path: &'static str,
    /// Below the folder of what is built, and what it is asked.
    program: &'static [&'static str],
}

/// Every generated file. To add one, add a line.
const FILES: &[Generated] = &[
    Generated { path: "docs/release-codes.md", program: &["examples/release_codes"] },
    Generated { path: "docs/configuration.md", program: &["dialtone", "docs", "configuration"] },
    Generated { path: "docs/dial-plan.md", program: &["dialtone", "docs", "dial-plan"] },
    Generated { path: "docs/lines.md", program: &["dialtone", "docs", "lines"] },
    Generated { path: "docs/settings.md", program: &["dialtone", "docs", "settings"] },
];

/// Writes the files that differ from what is generated.
pub(crate) fn write() -> anyhow::Result<()> {
    ensure!(shell::build_all()?, "it does not build");
    for file in FILES {
        let text = file.text().context(file.path)?;
        if !file.is_fresh(&text) {
            std::fs::write(shell::root().join(file.path), text).context(file.path)?;
            println!("wrote {}", file.path);
        }
    }
    Ok(())
}

/// One check for each file.
pub(crate) fn check() -> anyhow::Result<Report> {
    ensure!(shell::build_all()?, "it does not build");
    let mut report = Report::default();
    for file in FILES {
        let text = file.text().context(file.path)?;
        let stale = format!("{} is stale: run `cargo xtask codegen`", file.path);
        report.add(Report::of(&stale, file.is_fresh(&text)));
    }
    Ok(report)
}

impl Generated {
    fn text(&self) -> anyhow::Result<String> {
        let (program, asked) = self.program.split_first().context("no program")?;
        let mut command = shell::built(program);
        let outcome = shell::run_and_read(command.args(asked), |_| false)?;
        ensure!(outcome.success, "{}", self.program.join(" "));
        Ok(outcome.stdout)
    }

    fn is_fresh(&self, text: &str) -> bool {
        std::fs::read_to_string(shell::root().join(self.path)).is_ok_and(|found| found == text)
    }
}
