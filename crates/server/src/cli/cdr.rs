//! `dialtone cdr export`: call records as CSV or JSON lines.

use super::offline::Backend;
use super::output::Output;
use super::{Common, Invalid, Result, block_on};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use pbx::text;
use store::csv;
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
        /// CSV as in the daily files, which is also the default.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
}

/// A time in the zone of this machine, unless it says another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

pub(super) fn run(common: &Common, command: Command, output: &mut Output) -> Result<()> {
    let Command::Export { from, to, csv: _ } = command;
    let csv = !output.is_json();
    let query = RecordsQuery { from: from.map(|it| it.0), to: to.map(|it| it.0), after: 0, csv };
    block_on(async {
        let mut backend = Backend::open(common).await?;
        let done = export(&mut backend, query, output).await;
        backend.close().await;
        done
    })
}

/// Page by page, so that years of records need little memory.
async fn export(backend: &mut Backend, mut query: RecordsQuery, output: &mut Output) -> Result<()> {
    if query.csv {
        output.line(&String::from_utf8_lossy(&csv::header()))?;
    }
    loop {
        let page = backend.records(query).await?;
        for record in &page.records {
            output.line(&serde_json::to_string(record).map_err(anyhow::Error::from)?)?;
        }
        output.line(&page.csv)?;
        match page.next {
            Some(next) => query.after = next,
            None => return Ok(()),
        }
    }
}

impl std::str::FromStr for Moment {
    type Err = Invalid;

    fn from_str(text: &str) -> std::result::Result<Self, Invalid> {
        let local = |it: DateTime| it.to_zoned(TimeZone::system()).map(|it| it.timestamp());
        let day = || text.parse::<Date>().and_then(|it| local(it.at(0, 0, 0, 0)));
        let time = || text.parse::<DateTime>().and_then(local);
        let at = text.parse::<Timestamp>().or_else(|_| day()).or_else(|_| time());
        at.ok().and_then(|it| u64::try_from(it.as_millisecond()).ok()).map(Self).ok_or_else(|| {
            Invalid(text!(
                "must be a day or a time, as 2026-11-22 or 2026-11-22T10:15:00",
                "应为日期或时间，例如2026-11-22或2026-11-22T10:15:00"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn moment_table() {
        let moment = |text: &str| text.parse::<Moment>().unwrap();
        assert_eq!(moment("2023-11-14T22:13:20Z"), Moment(1_700_000_000_000));
        assert_eq!(moment("2023-11-14T22:13:20+08:00"), Moment(1_699_971_200_000));
        assert_eq!(moment("2023-11-14T00:00:00"), moment("2023-11-14"));
        assert!("yesterday".parse::<Moment>().is_err());
    }
}
