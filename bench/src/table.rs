//! Prints the figures of a row, for people or as JSON.

use crate::rows::Row;

/// One figure of one candidate.
#[derive(Debug, Default)]
pub(crate) struct Figure {
    pub(crate) candidate: &'static str,
    /// What was done: `50 calls/s`.
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// Waits, counts, configuration.
    pub(crate) detail: String,
    /// Why the figure does not count, where it does not.
    pub(crate) problem: Option<String>,
}

pub(crate) fn print(row: &Row, figures: &[Figure], json: bool) {
    if json {
        for figure in figures {
            line(&as_json(row, figure));
        }
        return;
    }
    line(&format!("\n{}: {}", row.name, row.about));
    for Figure { candidate, what, value, unit, detail, problem } in figures {
        let verdict =
            problem.as_ref().map_or(String::new(), |it| format!("  DOES NOT COUNT: {it}"));
        line(&format!("  {candidate:<10} {what:<26} {value:>9.3} {unit:<8} {detail}{verdict}"));
    }
}

fn as_json(row: &Row, figure: &Figure) -> String {
    let text = |it: &str| format!("\"{}\"", it.replace('\\', "\\\\").replace('"', "\\\""));
    format!(
        "{{\"row\":{},\"candidate\":{},\"what\":{},\"value\":{:.4},\"unit\":{},\"detail\":{},\
         \"problem\":{}}}",
        text(row.name),
        text(figure.candidate),
        text(&figure.what),
        figure.value,
        text(figure.unit),
        text(&figure.detail),
        figure.problem.as_deref().map_or_else(|| "null".to_owned(), text)
    )
}

#[expect(clippy::print_stdout, reason = "a runner prints its report")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}
