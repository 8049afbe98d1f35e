//! The proof that nothing of what is measured was switched off: journal, records, ring and metrics of the server
//! must show exactly what the load generators did.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use interop::clock;
use interop::load::{Counts, Outcome};
use interop::server::Server;

/// For the projection to write what the journal holds.
const PROJECTED_WITHIN: Duration = Duration::from_secs(60);

/// The server publishes its counters ten times a second, and writes the last registrations after ten seconds.
const SETTLED_EVERY: Duration = Duration::from_secs(1);

/// Facts of a call: started, answered, ended.
const FACTS_OF_A_CALL: u64 = 3;

/// The journal also holds a sign of life every so often.
const ALIVE_EVERY_S: u64 = 5;

/// What the load generators did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    pub(crate) calls: Tally,
    pub(crate) registrations: Tally,
}

/// Of how many the server must know, and of how many it may.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    least: u64,
    most: u64,
}

impl Tally {
    /// What failed for the generator may have been done by the server.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let least = outcome.done as u64;
        Self { least, most: least + outcome.failed as u64 }
    }

    pub(crate) fn exactly(count: usize) -> Self {
        Self { least: count as u64, most: count as u64 }
    }

    pub(crate) fn between(least: usize, most: usize) -> Self {
        Self { least: least as u64, most: most as u64 }
    }

    fn times(self, factor: u64) -> Self {
        Self { least: self.least * factor, most: self.most * factor }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self { least: self.least + other.least, most: self.most + other.most }
    }
}

/// The server's counters before a load.
pub(crate) struct Ledger {
    since: Instant,
    before: Seen,
    wires: Vec<Arc<Counts>>,
    sent: u64,
    received: u64,
}

/// What the server says it did, in sum since it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    calls: u64,
    ended: u64,
    registered: u64,
    facts: u64,
    lost: u64,
    traced_in: u64,
    traced_out: u64,
    counted_in: u64,
    counted_out: u64,
    records: u64,
}

impl Ledger {
    /// `wires` are those of all generators.
    pub(crate) fn open(server: &Server, wires: &[Arc<Counts>]) -> Result<Self> {
        settle(server)?;
        let before = Seen::read(server)?;
        let (sent, received) = sums(wires);
        Ok(Self { since: clock::now(), before, wires: wires.to_vec(), sent, received })
    }

    /// Compares; what does not match.
    pub(crate) fn close(&self, server: &Server, made: &Made) -> Result<Option<String>> {
        settle(server)?;
        let now = Seen::read(server)?;
        let (sent, received) = sums(&self.wires);
        let alive = self.since.elapsed().as_secs() / ALIVE_EVERY_S + 2;
        Ok(mismatch(&self.before, &now, made, [sent - self.sent, received - self.received], alive))
    }
}

fn mismatch(was: &Seen, is: &Seen, made: &Made, wires: [u64; 2], alive: u64) -> Option<String> {
    // What is lost on the way was sent by the one and not received by the other.
    let [sent, received] = wires;
    let sent = Tally { least: sent - sent / 1000, most: sent };
    let received = Tally { least: received, most: received + received / 1000 };
    let facts = made.calls.times(FACTS_OF_A_CALL).and(made.registrations);
    let facts = facts.and(Tally { least: 0, most: alive });
    let grown = |read: fn(&Seen) -> u64| read(is) - read(was);
    #[rustfmt::skip]
    let table = [
        ("calls by the metrics",         grown(|it| it.calls),       made.calls),
        ("ended calls by the metrics",   grown(|it| it.ended),       made.calls),
        ("call records",                 grown(|it| it.records),     made.calls),
        ("registrations by the metrics", grown(|it| it.registered),  made.registrations),
        ("facts in the journal",         grown(|it| it.facts),       facts),
        ("facts lost",                   grown(|it| it.lost),        Tally::default()),
        ("messages in the ring, in",     grown(|it| it.traced_in),   sent),
        ("messages in the ring, out",    grown(|it| it.traced_out),  received),
        ("messages by the metrics, in",  grown(|it| it.counted_in),  sent),
        ("messages by the metrics, out", grown(|it| it.counted_out), received),
    ];
    let wrong = table.iter().find(|(_, count, it)| !(it.least..=it.most).contains(count));
    wrong.map(|(what, count, Tally { least, most })| {
        let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
        format!("{what}: {count} instead of {expected}")
    })
}

impl Seen {
    fn read(server: &Server) -> Result<Self> {
        let page = server.metrics()?;
        let both = |direction| -> Result<u64> {
            let requests = page.count("dialtone_sip_requests_total", direction)?;
            Ok(requests + page.count("dialtone_sip_responses_total", direction)?)
        };
        let (inward, outward) = ("direction=\"in\"", "direction=\"out\"");
        Ok(Self {
            calls: page.count("dialtone_calls_started_total", "")?,
            ended: page.count("dialtone_calls_total", "")?,
            registered: page.count("dialtone_registrations_total", "result=\"ok\"")?,
            facts: page.count("dialtone_journal_records_total", "")?,
            lost: page.count("dialtone_journal_lost_total", "")?,
            traced_in: page.count("dialtone_trace_messages_total", inward)?,
            traced_out: page.count("dialtone_trace_messages_total", outward)?,
            counted_in: both(inward)?,
            counted_out: both(outward)?,
            records: server.count_records()?,
        })
    }
}

/// Until the journal is in the database and the counters are published: what a load has caused ends here.
pub(crate) fn settle(server: &Server) -> Result<()> {
    let behind = || -> Result<Option<()>> {
        // First and long, as each question costs the server something that no load has caused.
        clock::pause(SETTLED_EVERY);
        let behind = server.metrics()?.count("dialtone_journal_behind_records", "")?;
        Ok((behind == 0).then_some(()))
    };
    clock::wait_for("the projection", PROJECTED_WITHIN, behind).context("after a load")
}

fn sums(wires: &[Arc<Counts>]) -> (u64, u64) {
    let sum = |read: fn(&Counts) -> u64| wires.iter().map(|it| read(it)).sum();
    (sum(Counts::sent), sum(Counts::received))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_switched_off_is_noticed() {
        let was = Seen {
            calls: 1,
            ended: 1,
            registered: 5,
            facts: 8,
            lost: 0,
            traced_in: 10,
            traced_out: 10,
            counted_in: 10,
            counted_out: 10,
            records: 1,
        };
        let is = Seen {
            calls: 11,
            ended: 11,
            registered: 7,
            facts: 8 + 30 + 2 + 1,
            lost: 0,
            traced_in: 100,
            traced_out: 90,
            counted_in: 100,
            counted_out: 90,
            records: 11,
        };
        let made = Made { calls: Tally::exactly(10), registrations: Tally::exactly(2) };
        let judge = |is: &Seen| mismatch(&was, is, &made, [90, 80], 1);
        assert_eq!(judge(&is), None);
        for (off, expected) in [
            (Seen { records: 1, ..is }, "call records: 0 instead of 10"),
            (Seen { facts: 9, ..is }, "facts in the journal: 1 instead of 32 to 33"),
            (Seen { traced_in: 10, ..is }, "messages in the ring, in: 0 instead of 90"),
            (Seen { counted_out: 10, ..is }, "messages by the metrics, out: 0 instead of 80"),
            (Seen { ended: 10, ..is }, "ended calls by the metrics: 9 instead of 10"),
            (Seen { lost: 1, ..is }, "facts lost: 1 instead of 0"),
        ] {
            assert_eq!(judge(&off).as_deref(), Some(expected));
        }
    }
}
