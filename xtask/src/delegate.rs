//! The tools that are programs of their own: simulator, interop, faults, bench.
//!
//! xtask builds the server for those that need the real one, and passes the arguments on. A person
//! gets the release build; CI takes what its tests have built already.

use clap::Args;

use crate::report::{self, Report};
use crate::shell;

/// Passed on as they are.
#[derive(Args)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// A program of the workspace that checks or measures.
pub(crate) struct Tool {
    name: &'static str,
    package: &'static str,
    /// The program, where the package has several.
    bin: Option<&'static str>,
    /// A file that exists as soon as the tool does.
    exists: &'static str,
    /// It starts the real server, found through `DIALTONE_BIN`.
    drives_server: bool,
    /// It also starts a server that can be made to fail, found through `DIALTONE_FAULTY_BIN`.
    drives_faulty: bool,
    /// A package whose examples it starts, found beside it.
    examples: Option<&'static str>,
    /// Debian packages without which much of it is skipped; `./test` installs those of CI.
    packages: &'static [&'static str],
}

pub(crate) const SIMULATOR: Tool = Tool {
    name: "sim",
    package: "dialtone-testkit",
    bin: Some("sim"),
    exists: "crates/testkit/src/bin",
    drives_server: false,
    drives_faulty: false,
    examples: None,
    packages: &[],
};

pub(crate) const INTEROP: Tool = Tool {
    name: "interop",
    package: "dialtone-interop",
    bin: Some("interop"),
    exists: "interop/Cargo.toml",
    drives_server: true,
    drives_faulty: false,
    examples: None,
    packages: &[
        "baresip-core",
        "chromium",
        "fonts-wqy-microhei",
        "iproute2",
        "kamailio",
        "nodejs",
        "python3-venv",
        "sip-tester",
        "sox",
    ],
};

pub(crate) const FAULTS: Tool = Tool {
    name: "faults",
    bin: Some("faults"),
    drives_faulty: true,
    packages: &["faketime"],
    ..INTEROP
};

pub(crate) const BENCH: Tool = Tool {
    name: "bench",
    package: "dialtone-bench",
    bin: None,
    exists: "bench/Cargo.toml",
    drives_server: true,
    drives_faulty: false,
    examples: Some("dialtone-udp"),
    packages: &["kamailio", "rtpengine-daemon"],
};

/// What a person gets.
const RELEASE: [&str; 2] = ["-q", "--release"];

impl Tool {
    /// Runs the tool for a person; true where it ended well.
    pub(crate) fn run(&self, arguments: &Arguments) -> anyhow::Result<bool> {
        if !self.is_built_yet() {
            println!("{}: not built yet", self.name);
            return Ok(false);
        }
        let arguments: Vec<&str> = arguments.arguments.iter().map(String::as_str).collect();
        self.install_packages()?;
        let is_built = self.build_server()? && self.build_faulty()? && self.build_examples()?;
        Ok(is_built && shell::run(&mut self.command(&arguments))?)
    }

    /// Runs the tool as a step of CI and reads its cases.
    pub(crate) fn check(&self, arguments: &[&str]) -> anyhow::Result<Report> {
        if !self.is_built_yet() {
            println!("{}: not built yet", self.name);
            return Ok(Report::default());
        }
        if !shell::build_all()? {
            return Ok(Report::of(&format!("{}: build", self.name), false));
        }
        // The counts of one tool would be taken for those of CI, which end the output.
        let shown = |line: &str| report::runner_summary(line).is_none();
        let mut command = shell::built(self.bin.unwrap_or(self.package));
        command.args(arguments).env("DIALTONE_BIN", shell::target_dir().join("debug/dialtone"));
        let outcome = shell::run_and_read(&mut command, shown)?;
        Ok(Report::from_runner(self.name, outcome.success, &outcome.stdout))
    }

    fn is_built_yet(&self) -> bool {
        shell::root().join(self.exists).exists()
    }

    /// Tries to; what is missing then is said by the cases that need it.
    fn install_packages(&self) -> anyhow::Result<()> {
        if !self.packages.is_empty() {
            let mut command = shell::program("sh");
            command.args(["-c", ". ./xtask/need.sh; need \"$@\"", "need"]).args(self.packages);
            shell::run(&mut command)?;
        }
        Ok(())
    }

    /// In a target directory of its own, so that nobody takes it for the product.
    fn build_faulty(&self) -> anyhow::Result<bool> {
        if !self.drives_faulty {
            return Ok(true);
        }
        let mut command = shell::cargo(&["build", "-q", "-p", "dialtone-server"]);
        command.args(["--features", "provoked-faults"]).arg("--target-dir").arg(faulty_dir());
        shell::run(&mut command)
    }

    fn build_server(&self) -> anyhow::Result<bool> {
        if !self.drives_server {
            return Ok(true);
        }
        let mut command = shell::cargo(&["build", "-p", "dialtone-server"]);
        shell::run(command.args(RELEASE))
    }

    fn build_examples(&self) -> anyhow::Result<bool> {
        let Some(package) = self.examples else { return Ok(true) };
        let mut command = shell::cargo(&["build", "-p", package, "--examples"]);
        shell::run(command.args(RELEASE))
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = shell::cargo(&["run", "-p", self.package]);
        command.args(RELEASE);
        if let Some(bin) = self.bin {
            command.args(["--bin", bin]);
        }
        command.arg("--").args(arguments);
        command.env("DIALTONE_BIN", shell::target_dir().join("release/dialtone"));
        if self.drives_faulty {
            command.env("DIALTONE_FAULTY_BIN", faulty_dir().join("debug").join("dialtone"));
        }
        command
    }
}

fn faulty_dir() -> std::path::PathBuf {
    shell::target_dir().join("faulty")
}
