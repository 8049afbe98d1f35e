//! What phones have set by feature codes: the projection of the journal that a start reads.

use super::binding::number;
use super::{Db, ROWS_PER_STATEMENT};
use crate::error::StoreError;
use futures_util::TryStreamExt as _;
use pbx::id::TenantId;
use pbx::supplementary::{Forwarding, PhoneChange, PhoneRecord, PhoneSettings};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};

/// The column of each forwarding.
const COLUMNS: [(Forwarding, &str); 4] = [
    (Forwarding::Busy, "forward_busy"),
    (Forwarding::Unreachable, "forward_unreachable"),
    (Forwarding::NoAnswer, "forward_no_answer"),
    (Forwarding::Always, "forward_always"),
];

impl Db {
    pub async fn phone_settings(&self) -> Result<Vec<PhoneRecord>, StoreError> {
        let mut connection = self.connection().await?;
        let mut rows = sqlx::query("SELECT * FROM phone_settings ORDER BY tenant_id, extension")
            .fetch(&mut *connection);
        let mut phones = vec![];
        while let Some(row) = rows.try_next().await? {
            phones.push(phone(&row)?);
        }
        Ok(phones)
    }

    /// Of the extensions between these two, and of themselves.
    pub async fn phones_between(
        &self,
        tenant: TenantId,
        first: &str,
        last: &str,
    ) -> Result<Vec<PhoneRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM phone_settings WHERE tenant_id = ? AND extension BETWEEN ? AND ?
            ORDER BY extension",
        )
        .bind(i64::from(tenant.0))
        .bind(first)
        .bind(last)
        .fetch_all(&mut *self.connection().await?)
        .await?;
        rows.iter().map(phone).collect()
    }

    pub async fn phone(&self, tenant: TenantId, number: &str) -> Result<PhoneSettings, StoreError> {
        let row = sqlx::query("SELECT * FROM phone_settings WHERE tenant_id = ? AND extension = ?")
            .bind(i64::from(tenant.0))
            .bind(number)
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        row.as_ref().map_or_else(|| Ok(PhoneSettings::default()), |it| Ok(phone(it)?.settings))
    }

    /// Replaces what the phones of an extension have set, while no server runs.
    pub async fn put_phone(&self, it: &PhoneRecord) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        replace_phones(&mut transaction, &[it]).await?;
        transaction.commit().await
    }
}

/// Rows that say nothing go.
pub(crate) async fn replace_phones(
    connection: &mut SqliteConnection,
    phones: &[&PhoneRecord],
) -> Result<(), sqlx::Error> {
    for it in phones {
        sqlx::query("DELETE FROM phone_settings WHERE tenant_id = ? AND extension = ?")
            .bind(i64::from(it.tenant.0))
            .bind(&*it.extension)
            .execute(&mut *connection)
            .await?;
    }
    let set: Vec<_> = phones.iter().filter(|it| !it.settings.is_empty()).collect();
    for chunk in set.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO phone_settings (tenant_id, extension, forward_busy, forward_unreachable,
                forward_no_answer, forward_always, do_not_disturb) ",
        );
        query.push_values(chunk, |mut row, it| {
            row.push_bind(i64::from(it.tenant.0)).push_bind(&*it.extension);
            for (when, _) in COLUMNS {
                row.push_bind(it.settings.forward(when));
            }
            row.push_bind(it.settings.do_not_disturb);
        });
        query.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

fn phone(row: &SqliteRow) -> Result<PhoneRecord, StoreError> {
    let mut settings = PhoneSettings::default();
    settings.do_not_disturb = row.try_get("do_not_disturb")?;
    for (when, column) in COLUMNS {
        let number: Option<&str> = row.try_get(column)?;
        settings.apply(PhoneChange::Forward(when, number.map(Into::into)));
    }
    Ok(PhoneRecord {
        tenant: TenantId(number(row, "tenant_id")?),
        extension: row.try_get::<&str, _>("extension")?.into(),
        settings,
    })
}
