//! Tells anew what stands, for a reader that has lost events: registrations, lines, trunks and calls.
//!
//! In slices, so that messages wait for none of it, and no faster than its reader empties the channel it comes by.

use super::Core;
use crate::event::Event;
use crate::record::ByKey;
use crate::time::Now;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So many at once …
const SLICE: usize = 256;
/// … and the next after this time: some 5,000 in the 100 ms after which the reader looks for them.
const PAUSE: Duration = Duration::from_millis(5);

/// What is told next, and when.
pub(super) struct Report {
    next: Next,
    pub(super) due: Instant,
}

enum Next {
    /// Those behind this one, by their ends: a refresh moves a binding back and is told by itself.
    Bindings(Option<(Instant, ByKey)>),
    /// From this place on.
    Lines(usize),
    Trunks(usize),
    Calls(usize),
}

impl Core {
    /// Begins from the start, also while a report is under way.
    pub(super) fn begin_report(&mut self, now: Instant) {
        self.report = Some(Report { next: Next::Bindings(None), due: now });
    }

    pub(super) fn report_due(&mut self, now: Now) {
        let Some(report) = self.report.take_if(|it| it.due <= now.instant) else { return };
        let due = now.instant + PAUSE;
        self.report = self.tell(report.next).map(|next| Report { next, due });
    }

    /// Tells one slice; what comes after it.
    fn tell(&mut self, next: Next) -> Option<Next> {
        let office = &mut self.office;
        Some(match next {
            Next::Bindings(last) => {
                let slice = office.registrar.behind(last.as_ref()).take(SLICE);
                let slice: Vec<_> = slice.cloned().collect();
                for (_, ByKey(binding)) in &slice {
                    office.event(Event::Registered(Arc::clone(binding)));
                }
                match slice.last() {
                    Some(last) => Next::Bindings(Some(last.clone())),
                    None => Next::Lines(0),
                }
            }
            Next::Lines(from) => {
                let to = from + SLICE;
                for status in office.lines.published(from..to) {
                    office.event(Event::Line(status));
                }
                if to < office.lines.places() { Next::Lines(to) } else { Next::Trunks(0) }
            }
            Next::Trunks(from) => {
                let to = from + SLICE;
                for status in office.trunks.published(from..to) {
                    office.event(Event::Trunk(status));
                }
                if to < office.trunks.places() { Next::Trunks(to) } else { Next::Calls(0) }
            }
            Next::Calls(from) => {
                let to = from + SLICE;
                if !self.calls.report(office, from..to) {
                    return None;
                }
                Next::Calls(to)
            }
        })
    }
}
