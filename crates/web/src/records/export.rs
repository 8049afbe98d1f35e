//! Call records as a file for spreadsheets: `GET /api/v1/call-records:export`, the lines of the daily files, of what is
//! looked for, the newest first. It is made while it is sent, so that it is as long as it likes.

use super::search::{SearchQuery, wanted};
use crate::access::Principal;
use crate::audit::CALL_RECORDS;
use crate::resource::Failure;
use crate::{Office, readings};
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use pbx::id::TenantId;
use std::collections::BTreeMap;
use store::db::{CallSearch, TenantName};
use store::{StoreError, csv};

/// Records read at once.
const RECORDS: u32 = 500;

pub(crate) async fn on_export(
    State(office): State<Office>,
    principal: Principal,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Failure> {
    let left = query.limit.unwrap_or(u32::MAX).max(1);
    let search = CallSearch { limit: left.min(RECORDS), ..wanted(query)? };
    let tenants = office.db.tenant_names().await?;
    readings::told(&office, &principal, "export", (CALL_RECORDS, "")).await;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"call-records.csv\""),
    ];
    let export = Export { office, tenants, lines: csv::header(), next: Some(search), left };
    Ok((headers, Body::from_stream(stream::try_unfold(export, Export::part))).into_response())
}

/// What is still to be sent.
struct Export {
    office: Office,
    tenants: BTreeMap<TenantId, TenantName>,
    lines: Vec<u8>,
    next: Option<CallSearch>,
    /// As many records.
    left: u32,
}

impl Export {
    /// The next lines, and what comes after them.
    async fn part(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        // A look that finds nothing sends nothing.
        while self.lines.is_empty() {
            let Some(search) = self.next.take() else { return Ok(None) };
            let found = self.office.db.search_calls(&search).await?;
            self.lines = csv::lines(&found.calls, &self.tenants);
            let sent = u32::try_from(found.calls.len()).unwrap_or(u32::MAX);
            self.left = self.left.saturating_sub(sent);
            let limit = self.left.min(RECORDS);
            let next = found.next.filter(|_| limit > 0);
            self.next = next.map(|it| CallSearch { before: Some(it), limit, ..search });
        }
        let lines = std::mem::take(&mut self.lines);
        Ok(Some((lines.into(), self)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::scene::Scene;
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, raw_sql};

    /// More than two portions of records, of which every third was answered.
    const RECORDS: &str = "
        WITH RECURSIVE calls(at) AS (SELECT 0 UNION ALL SELECT at + 1 FROM calls WHERE at < 1199)
        INSERT INTO call_records (call_id, tenant_id, direction, started_at, ended_at, answered_at,
            duration_ms, billable_ms, caller_number, caller_name, caller_device, dialled_number,
            sent_number, callee_number, callee_device, dial_plan, route, sip_status, q850_cause, fci,
            codec_caller, codec_callee, video, relayed, caller_rtp_packets_in, caller_rtp_bytes_in,
            caller_rtp_lost_in, caller_rtp_jitter_ms_in, caller_rtp_packets_out,
            callee_rtp_packets_in, callee_rtp_bytes_in, callee_rtp_lost_in,
            callee_rtp_jitter_ms_in, callee_rtp_packets_out, journal_seq)
        SELECT printf('00000000-0000-7000-8000-%012d', at), 0, 'internal', began, began,
            iif(at % 3 = 0, began, NULL), 0, 0, '=100', '', '', '101', '101', '101', '', 'default',
            'local-user', 200, 16, '', '', '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, at + 1
        FROM (SELECT at, strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + at, 'unixepoch') AS began
            FROM calls)";

    #[tokio::test]
    async fn all_that_is_looked_for_is_in_the_file() {
        let scene = Scene::new().await;
        let path = scene.office.db.folder().join(store::db::DATABASE_FILE);
        let mut beside = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        raw_sql(RECORDS).execute(&mut beside).await.unwrap();
        let export = async |query: &str| {
            let path = format!("/api/v1/call-records:export{query}");
            scene.get(&path).by_socket().send().await
        };
        #[rustfmt::skip]
        let table = [
            ("",                            1200),
            ("?result=answered",            400),
            ("?q=999",                      0),
            ("?limit=700",                  700),
            ("?limit=3&result=answered",    3),
        ];
        for (query, rows) in table {
            let file = export(query).await;
            assert_eq!(file.status, 200, "{}", file.body);
            assert!(file.header("content-disposition").contains("call-records.csv"));
            assert_eq!(file.body.lines().count(), rows + 1, "{query}");
            let head = String::from_utf8(store::csv::header()).unwrap();
            assert!(file.body.starts_with(&head), "{}", file.body);
            assert!(!file.body.contains(",=100"), "a spreadsheet would calculate it");
        }
        for wrong in ["?result=some", "?reslut=answered"] {
            assert_eq!(export(wrong).await.code(), "invalid", "{wrong}");
        }
    }
}
