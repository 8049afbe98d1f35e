//! Call records looked for, the newest first, page by page: never more of the table is read than a page needs, or than
//! one look may cost.

use super::call_record::{stored, time_text};
use super::{Db, StoredCall, integer};
use crate::error::StoreError;
use crate::journal::Sequence;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use sqlx::{QueryBuilder, Row as _, Sqlite};

/// Most records of one page.
const PAGE_MAX: u32 = 500;
/// Records that one look goes through where few of them are wanted; the cursor goes on from there.
const LOOK_MAX: i64 = 20_000;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct CallSearch {
    pub tenant: TenantId,
    /// By the start of the call; included.
    pub from: UnixMillis,
    /// Not included.
    pub to: UnixMillis,
    /// The `next` of the page before.
    pub before: Option<CallPlace>,
    /// A part of the number or name of one of both sides, or of what was dialled. Empty: any.
    pub number: String,
    pub answered: Option<bool>,
    /// A line's account or a trunk's number. Empty: any.
    pub way: String,
    /// The release code. Empty: any.
    pub code: String,
    pub limit: u32,
}

/// A place between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPlace {
    pub started_at: UnixMillis,
    pub journal_seq: Sequence,
}

/// A page of them, the newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundCalls {
    pub calls: Vec<StoredCall>,
    /// `None`: there are no older ones. A page may have none and there be older ones all the same.
    pub next: Option<CallPlace>,
}

impl CallSearch {
    /// Only some of the records are wanted.
    fn is_choosy(&self) -> bool {
        self.answered.is_some()
            || [&self.number, &self.way, &self.code].iter().any(|it| !it.is_empty())
    }

    /// The newest start that may be in the page.
    fn newest(&self) -> UnixMillis {
        let before = self.before.map_or(self.to, |it| UnixMillis(it.started_at.0 + 1));
        before.min(self.to)
    }
}

impl Db {
    pub async fn search_calls(&self, search: &CallSearch) -> Result<FoundCalls, StoreError> {
        let limit = search.limit.clamp(1, PAGE_MAX);
        let end = if search.is_choosy() { self.end_of_look(search).await? } else { None };
        let mut query =
            QueryBuilder::<Sqlite>::new("SELECT * FROM call_records WHERE tenant_id = ");
        query.push_bind(i64::from(search.tenant.0));
        query.push(" AND started_at < ").push_bind(time_text(search.newest()));
        let from = end.map_or(search.from, |it| it.started_at.max(search.from));
        query.push(" AND started_at >= ").push_bind(time_text(from));
        if let Some(place) = search.before {
            query.push(" AND (started_at < ").push_bind(time_text(place.started_at));
            query.push(" OR journal_seq < ").push_bind(integer(place.journal_seq)).push(")");
        }
        choose(&mut query, search);
        query.push(" ORDER BY started_at DESC, journal_seq DESC LIMIT ");
        // One more tells whether there is a next page.
        query.push_bind(i64::from(limit) + 1);
        let rows = query.build().fetch_all(&mut *self.connection().await?).await?;
        let mut calls = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = calls.len() > limit;
        calls.truncate(limit);
        let next = calls.last().filter(|_| more).map(place).or(end);
        Ok(FoundCalls { calls, next })
    }

    /// Where this look ends, if it does not reach all there are.
    async fn end_of_look(&self, search: &CallSearch) -> Result<Option<CallPlace>, StoreError> {
        let row = sqlx::query(
            "SELECT started_at FROM call_records
            WHERE tenant_id = ? AND started_at < ? AND started_at >= ?
            ORDER BY started_at DESC LIMIT 1 OFFSET ?",
        )
        .bind(i64::from(search.tenant.0))
        .bind(time_text(search.newest()))
        .bind(time_text(search.from))
        .bind(LOOK_MAX)
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let started_at = super::call_record::time(row.try_get("started_at")?)?;
        // All of this millisecond are looked at: the next look begins below them.
        Ok(Some(CallPlace { started_at, journal_seq: 0 }))
    }
}

