//! Call records in SQL: written by the projection, read page by page.

use super::binding::number;
use super::{Db, from_word, integer, portions};
use crate::columns::{COLUMNS, Cell, cells, timestamp};
use crate::error::StoreError;
use crate::journal::Sequence;
use jiff::Timestamp;
use pbx::SmolStr;
use pbx::id::{CallId, TenantId};
use pbx::record::{CallRecord, MediaFigures};
use pbx::release::ReleaseCode;
use pbx::time::UnixMillis;
use pbx::verdict::fact::Facts;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};

/// Most records of one page. Longer exports go on with the cursor.
const PAGE_MAX: u32 = 10_000;

/// Calls that follow one call, at most.
const FOLLOWING_MAX: i64 = 16;

/// Which records, by the start of the call.
#[derive(Clone, Copy, Debug)]
pub struct CallQuery {
    pub tenant: TenantId,
    /// Included.
    pub from: UnixMillis,
    /// Not included.
    pub to: UnixMillis,
    /// Only records that the journal has after this one: the cursor of the page before, else 0.
    pub after: Sequence,
    /// Most records of the answer, at most 10,000.
    pub limit: u32,
}

/// A record and its place in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCall {
    pub record: CallRecord,
    pub journal_seq: Sequence,
}

/// Records in the order they ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallPage {
    pub calls: Vec<StoredCall>,
    /// [`CallQuery::after`] of the next page; `None`: this was the last.
    pub next: Option<Sequence>,
}

impl Db {
    pub async fn call_records(&self, query: CallQuery) -> Result<CallPage, StoreError> {
        let limit = query.limit.clamp(1, PAGE_MAX);
        // A plus keeps SQLite from an index. Without a beginning it goes along the journal and stops where the page is
        // full; with one it reads what started since, and nothing of the years before.
        let sql = if query.from.0 == 0 {
            "SELECT * FROM call_records
            WHERE +tenant_id = ? AND +started_at >= ? AND +started_at < ? AND journal_seq > ?
            ORDER BY journal_seq LIMIT ?"
        } else {
            "SELECT * FROM call_records
            WHERE tenant_id = ? AND started_at >= ? AND started_at < ? AND +journal_seq > ?
            ORDER BY journal_seq LIMIT ?"
        };
        let rows = sqlx::query(sql)
            .bind(i64::from(query.tenant.0))
            .bind(time_text(query.from))
            .bind(time_text(query.to))
            .bind(integer(query.after))
            // One more tells whether there is a next page.
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *self.connection().await?)
            .await?;
        let mut calls = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = calls.len() > limit;
        calls.truncate(limit);
        let next = calls.last().filter(|_| more).map(|it| it.journal_seq);
        Ok(CallPage { calls, next })
    }

    pub async fn call_record(&self, call: CallId) -> Result<Option<StoredCall>, StoreError> {
        let row = sqlx::query("SELECT * FROM call_records WHERE call_id = ?")
            .bind(call.to_string())
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        row.as_ref().map(stored).transpose()
    }

    /// The records whose id begins like this, at most two: one more than a name may mean.
    pub async fn call_records_like(&self, begins: &str) -> Result<Vec<StoredCall>, StoreError> {
        // Above every digit and the hyphen, so that the index finds them.
        let beyond = format!("{begins}g");
        let rows =
            sqlx::query("SELECT * FROM call_records WHERE call_id >= ? AND call_id < ? LIMIT 2")
                .bind(begins)
                .bind(beyond)
                .fetch_all(&mut *self.connection().await?)
                .await?;
        rows.iter().map(stored).collect()
    }

    /// The calls that a call was forwarded or transferred to, the first of them.
    pub async fn calls_following(&self, call: CallId) -> Result<Vec<CallId>, StoreError> {
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT call_id FROM call_records WHERE linked_call_id = ? ORDER BY call_id LIMIT ?",
        )
        .bind(call.to_string())
        .bind(FOLLOWING_MAX)
        .fetch_all(&mut *self.connection().await?)
        .await?;
        found.iter().map(|it| call_id(it)).collect()
    }

    /// The records whose id ends like this, at most two.
    pub async fn call_records_ending(&self, ends: &str) -> Result<Vec<StoredCall>, StoreError> {
        let length = i64::try_from(ends.len()).unwrap_or(i64::MAX);
        // The index is one of the last nine digits, as the short form of an id has at least.
        let Some(indexed) = ends.len().checked_sub(9).and_then(|at| ends.get(at..)) else {
            return Ok(vec![]);
        };
        let rows = sqlx::query(
            "SELECT * FROM call_records
            WHERE substr(call_id, -9) = ? AND substr(call_id, -?) = ? LIMIT 2",
        )
        .bind(indexed)
        .bind(length)
        .bind(ends)
        .fetch_all(&mut *self.connection().await?)
        .await?;
        rows.iter().map(stored).collect()
    }
}

