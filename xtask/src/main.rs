//! `cargo xtask`: everything that is done to this repository apart from writing code.
//!
//! `cargo xtask ci` is all of CI; the other commands are its parts, and the measuring tools that are too long for it.

#![expect(clippy::print_stdout, reason = "a command-line tool speaks on its standard output")]

mod ci;
mod codegen;
mod delegate;
mod dependencies;
mod report;
mod shell;
mod skips;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The tasks of this repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run all of CI, or only the steps named.
    Ci { steps: Vec<ci::Step> },
    /// Check the rules no compiler knows: sizes, documentation, leftovers.
    Tidy,
    /// Write the generated files.
    Codegen {
        /// Write nothing; fail where a file is not what it would be generated as.
        #[arg(long)]
        check: bool,
    },
    /// Run the seeded simulator: [--seed N] [--count M].
    Sim(delegate::Arguments),
    /// Measure, side by side with other servers: [ROW...] [--json].
    Bench(delegate::Arguments),
    /// Break things under load and time the recovery: [NAME...] [--json].
    Faults(delegate::Arguments),
    /// Drive the real server with other programs' phones: [CASE...].
    Interop(delegate::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    let green = match Cli::parse().command {
        Command::Ci { steps } => ci::run(&steps)?,
        Command::Tidy => tidy::run()?.print(),
        Command::Codegen { check: true } => codegen::check()?.print(),
        Command::Codegen { check: false } => codegen::write().map(|()| true)?,
        Command::Sim(arguments) => delegate::SIMULATOR.run(&arguments)?,
        Command::Bench(arguments) => delegate::BENCH.run(&arguments)?,
        Command::Faults(arguments) => delegate::FAULTS.run(&arguments)?,
        Command::Interop(arguments) => delegate::INTEROP.run(&arguments)?,
    };
    Ok(if green { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
