//! Calls looked for in the records, the newest first: `GET /api/v1/call-records:search`.

use crate::Office;
use crate::conventions::not_of_this_list;
use crate::resource::{Call, Failure};
use axum::Json;
use axum::extract::{Query, State};
use pbx::id::TenantId;
use pbx::text;
use pbx::time::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::db::{CallPlace, CallSearch};

/// Calls of an answer where no other limit is given.
const LIMIT: u32 = 50;
/// Far beyond any record, and still a time that SQL can name.
const FAR: UnixMillis = UnixMillis(253_000_000_000_000);

/// What is looked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SearchQuery {
    /// A part of a number or name.
    pub(crate) q: String,
    /// Calls that started from `from` on and before `to`, in Unix milliseconds.
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
    /// `answered` or `failed`; empty: all.
    pub(crate) result: String,
    /// A line's account or a trunk's number.
    pub(crate) way: String,
    /// A release code.
    pub(crate) code: String,
    /// Calls of the answer: 1 to 500, 50 where nothing is said. Of an export: all where nothing is said.
    pub(crate) limit: Option<u32>,
    /// The `next` of the page before.
    pub(crate) cursor: Option<String>,
}

/// A page of calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CallsFound {
    pub(crate) calls: Vec<Call>,
    /// Absent: there are no older ones.
    pub(crate) next: Option<String>,
}

pub(crate) async fn on_search(
    State(office): State<Office>,
    Query(query): Query<SearchQuery>,
) -> Result<Json<CallsFound>, Failure> {
    let found = office.db.search_calls(&wanted(query)?).await?;
    let calls = found.calls.iter().map(|it| office.running.of_record(&it.record)).collect();
    Ok(Json(CallsFound { calls, next: found.next.map(cursor) }))
}

pub(super) fn wanted(query: SearchQuery) -> Result<CallSearch, Failure> {
    let before = query.cursor.as_deref().filter(|it| !it.is_empty()).map(place).transpose()?;
    let answered = match query.result.as_str() {
        "" => None,
        "answered" => Some(true),
        "failed" => Some(false),
        other => {
            let detail = text!(
                "result = {other}: must be answered or failed",
                "result = {other}：应为answered或failed"
            );
            return Err(Failure::new(422, "invalid", detail));
        }
    };
    Ok(CallSearch {
        tenant: TenantId::default(),
        from: UnixMillis(query.from.unwrap_or(0)),
        to: UnixMillis(query.to.unwrap_or(FAR.0).min(FAR.0)),
        before,
        number: query.q,
        answered,
        way: query.way,
        code: query.code,
        limit: query.limit.unwrap_or(LIMIT),
    })
}

fn cursor(place: CallPlace) -> String {
    format!("{}-{}", place.started_at.0, place.journal_seq)
}

fn place(text: &str) -> Result<CallPlace, Failure> {
    let parts =
        text.split_once('-').and_then(|(at, seq)| Some((at.parse().ok()?, seq.parse().ok()?)));
    let (at, journal_seq) = parts.filter(|(at, _)| *at < FAR.0).ok_or_else(not_of_this_list)?;
    Ok(CallPlace { started_at: UnixMillis(at), journal_seq })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_table() {
        let place = CallPlace { started_at: UnixMillis(17), journal_seq: 4 };
        assert_eq!(super::place(&cursor(place)).ok(), Some(place));
        for text in ["", "x", "17", "17-x", "-4", "99999999999999999999-1", "253000000000001-1"] {
            assert!(super::place(text).is_err(), "{text}");
        }
    }
}
