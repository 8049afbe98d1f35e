//! Reads a CSV file of extensions. Every bad row is named with its line, column and reason.
//!
//! With a head line the columns may come in any order; without one they are number, password,
//! name, devices, calls, relay, address, media_source. An empty cell keeps the default; an empty
//! password is generated. Several addresses are separated by spaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use store::StoreError;
use store::db::ExtensionProfile;
use store::password::NewPassword;
use web::resource::{Change, NewExtension};

/// The columns of a file without head line.
const COLUMNS: [&str; 8] =
    ["number", "password", "name", "devices", "calls", "relay", "address", "media_source"];

/// What is wrong with one row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    line: u64,
    /// From 1; 0 where the row as a whole is meant.
    column: usize,
    reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            0 => write!(f, "line {}: {}", self.line, self.reason),
            column => write!(f, "line {}, column {column}: {}", self.line, self.reason),
        }
    }
}

/// The extensions of the file, or everything that is wrong with it.
/// `taken` has the numbers that exist already.
pub(super) fn read(
    text: &[u8],
    allow_weak: bool,
    taken: &BTreeSet<String>,
) -> Result<Vec<NewExtension>, Vec<BadRow>> {
    // Spreadsheets put this mark before UTF-8.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut columns: Vec<String> = COLUMNS.map(str::to_owned).into();
    let mut rows = Rows { allow_weak, taken, good: vec![], bad: vec![], seen: BTreeMap::new() };
    for (index, record) in reader.records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                rows.bad(line, 0, "the row is not UTF-8 text");
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let cells: Vec<&str> = record.iter().map(str::trim).collect();
        let is_head = index == 0 && cells.iter().any(|it| it.eq_ignore_ascii_case("number"));
        if is_head {
            columns = cells.iter().map(|it| it.to_ascii_lowercase()).collect();
            rows.check_head(line, &columns);
        } else if cells.iter().any(|it| !it.is_empty()) {
            rows.take(line, &cells, &columns);
        }
    }
    if rows.bad.is_empty() { Ok(rows.good) } else { Err(rows.bad) }
}

struct Rows<'a> {
    allow_weak: bool,
    taken: &'a BTreeSet<String>,
    good: Vec<NewExtension>,
    bad: Vec<BadRow>,
    /// The line each number was first seen on.
    seen: BTreeMap<String, u64>,
}

impl Rows<'_> {
    fn check_head(&mut self, line: u64, columns: &[String]) {
        for (index, column) in columns.iter().enumerate() {
            if !COLUMNS.contains(&column.as_str()) {
                let reason = format!("{column:?} is no column; there are {}", COLUMNS.join(", "));
                self.bad(line, index + 1, reason);
            }
        }
    }

    fn take(&mut self, line: u64, cells: &[&str], columns: &[String]) {
        let before = self.bad.len();
        let mut new = NewExtension::default();
        for (index, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let Some(column) = columns.get(index) else {
                self.bad(line, index + 1, format!("there are only {} columns", columns.len()));
                continue;
            };
            if let Err(reason) = put(&mut new, column, cell) {
                self.bad(line, index + 1, reason);
            }
        }
        if new.number.is_empty() {
            self.bad(line, 0, "the number is missing");
        } else if let Some(first) = self.seen.insert(new.number.clone(), line) {
            self.bad(line, 0, format!("number {} stands on line {first} already", new.number));
        }
        if self.taken.contains(&new.number) {
            self.bad(line, 0, format!("extension {} exists already", new.number));
        }
        for (column, reason) in refused(&new, self.allow_weak) {
            let column = columns.iter().position(|it| it == column).map_or(0, |it| it + 1);
            self.bad(line, column, reason);
        }
        if self.bad.len() == before {
            self.good.push(new);
        }
    }

    fn bad(&mut self, line: u64, column: usize, reason: impl Into<String>) {
        self.bad.push(BadRow { line, column, reason: reason.into() });
    }
}

/// What the store would refuse, with the column that is to blame: a file shall not have to be
/// tried once for each of its faults.
fn refused(new: &NewExtension, allow_weak: bool) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let name = new.change.name.clone().unwrap_or_default();
    let profile = ExtensionProfile { name, ..ExtensionProfile::new(&new.number) };
    // A missing number has been said already.
    if let Err(StoreError::Invalid { field, value, rule }) = profile.checked()
        && !new.number.is_empty()
    {
        problems.push((field, format!("{value:?}: {rule}")));
    }
    let password = new.password.as_deref().map(|it| match allow_weak {
        true => NewPassword::allow_weak(&new.number, it),
        false => NewPassword::checked(&new.number, it),
    });
    if let Some(Err(error)) = password {
        problems.push(("password", error.to_string()));
    }
    problems
}

