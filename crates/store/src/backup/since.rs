//! What was revoked or spent after a backup was made, here where it is restored: it stays so.
//!
//! Passwords are those of then, and who was removed since is back: the preview of a restore names him.

use super::BackupError;
use crate::db::Db;
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeSet;

/// The id of every key that was revoked while this database has been in use, and for good. Its audit tells.
pub(super) async fn revoked(of: &mut SqliteConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let ids = "SELECT DISTINCT name FROM audit_entries AS gone
        WHERE kind = 'api_keys' AND action = 'delete' AND NOT EXISTS (
            SELECT 1 FROM audit_entries WHERE kind = 'api_keys' AND action = 'add'
            AND name = gone.name AND id > gone.id)";
    let ids: Vec<String> = sqlx::query_scalar(ids).fetch_all(of).await?;
    Ok(ids.into_iter().collect())
}

/// Brings it over from the database in use to the one that takes its place.
pub(super) async fn carry_over(from: &Db, to: &mut SqliteConnection) -> Result<(), BackupError> {
    let mut present = from.connection().await.map_err(BackupError::from)?;
    keys(&mut present, to).await?;
    second_factors(&mut present, to).await?;
    Ok(())
}

/// Keys that were revoked, with the entries that say who did it: a second restore is to know it too.
async fn keys(from: &mut SqliteConnection, to: &mut SqliteConnection) -> Result<(), BackupError> {
    // Not known is not none: then nothing is restored.
    let revoked = revoked(&mut *from).await?;
    let back: Vec<String> =
        sqlx::query_scalar("SELECT id FROM api_keys").fetch_all(&mut *to).await?;
    for id in back.iter().filter(|it| revoked.contains(*it)) {
        sqlx::query("DELETE FROM api_keys WHERE id = ?").bind(id).execute(&mut *to).await?;
        let entry = "SELECT tenant_id, at, actor_kind, actor, source, before FROM audit_entries
            WHERE kind = 'api_keys' AND action = 'delete' AND name = ? ORDER BY id DESC LIMIT 1";
        let entry: Option<(i64, i64, String, String, String, Option<String>)> =
            sqlx::query_as(entry).bind(id).fetch_optional(&mut *from).await?;
        let Some((tenant, at, actor_kind, actor, source, before)) = entry else { continue };
        sqlx::query(
            "INSERT INTO audit_entries (tenant_id, at, actor_kind, actor, source, action, kind, name,
                before) VALUES (?, ?, ?, ?, ?, 'delete', 'api_keys', ?, ?)",
        )
        .bind(tenant)
        .bind(at)
        .bind(actor_kind)
        .bind(actor)
        .bind(source)
        .bind(id)
        .bind(before)
        .execute(&mut *to)
        .await?;
    }
    Ok(())
}