/// Inserts records, or replaces those of the same call: applying twice is applying once.
pub(crate) async fn upsert_call_records(
    connection: &mut SqliteConnection,
    calls: &[(Sequence, &CallRecord)],
) -> Result<(), sqlx::Error> {
    let columns = COLUMNS.map(sql_name);
    for portion in portions(calls) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO call_records (");
        query.push(columns.join(", ")).push(", facts) ");
        query.push_values(portion, |mut row, (sequence, record)| {
            for cell in cells(record, *sequence) {
                match cell {
                    Cell::Nothing => row.push("NULL"),
                    Cell::Text(text) => row.push_bind(text.into_owned()),
                    Cell::Number(number) => row.push_bind(integer(number)),
                    Cell::Flag(flag) => row.push_bind(flag),
                    Cell::Time(at) => row.push_bind(time_text(at)),
                    Cell::Tenant(tenant) => row.push_bind(i64::from(tenant)),
                };
            }
            row.push_bind(facts_text(&record.facts));
        });
        let replaced = columns.map(|it| format!("{it} = excluded.{it}"));
        query.push(" ON CONFLICT (call_id) DO UPDATE SET ").push(replaced.join(", "));
        query.push(", facts = excluded.facts");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

fn sql_name(column: &'static str) -> &'static str {
    if column == "tenant" { "tenant_id" } else { column }
}

/// Sorts as the time does: the same length for every time.
pub(super) fn time_text(at: UnixMillis) -> String {
    format!("{:.3}", timestamp(at))
}

pub(super) fn stored(row: &SqliteRow) -> Result<StoredCall, StoreError> {
    let linked: Option<&str> = row.try_get("linked_call_id")?;
    let released_by: Option<String> = row.try_get("released_by")?;
    let release_code: Option<&str> = row.try_get("release_code")?;
    let record = CallRecord {
        call_id: call_id(row.try_get("call_id")?)?,
        linked_call_id: linked.map(call_id).transpose()?,
        tenant: TenantId(number(row, "tenant_id")?),
        direction: from_word("direction", row.try_get("direction")?)?,
        started_at: time(row.try_get("started_at")?)?,
        ringing_at: optional_time(row, "ringing_at")?,
        answered_at: optional_time(row, "answered_at")?,
        ended_at: optional_time(row, "ended_at")?,
        duration_ms: number(row, "duration_ms")?,
        billable_ms: number(row, "billable_ms")?,
        caller_number: text(row, "caller_number")?,
        caller_name: text(row, "caller_name")?,
        caller_extension: optional_text(row, "caller_extension")?,
        caller_device: text(row, "caller_device")?,
        dialled_number: text(row, "dialled_number")?,
        sent_number: text(row, "sent_number")?,
        callee_number: text(row, "callee_number")?,
        callee_extension: optional_text(row, "callee_extension")?,
        callee_device: text(row, "callee_device")?,
        line: optional_text(row, "line")?,
        trunk: optional_text(row, "trunk")?,
        dial_plan: text(row, "dial_plan")?,
        route: text(row, "route")?,
        sip_status: number(row, "sip_status")?,
        q850_cause: number(row, "q850_cause")?,
        released_by: released_by.map(|it| from_word("released_by", it)).transpose()?,
        // A code of a later version reads as none; its text is still in `fci`.
        release_code: release_code.and_then(ReleaseCode::from_code),
        fci: text(row, "fci")?,
        codec_caller: text(row, "codec_caller")?,
        codec_callee: text(row, "codec_callee")?,
        video: row.try_get("video")?,
        relayed: row.try_get("relayed")?,
        caller_media: caller_media(row)?,
        callee_media: callee_media(row)?,
        recording: optional_text(row, "recording")?,
        facts: facts(row.try_get("facts")?),
    };
    Ok(StoredCall { record, journal_seq: number(row, "journal_seq")? })
}

/// The column of the facts, which no CSV has.
fn facts_text(facts: &Facts) -> Option<String> {
    // Plain values: this does not fail.
    (!facts.is_empty()).then(|| serde_json::to_string(facts).unwrap_or_default())
}

/// Those of a later version may have words that are not known here: then there are none to show.
fn facts(text: Option<&str>) -> Facts {
    text.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default()
}

fn caller_media(row: &SqliteRow) -> Result<MediaFigures, StoreError> {
    Ok(MediaFigures {
        rtp_packets_in: number(row, "caller_rtp_packets_in")?,
        rtp_bytes_in: number(row, "caller_rtp_bytes_in")?,
        rtp_lost_in: number(row, "caller_rtp_lost_in")?,
        rtp_jitter_ms_in: number(row, "caller_rtp_jitter_ms_in")?,
        rtp_packets_out: number(row, "caller_rtp_packets_out")?,
    })
}

fn callee_media(row: &SqliteRow) -> Result<MediaFigures, StoreError> {
    Ok(MediaFigures {
        rtp_packets_in: number(row, "callee_rtp_packets_in")?,
        rtp_bytes_in: number(row, "callee_rtp_bytes_in")?,
        rtp_lost_in: number(row, "callee_rtp_lost_in")?,
        rtp_jitter_ms_in: number(row, "callee_rtp_jitter_ms_in")?,
        rtp_packets_out: number(row, "callee_rtp_packets_out")?,
    })
}

fn call_id(text: &str) -> Result<CallId, StoreError> {
    text.parse().map_err(|error| StoreError::damaged(format!("call id {text}"), error))
}

fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<UnixMillis>, StoreError> {
    row.try_get::<Option<&str>, _>(column)?.map(time).transpose()
}

pub(super) fn time(text: &str) -> Result<UnixMillis, StoreError> {
    let parsed: Timestamp = text.parse().map_err(|error| StoreError::damaged("a time", error))?;
    u64::try_from(parsed.as_millisecond())
        .map(UnixMillis)
        .map_err(|error| StoreError::damaged("a time", error))
}

fn text(row: &SqliteRow, column: &str) -> Result<SmolStr, sqlx::Error> {
    row.try_get::<&str, _>(column).map(Into::into)
}

fn optional_text(row: &SqliteRow, column: &str) -> Result<Option<SmolStr>, sqlx::Error> {
    row.try_get::<Option<&str>, _>(column).map(|it| it.map(Into::into))
}
