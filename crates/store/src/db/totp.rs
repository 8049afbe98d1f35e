//! The second factor of administrators: the secret that a phone shares, sealed, and the hashes of the recovery codes.

use super::binding::number;
use super::{Db, integer};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use zeroize::Zeroizing;

/// What codes are compared with.
pub struct Totp {
    pub secret: Zeroizing<Vec<u8>>,
    /// `None`: the phone has not shown yet that it makes the right codes.
    pub confirmed_at: Option<UnixMillis>,
    /// The newest step a code was taken of.
    pub last_step: u64,
}

/// A second factor that is in force, with all that belongs to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    pub secret: Vec<u8>,
    pub confirmed_at: UnixMillis,
    pub last_step: u64,
    /// Hashes of those that are left.
    pub recovery: Vec<[u8; 32]>,
}

impl Db {
    pub async fn totp(&self, tenant: TenantId, user: &str) -> Result<Option<Totp>, StoreError> {
        let row = sqlx::query("SELECT * FROM totp WHERE tenant_id = ? AND user_name = ?")
            .bind(i64::from(tenant.0))
            .bind(user)
            .fetch_optional(&mut *self.connection().await?)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let sealed: Vec<u8> = row.try_get("secret")?;
        let secret = self.key.open(&sealed, &bound_to(tenant, user));
        let what = || format!("the second factor of {user}");
        let confirmed_at: Option<i64> = row.try_get("confirmed_at")?;
        Ok(Some(Totp {
            secret: secret.map_err(|error| StoreError::damaged(what(), error))?,
            confirmed_at: confirmed_at.and_then(|it| u64::try_from(it).ok()).map(UnixMillis),
            last_step: number(&row, "last_step")?,
        }))
    }

    /// Keeps a secret until it is confirmed, in the place of one that was not. False where one is in force.
    pub async fn begin_totp(
        &self,
        tenant: TenantId,
        user: &str,
        secret: &[u8],
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO totp (tenant_id, user_name, secret) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET secret = excluded.secret WHERE confirmed_at IS NULL",
        )
        .bind(i64::from(tenant.0))
        .bind(user)
        .bind(self.key.seal(secret, &bound_to(tenant, user))?)
        .execute(&mut *self.writing().await?)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// From now on it is asked for. False where it is already, or was never begun.
    pub async fn confirm_totp(
        &self,
        tenant: TenantId,
        user: &str,
        step: u64,
        now: UnixMillis,
        recovery: &[[u8; 32]],
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query(
            "UPDATE totp SET confirmed_at = ?, last_step = ?
                WHERE tenant_id = ? AND user_name = ? AND confirmed_at IS NULL",
        )
        .bind(integer(now.0))
        .bind(integer(step))
        .bind(i64::from(tenant.0))
        .bind(user)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        insert(&mut transaction, tenant, user, recovery).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Others in the place of those that are left. False where there is no second factor.
    pub async fn renew_recovery_codes(
        &self,
        tenant: TenantId,
        user: &str,
        recovery: &[[u8; 32]],
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let is_on: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM totp
                WHERE tenant_id = ? AND user_name = ? AND confirmed_at IS NOT NULL)",
        )
        .bind(i64::from(tenant.0))
        .bind(user)
        .fetch_one(&mut *transaction)
        .await?;
        if !is_on {
            return Ok(false);
        }
        sqlx::query("DELETE FROM recovery_codes WHERE tenant_id = ? AND user_name = ?")
            .bind(i64::from(tenant.0))
            .bind(user)
            .execute(&mut *transaction)
            .await?;
        insert(&mut transaction, tenant, user, recovery).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The one that is asked for; `None` where there is none, or it was only begun.
    pub async fn factor(&self, tenant: TenantId, user: &str) -> Result<Option<Factor>, StoreError> {
        let Some(totp) = self.totp(tenant, user).await? else { return Ok(None) };
        let Some(confirmed_at) = totp.confirmed_at else { return Ok(None) };
        let hashes: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT hash FROM recovery_codes WHERE tenant_id = ? AND user_name = ? ORDER BY hash",
        )
        .bind(i64::from(tenant.0))
        .bind(user)
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let recovery = hashes.iter().map(|it| it.as_slice().try_into()).collect::<Result<_, _>>();
        let recovery = recovery.map_err(|it| StoreError::damaged("a recovery code", it))?;
        let (secret, last_step) = (totp.secret.to_vec(), totp.last_step);
        Ok(Some(Factor { secret, confirmed_at, last_step, recovery }))
    }

    /// From now on this one is asked for, in the place of any other.
    pub async fn put_factor(
        &self,
        tenant: TenantId,
        user: &str,
        factor: &Factor,
    ) -> Result<(), StoreError> {
        self.delete_totp(tenant, user).await?;
        self.begin_totp(tenant, user, &factor.secret).await?;
        let Factor { confirmed_at, last_step, recovery, .. } = factor;
        self.confirm_totp(tenant, user, *last_step, *confirmed_at, recovery).await?;
        Ok(())
    }

    /// Takes a step, which can be done once: of two who show the same code only one is let in.
    pub async fn take_totp_step(
        &self,
        tenant: TenantId,
        user: &str,
        step: u64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE totp SET last_step = ?1 WHERE tenant_id = ?2 AND user_name = ?3 AND last_step < ?1",
        )
        .bind(integer(step))
        .bind(i64::from(tenant.0))
        .bind(user)
        .execute(&mut *self.writing().await?)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Takes a recovery code, which can be done once.
    pub async fn take_recovery_code(
        &self,
        tenant: TenantId,
        user: &str,
        hash: &[u8],
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "DELETE FROM recovery_codes WHERE tenant_id = ? AND user_name = ? AND hash = ?",
        )
        .bind(i64::from(tenant.0))
        .bind(user)
        .bind(hash)
        .execute(&mut *self.writing().await?)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// How many recovery codes are left.
    pub async fn recovery_codes(&self, tenant: TenantId, user: &str) -> Result<u32, StoreError> {
        let found = sqlx::query_scalar(
            "SELECT count(*) FROM recovery_codes WHERE tenant_id = ? AND user_name = ?",
        )
        .bind(i64::from(tenant.0))
        .bind(user)
        .fetch_one(&mut *self.connection().await?)
        .await?;
        Ok(found)
    }

    /// With its recovery codes. False where there is none.
    pub async fn delete_totp(&self, tenant: TenantId, user: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM totp WHERE tenant_id = ? AND user_name = ?")
            .bind(i64::from(tenant.0))
            .bind(user)
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

async fn insert(
    transaction: &mut SqliteConnection,
    tenant: TenantId,
    user: &str,
    recovery: &[[u8; 32]],
) -> Result<(), StoreError> {
    for hash in recovery {
        sqlx::query("INSERT INTO recovery_codes (tenant_id, user_name, hash) VALUES (?, ?, ?)")
            .bind(i64::from(tenant.0))
            .bind(user)
            .bind(hash.as_slice())
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}

/// A secret opens for its owner only, however his name is written.
fn bound_to(tenant: TenantId, user: &str) -> Vec<u8> {
    format!("totp/{}/{}", tenant.0, user.to_ascii_lowercase()).into_bytes()
}
