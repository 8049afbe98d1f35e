//! Administrators: people who sign in with a name and a password.

use super::binding::number;
use super::{Db, from_word, integer, word};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::language::Language;
use pbx::time::UnixMillis;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// An administrator. Names are the same in capital and small letters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub name: String,
    /// Argon2id in the PHC string format.
    pub password: String,
    pub language: Language,
    pub created_at: UnixMillis,
    pub password_at: UnixMillis,
    /// Since when a second factor is asked for.
    pub totp_at: Option<UnixMillis>,
}

const SELECT: &str = "SELECT users.*, totp.confirmed_at AS totp_at FROM users
    LEFT JOIN totp ON totp.tenant_id = users.tenant_id AND totp.user_name = users.name";

impl Db {
    pub async fn users(&self, tenant: TenantId) -> Result<Vec<User>, StoreError> {
        let rows = sqlx::QueryBuilder::<sqlx::Sqlite>::new(SELECT)
            .push(" WHERE users.tenant_id = ")
            .push_bind(i64::from(tenant.0))
            .push(" ORDER BY users.name")
            .build()
            .fetch_all(&mut *self.connection().await?)
            .await?;
        rows.iter().map(user).collect()
    }

    /// Those behind a name, in the order of names, with `search` in theirs, up to so many.
    pub async fn users_after(
        &self,
        tenant: TenantId,
        after: &str,
        search: &str,
        limit: u32,
    ) -> Result<Vec<User>, StoreError> {
        let mut select = sqlx::QueryBuilder::<sqlx::Sqlite>::new(SELECT);
        select.push(" WHERE users.tenant_id = ").push_bind(i64::from(tenant.0));
        select.push(" AND users.name > ").push_bind(after);
        if !search.is_empty() {
            select.push(" AND instr(lower(users.name), lower(").push_bind(search).push(")) > 0");
        }
        select.push(" ORDER BY users.name LIMIT ").push_bind(i64::from(limit));
        let rows = select.build().fetch_all(&mut *self.connection().await?).await?;
        rows.iter().map(user).collect()
    }

    pub async fn user(&self, tenant: TenantId, name: &str) -> Result<Option<User>, StoreError> {
        let row = sqlx::QueryBuilder::<sqlx::Sqlite>::new(SELECT)
            .push(" WHERE users.tenant_id = ")
            .push_bind(i64::from(tenant.0))
            .push(" AND users.name = ")
            .push_bind(name)
            .build()
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        row.as_ref().map(user).transpose()
    }

    pub async fn has_users(&self, tenant: TenantId) -> Result<bool, StoreError> {
        let found: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE tenant_id = ?)")
                .bind(i64::from(tenant.0))
                .fetch_one(&mut *self.connection().await?)
                .await?;
        Ok(found)
    }

    /// Adds a user unless there is one of this name.
    pub async fn insert_user(&self, tenant: TenantId, user: &User) -> Result<bool, StoreError> {
        self.insert(tenant, user, "WHERE true ON CONFLICT DO NOTHING").await
    }

    /// Adds the first user; false where there is one already.
    pub async fn insert_first_user(
        &self,
        tenant: TenantId,
        user: &User,
    ) -> Result<bool, StoreError> {
        self.insert(tenant, user, "WHERE NOT EXISTS (SELECT 1 FROM users)").await
    }

    async fn insert(
        &self,
        tenant: TenantId,
        user: &User,
        condition: &'static str,
    ) -> Result<bool, StoreError> {
        let mut insert = sqlx::QueryBuilder::<sqlx::Sqlite>::new(
            "INSERT INTO users (tenant_id, name, password, language, created_at, password_at) SELECT ",
        );
        let mut values = insert.separated(", ");
        values
            .push_bind(i64::from(tenant.0))
            .push_bind(&user.name)
            .push_bind(&user.password)
            .push_bind(word(user.language))
            .push_bind(integer(user.created_at.0))
            .push_bind(integer(user.password_at.0));
        insert.push(" ").push(condition);
        let done = insert.build().execute(&mut *self.writing().await?).await?;
        Ok(done.rows_affected() == 1)
    }

    /// False where there is no such user.
    pub async fn set_user_password(
        &self,
        tenant: TenantId,
        name: &str,
        password: &str,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE users SET password = ?, password_at = ? WHERE tenant_id = ? AND name = ?",
        )
        .bind(password)
        .bind(integer(now.0))
        .bind(i64::from(tenant.0))
        .bind(name)
        .execute(&mut *self.writing().await?)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// False where there is no such user.
    pub async fn set_user_language(
        &self,
        tenant: TenantId,
        name: &str,
        language: Language,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE users SET language = ? WHERE tenant_id = ? AND name = ?")
            .bind(word(language))
            .bind(i64::from(tenant.0))
            .bind(name)
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// With its sessions. The last user stays: without one, the set-up would be open again.
    pub async fn delete_user(&self, tenant: TenantId, name: &str) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "DELETE FROM users WHERE tenant_id = ?1 AND name = ?2
                AND (SELECT count(*) FROM users WHERE tenant_id = ?1) > 1",
        )
        .bind(i64::from(tenant.0))
        .bind(name)
        .execute(&mut *self.writing().await?)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

fn user(row: &SqliteRow) -> Result<User, StoreError> {
    let name: String = row.try_get("name")?;
    let language = from_word(&format!("user {name}"), row.try_get("language")?)?;
    let totp_at: Option<i64> = row.try_get("totp_at")?;
    Ok(User {
        password: row.try_get("password")?,
        language,
        created_at: UnixMillis(number(row, "created_at")?),
        password_at: UnixMillis(number(row, "password_at")?),
        totp_at: totp_at.and_then(|it| u64::try_from(it).ok()).map(UnixMillis),
        name,
    })
}
