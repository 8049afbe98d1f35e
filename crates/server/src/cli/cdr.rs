//! `dialtone cdr export`: call records as CSV or JSON lines.

use super::offline::Backend;
use super::output::Output;
use super::{Common, Result, block_on};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use store::columns::COLUMNS;
use web::records::RecordsQuery;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Print call records.
    Export {
        /// Calls that started from this day or time on, as 2026-11-22 or 2026-11-22T10:15:00.
        #[arg(long, value_name = "TIME")]
        from: Option<Moment>,
        /// Calls that started before this day or time.
        #[arg(long, value_name = "TIME")]
        to: Option<Moment>,
        /// CSV, which is also the default.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
}

/// A time in the zone of this machine, unless it says another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    let Command::Export { from, to, csv: _ } = command;
    let query = RecordsQuery { from: from.map(|it| it.0), to: to.map(|it| it.0), after: 0 };
    block_on(async {
        let mut backend = Backend::open(common).await?;
        let done = export(&mut backend, query, output).await;
        backend.close().await;
        done
    })
}

/// Page by page, so that years of records need little memory.
async fn export(backend: &mut Backend, mut query: RecordsQuery, output: &mut Output) -> Result<()> {
    if !output.is_json() {
        output.line(&line(COLUMNS.into_iter())?)?;
    }
    loop {
        let page = backend.records(query).await?;
        for record in &page.records {
            let text = if output.is_json() {
                serde_json::to_string(record).map_err(anyhow::Error::from)?
            } else {
                csv_line(record)?
            };
            output.line(&text)?;
        }
        match page.next {
            Some(next) => query.after = next,
            None => return Ok(()),
        }
    }
}

fn csv_line(record: &Map<String, Value>) -> Result<String> {
    let cell = |column: &str| match record.get(column) {
        Some(Value::String(text)) => guarded(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let cells: Vec<String> = COLUMNS.iter().map(|it| cell(it)).collect();
    line(cells.iter().map(String::as_str))
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> Result<String> {
    let mut writer = csv::Writer::from_writer(vec![]);
    writer.write_record(cells).map_err(anyhow::Error::from)?;
    let bytes = writer.into_inner().map_err(|it| anyhow::anyhow!("{it}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A spreadsheet must not take a caller's name for a formula.
fn guarded(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let local = |it: DateTime| it.to_zoned(TimeZone::system()).map(|it| it.timestamp());
        let day = || text.parse::<Date>().and_then(|it| local(it.at(0, 0, 0, 0)));
        let time = || text.parse::<DateTime>().and_then(local);
        let at = text.parse::<Timestamp>().or_else(|_| day()).or_else(|_| time());
        at.ok().and_then(|it| u64::try_from(it.as_millisecond()).ok()).map(Self).ok_or_else(|| {
            "must be a day or a time, as 2026-11-22 or 2026-11-22T10:15:00".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn moment_table() {
        assert_eq!("2023-11-14T22:13:20Z".parse(), Ok(Moment(1_700_000_000_000)));
        assert_eq!("2023-11-14T22:13:20+08:00".parse(), Ok(Moment(1_699_971_200_000)));
        let day: Moment = "2023-11-14".parse().unwrap();
        assert_eq!("2023-11-14T00:00:00".parse(), Ok(day));
        assert!("yesterday".parse::<Moment>().is_err());
    }

    #[test]
    fn a_row_has_every_column_and_no_formula() {
        let mut record = Map::new();
        record.insert("caller_name".to_owned(), "=cmd()".into());
        record.insert("sip_status".to_owned(), 486.into());
        let line = csv_line(&record).unwrap();
        assert_eq!(line.trim_end().split(',').count(), COLUMNS.len());
        assert!(line.contains(",'=cmd(),") && line.contains(",486,"), "{line}");
    }
}
