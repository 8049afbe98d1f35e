//! The tables of the dial plan as CSV files, one for each table (RFC 4180): written for spreadsheets, read with every
//! bad row named by line and column.

use super::cells::{self, BadCell};
use pbx::dialplan::Tables;
use pbx::dialplan::feature_codes::{FeatureCodes, FeatureRow};
use pbx::dialplan::lint::finding::TableName;
use pbx::language::Text;
use pbx::line::Line;
use pbx::text;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use web::nearest::nearest;
use web::resource::Finding;

/// The tables there are, those first that others refer to.
pub(in crate::cli) const TABLES: [TableName; 10] = [
    TableName::Plans,
    TableName::Transitions,
    TableName::Callers,
    TableName::Called,
    TableName::RefineCaller,
    TableName::RefineCalled,
    TableName::BlackList,
    TableName::Features,
    TableName::Lines,
    TableName::Trunks,
];

/// Without this mark spreadsheets take the text for one of the system's old encoding.
const MARK: &str = "\u{feff}";
/// Read, but never written.
const PASSWORD: &str = "password";

/// One table as a file.
pub(super) struct CsvFile {
    pub(super) table: TableName,
    /// As people know it: `called.csv`.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// What files hold.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) tables: Tables,
    /// The tables they are of.
    pub(super) only: Vec<TableName>,
    pub(super) places: Places,
}

/// Where each row stands.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<(&'static str, String), Place>);

#[derive(Debug)]
struct Place {
    file: Rc<Head>,
    line: u64,
}

#[derive(Debug)]
struct Head {
    name: String,
    columns: Vec<String>,
}

/// A plan is its name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    name: Box<str>,
}

/// The table as a file.
pub(super) fn write(tables: &Tables, table: TableName) -> Result<Vec<u8>, anyhow::Error> {
    let codes = || tables.features.iter().cloned().collect::<FeatureCodes>();
    let plans = || tables.plans.iter().map(|it| Plan { name: it.clone() }).collect::<Vec<_>>();
    match table {
        TableName::Plans => rows(&plans()),
        TableName::Transitions => rows(&tables.transitions),
        TableName::Callers => rows(&tables.callers),
        TableName::Called => rows(&tables.called),
        TableName::RefineCaller => rows(&tables.refine_caller),
        TableName::RefineCalled => rows(&tables.refine_called),
        TableName::BlackList => rows(&tables.black_list),
        // Where people change codes they want to see all of them.
        TableName::Features => rows(&codes().all().cloned().collect::<Vec<_>>()),
        TableName::Lines => rows(&tables.lines),
        TableName::Trunks => rows(&tables.trunks),
        TableName::Extensions => anyhow::bail!("extensions are no table of the dial plan"),
    }
}

fn rows<T: Serialize + DeserializeOwned>(rows: &[T]) -> Result<Vec<u8>, anyhow::Error> {
    let columns: Vec<_> = cells::columns::<T>().into_iter().filter(|it| it != PASSWORD).collect();
    let end = csv::Terminator::CRLF;
    let mut writer = csv::WriterBuilder::new().terminator(end).from_writer(MARK.into());
    writer.write_record(&columns)?;
    for row in rows {
        writer.write_record(cells::write(row, &columns)?)?;
    }
    Ok(writer.into_inner()?)
}

/// The columns of a table, as its file may have them.
pub(in crate::cli) fn columns(table: TableName) -> Vec<String> {
    use pbx::dialplan::rows::{BlockRow, CalledRow, CallerRow, RefineRow};
    match table {
        TableName::Plans => cells::columns::<Plan>(),
        TableName::Transitions => cells::columns::<pbx::dialplan::transition::Transition>(),
        TableName::Callers => cells::columns::<CallerRow>(),
        TableName::Called => cells::columns::<CalledRow>(),
        TableName::RefineCaller | TableName::RefineCalled => cells::columns::<RefineRow>(),
        TableName::BlackList => cells::columns::<BlockRow>(),
        TableName::Features => cells::columns::<FeatureRow>(),
        TableName::Lines => cells::columns::<Line>(),
        TableName::Trunks => cells::columns::<pbx::trunk::Trunk>(),
        TableName::Extensions => vec![],
    }
}