/// Puts one cell into the extension, or says what the cell must be.
fn put(new: &mut NewExtension, column: &str, cell: &str) -> Result<(), String> {
    let number = |rule: &str, max: u8| match cell.parse::<u8>() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("{cell:?}: must be {rule}")),
    };
    let Change { name, devices, calls, relay, media_source, addresses, .. } = &mut new.change;
    match column {
        "number" => cell.clone_into(&mut new.number),
        "password" => new.password = Some(cell.to_owned()),
        "name" => *name = Some(cell.to_owned()),
        "devices" => *devices = Some(number("1 to 32", 32)?),
        "calls" => *calls = Some(number("1 to 100", 100)?),
        "relay" => *relay = Some(word(cell, "always, auto or never")?),
        "media_source" => {
            *media_source = Some(word(cell, "auto, sdp, signalling or any-first")?);
        }
        "address" => {
            let list = cell.split_whitespace();
            let checked = list.map(|it| web::extensions::address(it).map(|_| it.to_owned()));
            *addresses = Some(checked.collect::<Result<_, _>>().map_err(|it| it.detail)?);
        }
        // An unknown column is reported once, with the head line.
        _ => {}
    }
    Ok(())
}

fn word<T: serde::de::DeserializeOwned>(cell: &str, rule: &str) -> Result<T, String> {
    serde_json::from_value(cell.to_lowercase().into())
        .map_err(|_| format!("{cell:?}: must be {rule}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &[u8], allow_weak: bool) -> Result<Vec<NewExtension>, Vec<BadRow>> {
        super::read(text, allow_weak, &["900".to_owned()].into())
    }

    #[test]
    fn good_rows_with_and_without_head() {
        let plain = read(b"100,k7mfx2pqrs,Reception\n101,,\n", false).unwrap();
        let head = read(
            "\u{feff}Name,Number,Password\nReception,100,k7mfx2pqrs\n,101,\n".as_bytes(),
            false,
        )
        .unwrap();
        assert!(plain[0] == head[0]);
        assert_eq!(plain[0].change.name.as_deref(), Some("Reception"));
        assert_eq!((plain[1].number.as_str(), &plain[1].password), ("101", &None));
    }

    #[test]
    fn every_column_is_read() {
        let row = b"100,k7mfx2pqrs,Hall,3,4,auto,10.0.0.1 10.1.0.0/16,any-first";
        let change = read(row, false).unwrap().remove(0).change;
        assert_eq!((change.devices, change.calls), (Some(3), Some(4)));
        assert_eq!(change.relay, Some(pbx::directory::Relay::Auto));
        assert_eq!(change.media_source, Some(pbx::media::MediaSource::AnyFirst));
        assert_eq!(change.addresses.unwrap(), ["10.0.0.1", "10.1.0.0/16"]);
    }

    #[test]
    fn error_table() {
        #[rustfmt::skip]
        let table = [
            ("100,k7mfx2pqrs\n100,k7mfx2pqrs",  "line 2: number 100 stands on line 1 already"),
            ("100,100",                         "line 1, column 2: The password contains little more than the number. / 密码与号码几乎相同。"),
            ("100,k7mfx2 pqrs",                 "line 1, column 2: a password has 1 to 64 printable ASCII characters and no space"),
            ("1 0,k7mfx2pqrs",                  "line 1, column 1: \"1 0\": must be 1 to 32 digits, letters or . _ - +"),
            ("900,k7mfx2pqrs",                  "line 1: extension 900 exists already"),
            (",k7mfx2pqrs",                     "line 1: the number is missing"),
            ("100,,,many",                      "line 1, column 4: \"many\": must be 1 to 32"),
            ("100,,,,0",                        "line 1, column 5: \"0\": must be 1 to 100"),
            ("100,,,,,sometimes",               "line 1, column 6: \"sometimes\": must be always, auto or never"),
            ("100,,,,,,office",                 "line 1, column 7: address = office: must be an address, address:port or network/length"),
            ("100,,,,,,,,9",                    "line 1, column 9: there are only 8 columns"),
            ("number,pin\n",                    "line 1, column 2: \"pin\" is no column; there are number, password, name, devices, calls, relay, address, media_source"),
        ];
        for (text, expected) in table {
            let problems = read(text.as_bytes(), false).map(|it| it.len()).unwrap_err();
            let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(shown, [expected], "{text}");
        }
    }

    #[test]
    fn all_bad_rows_are_named_and_weak_ones_can_be_allowed() {
        let text = b"100,100\n101,101\n102,k7mfx2pqrs";
        assert_eq!(read(text, false).map(|it| it.len()).unwrap_err().len(), 2);
        assert_eq!(read(text, true).unwrap().len(), 3);
    }
}
