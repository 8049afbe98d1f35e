//! Whether the core reads more slowly than messages come, so that new work is to be refused.
//!
//! Decided from the turns of the loop alone. Whoever cannot be served is told so while the answer
//! costs little (503, RFC 3261 §21.5.4), and what was begun goes on: a server that takes all that is
//! offered completes nothing.

use pbx::core::Shed;
use std::time::{Duration, Instant};

/// Behind for so long, and those who begin something are refused until everything is read …
const BEHIND: Duration = Duration::from_millis(50);
/// … and for so long, and even those who were challenged before.
const FAR_BEHIND: Duration = Duration::from_millis(250);
/// An alarm is over when nothing was refused for so long.
const CALM: Duration = Duration::from_secs(5);

/// What is to be said in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// New work is refused.
    Overloaded,
    /// It is taken again, and was all the time of [`CALM`]; how long it was refused now and then.
    Recovered(Duration),
}

#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Since when no turn has read everything.
    since: Option<Instant>,
    sheds: Shed,
    alarm: Option<Alarm>,
}

#[derive(Debug)]
struct Alarm {
    began: Instant,
    refused_last: Instant,
}

impl Backlog {
    /// A turn is over, which has read everything there was, or left something.
    pub(super) fn turned(&mut self, left: bool, now: Instant) -> Option<News> {
        let since = left.then(|| *self.since.get_or_insert(now));
        self.since = since;
        self.sheds = match since.map(|it| now.saturating_duration_since(it)) {
            Some(late) if late >= FAR_BEHIND => Shed::Everything,
            Some(late) if late >= BEHIND => Shed::Unproven,
            Some(_) | None => Shed::Nothing,
        };
        let sheds = self.sheds != Shed::Nothing;
        match &mut self.alarm {
            None if sheds => {
                self.alarm = Some(Alarm { began: now, refused_last: now });
                return Some(News::Overloaded);
            }
            Some(alarm) if sheds => alarm.refused_last = now,
            Some(Alarm { began, refused_last })
                if now.saturating_duration_since(*refused_last) >= CALM =>
            {
                let lasted = *refused_last - *began;
                self.alarm = None;
                return Some(News::Recovered(lasted));
            }
            Some(_) | None => {}
        }
        None
    }

    /// What is to be refused.
    pub(super) fn sheds(&self) -> Shed {
        self.sheds
    }

    /// The alarm is up, as metrics show it.
    pub(super) fn is_alarmed(&self) -> bool {
        self.alarm.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_work_is_refused_from_50_ms_behind_until_all_is_read() {
        use Shed::{Everything, Nothing, Unproven};
        let start = crate::clock::now().instant;
        let at = |ms| start + Duration::from_millis(ms);
        let mut backlog = Backlog::default();
        #[rustfmt::skip]
        let table = [
            // ms, left, sheds, news
            (0,      true,  Nothing,    None),
            (49,     true,  Nothing,    None),
            (49,     false, Nothing,    None),
            // It sleeps in between: a burst after that is no backlog.
            (10_000, true,  Nothing,    None),
            (10_049, true,  Nothing,    None),
            (10_050, true,  Unproven,   Some(News::Overloaded)),
            (10_051, true,  Unproven,   None),
            (10_060, false, Nothing,    None),
            (10_070, true,  Nothing,    None),
            (10_120, true,  Unproven,   None),
            (10_320, true,  Everything, None),
            (10_330, false, Nothing,    None),
            (15_319, false, Nothing,    None),
            (15_320, false, Nothing,    Some(News::Recovered(Duration::from_millis(270)))),
            (15_321, false, Nothing,    None),
        ];
        for (ms, left, sheds, news) in table {
            assert_eq!(backlog.turned(left, at(ms)), news, "after {ms} ms");
            assert_eq!(backlog.sheds(), sheds, "after {ms} ms");
        }
        assert!(!backlog.is_alarmed());
    }
}
