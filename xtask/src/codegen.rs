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
    /// For `cargo run`.
    program: &'static [&'static str],
}

/// Every generated file. To add one, add a line.
const FILES: &[Generated] = &[
    Generated {
        path: "docs/release-codes.md",
        program: &["-p", "dialtone-pbx", "--example", "release_codes"],
    },
    Generated {
        path: "docs/configuration.md",
        program: &["-p", "dialtone-server", "--", "docs", "configuration"],
    },
    Generated {
        path: "docs/dial-plan.md",
        program: &["-p", "dialtone-server", "--", "docs", "dial-plan"],
    },
    Generated { path: "docs/lines.md", program: &["-p", "dialtone-server", "--", "docs", "lines"] },
    Generated {
        path: "docs/settings.md",
        program: &["-p", "dialtone-server", "--", "docs", "settings"],
    },
];

/// Writes the files that differ from what is generated.
pub(crate) fn write() -> anyhow::Result<()> {
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
        let mut command = shell::cargo(&["run", "-q"]);
        let outcome = shell::run_and_read(command.args(self.program), |_| false)?;
        ensure!(outcome.success, "cargo run {}", self.program.join(" "));
        Ok(outcome.stdout)
    }

    fn is_fresh(&self, text: &str) -> bool {
        std::fs::read_to_string(shell::root().join(self.path)).is_ok_and(|found| found == text)
    }
}
