//! The verdict on a call and its timeline as the API shows them.

use pbx::dialplan::time::Zone;
use pbx::record::CallRecord;
use pbx::verdict::fact::Place;
use pbx::verdict::judge;
use pbx::verdict::timeline::{Entry, Milestones, timeline};
use web::resource::{Happening, Verdict};

/// The verdict, of a call that has ended, and the timeline.
pub(crate) fn explained(record: &CallRecord, zone: &Zone) -> (Option<Verdict>, Vec<Happening>) {
    let verdict = judge(record);
    let evidence = verdict.and_then(|it| it.evidence);
    let milestones = Milestones {
        started: record.started_at,
        ringing: record.ringing_at,
        answered: record.answered_at,
        ended: record.ended_at,
    };
    let entries = timeline(&milestones, &record.facts, zone).into_iter();
    let shown = verdict.map(|it| Verdict {
        code: it.code.as_str().to_owned(),
        guilty: it.guilty.as_str().to_owned(),
        sentence: it.sentence(record, zone),
        remedy: it.remedy(),
        action: it.action(record),
        confidence: it.confidence.as_str().to_owned(),
    });
    (shown, entries.map(|it| happening(it, evidence)).collect())
}

fn happening(entry: Entry, evidence: Option<usize>) -> Happening {
    let (place, attempt) = match entry.place {
        Place::Office => ("office", None),
        Place::Caller => ("caller", None),
        Place::Callee(fork) => ("callee", Some(fork.saturating_add(1))),
    };
    Happening {
        at_ms: entry.at_ms,
        place: place.to_owned(),
        attempt,
        what: entry.what.to_owned(),
        text: entry.text,
        decisive: entry.fact.is_some() && entry.fact == evidence,
    }
}
