//! What happened to a call, in its order: the milestones of its record and the facts between them.

use super::fact::{Fact, Place, What};
use crate::dialplan::time::{LocalTime, Zone};
use crate::language::Text;
use crate::time::UnixMillis;

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Since the call started.
    pub at_ms: u64,
    pub place: Place,
    /// The stable word.
    pub what: &'static str,
    pub text: Text,
    /// Which fact it is; `None` for a milestone.
    pub fact: Option<usize>,
}

/// When a call did what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Milestones {
    pub started: UnixMillis,
    pub ringing: Option<UnixMillis>,
    pub answered: Option<UnixMillis>,
    pub ended: Option<UnixMillis>,
}

/// Times of day as the office's clock shows them.
#[derive(Clone, Copy, Debug)]
pub struct Clock<'a> {
    pub zone: &'a Zone,
    /// The day that needs no date.
    pub today: UnixMillis,
}

impl Clock<'_> {
    /// `10:32`, with the date where it is another day.
    pub fn time(&self, at: UnixMillis) -> String {
        let LocalTime { date, minute } = LocalTime::new(at, self.zone);
        let time = format!("{:02}:{:02}", minute / 60, minute % 60);
        match date == LocalTime::new(self.today, self.zone).date {
            true => time,
            false => format!("{date} {time}"),
        }
    }
}

/// The first attempt that had not failed by then: a milestone does not say whose it is, and of
/// phones that ring together nobody asks.
fn still_there(facts: &[Fact], at: UnixMillis, started: UnixMillis) -> Place {
    let by_ms = crate::time::millis(at.since(started));
    let failed = |place: Place| {
        facts.iter().any(|it| {
            let ends =
                matches!(it.what, What::Refused { .. } | What::Silent { .. } | What::Broken { .. });
            ends && it.place == place && u64::from(it.at_ms) <= by_ms
        })
    };
    (0..u8::MAX).map(Place::Callee).find(|it| !failed(*it)).unwrap_or(Place::Callee(0))
}

/// All of it, the earliest first.
pub fn timeline(milestones: &Milestones, facts: &[Fact], zone: &Zone) -> Vec<Entry> {
    let clock = Clock { zone, today: milestones.started };
    let mark = |at: Option<UnixMillis>, what, place, en, zh| {
        let at_ms = crate::time::millis(at?.since(milestones.started));
        Some(Entry { at_ms, place, what, text: Text::fixed(en, zh), fact: None })
    };
    let Milestones { started, ringing, answered, ended } = *milestones;
    let first_left = |at: Option<UnixMillis>| still_there(facts, at.unwrap_or(started), started);
    let first = [
        mark(Some(started), "started", Place::Caller, "the call starts", "呼叫发起"),
        mark(ringing, "ringing", first_left(ringing), "it rings", "振铃"),
        mark(answered, "answered", first_left(answered), "answered", "应答"),
    ];
    let facts = facts.iter().enumerate().map(|(index, it)| Entry {
        at_ms: it.at_ms.into(),
        place: it.place,
        what: it.what.as_str(),
        text: it.what.text(&clock),
        fact: Some(index),
    });
    let last = mark(ended, "ended", Place::Office, "the call ends", "呼叫释放");
    let mut entries: Vec<Entry> = first.into_iter().flatten().chain(facts).collect();
    // Facts that only the end tells come before it, whatever the wall clock did meanwhile.
    entries.sort_by_key(|it| it.at_ms);
    entries.extend(last);
    entries
}
