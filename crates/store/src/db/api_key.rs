//! Keys of programs that use the API. The secret is not here, only its hash.

use super::binding::number;
use super::{Db, integer};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Names it to people; not what proves it.
    pub id: String,
    pub name: String,
    /// SHA-256 of the secret part.
    pub secret: Vec<u8>,
    /// Words that the reader knows.
    pub scopes: Vec<String>,
    pub created_at: UnixMillis,
    pub created_by: String,
    pub used_at: Option<UnixMillis>,
}

impl Db {
    pub async fn api_keys(&self, tenant: TenantId) -> Result<Vec<ApiKey>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM api_keys WHERE tenant_id = ? ORDER BY created_at, id")
                .bind(i64::from(tenant.0))
                .fetch_all(&mut *self.connection().await?)
                .await?;
        rows.iter().map(api_key).collect()
    }

    /// Those made after a key, in the order they were made, with `search` in their names, up to so many.
    pub async fn api_keys_after(
        &self,
        tenant: TenantId,
        after: Option<(UnixMillis, &str)>,
        search: &str,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let mut select = QueryBuilder::<Sqlite>::new("SELECT * FROM api_keys WHERE tenant_id = ");
        select.push_bind(i64::from(tenant.0));
        if let Some((at, id)) = after {
            select.push(" AND (created_at, id) > (").push_bind(integer(at.0));
            select.push(", ").push_bind(id).push(")");
        }
        if !search.is_empty() {
            select.push(" AND instr(lower(name), lower(").push_bind(search).push(")) > 0");
        }
        select.push(" ORDER BY created_at, id LIMIT ").push_bind(i64::from(limit));
        let rows = select.build().fetch_all(&mut *self.connection().await?).await?;
        rows.iter().map(api_key).collect()
    }

    pub async fn api_key(&self, tenant: TenantId, id: &str) -> Result<Option<ApiKey>, StoreError> {
        let row = sqlx::query("SELECT * FROM api_keys WHERE tenant_id = ? AND id = ?")
            .bind(i64::from(tenant.0))
            .bind(id)
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        row.as_ref().map(api_key).transpose()
    }

    /// Adds a key, or changes name and scopes of the one with this id.
    pub async fn put_api_key(&self, tenant: TenantId, key: &ApiKey) -> Result<(), StoreError> {
        let scopes = serde_json::to_string(&key.scopes)
            .map_err(|error| StoreError::damaged("scopes", error))?;
        sqlx::query(
            "INSERT INTO api_keys (id, tenant_id, name, secret, scopes, created_at, created_by, used_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, scopes = excluded.scopes",
        )
        .bind(&key.id)
        .bind(i64::from(tenant.0))
        .bind(&key.name)
        .bind(&key.secret)
        .bind(scopes)
        .bind(integer(key.created_at.0))
        .bind(&key.created_by)
        .bind(key.used_at.map(|it| integer(it.0)))
        .execute(&mut *self.writing().await?)
        .await?;
        Ok(())
    }

    pub async fn use_api_key(&self, id: &str, now: UnixMillis) -> Result<(), StoreError> {
        sqlx::query("UPDATE api_keys SET used_at = ? WHERE id = ?")
            .bind(integer(now.0))
            .bind(id)
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(())
    }

    /// False where there is no such key.
    pub async fn delete_api_key(&self, tenant: TenantId, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM api_keys WHERE tenant_id = ? AND id = ?")
            .bind(i64::from(tenant.0))
            .bind(id)
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn api_key(row: &SqliteRow) -> Result<ApiKey, StoreError> {
    let id: String = row.try_get("id")?;
    let scopes = serde_json::from_str(row.try_get("scopes")?)
        .map_err(|error| StoreError::damaged(format!("API key {id}"), error))?;
    let used_at: Option<i64> = row.try_get("used_at")?;
    Ok(ApiKey {
        id,
        name: row.try_get("name")?,
        secret: row.try_get("secret")?,
        scopes,
        created_at: UnixMillis(number(row, "created_at")?),
        created_by: row.try_get("created_by")?,
        used_at: used_at.map(|it| UnixMillis(it.try_into().unwrap_or_default())),
    })
}
