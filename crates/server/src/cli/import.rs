//! Reads a CSV file of extensions. Every bad row is named with its line, column and reason.
//!
//! With a head line the columns may come in any order; without one they are number, password,
//! name, devices, calls, relay, address, media_source. An empty cell keeps the default; an empty
//! password is generated. Several addresses are separated by spaces.

use pbx::language::Text;
use pbx::text;
use std::collections::{BTreeMap, BTreeSet};
use store::StoreError;
use store::db::ExtensionProfile;
use store::password::NewPassword;
use web::failure::of_password;
use web::resource::{Change, Failure, NewExtension};

/// The columns of a file without head line.
const COLUMNS: [&str; 8] =
    ["number", "password", "name", "devices", "calls", "relay", "address", "media_source"];

/// What is wrong with one row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    line: u64,
    /// From 1; 0 where the row as a whole is meant.
    column: usize,
    reason: Text,
}

impl BadRow {
    pub(super) fn text(self) -> Text {
        let Self { line, column, reason } = self;
        match column {
            0 => text!("line {line}: {}", "第{line}行：{}", reason),
            _ => text!("line {line}, column {column}: {}", "第{line}行第{column}列：{}", reason),
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
                rows.bad(line, 0, text!("the row is not UTF-8 text", "该行不是UTF-8文本"));
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
                let reason = text!(
                    "{column:?} is no column; there are {}",
                    "没有列{column:?}；可用的列有{}",
                    COLUMNS.join(", ")
                );
                self.bad(line, index + 1, reason);
            }
        }
    }

    fn take(&mut self, line: u64, cells: &[&str], columns: &[String]) {
        let before = self.bad.len();
        let mut new = NewExtension::default();
        for (index, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let Some(column) = columns.get(index) else {
                let reason = text!("there are only {} columns", "只有{}列", columns.len());
                self.bad(line, index + 1, reason);
                continue;
            };
            if let Err(reason) = put(&mut new, column, cell) {
                self.bad(line, index + 1, reason);
            }
        }
        if new.number.is_empty() {
            self.bad(line, 0, text!("the number is missing", "缺少号码"));
        } else if let Some(first) = self.seen.insert(new.number.clone(), line) {
            let number = &new.number;
            let reason = text!(
                "number {number} stands on line {first} already",
                "号码{number}已出现在第{first}行"
            );
            self.bad(line, 0, reason);
        }
        if self.taken.contains(&new.number) {
            let number = &new.number;
            self.bad(line, 0, text!("extension {number} exists already", "分机{number}已存在"));
        }
        for (column, reason) in refused(&new, self.allow_weak) {
            let column = columns.iter().position(|it| it == column).map_or(0, |it| it + 1);
            self.bad(line, column, reason);
        }
        if self.bad.len() == before {
            self.good.push(new);
        }
    }

    fn bad(&mut self, line: u64, column: usize, reason: Text) {
        self.bad.push(BadRow { line, column, reason });
    }
}

/// What the store would refuse, with the column that is to blame: a file shall not have to be
/// tried once for each of its faults.
fn refused(new: &NewExtension, allow_weak: bool) -> Vec<(&'static str, Text)> {
    let mut problems = Vec::new();
    let name = new.change.name.clone().unwrap_or_default();
    let profile = ExtensionProfile { name, ..ExtensionProfile::new(&new.number) };
    // A missing number has been said already.
    if let Err(StoreError::Invalid { field, value, rule }) = profile.checked()
        && !new.number.is_empty()
    {
        problems.push((field, text!("{value:?}: {}", "{value:?}：{}", rule)));
    }
    let password = new.password.as_deref().map(|it| match allow_weak {
        true => NewPassword::allow_weak(&new.number, it),
        false => NewPassword::checked(&new.number, it),
    });
    if let Some(Err(error)) = password {
        problems.push(("password", of_password(error)));
    }
    problems
}

/// Puts one cell into the extension, or says what the cell must be.
fn put(new: &mut NewExtension, column: &str, cell: &str) -> Result<(), Text> {
    let number = |max: u8| match cell.parse::<u8>() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(text!("{cell:?}: must be 1 to {max}", "{cell:?}：取值应为1至{max}")),
    };
    let Change { name, devices, calls, relay, media_source, addresses, .. } = &mut new.change;
    match column {
        "number" => cell.clone_into(&mut new.number),
        "password" => new.password = Some(cell.to_owned()),
        "name" => *name = Some(cell.to_owned()),
        "devices" => *devices = Some(number(store::db::DEVICES_MAX)?),
        "calls" => *calls = Some(number(100)?),
        "relay" => {
            *relay = Some(word(cell, &text!("always, auto or never", "always、auto或never"))?)
        }
        "media_source" => {
            *media_source = Some(word(
                cell,
                &text!("auto, sdp, signalling or any-first", "auto、sdp、signalling或any-first"),
            )?);
        }
        "address" => {
            let list = cell.split_whitespace();
            let checked = list.map(|it| web::extensions::address(it).map(|_| it.to_owned()));
            *addresses = Some(checked.collect::<Result<_, _>>().map_err(Failure::detail)?);
        }
        // An unknown column is reported once, with the head line.
        _ => {}
    }
    Ok(())
}

fn word<T: serde::de::DeserializeOwned>(cell: &str, rule: &Text) -> Result<T, Text> {
    serde_json::from_value(cell.to_lowercase().into())
        .map_err(|_| text!("{cell:?}: must be {}", "{cell:?}：应为{}", rule))
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
            ("100,100",                         "line 1, column 2: The password contains little more than the number."),
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
            let shown: Vec<String> =
                problems.into_iter().map(|it| it.text().en.into_owned()).collect();
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
