//! Sessions of administrators. What the browser holds is not here, only its hash.

use super::binding::number;
use super::{Db, integer};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Sessions of one user at a time; one more ends the one that was unused for longest.
const SESSIONS_PER_USER_MAX: i64 = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names it to people; not what proves it.
    pub id: String,
    pub user: String,
    pub created_at: UnixMillis,
    pub used_at: UnixMillis,
    /// However much it is used.
    pub expires_at: UnixMillis,
    /// Where it was begun from.
    pub source: String,
    pub user_agent: String,
}

impl Db {
    /// Of all users, the newest use first.
    pub async fn sessions(&self, tenant: TenantId) -> Result<Vec<Session>, StoreError> {
        let rows = sqlx::query("SELECT * FROM sessions WHERE tenant_id = ? ORDER BY used_at DESC")
            .bind(i64::from(tenant.0))
            .fetch_all(&mut *self.connection().await?)
            .await?;
        rows.iter().map(session).collect()
    }

    /// By the hash of its token.
    pub async fn session(
        &self,
        tenant: TenantId,
        token: &[u8],
    ) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query("SELECT * FROM sessions WHERE tenant_id = ? AND token = ?")
            .bind(i64::from(tenant.0))
            .bind(token)
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        row.as_ref().map(session).transpose()
    }

    /// By its name.
    pub async fn session_named(
        &self,
        tenant: TenantId,
        id: &str,
    ) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query("SELECT * FROM sessions WHERE tenant_id = ? AND id = ?")
            .bind(i64::from(tenant.0))
            .bind(id)
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        row.as_ref().map(session).transpose()
    }

    pub async fn insert_session(
        &self,
        tenant: TenantId,
        session: &Session,
        token: &[u8],
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO sessions (id, tenant_id, user_name, token, created_at, used_at, expires_at,
                source, user_agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&session.id)
        .bind(i64::from(tenant.0))
        .bind(&session.user)
        .bind(token)
        .bind(integer(session.created_at.0))
        .bind(integer(session.used_at.0))
        .bind(integer(session.expires_at.0))
        .bind(&session.source)
        .bind(&session.user_agent)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions
                WHERE tenant_id = ? AND user_name = ?
                ORDER BY used_at DESC LIMIT -1 OFFSET ?)",
        )
        .bind(i64::from(tenant.0))
        .bind(&session.user)
        .bind(SESSIONS_PER_USER_MAX)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    pub async fn use_session(&self, id: &str, now: UnixMillis) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET used_at = ? WHERE id = ?")
            .bind(integer(now.0))
            .bind(id)
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(())
    }

    /// False where there is no such session.
    pub async fn delete_session(&self, tenant: TenantId, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM sessions WHERE tenant_id = ? AND id = ?")
            .bind(i64::from(tenant.0))
            .bind(id)
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// All of a user but one.
    pub async fn delete_sessions_of(
        &self,
        tenant: TenantId,
        user: &str,
        but: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE tenant_id = ? AND user_name = ? AND id IS NOT ?")
            .bind(i64::from(tenant.0))
            .bind(user)
            .bind(but)
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(())
    }

    /// Those that are over, or have not been used since `idle_since`.
    pub async fn purge_sessions(
        &self,
        now: UnixMillis,
        idle_since: UnixMillis,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE expires_at <= ? OR used_at <= ?")
            .bind(integer(now.0))
            .bind(integer(idle_since.0))
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(())
    }
}

fn session(row: &SqliteRow) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.try_get("id")?,
        user: row.try_get("user_name")?,
        created_at: UnixMillis(number(row, "created_at")?),
        used_at: UnixMillis(number(row, "used_at")?),
        expires_at: UnixMillis(number(row, "expires_at")?),
        source: row.try_get("source")?,
        user_agent: row.try_get("user_agent")?,
    })
}
