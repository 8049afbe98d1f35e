//! External lines and SIP trunks in the metrics. Accounts and numbers of trunks are names of ours, no caller's.

use super::Page;
use pbx::line::live::LineStatus;
use pbx::trunk::live::TrunkStatus;
use std::time::Duration;

pub(super) fn lines(page: &mut Page, lines: &[LineStatus]) {
    page.gauge("line_registered", "1 while the carrier holds the registration of the line.");
    for it in lines {
        page.labelled("line_registered", &[("line", &it.account)], u8::from(it.until.is_some()));
    }
    page.gauge("line_register_seconds", "From the last REGISTER of the line to its answer.");
    for it in lines {
        if let Some(took) = answered_in(it) {
            page.labelled("line_register_seconds", &[("line", &it.account)], took.as_secs_f64());
        }
    }
    page.gauge("line_calls_active", "Calls of the line now.");
    for it in lines {
        for (direction, calls) in [("in", it.calls_in), ("out", it.calls_out)] {
            let labels = [("line", &*it.account), ("direction", direction)];
            page.labelled("line_calls_active", &labels, calls);
        }
    }
    page.counter(
        "line_limit_hits_total",
        "Calls that a line could not take: it had all it may have.",
    );
    for it in lines {
        page.labelled("line_limit_hits_total", &[("line", &it.account)], it.limit_hits);
    }
}

/// `None` while there is no answer to the newest request.
fn answered_in(it: &LineStatus) -> Option<Duration> {
    let (asked, answered) = (it.last_request.as_ref()?.at, it.last_answer.as_ref()?.at);
    (answered >= asked).then(|| answered.since(asked))
}

pub(super) fn trunks(page: &mut Page, trunks: &[TrunkStatus]) {
    page.gauge("trunk_up", "1 while a server of the trunk is there.");
    for it in trunks {
        page.labelled("trunk_up", &[("trunk", &it.id.to_string())], u8::from(it.is_up()));
    }
    page.gauge("trunk_calls_active", "Calls of the trunk now.");
    for it in trunks {
        for (direction, calls) in [("in", it.calls_in), ("out", it.calls_out)] {
            let labels = [("trunk", &*it.id.to_string()), ("direction", direction)];
            page.labelled("trunk_calls_active", &labels, calls);
        }
    }
}
