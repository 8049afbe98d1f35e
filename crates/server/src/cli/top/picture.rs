//! What the live list shows, without a terminal: calls as they change, the chosen one, and a question.

use jiff::Timestamp;
use pbx::event::CallState;
use pbx::language::{Language, Text};
use pbx::text;
use pbx::time::UnixMillis;
use std::collections::BTreeMap;
use std::time::Duration;
use web::resource::Call;

/// A call that ended is shown for so long.
const RELEASED: Duration = Duration::from_secs(5 * 60);
/// More than these, and the calls that started first go, those that ended before those that are up.
const ROWS_MAX: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    HangUp,
    Yes,
    No,
    Quit,
}

/// What a key leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    HangUp(String),
    Quit,
}

#[derive(Default)]
pub(super) struct Picture {
    /// By id, and so by their start.
    calls: BTreeMap<String, Call>,
    /// The id of the chosen call.
    pub(super) chosen: Option<String>,
    /// The call that is to be hung up, while that is not confirmed.
    pub(super) question: Option<String>,
    /// What went wrong last.
    pub(super) notice: Option<Text>,
}

impl Picture {
    pub(super) fn new(calls: Vec<Call>) -> Self {
        let mut picture = Self::default();
        picture.replace(calls);
        picture
    }

    /// The calls that are up; those that ended stay.
    pub(super) fn replace(&mut self, calls: Vec<Call>) {
        self.calls.retain(|_, it| state(it) == CallState::Released);
        for call in calls {
            self.change(call);
        }
    }

    pub(super) fn change(&mut self, call: Call) {
        self.calls.insert(call.id.clone(), call);
        if self.calls.len() > ROWS_MAX {
            let over = self.calls.values().find(|it| state(it) == CallState::Released);
            let oldest = over.or_else(|| self.calls.values().next()).map(|it| it.id.clone());
            oldest.map(|it| self.calls.remove(&it));
        }
    }

    /// Calls that ended long ago go.
    pub(super) fn tick(&mut self, now: UnixMillis) {
        let is_old = |it: &Call| {
            it.ended_at.as_deref().and_then(moment).is_some_and(|at| now.since(at) > RELEASED)
        };
        self.calls.retain(|_, it| !is_old(it));
    }

    /// The newest first.
    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.values().rev()
    }

    pub(super) fn place(&self) -> Option<usize> {
        let chosen = self.chosen.as_deref()?;
        self.rows().position(|it| it.id == chosen)
    }

    /// How many calls there are in each state.
    pub(super) fn count(&self, wanted: CallState) -> usize {
        self.calls.values().filter(|it| state(it) == wanted).count()
    }

    pub(super) fn asked(&self) -> Option<&Call> {
        self.calls.get(self.question.as_deref()?)
    }

    pub(super) fn press(&mut self, key: Key) -> Asked {
        match (key, self.question.take()) {
            (Key::Yes, Some(id)) => return Asked::HangUp(id),
            // Anything else takes the question back, and the key with it.
            (_, Some(_)) => return Asked::Nothing,
            (Key::Quit, None) => return Asked::Quit,
            (Key::Up, None) => self.choose(|at| at.saturating_sub(1)),
            (Key::Down, None) => self.choose(|at| at + 1),
            (Key::HangUp, None) => {
                let is_up = |it: &&Call| state(it) != CallState::Released;
                let chosen = self.chosen.as_ref().and_then(|it| self.calls.get(it));
                self.question = chosen.filter(is_up).map(|it| it.id.clone());
            }
            (Key::Yes | Key::No, None) => {}
        }
        self.notice = None;
        Asked::Nothing
    }

    fn choose(&mut self, step: impl Fn(usize) -> usize) {
        let last = self.calls.len().saturating_sub(1);
        let at = self.place().map_or(0, step).min(last);
        let chosen = self.rows().nth(at).map(|it| it.id.clone());
        self.chosen = chosen;
    }
}

pub(super) fn state(call: &Call) -> CallState {
    let named = CallState::ALL.into_iter().find(|it| it.as_str() == call.state);
    named.unwrap_or(CallState::Started)
}

/// As dialled, and as it was sent where that differs.
pub(super) fn called(call: &Call) -> String {
    if call.sent.is_empty() || call.sent == call.dialled {
        call.dialled.clone()
    } else {
        format!("{} → {}", call.dialled, call.sent)
    }
}

