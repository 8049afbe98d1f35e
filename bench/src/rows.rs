//! The rows of the table.

mod call;
mod compare;
mod core;
mod directory;
mod idle;
mod memory;
mod overload;
mod packets;
mod pages;
mod parse;
mod register;
mod routing;
mod start;
mod steady;
mod viewers;

use std::time::Duration;

use anyhow::Result;

use crate::table::Report;

/// What one row shows and how it is measured.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn() -> Result<Report>,
}

const CALL: &str = "one challenged call without media (INVITE, 180, 200 after 30 ms, ACK, BYE), \
                    CPU of the server, wait from INVITE to 180";
const REGISTER: &str =
    "one REGISTER with its challenge, CPU of the server, wait from the first REGISTER to the 200";
const PACKETS: &str = "one relayed packet of G.711, CPU of the server, added delay";
const BATCHED: &str =
    "one relayed packet below the floor: what batching across calls would gain, and its delay";
const TICK: Duration = Duration::from_millis(2);

#[rustfmt::skip]
pub(crate) const ALL: &[Row] = &[
    Row { name: "call-50",       about: CALL,     run: || call::udp(50, 6, "always", 0.3) },
    Row { name: "call-400",      about: CALL,     run: || call::udp(400, 5, "always", 0.3) },
    Row { name: "call-1600",     about: CALL,     run: || call::udp(1600, 4, "never", 0.3) },
    Row { name: "call-tcp",      about: CALL,     run: || call::tcp(400, 5, 1.3) },
    Row { name: "viewers",       about: "what 20 readers of the events of calls cost", run: viewers::run },
    Row { name: "register-400",  about: REGISTER, run: || register::run(400, 2000, 0.6) },
    Row { name: "register-3200", about: REGISTER, run: || register::run(3200, 9600, 0.6) },
    Row { name: "packets-100",   about: PACKETS,  run: || packets::run(100, 0.6, Some(1.5), None) },
    Row { name: "packets-400",   about: PACKETS,  run: || packets::run(400, 0.6, Some(1.5), None) },
    Row { name: "packets-800",   about: PACKETS,  run: || packets::run(800, 0.8, None, Some(1.0)) },
    Row { name: "batched-100",   about: BATCHED,  run: || packets::batched(100, TICK) },
    Row { name: "batched-400",   about: BATCHED,  run: || packets::batched(400, TICK) },
    Row { name: "batched-800",   about: BATCHED,  run: || packets::batched(800, TICK) },
    Row { name: "pages",         about: "pages and lists with 50,000 extensions, each registered, and 1,000,000 call records: one client, then four", run: pages::run },
    Row { name: "core",          about: "the core alone, for each datagram with all it causes", run: core::run },
    Row { name: "parse",         about: "messages that one core reads and writes", run: parse::run },
    Row { name: "directory",     about: "one row of 50,000 changes: how long the core does nothing else", run: directory::run },
    Row { name: "routing",       about: "the dial plan: one decision with 100,000 rules and 50,000 extensions, and its share of a call", run: routing::run },
    Row { name: "memory",        about: "proportional memory of the process tree", run: memory::run },
    Row { name: "steady",        about: "memory a minute after a steady load", run: steady::run },
    Row { name: "overload",      about: "twice as many calls as it can take", run: overload::run },
    Row { name: "idle",          about: "10,000 phones registered for 300 s", run: idle::run },
    Row { name: "start",         about: "start with 50,000 extensions, each registered", run: start::run },
];

/// The rows that the words name, each by its name or by what stands before a hyphen; all of them without words.
pub(crate) fn named(words: &[&str]) -> Result<Vec<&'static Row>> {
    let means = |word: &str, row: &Row| {
        row.name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    if let Some(unknown) = words.iter().find(|word| !ALL.iter().any(|row| means(word, row))) {
        let names: Vec<&str> = ALL.iter().map(|it| it.name).collect();
        anyhow::bail!("no row {unknown}; there are {}", names.join(", "));
    }
    let wanted = |row: &&Row| words.is_empty() || words.iter().any(|word| means(word, row));
    Ok(ALL.iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_are_named_wholly_or_by_their_kind() {
        let names = |words: &[&str]| -> Vec<&str> {
            named(words).unwrap().iter().map(|it| it.name).collect()
        };
        assert_eq!(names(&["call-400"]), ["call-400"]);
        assert_eq!(names(&["register", "call-50"]), ["call-50", "register-400", "register-3200"]);
        assert_eq!(names(&[]).len(), ALL.len());
        assert!(named(&["call-4"]).is_err() && named(&["calls"]).is_err());
    }
}
