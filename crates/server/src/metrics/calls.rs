//! Calls in the metrics.

use super::Page;
use pbx::counters::{Counters, DIRECTIONS, DURATION_MS, RESULTS, SETUP_MS};
use pbx::release::ReleaseCode;

pub(super) fn calls(page: &mut Page, counters: &Counters, active: [u64; DIRECTIONS.len()]) {
    page.gauge("calls_active", "Calls now.");
    for (direction, count) in DIRECTIONS.iter().zip(active) {
        page.labelled("calls_active", &[("direction", direction)], count);
    }
    page.counter("calls_total", "Calls ended, each with its record.");
    for (direction, counts) in DIRECTIONS.iter().zip(&counters.calls) {
        for (result, count) in RESULTS.iter().zip(counts) {
            page.labelled("calls_total", &[("direction", direction), ("result", result)], count);
        }
    }
    #[rustfmt::skip]
    let rows = [
        ("calls_started_total", "Call attempts.", counters.calls_started),
        ("calls_answered_total", "Calls answered.", counters.calls_answered),
    ];
    for (name, help, value) in rows {
        page.one("counter", name, help, value);
    }
    let help = "From the INVITE to the answer.";
    page.histogram("call_setup_seconds", help, &SETUP_MS, &counters.call_setup_ms);
    let help = "From the answer to the end.";
    page.histogram("call_duration_seconds", help, &DURATION_MS, &counters.call_duration_ms);
    page.counter("release_total", "Calls ended, by release code.");
    for (code, count) in ReleaseCode::ALL.iter().zip(&counters.releases.0) {
        page.labelled("release_total", &[("code", code.as_str())], count);
    }
}
