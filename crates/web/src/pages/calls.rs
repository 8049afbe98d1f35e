//! Calls: the records (话单), and the page of one call.

mod act;
mod call;
mod ladder;
mod list;
mod remedy;

pub(crate) use act::{on_hangup, on_place, on_transfer};
pub(crate) use call::on_call;
pub(crate) use list::on_list;

use super::words::words;
use crate::resource::Call;
use pbx::language::Language;

words! {
    /// What is said of a call wherever it is shown.
    Words {
        internal: "internal", "内部";
        incoming: "incoming", "呼入";
        outgoing: "outgoing", "呼出";
        started: "started", "发起";
        ringing: "ringing", "振铃";
        answered: "answered", "应答";
        held: "on hold", "保持";
        released: "released", "释放";
        line: "External line", "外线";
        trunk: "SIP trunk", "SIP中继";
    }
}

/// The word for where a call crosses the office.
fn direction(call: &Call, language: Language) -> &'static str {
    let w = Words::of(language);
    match call.direction.as_str() {
        "incoming" => w.incoming,
        "outgoing" => w.outgoing,
        _ => w.internal,
    }
}

/// The word for how far it is.
fn state(call: &Call, language: Language) -> &'static str {
    let w = Words::of(language);
    match call.state.as_str() {
        "started" => w.started,
        "ringing" => w.ringing,
        "answered" => w.answered,
        "held" => w.held,
        _ => w.released,
    }
}

/// The line or trunk it goes by.
fn way(call: &Call, language: Language) -> String {
    let w = Words::of(language);
    match (&call.line, &call.trunk) {
        (Some(line), _) => format!("{} {line}", w.line),
        (None, Some(trunk)) => format!("{} {trunk}", w.trunk),
        (None, None) => String::new(),
    }
}

/// The class of a call's lamp, by how it went.
fn class(call: &Call) -> &'static str {
    match (&call.ended_at, &call.answered_at, &call.verdict) {
        (None, _, _) => "warn",
        (Some(_), Some(_), Some(verdict)) if verdict.code.starts_with("media.") => "warn",
        (Some(_), Some(_), _) => "good",
        (Some(_), None, _) => "bad",
    }
}