/// The tables of the files, or everything in them that cannot be read.
pub(super) fn read(files: &[CsvFile]) -> Result<Given, Vec<Text>> {
    let mut given = Given::default();
    let mut problems = vec![];
    for file in files {
        let mut reader = Reader { file, places: &mut given.places, problems: &mut problems };
        let tables = &mut given.tables;
        match file.table {
            TableName::Plans => {
                tables.plans = reader.rows::<Plan>().into_iter().map(|it| it.name).collect();
            }
            TableName::Transitions => tables.transitions = reader.rows(),
            TableName::Callers => tables.callers = reader.rows(),
            TableName::Called => tables.called = reader.rows(),
            TableName::RefineCaller => tables.refine_caller = reader.rows(),
            TableName::RefineCalled => tables.refine_called = reader.rows(),
            TableName::BlackList => tables.black_list = reader.rows(),
            TableName::Features => tables.features = reader.rows(),
            TableName::Lines => tables.lines = reader.rows(),
            TableName::Trunks => tables.trunks = reader.rows(),
            TableName::Extensions => {}
        }
        given.only.push(file.table);
    }
    if problems.is_empty() { Ok(given) } else { Err(problems) }
}

struct Reader<'a> {
    file: &'a CsvFile,
    places: &'a mut Places,
    problems: &'a mut Vec<Text>,
}

impl<'a> Reader<'a> {
    fn rows<T: Serialize + DeserializeOwned>(&mut self) -> Vec<T> {
        let Some(text) = self.text() else { return vec![] };
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut records = reader.records().map_while(Result::ok);
        let Some(first) = records.next() else {
            let what = text!(
                "the names of the columns are missing. Export the table to see them",
                "缺少列名。请先导出该表以查看列名"
            );
            self.problem(1, None, &what);
            return vec![];
        };
        let Some(head) = self.head::<T>(&first) else { return vec![] };
        let mut last = 1;
        let mut good = vec![];
        for record in records {
            last = record.position().map_or(last, |it| line(text, it));
            if record.iter().any(|it| !it.trim().is_empty()) {
                good.extend(self.row(&head, &record, last));
            }
        }
        // What a quote opens that nothing closes has taken all that follows into its cell.
        if text.matches('"').count() % 2 == 1 {
            let what = text!(
                "a quote is not closed. Close it, or write two of them for one",
                "引号没有配对。请补上，或用两个引号表示一个"
            );
            self.problem(last, None, &what);
        }
        good
    }

