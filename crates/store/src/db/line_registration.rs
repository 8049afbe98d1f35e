//! How the lines stand with their carriers: the projection of the journal that a start reads.

use super::binding::number;
use super::{Db, integer, portions};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::record::LineRegistration;
use pbx::time::UnixMillis;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};

/// A line by its tenant and account.
pub(crate) type LineName = (TenantId, Box<str>);

impl Db {
    pub async fn line_registrations(&self) -> Result<Vec<LineRegistration>, StoreError> {
        let rows = sqlx::query(
            "SELECT tenant_id, account, call_id, cseq, contact, since, until
            FROM line_registrations ORDER BY tenant_id, account",
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        rows.iter().map(line_registration).collect()
    }
}

pub(crate) async fn upsert_line_registrations(
    connection: &mut SqliteConnection,
    lines: &[&LineRegistration],
) -> Result<(), sqlx::Error> {
    for portion in portions(lines) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO line_registrations
                (tenant_id, account, call_id, cseq, contact, since, until) ",
        );
        query.push_values(portion, |mut row, it| {
            row.push_bind(i64::from(it.tenant.0))
                .push_bind(&*it.account)
                .push_bind(&*it.call_id)
                .push_bind(i64::from(it.cseq))
                .push_bind(&*it.contact)
                .push_bind(it.since.map(|it| integer(it.0)))
                .push_bind(it.until.map(|it| integer(it.0)));
        });
        query.push(
            " ON CONFLICT (tenant_id, account) DO UPDATE SET call_id = excluded.call_id,
                cseq = excluded.cseq, contact = excluded.contact, since = excluded.since,
                until = excluded.until",
        );
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

pub(crate) async fn delete_line_registrations(
    connection: &mut SqliteConnection,
    names: &[LineName],
) -> Result<(), sqlx::Error> {
    for (tenant, account) in names {
        sqlx::query("DELETE FROM line_registrations WHERE tenant_id = ? AND account = ?")
            .bind(i64::from(tenant.0))
            .bind(&**account)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn line_registration(row: &SqliteRow) -> Result<LineRegistration, StoreError> {
    let time = |column: &str| -> Result<Option<UnixMillis>, StoreError> {
        let millis: Option<i64> = row.try_get(column)?;
        Ok(millis.and_then(|it| u64::try_from(it).ok()).map(UnixMillis))
    };
    Ok(LineRegistration {
        tenant: TenantId(number(row, "tenant_id")?),
        account: row.try_get::<&str, _>("account")?.into(),
        call_id: row.try_get::<&str, _>("call_id")?.into(),
        cseq: number(row, "cseq")?,
        contact: row.try_get::<&str, _>("contact")?.into(),
        since: time("since")?,
        until: time("until")?,
    })
}
