//! How a test says that it cannot run here: `cargo xtask ci` counts it as skipped instead of passed.
//!
//! CI fails on a skip that `tests/SKIPS` does not name.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};

/// Names the file that takes one `name: why` line for each skip; set by `cargo xtask ci`.
const LOG: &str = "DIALTONE_SKIPS_LOG";

/// Announces the skip; the test returns right after. `name` is crate and test: `net::ipv6_scope`.
///
/// # Panics
/// Where CI asks for the announcement and it cannot be written: the test would count as passed.
#[expect(clippy::print_stderr, reason = "a person running the test alone reads it there")]
pub fn skip(name: &str, why: &str) {
    eprintln!("SKIPPED {name}: {why}");
    if let Some(log) = std::env::var_os(LOG) {
        append(log, name, why).unwrap_or_else(|error| panic!("{LOG}: {error}"));
    }
}

/// One write for the whole line: test programs that run side by side share the file.
fn append(log: OsString, name: &str, why: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(log)?;
    file.write_all(format!("{name}: {why}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn skips_are_lines_added_at_the_end() {
        let log = std::env::temp_dir().join(format!("dialtone-skips-{}", std::process::id()));
        append(log.clone().into(), "net::a", "needs root").unwrap();
        append(log.clone().into(), "net::b", "no IPv6").unwrap();
        let written = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert_eq!(written, "net::a: needs root\nnet::b: no IPv6\n");
    }
}
