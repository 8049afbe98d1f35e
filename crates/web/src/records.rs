//! Call records, page by page, as objects whose keys are the columns of the CSV files.

pub(crate) mod export;
pub(crate) mod search;

use crate::access::Principal;
use crate::audit::CALL_RECORDS;
use crate::resource::Failure;
use crate::{Office, readings};
use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use pbx::id::TenantId;
use pbx::record::CallRecord;
use pbx::time::UnixMillis;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use store::db::{CallQuery, StoredCall};
use store::{Db, csv};

/// Records of one answer; an export goes on with the cursor.
const PAGE: u32 = 1000;

/// Which records: calls that started from `from` on and before `to`, in Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RecordsQuery {
    pub from: Option<u64>,
    pub to: Option<u64>,
    /// The `next` of the page before.
    pub after: u64,
    /// Records of the page; 1000 at most, and where none is given.
    pub limit: Option<u32>,
    /// As lines of CSV, like those of the daily files, instead of objects.
    pub csv: bool,
}

/// One page in the order the calls ended.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RecordsPage {
    #[schemars(with = "Vec<Row>")]
    pub records: Vec<Map<String, Value>>,
    /// The lines, where CSV was asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub csv: String,
    pub next: Option<u64>,
}

pub async fn page(db: &Db, query: RecordsQuery) -> Result<RecordsPage, Failure> {
    let wanted = CallQuery {
        tenant: TenantId::default(),
        from: UnixMillis(query.from.unwrap_or(0)),
        // Far beyond any record, and still a time that SQL can name.
        to: UnixMillis(query.to.unwrap_or(253_000_000_000_000)),
        after: query.after,
        limit: query.limit.unwrap_or(PAGE).clamp(1, PAGE),
    };
    let found = db.call_records(wanted).await?;
    let mut page = RecordsPage { next: found.next, ..RecordsPage::default() };
    if query.csv {
        let lines = csv::lines(&found.calls, &db.tenant_names().await?);
        page.csv = String::from_utf8_lossy(&lines).into_owned();
    } else {
        page.records = found.calls.iter().map(row).collect();
    }
    Ok(page)
}

pub(crate) async fn on_page(
    State(office): State<Office>,
    principal: Principal,
    Query(query): Query<RecordsQuery>,
) -> Result<Json<RecordsPage>, Failure> {
    if query.csv {
        readings::told(&office, &principal, "export", (CALL_RECORDS, "")).await;
    }
    page(&office.db, query).await.map(Json)
}

/// What the document says of a record: its columns, and their types as far as an empty record shows them.
struct Row;

impl JsonSchema for Row {
    fn schema_name() -> Cow<'static, str> {
        "CallRecord".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let empty = row(&StoredCall { record: CallRecord::default(), journal_seq: 0 });
        let schema = |value: &Value| match value {
            Value::Bool(_) => json!({ "type": "boolean" }),
            Value::Number(_) => json!({ "type": "number" }),
            Value::String(_) => json!({ "type": "string" }),
            Value::Null | Value::Array(_) | Value::Object(_) => json!({}),
        };
        let properties: Map<String, Value> =
            empty.iter().map(|(name, value)| (name.clone(), schema(value))).collect();
        let required: Vec<&String> = empty.keys().collect();
        json_schema!({ "type": "object", "properties": properties, "required": required })
    }
}

/// The record under the names of [`store::columns::COLUMNS`]; times in RFC 3339.
fn row(call: &StoredCall) -> Map<String, Value> {
    // A record is a struct of plain values: this does not fail.
    let value = serde_json::to_value(&call.record).unwrap_or_default();
    let mut row = Map::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(figures) => {
                let side = name.trim_end_matches("media");
                let named =
                    |(figure, it): (&String, &Value)| (format!("{side}{figure}"), it.clone());
                row.extend(figures.iter().map(named));
            }
            Value::Number(ms) if name.ends_with("_at") => {
                let ms = ms.as_i64().and_then(|it| Timestamp::from_millisecond(it).ok());
                let text = ms.map(|it| it.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
                row.insert(name.clone(), text.into());
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                row.insert(name.clone(), value.clone());
            }
        }
    }
    row.insert("journal_seq".to_owned(), call.journal_seq.into());
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_keys_are_the_columns() {
        let record =
            CallRecord { started_at: UnixMillis(1_700_000_000_123), ..CallRecord::default() };
        let row = row(&StoredCall { record, journal_seq: 7 });
        let keys: BTreeSet<&str> = row.keys().map(String::as_str).collect();
        let columns: BTreeSet<&str> = store::columns::COLUMNS.into();
        assert_eq!(keys, columns);
        assert_eq!(row["started_at"], "2023-11-14T22:13:20.123Z");
        assert_eq!((&row["answered_at"], &row["journal_seq"]), (&Value::Null, &7.into()));
    }
}
