//! Prints what a command found: JSON for programs, tables for people.

use super::{Failed, Result};
use pbx::language::{Language, Text};
use serde::Serialize;
use std::io::{ErrorKind, Write as _};

/// Standard output and error. A reader that went away ends the command quietly.
pub(super) struct Output {
    json: bool,
    language: Language,
    closed: bool,
}

impl Output {
    pub(super) fn new(json: bool, language: Language) -> Self {
        Self { json, language, closed: false }
    }

    pub(super) fn language(&self) -> Language {
        self.language
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The value as JSON, or else what `text` makes of it in the language of the command.
    pub(super) fn show<T: Serialize>(
        &mut self,
        value: &T,
        text: impl FnOnce(&T, Language) -> String,
    ) -> Result<()> {
        if self.json {
            let json = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
            self.line(&json)
        } else {
            self.line(&text(value, self.language))
        }
    }

    pub(super) fn line(&mut self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let written = if text.is_empty() || text.ends_with('\n') {
            out.write_all(text.as_bytes())
        } else {
            writeln!(out, "{text}")
        };
        written.and_then(|()| out.flush()).map_err(|error| {
            self.closed = error.kind() == ErrorKind::BrokenPipe;
            error.into()
        })
    }

    /// To standard error, so that it never mixes with what was asked for.
    pub(super) fn notice(&self, text: &Text) {
        self.error_line(text.get(self.language));
    }

    fn error_line(&self, text: &str) {
        // Nobody left to tell.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    pub(super) fn failure(&self, failed: &Failed) {
        let message = failed.message.get(self.language);
        if self.json {
            let object = serde_json::json!({ "error": message, "exit_code": failed.exit as u8 });
            self.error_line(&object.to_string());
        } else {
            self.error_line(&format!("dialtone: {message}"));
        }
    }
}

/// The head of a column in English and Chinese.
pub(super) type Column = (&'static str, &'static str);

/// Rows under a head line, each column as wide as its widest cell.
pub(super) fn table(language: Language, columns: &[Column], rows: &[Vec<String>]) -> String {
    debug_assert!(columns.iter().all(|(en, zh)| en.is_ascii() && !zh.is_ascii()), "{columns:?}");
    let head = |(en, zh): &Column| match language {
        Language::En => *en,
        Language::Zh => *zh,
    };
    let head: Vec<&str> = columns.iter().map(head).collect();
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|it| width(it));
        cells.chain(head.get(column).map(|it| width(it))).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width_of).collect();
    let mut text = table_line(head.iter().copied(), &widths);
    for row in rows {
        text.push_str(&table_line(row.iter().map(String::as_str), &widths));
    }
    text
}

fn table_line<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, column) in cells.zip(widths) {
        line.push_str(&plain(cell));
        line.push_str(&" ".repeat(column.saturating_sub(width(cell)) + 2));
    }
    format!("{}\n", line.trim_end())
}

/// A phone chooses its own User-Agent; it shall not move the cursor of an administrator.
pub(super) fn plain(cell: &str) -> String {
    cell.chars().map(|it| if it.is_control() { '?' } else { it }).collect()
}

/// Columns on a terminal: Chinese characters take two.
fn width(text: &str) -> usize {
    text.chars().map(|it| if is_wide(it) { 2 } else { 1 }).sum()
}

fn is_wide(character: char) -> bool {
    matches!(character, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_in_both_languages() {
        let row = |it: [&str; 3]| it.map(str::to_owned).to_vec();
        let rows = [row(["100", "前台", "a"]), row(["1000", "Reception\u{1b}[2J", ""])];
        let columns = [("NUMBER", "号码"), ("NAME", "名称"), ("X", "十")];
        let english = "\
NUMBER  NAME           X
100     前台           a
1000    Reception?[2J
";
        assert_eq!(table(Language::En, &columns, &rows), english);
        let chinese = "\
号码  名称           十
100   前台           a
1000  Reception?[2J
";
        assert_eq!(table(Language::Zh, &columns, &rows), chinese);
    }
}
