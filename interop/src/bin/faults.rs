//! Kills, fills, locks and stops the server and times its recovery; arguments name the faults wanted.

use std::process::ExitCode;

fn main() -> ExitCode {
    interop::report::main(interop::faults::ALL)
}
