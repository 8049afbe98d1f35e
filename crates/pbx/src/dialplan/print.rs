//! The steps of a decision as text, the same for the simulator, the pages and the tests.

mod chinese;
mod english;

use super::query::{Candidate, Outgoing, Route};
use super::step::{Explanation, Found};
use super::table::Row;
use super::transition::{Transition, TransitionKind};
use crate::language::Language;
use crate::line::Line;
use crate::trunk::Trunk;
use std::fmt::Write;

/// Columns of the names of the steps.
const NAME_COLUMNS: usize = 18;

/// The whole explanation, one line for each step, the result last. Where an extension sends the call
/// on, what becomes of it there follows.
pub fn print(explanation: &Explanation, language: Language) -> String {
    let (head, result) = match language {
        Language::En => (english::head(explanation), english::result(explanation)),
        Language::Zh => (chinese::head(explanation), chinese::result(explanation)),
    };
    let mut text = head + "\n";
    for (index, step) in explanation.steps.iter().enumerate() {
        let (name, facts) = match language {
            Language::En => english::step(step, explanation),
            Language::Zh => chinese::step(step, explanation),
        };
        let pad = " ".repeat(NAME_COLUMNS.saturating_sub(columns(&name)));
        // Writing to a String does not fail.
        let _ = writeln!(text, "{:2} {name}{pad} {facts}", index + 1);
    }
    text += &format!("{result}\n");
    if let Some(Ok(onward)) = &explanation.onward {
        text += &format!("\n{}", print(onward, language));
    }
    text
}

/// Width on a terminal: Chinese characters take two columns.
fn columns(text: &str) -> usize {
    text.chars().map(|it| if it.is_ascii() { 1 } else { 2 }).sum()
}

/// `delete (0,1)`, `replace (0,1) by 0086`, `insert (0) 00`; the words are the language's.
fn transition(it: &Transition, words: [&str; 4]) -> String {
    let [delete, replace, insert, by] = words;
    let Transition { start, length, string, .. } = it;
    match it.kind {
        TransitionKind::Delete => format!("{delete} ({start},{length})"),
        TransitionKind::Replace => format!("{replace} ({start},{length}) {by} {string}"),
        TransitionKind::Insert => format!("{insert} ({start}) {string}"),
    }
}

/// The prefixes of the row that counts and of the shorter ones, the shortest first; empty where
/// the row had no rival.
fn rivals<R: Row>(found: &Found<R>) -> String {
    let Some(row) = &found.row else { return String::new() };
    let mut prefixes: Vec<&str> = found.shorter.iter().rev().map(|it| it.prefix()).collect();
    prefixes.retain(|it| *it != row.prefix());
    prefixes.dedup();
    if prefixes.is_empty() {
        return String::new();
    }
    prefixes.push(row.prefix());
    let quoted = prefixes.iter().map(|it| if it.is_empty() { "\"\"" } else { it });
    quoted.collect::<Vec<_>>().join(", ")
}

fn by_line(line: &Line, out: &Outgoing) -> String {
    let Outgoing { called, caller, .. } = out;
    format!("INVITE {}   From <{}>", line.request_uri(called), line.from_uri(caller))
}

fn by_trunk(trunk: &Trunk, out: &Outgoing) -> String {
    format!("INVITE {}   From {}", trunk.request_uri(&out.called), out.caller)
}

/// The candidates after the first.
fn alternatives(route: &Route) -> &[Candidate] {
    route.outcome.as_deref().ok().and_then(|it| it.get(1..)).unwrap_or_default()
}
