//! Who changed what: written with every edit, read page by page, the newest first.

use super::binding::number;
use super::{Db, integer};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

/// Older entries go: some years of an office, some days of a program that never rests.
const ENTRIES_MAX: i64 = 100_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEntry {
    /// Given by the database.
    pub id: u64,
    pub at: UnixMillis,
    pub actor_kind: String,
    pub actor: String,
    pub source: String,
    pub action: String,
    pub kind: String,
    pub name: String,
    /// JSON.
    pub before: Option<String>,
    pub after: Option<String>,
    /// The entry that this one takes back.
    pub undoes: Option<u64>,
    /// The entry that takes this one back; known when it is read.
    pub undone_by: Option<u64>,
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Older than this one.
    pub before: Option<u64>,
    pub kind: Option<String>,
    pub name: Option<String>,
    pub limit: u32,
}

const SELECT: &str = "SELECT entry.*, (SELECT id FROM audit_entries WHERE undoes = entry.id
    ORDER BY id DESC LIMIT 1) AS undone_by FROM audit_entries AS entry WHERE tenant_id = ";

impl Db {
    /// The id it was given.
    pub async fn insert_audit_entry(
        &self,
        tenant: TenantId,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query(
            "INSERT INTO audit_entries (tenant_id, at, actor_kind, actor, source, action, kind, name,
                before, after, undoes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(i64::from(tenant.0))
        .bind(integer(entry.at.0))
        .bind(&entry.actor_kind)
        .bind(&entry.actor)
        .bind(&entry.source)
        .bind(&entry.action)
        .bind(&entry.kind)
        .bind(&entry.name)
        .bind(&entry.before)
        .bind(&entry.after)
        .bind(entry.undoes.map(integer))
        .execute(&mut *transaction)
        .await?;
        let id = done.last_insert_rowid();
        sqlx::query("DELETE FROM audit_entries WHERE id <= ?")
            .bind(id.saturating_sub(ENTRIES_MAX))
            .execute(&mut *transaction)
            .await?;
        transaction.has_told();
        transaction.commit().await?;
        u64::try_from(id).map_err(|error| StoreError::damaged("the audit", error))
    }

    /// The newest first.
    pub async fn audit_entries(
        &self,
        tenant: TenantId,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut select = QueryBuilder::<Sqlite>::new(SELECT);
        select.push_bind(i64::from(tenant.0));
        if let Some(before) = query.before {
            select.push(" AND id < ").push_bind(integer(before));
        }
        if let Some(kind) = &query.kind {
            select.push(" AND kind = ").push_bind(kind);
        }
        if let Some(name) = &query.name {
            select.push(" AND name = ").push_bind(name);
        }
        select.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(query.limit));
        let rows = select.build().fetch_all(&mut *self.connection().await?).await?;
        rows.iter().map(entry).collect()
    }

    pub async fn audit_entry(
        &self,
        tenant: TenantId,
        id: u64,
    ) -> Result<Option<AuditEntry>, StoreError> {
        let mut select = QueryBuilder::<Sqlite>::new(SELECT);
        select.push_bind(i64::from(tenant.0)).push(" AND id = ").push_bind(integer(id));
        let row = select.build().fetch_optional(&mut *self.connection().await?).await?;
        row.as_ref().map(entry).transpose()
    }
}

fn entry(row: &SqliteRow) -> Result<AuditEntry, StoreError> {
    let optional = |column: &str| -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = row.try_get(column)?;
        Ok(number.and_then(|it| it.try_into().ok()))
    };
    Ok(AuditEntry {
        id: number(row, "id")?,
        at: UnixMillis(number(row, "at")?),
        actor_kind: row.try_get("actor_kind")?,
        actor: row.try_get("actor")?,
        source: row.try_get("source")?,
        action: row.try_get("action")?,
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        before: row.try_get("before")?,
        after: row.try_get("after")?,
        undoes: optional("undoes")?,
        undone_by: optional("undone_by")?,
    })
}
