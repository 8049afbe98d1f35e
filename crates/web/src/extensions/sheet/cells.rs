//! The cells of a sheet of extensions: how each field is written, and read back.

use crate::outside::Fields;
use csv::StringRecord;
use pbx::language::Text;
use pbx::text;
use serde_json::Value;

/// In their order.
pub(super) const COLUMNS: [&str; 22] = [
    "number",
    "password",
    "name",
    "devices",
    "calls",
    "calls_in",
    "calls_out",
    "relay",
    "media_source",
    "addresses",
    "digest_without_qop",
    "plan",
    "levels",
    "may_forward",
    "forward_busy",
    "forward_unreachable",
    "forward_no_answer",
    "forward_always",
    "do_not_disturb",
    "call_waiting",
    "ring_s",
    "pickup_group",
];

const LISTS: [&str; 3] = ["addresses", "levels", "may_forward"];
const TEXTS: [&str; 2] = ["name", "plan"];
const FORWARD: &str = "forward_";
/// Makes a text of what spreadsheets would run; a text that begins so itself gets another one.
const GUARD: char = '\'';
/// What spreadsheets run as a formula where a cell begins with it.
const FORMULA: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', GUARD];

/// One row, by its columns.
pub(super) struct Cells(Vec<(String, String)>);

/// A column, where one is meant, and what is wrong with it.
pub(super) type Bad = (Option<String>, Text);

impl Cells {
    pub(super) fn text(&self, column: &str) -> &str {
        self.0.iter().find(|(it, _)| it == column).map_or("", |(_, cell)| cell)
    }

    /// As a merge patch; an empty cell is the default.
    pub(super) fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        for (column, cell) in &self.0 {
            if let Some(when) = column.strip_prefix(FORWARD) {
                let forward = fields.entry("forward").or_insert_with(|| Fields::new().into());
                if let Value::Object(forward) = forward {
                    forward.insert(kebab(when), cell.as_str().into());
                }
            } else if !["number", "password"].contains(&column.as_str()) {
                fields.insert(column.clone(), value(column, cell));
            }
        }
        fields
    }
}

/// Pairs the cells with the head of the sheet.
pub(super) fn read(head: &StringRecord, row: &StringRecord) -> Result<Cells, Bad> {
    if row.len() > head.len() {
        return Err((None, text!("the row has more cells than the head", "该行的单元格多于表头")));
    }
    let cells = head.iter().zip(row.iter());
    let cells = cells.map(|(column, it)| (column.trim().to_owned(), unguarded(it).to_owned()));
    let cells: Vec<_> = cells.collect();
    Ok(Cells(cells))
}

/// A field of an extension as a cell.
pub(super) fn written(fields: &Fields, column: &str) -> String {
    let value = match column.strip_prefix(FORWARD) {
        Some(when) => fields.get("forward").and_then(|it| it.get(kebab(when))),
        None => fields.get(column),
    };
    guarded(value.map(text_of).unwrap_or_default())
}

fn guarded(text: String) -> String {
    if text.starts_with(FORMULA) { format!("{GUARD}{text}") } else { text }
}

/// The same without what [`guarded`] put before it.
fn unguarded(cell: &str) -> &str {
    cell.strip_prefix(GUARD).filter(|it| it.starts_with(FORMULA)).unwrap_or(cell)
}

/// What is true of every sheet: it is read or refused, and what a cell says is said again by the cell written of it.
pub(super) fn holds(bytes: &[u8]) {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let Ok(head) = reader.headers().cloned() else { return };
    for row in reader.records().flatten() {
        let Ok(cells) = read(&head, &row) else { continue };
        let _ = crate::extensions::patched(cells.fields());
        for (column, cell) in &cells.0 {
            let again = guarded(cell.clone());
            assert_eq!(unguarded(&again), cell, "{column}");
        }
    }
}

/// As the fields of the API are written.
fn kebab(word: &str) -> String {
    word.replace('_', "-")
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(" "),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn value(column: &str, cell: &str) -> Value {
    if TEXTS.contains(&column) && !cell.is_empty() {
        return cell.into();
    }
    if LISTS.contains(&column) {
        return cell.split([' ', ',', ';']).filter(|it| !it.is_empty()).map(plain).collect();
    }
    match cell.trim() {
        "" => Value::Null,
        cell => plain(cell),
    }
}

fn plain(cell: &str) -> Value {
    match cell {
        "true" | "TRUE" => true.into(),
        "false" | "FALSE" => false.into(),
        _ => cell.parse::<u64>().map_or_else(|_| cell.into(), Value::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cell_table() {
        #[rustfmt::skip]
        let table = [
            ("name",               "",          Value::Null),
            ("name",               "007",       json!("007")),
            ("calls",              "4",         json!(4)),
            ("calls",              "four",      json!("four")),
            ("levels",             "1 2",       json!([1, 2])),
            ("levels",             "",          json!([])),
            ("addresses",          "10.0.0.1,10.0.0.2", json!(["10.0.0.1", "10.0.0.2"])),
            ("do_not_disturb",     "true",      json!(true)),
            ("relay",              "auto",      json!("auto")),
        ];
        for (column, cell, expected) in table {
            assert_eq!(value(column, cell), expected, "{column} {cell}");
        }
    }

    #[test]
    fn a_formula_is_a_text_and_comes_back() {
        #[rustfmt::skip]
        let table = [
            ("=1+1",  "'=1+1"),
            ("'=1+1", "''=1+1"),
            ("＝1",    "'＝1"),
            ("'hi",   "''hi"),
            ("Hall",  "Hall"),
        ];
        for (name, cell) in table {
            let fields = Fields::from_iter([("name".to_owned(), json!(name))]);
            assert_eq!(written(&fields, "name"), cell);
            let row = read(&StringRecord::from(vec!["name"]), &StringRecord::from(vec![cell]));
            assert_eq!(row.map(|it| it.text("name").to_owned()).ok().as_deref(), Some(name));
        }
    }
}