/// Who has the same second factor now as then has the recovery codes that are left now, and shows no code twice.
async fn second_factors(
    from: &mut SqliteConnection,
    to: &mut SqliteConnection,
) -> Result<(), BackupError> {
    let all: Vec<(i64, String, i64, i64)> = sqlx::query_as(
        "SELECT tenant_id, user_name, confirmed_at, last_step FROM totp WHERE confirmed_at IS NOT NULL",
    )
    .fetch_all(&mut *from)
    .await?;
    for (tenant, user, confirmed_at, last_step) in all {
        let same = sqlx::query(
            "UPDATE totp SET last_step = max(last_step, ?)
                WHERE tenant_id = ? AND user_name = ? AND confirmed_at = ?",
        )
        .bind(last_step)
        .bind(tenant)
        .bind(&user)
        .bind(confirmed_at)
        .execute(&mut *to)
        .await?;
        if same.rows_affected() == 0 {
            continue;
        }
        let left: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT hash FROM recovery_codes WHERE tenant_id = ? AND user_name = ?",
        )
        .bind(tenant)
        .bind(&user)
        .fetch_all(&mut *from)
        .await?;
        sqlx::query("DELETE FROM recovery_codes WHERE tenant_id = ? AND user_name = ?")
            .bind(tenant)
            .bind(&user)
            .execute(&mut *to)
            .await?;
        for hash in left {
            sqlx::query("INSERT INTO recovery_codes (tenant_id, user_name, hash) VALUES (?, ?, ?)")
                .bind(tenant)
                .bind(&user)
                .bind(hash)
                .execute(&mut *to)
                .await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::{Plan, Reason, Staged, create, present, stage, unpack};
    use crate::db::{ApiKey, AuditEntry, Db, User};
    use crate::lock::DataDirLock;
    use pbx::id::TenantId;
    use pbx::language::Language;
    use pbx::time::UnixMillis;

    const TENANT: TenantId = TenantId(0);
    const NOW: UnixMillis = UnixMillis(1_795_659_300_000);

    async fn with_codes(db: &Db) {
        let ann = User {
            name: "ann".to_owned(),
            password: String::new(),
            language: Language::En,
            created_at: NOW,
            password_at: NOW,
            totp_at: None,
        };
        db.insert_user(TENANT, &ann).await.unwrap();
        db.begin_totp(TENANT, "ann", b"secret").await.unwrap();
        let codes = [[1; 32], [2; 32]];
        assert!(db.confirm_totp(TENANT, "ann", 7, NOW, &codes).await.unwrap());
        for id in ["kept", "revoked"] {
            let key = ApiKey {
                id: id.to_owned(),
                name: "monitor".to_owned(),
                secret: vec![1],
                scopes: vec![],
                created_at: NOW,
                created_by: String::new(),
                used_at: None,
            };
            db.put_api_key(TENANT, &key).await.unwrap();
        }
    }

    fn plan() -> Plan {
        Plan {
            reason: Reason::Asked,
            version: "0.1.0".to_owned(),
            host: "office".to_owned(),
            now: NOW,
            seal: None,
        }
    }

    fn staged() -> Staged {
        Staged {
            backup: "a".to_owned(),
            at: NOW,
            actor_kind: "cli".to_owned(),
            actor: String::new(),
            source: String::new(),
            standby: false,
        }
    }

    /// Restores it, and opens what has become of the database.
    async fn restore(db: Db, file: &std::path::Path) -> crate::Offline {
        let unpacked = unpack(file, &db.backups(), None).await.unwrap();
        stage(&db, unpacked, &staged()).await.unwrap();
        db.close().await;
        let folder = db.folder().to_owned();
        drop(db);
        crate::open_offline(&folder, "test").await.unwrap()
    }

    async fn ids(db: &Db) -> Vec<String> {
        db.api_keys(TENANT).await.unwrap().into_iter().map(|it| it.id).collect()
    }

    #[test]
    fn where_nobody_knows_what_was_revoked_nothing_is_restored() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let dir = tempfile::TempDir::new().unwrap();
            let db = Db::open(dir.path()).await.unwrap();
            let file = create(&db, plan()).await.unwrap();
            sqlx::query("DROP TABLE audit_entries").execute(db.pool()).await.unwrap();
            let unpacked = unpack(&file, &db.backups(), None).await.unwrap();
            assert!(stage(&db, unpacked, &staged()).await.is_err());
        });
    }

    #[test]
    fn what_was_revoked_or_spent_since_stays_so_after_every_restore() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(revoke_spend_and_restore_twice());
    }

    async fn revoke_spend_and_restore_twice() {
        let dir = tempfile::TempDir::new().unwrap();
        let lock = DataDirLock::take(dir.path(), "test").unwrap();
        let db = Db::open(dir.path()).await.unwrap();
        with_codes(&db).await;
        let file = create(&db, plan()).await.unwrap();
        assert!(db.take_recovery_code(TENANT, "ann", &[1; 32]).await.unwrap());
        assert!(db.take_totp_step(TENANT, "ann", 9).await.unwrap());
        let edit = db.edit();
        assert!(edit.delete_api_key(TENANT, "revoked").await.unwrap());
        let entry = AuditEntry {
            kind: "api_keys".to_owned(),
            name: "revoked".to_owned(),
            action: "delete".to_owned(),
            actor: "bob".to_owned(),
            ..AuditEntry::default()
        };
        edit.insert_audit_entry(TENANT, &entry).await.unwrap();
        edit.commit().await.unwrap();
        assert_eq!(present(&db).await.unwrap().1.revoked, ["revoked".to_owned()].into());
        drop(lock);

        let mut db = db;
        for _ in 0..2 {
            let offline = restore(db, &file).await;
            assert_eq!(ids(&offline.db).await, ["kept"]);
            let found = async |code: u8| {
                offline.db.take_recovery_code(TENANT, "ann", &[code; 32]).await.unwrap()
            };
            assert!(!found(1).await, "it was spent");
            assert!(!offline.db.take_totp_step(TENANT, "ann", 9).await.unwrap(), "it was shown");
            assert_eq!(offline.db.recovery_codes(TENANT, "ann").await.unwrap(), 1);
            db = offline.db.clone();
            drop(offline);
        }
    }

    #[test]
    fn a_key_whose_revocation_was_taken_back_is_not_revoked() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let dir = tempfile::TempDir::new().unwrap();
            let db = Db::open(dir.path()).await.unwrap();
            let mut found = vec![];
            for action in ["add", "delete", "add", "delete"] {
                let (kind, name) = ("api_keys".to_owned(), "k".to_owned());
                let action = action.to_owned();
                let entry = AuditEntry { kind, name, action, ..AuditEntry::default() };
                db.insert_audit_entry(TENANT, &entry).await.unwrap();
                found
                    .push(super::revoked(&mut db.connection().await.unwrap()).await.unwrap().len());
            }
            assert_eq!(found, [0, 1, 0, 1]);
        });
    }
}
