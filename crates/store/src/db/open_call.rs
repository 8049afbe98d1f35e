//! Calls that are up for longer than the journal is kept for them: their newest record, for a start after a crash.

use super::{Db, portions};
use crate::error::StoreError;
use crate::journal::unframe;
use pbx::id::CallId;
use pbx::record::Record;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};

impl Db {
    /// One record of each; what was damaged is as lost as in the journal.
    pub(crate) async fn open_calls(&self) -> Result<Vec<Record>, StoreError> {
        let frames: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT frame FROM open_calls ORDER BY call_id")
                .fetch_all(&mut *self.connection().await?)
                .await?;
        Ok(frames.iter().filter_map(|it| unframe(it)).collect())
    }
}

pub(crate) async fn upsert_open_calls(
    connection: &mut SqliteConnection,
    calls: &[(CallId, Vec<u8>)],
) -> Result<(), sqlx::Error> {
    for portion in portions(calls) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO open_calls (call_id, frame) ");
        query.push_values(portion, |mut row, (call, frame)| {
            row.push_bind(call.to_string()).push_bind(&**frame);
        });
        query.push(" ON CONFLICT (call_id) DO UPDATE SET frame = excluded.frame");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) async fn delete_open_calls(
    connection: &mut SqliteConnection,
    ended: &[CallId],
) -> Result<(), sqlx::Error> {
    for portion in portions(ended) {
        let mut query = QueryBuilder::<Sqlite>::new("DELETE FROM open_calls WHERE call_id IN (");
        let mut list = query.separated(", ");
        for call in portion {
            list.push_bind(call.to_string());
        }
        query.push(")");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}
