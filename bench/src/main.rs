//! Measures the server side by side with others on loopback: CPU time of the whole process tree for each operation.
//!
//! Arguments name the rows wanted (all without), `--json` prints one object for each figure. Load generators share
//! the machine with what they measure, so ratios count and rates reached do not. Medians of three runs.

mod bencode;
mod candidate;
mod floor;
mod kamailio;
mod measure;
mod rows;
mod rtpengine;
mod table;

use std::process::ExitCode;

use anyhow::Result;

/// This argument turns the program into the floor: the plainest program that moves the same datagrams.
const FLOOR: &str = "floor";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            table::line(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<bool> {
    if let [first, rest @ ..] = arguments
        && first == FLOOR
    {
        return floor::serve(rest).map(|()| true);
    }
    let json = arguments.iter().any(|it| it == "--json");
    let wanted: Vec<&String> = arguments.iter().filter(|it| !it.starts_with("--")).collect();
    let mut complete = true;
    for row in rows::ALL {
        if !wanted.is_empty() && !wanted.iter().any(|it| row.name.contains(it.as_str())) {
            continue;
        }
        let figures = (row.run)()?;
        complete &= figures.iter().all(|it| it.problem.is_none());
        table::print(row, &figures, json);
    }
    Ok(complete)
}
