//! Runs the interop cases whose names contain an argument, or all of them.

use std::process::ExitCode;

fn main() -> ExitCode {
    interop::report::main(interop::cases::ALL)
}