pub(super) fn route(call: &Call, language: Language) -> String {
    let text = match (&call.line, &call.trunk) {
        (Some(line), _) => text!("line {line}", "外线{line}"),
        (None, Some(trunk)) => text!("trunk {trunk}", "SIP中继{trunk}"),
        (None, None) => text!("internal", "内部"),
    };
    text.get(language).to_owned()
}

/// How long it has been up, or was: from the answer, before it from the start.
pub(super) fn duration(call: &Call, now: UnixMillis) -> String {
    let begun = call.answered_at.as_deref().unwrap_or(&call.started_at);
    let end = call.ended_at.as_deref().and_then(moment).unwrap_or(now);
    let seconds = moment(begun).map_or(0, |it| end.since(it).as_secs());
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

pub(super) fn moment(text: &str) -> Option<UnixMillis> {
    let at = text.parse::<Timestamp>().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(UnixMillis)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use pbx::record::CallRecord;

    pub(in crate::cli::top) fn call(id: &str, state: CallState) -> Call {
        let record = CallRecord { started_at: UnixMillis(10_000), ..CallRecord::default() };
        let ended_at = (state == CallState::Released).then(|| "1970-01-01T00:01:00Z".to_owned());
        let (caller, dialled) = ("100".to_owned(), "90138".to_owned());
        Call { id: id.to_owned(), ended_at, caller, dialled, ..Call::of(&record, state) }
    }

    #[test]
    fn calls_change_and_go() {
        let mut picture = Picture::new(vec![call("a", CallState::Ringing)]);
        picture.change(call("b", CallState::Started));
        picture.change(call("a", CallState::Released));
        let ids = |it: &Picture| it.rows().map(|it| it.id.clone()).collect::<String>();
        assert_eq!(ids(&picture), "ba");
        picture.tick(UnixMillis(60_000 + 300_000));
        assert_eq!(ids(&picture), "ba");
        picture.tick(UnixMillis(60_000 + 300_001));
        assert_eq!(ids(&picture), "b");
        picture.replace(vec![call("c", CallState::Answered)]);
        assert_eq!(ids(&picture), "c", "what was lost is not shown any more");
    }

    #[test]
    fn a_call_is_hung_up_after_a_question() {
        use CallState::{Released, Ringing};
        let mut picture = Picture::new(vec![call("a", Ringing), call("b", Ringing)]);
        picture.change(call("c", Released));
        let mut press = |key| picture.press(key);
        assert_eq!(press(Key::HangUp), Asked::Nothing, "none is chosen");
        assert_eq!(press(Key::Yes), Asked::Nothing, "nothing was asked");
        press(Key::Down);
        press(Key::HangUp);
        assert_eq!(press(Key::Yes), Asked::Nothing, "this one has ended");
        press(Key::Down);
        press(Key::HangUp);
        assert_eq!(press(Key::Quit), Asked::Nothing, "no is no");
        press(Key::HangUp);
        assert_eq!(press(Key::Yes), Asked::HangUp("b".to_owned()));
        press(Key::Down);
        press(Key::Down);
        press(Key::HangUp);
        assert_eq!(press(Key::Yes), Asked::HangUp("a".to_owned()));
        assert_eq!(press(Key::Quit), Asked::Quit);
    }

    #[test]
    fn rows_are_bounded() {
        let mut picture = Picture::default();
        picture.change(call("0", CallState::Answered));
        picture.change(call("1", CallState::Released));
        for it in 0..ROWS_MAX - 1 {
            picture.change(call(&format!("2{it:04}"), CallState::Answered));
        }
        assert_eq!(picture.rows().count(), ROWS_MAX);
        assert_eq!(picture.count(CallState::Released), 0, "it goes first");
    }

    #[test]
    fn duration_table() {
        let table = [(10_999, "0:00"), (75_000, "1:05"), (3_610_000, "1:00:00"), (5_000, "0:00")];
        for (now, expected) in table {
            let up = call("a", CallState::Started);
            assert_eq!(duration(&up, UnixMillis(now)), expected, "{now}");
        }
        assert_eq!(duration(&call("a", CallState::Released), UnixMillis(900_000)), "0:50");
    }
}