fn choose(query: &mut QueryBuilder<Sqlite>, search: &CallSearch) {
    if let Some(answered) = search.answered {
        query.push(" AND answered_at IS ").push(if answered { "NOT NULL" } else { "NULL" });
    }
    if !search.code.is_empty() {
        query.push(" AND release_code = ").push_bind(search.code.clone());
    }
    if !search.way.is_empty() {
        query.push(" AND (line = ").push_bind(search.way.clone());
        query.push(" OR trunk = ").push_bind(search.way.clone()).push(")");
    }
    if !search.number.is_empty() {
        query.push(" AND (");
        let columns = ["caller_number", "caller_name", "dialled_number", "callee_number"];
        for (at, column) in columns.iter().enumerate() {
            query.push(if at == 0 { "instr(" } else { " OR instr(" });
            query.push(column).push(", ").push_bind(search.number.clone()).push(") > 0");
        }
        query.push(")");
    }
}

fn place(call: &StoredCall) -> CallPlace {
    CallPlace { started_at: call.record.started_at, journal_seq: call.journal_seq }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::db::upsert_call_records;
    use pbx::id::CallId;
    use pbx::record::CallRecord;

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    fn search() -> CallSearch {
        CallSearch {
            tenant: TenantId::default(),
            from: UnixMillis(0),
            to: UnixMillis(2_000_000_000_000),
            before: None,
            number: String::new(),
            answered: None,
            way: String::new(),
            code: String::new(),
            limit: 2,
        }
    }

    /// Five calls of which two began together; the fourth was answered and came by line 1234.
    async fn filled(folder: &std::path::Path) -> Db {
        let db = Db::open(folder).await.unwrap();
        let record = |number: u64| CallRecord {
            call_id: CallId(uuid::Uuid::from_u128(number.into())),
            started_at: UnixMillis(1_700_000_000_000 + 1000 * number.max(2)),
            answered_at: (number == 4).then_some(UnixMillis(1_700_000_009_000)),
            line: (number == 4).then(|| "1234".into()),
            caller_number: format!("10{number}").into(),
            ..CallRecord::default()
        };
        let records: Vec<_> = (1..=5).map(record).collect();
        let rows: Vec<_> = records.iter().enumerate().map(|(at, it)| (at as u64 + 1, it)).collect();
        upsert_call_records(&mut db.pool.acquire().await.unwrap(), &rows).await.unwrap();
        db
    }

    fn callers(found: &FoundCalls) -> Vec<&str> {
        found.calls.iter().map(|it| it.record.caller_number.as_str()).collect()
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let db = run(filled(folder.path()));
        let mut search = search();
        let mut pages = Vec::new();
        loop {
            let found = run(db.search_calls(&search)).unwrap();
            pages.push(callers(&found).join(" "));
            search.before = found.next;
            if found.next.is_none() {
                break;
            }
        }
        assert_eq!(pages, ["105 104", "103 102", "101"]);
    }

    #[test]
    fn search_table() {
        let folder = tempfile::tempdir().unwrap();
        let db = run(filled(folder.path()));
        #[rustfmt::skip]
        let table: [(CallSearch, &[&str]); 6] = [
            (CallSearch { number: "103".to_owned(), ..search() },                     &["103"]),
            (CallSearch { answered: Some(true), ..search() },                         &["104"]),
            (CallSearch { answered: Some(false), ..search() },                        &["105", "103"]),
            (CallSearch { way: "1234".to_owned(), ..search() },                       &["104"]),
            (CallSearch { to: UnixMillis(1_700_000_003_000), ..search() },            &["102", "101"]),
            (CallSearch { number: "' OR 1=1 --".to_owned(), ..search() },             &[]),
        ];
        for (search, expected) in table {
            let found = run(db.search_calls(&search)).unwrap();
            assert_eq!(callers(&found), expected, "{search:?}");
        }
    }
}
