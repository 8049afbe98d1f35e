//! `dialtone cdr export`: call records as CSV or JSON lines.

use super::offline::Backend;
use super::output::Output;
use super::{Common, Invalid, Result, block_on};
use jiff::tz::TimeZone;
use store::csv;
use web::moment::{MOMENT, moment};
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
    let query = RecordsQuery {
        from: from.map(|it| it.0),
        to: to.map(|it| it.0),
        after: 0,
        limit: None,
        csv,
    };
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
        let at = moment(text, &TimeZone::system()).map(|it| Self(it.0));
        at.ok_or(Invalid(MOMENT))
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
        let hours = moment("2023-11-14T10:00:00").0 - moment("2023-11-14").0;
        assert_eq!(hours, 10 * 60 * 60 * 1000, "a time is not its day");
        assert!("yesterday".parse::<Moment>().is_err());
    }
}