    fn text(&mut self) -> Option<&'a str> {
        let bytes = &self.file.bytes;
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.strip_prefix(MARK).unwrap_or(text)),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = 1 + before.iter().fold(0, |lines, it| lines + u64::from(*it == b'\n'));
                let what = text!(
                    "the text is not UTF-8. Save the file as \"CSV UTF-8\"",
                    "文本不是UTF-8编码。请将文件另存为“CSV UTF-8”"
                );
                self.problem(line, None, &what);
                None
            }
        }
    }

    /// The columns, in the order of the file.
    fn head<T: DeserializeOwned>(&mut self, record: &csv::StringRecord) -> Option<Rc<Head>> {
        let known = cells::columns::<T>();
        let names = record.iter().map(|it| it.trim().to_ascii_lowercase());
        let mut columns: Vec<String> = names.collect();
        while columns.last().is_some_and(String::is_empty) {
            columns.pop();
        }
        let before = self.problems.len();
        let mut seen = BTreeSet::new();
        for (index, column) in columns.iter().enumerate() {
            let what = if column.contains([';', '\t']) {
                text!(
                    "commas must be between the columns. Put them there",
                    "各列之间应为逗号。请修改"
                )
            } else if !known.contains(column) {
                let nearest = nearest(column, known.iter().map(String::as_str));
                text!("there is no such column{}", "没有该列{}", nearest)
            } else if !seen.insert(column) {
                text!("the column is there twice. Delete one", "该列重复。请删除其中之一")
            } else {
                continue;
            };
            self.problem(1, Some((index, column)), &what);
        }
        let name = self.file.name.clone();
        (self.problems.len() == before).then(|| Rc::new(Head { name, columns }))
    }

    fn row<T: Serialize + DeserializeOwned>(
        &mut self,
        head: &Rc<Head>,
        record: &csv::StringRecord,
        line: u64,
    ) -> Option<T> {
        let columns = &head.columns;
        if let Some(index) = record.iter().skip(columns.len()).position(|it| !it.trim().is_empty())
        {
            let what = text!(
                "the column has no name. Quote a text that contains commas",
                "该列没有列名。含逗号的文本应加引号"
            );
            self.problem(line, Some((columns.len() + index, "")), &what);
        }
        let cells: Vec<_> = columns.iter().map(String::as_str).zip(record).collect();
        match cells::read::<T>(&cells) {
            Ok(row) => {
                let key = cells::columns::<T>().into_iter().next().unwrap_or_default();
                let id = serde_json::to_value(&row).ok().and_then(|it| it.get(&key).map(in_words));
                let place = Place { file: Rc::clone(head), line };
                self.places.0.insert((self.file.table.as_str(), id.unwrap_or_default()), place);
                Some(row)
            }
            Err(bad) => {
                for BadCell { column, reason } in bad {
                    let name = column.as_deref().unwrap_or_default();
                    let index = columns.iter().position(|it| it == name);
                    match index {
                        Some(index) => self.problem(line, Some((index, name)), &reason),
                        None if name.is_empty() => self.problem(line, None, &reason),
                        None => {
                            self.problem(line, None, &text!("{name}: {}", "{name}：{}", reason))
                        }
                    }
                }
                None
            }
        }
    }

    fn problem(&mut self, line: u64, column: Option<(usize, &str)>, what: &Text) {
        self.problems.push(at(&self.file.name, line, column, what));
    }
}

/// The line a record begins on: the position is that of the empty lines before it.
fn line(text: &str, position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    let empty = rest.iter().take_while(|it| matches!(it, b'\r' | b'\n'));
    position.line() + empty.fold(0, |lines, it| lines + u64::from(*it == b'\n'))
}

/// `called.csv, line 7, column 4 (route): what is wrong. The way out.`
fn at(file: &str, line: u64, column: Option<(usize, &str)>, what: &Text) -> Text {
    match column {
        None => text!("{file}, line {line}: {}.", "{file}第{line}行：{}。", what),
        Some((index, name)) => {
            let column = index + 1;
            text!(
                "{file}, line {line}, column {column} ({name}): {}.",
                "{file}第{line}行第{column}列（{name}）：{}。",
                what
            )
        }
    }
}

fn in_words(key: &Value) -> String {
    key.as_str().map_or_else(|| key.to_string(), str::to_owned)
}

impl Places {
    /// What the server found in a row, where the row stands in a file.
    pub(super) fn text(&self, it: &Finding) -> Text {
        let rows = TABLES.iter().find(|table| table.as_str() == it.table);
        let place = rows.and_then(|table| self.0.get(&(table.as_str(), it.row.clone())));
        let Some(Place { file, line }) = place else { return it.text.clone() };
        let what = text!("{}. {}", "{}。{}", it.what, it.remedy);
        let is_field = |column: &String| column.rsplit('.').next() == Some(&it.field);
        match file.columns.iter().position(is_field) {
            Some(index) => at(&file.name, *line, Some((index, &it.field)), &what),
            None => at(&file.name, *line, None, &text!("{}: {}", "{}：{}", it.field, what)),
        }
    }
}

#[cfg(test)]
mod tests;
