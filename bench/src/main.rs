//! Measures the server side by side with others on loopback: CPU time of the whole process tree for each operation.
//!
//! Arguments name the rows wanted (all without), `--json` prints one object for each figure. Load generators share
//! the machine with what they measure, so ratios count and rates reached do not. Calls, registrations, packets, viewers
//! and routing are medians of three runs or more, and their figures do not count, and the run fails, unless journal,
//! records, ring and metrics show what the generators did. `memory`, `steady`, `overload`, `idle` and `pages` are one run
//! each; of them and of `start` only what the generators were answered is checked.

mod bencode;
mod candidate;
mod floor;
mod inside;
mod measure;
mod phones;
mod rows;
mod rtpengine;
mod spin;
mod table;
mod verify;

use std::process::ExitCode;

use anyhow::Result;

/// This argument turns the program into the floor: the plainest program that moves the same datagrams.
const FLOOR: &str = "floor";

/// And this one into a program that only burns its core.
const SPIN: &str = "spin";

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
    match arguments {
        [first, rest @ ..] if first == FLOOR => {
            end_with_parent()?;
            return floor::serve(rest).map(|()| true);
        }
        [first] if first == SPIN => {
            end_with_parent()?;
            spin::spin()
        }
        _ => {}
    }
    let json = arguments.iter().any(|it| it == "--json");
    let words: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|it| *it != "--json").collect();
    let rows = rows::named(&words)?;
    raise_file_limit();
    table::print_head(&candidate::configuration()?, json);
    let mut complete = true;
    for row in rows {
        // A row that cannot be taken is a failure of its own, not the end of the others.
        let report = (row.run)().unwrap_or_else(|error| table::Report::failed(&error));
        complete &= report.is_sound();
        table::print(row, &report, json);
    }
    Ok(complete)
}

/// A benchmark that is killed leaves nobody behind who burns a core.
fn end_with_parent() -> Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// The servers and the floor inherit it: a relayed call holds four descriptors.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it fails, the row that needs more says so.
    let _ = setrlimit(Resource::Nofile, limit);
}
