//! Who changed what: written with every edit, read page by page, the newest first.
//!
//! With an entry goes what it takes to take it back and nobody is shown: old passwords, keys and secrets, sealed like those
//! in force, and for a month only.

use super::binding::number;
use super::{Db, integer};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row, Sqlite};
use std::time::Duration;
use zeroize::Zeroizing;

/// Older entries go: some years of an office, some days of a program that never rests.
const ENTRIES_MAX: i64 = 100_000;
/// A secret that is no longer in force is not kept for longer than somebody is likely to want it back.
pub const KEPT_FOR: Duration = Duration::from_hours(24 * 30);
/// What is longer is not kept: a hundred thousand extensions have some ten million octets. Unit: octets.
pub const KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most of all entries together, and of all that is kept with them: beyond it the oldest go. Unit: octets.
const ALL_BYTES_MAX: i64 = 256 * 1024 * 1024;
/// Entries that are smaller come to less, as many as there may be. Unit: octets.
const LARGE: usize = 2 * 1024;

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
    /// What nobody is shown is still kept; known when it is read.
    pub has_kept: bool,
}

/// Which entries.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Older than this one.
    pub before: Option<u64>,
    pub kind: Option<String>,
    pub name: Option<String>,
    /// One of these was done; empty: whatever was.
    pub actions: &'static [&'static str],
    /// It takes this one back.
    pub undoes: Option<u64>,
    pub limit: u32,
}

const SELECT: &str = "SELECT entry.*, (SELECT id FROM audit_entries WHERE undoes = entry.id
    ORDER BY id DESC LIMIT 1) AS undone_by,
    EXISTS (SELECT 1 FROM audit_kept WHERE entry = entry.id) AS has_kept FROM audit_entries AS entry WHERE tenant_id = ";

impl Db {
    /// The id it was given.
    pub async fn insert_audit_entry(
        &self,
        tenant: TenantId,
        entry: &AuditEntry,
    ) -> Result<u64, StoreError> {
        self.insert_audit_entry_keeping(tenant, entry, None).await
    }

    /// The same, and keeps what nobody is shown.
    pub async fn insert_audit_entry_keeping(
        &self,
        tenant: TenantId,
        entry: &AuditEntry,
        kept: Option<&[u8]>,
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
        self.keep(&mut transaction, id, entry.at, kept).await?;
        let texts = [Some(&entry.name), entry.before.as_ref(), entry.after.as_ref()];
        let octets: usize = texts.into_iter().flatten().map(String::len).sum();
        if octets + kept.map_or(0, <[u8]>::len) > LARGE {
            shorten(&mut transaction, ALL_BYTES_MAX).await?;
        }
        transaction.has_told();
        transaction.commit().await?;
        u64::try_from(id).map_err(|error| StoreError::damaged("the audit", error))
    }

    async fn keep(
        &self,
        transaction: &mut SqliteConnection,
        id: i64,
        at: UnixMillis,
        kept: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        forget(transaction, at).await?;
        let Some(kept) = kept.filter(|it| it.len() <= KEPT_BYTES_MAX) else { return Ok(()) };
        sqlx::query("INSERT INTO audit_kept (entry, kept_at, sealed) VALUES (?, ?, ?)")
            .bind(id)
            .bind(integer(at.0))
            .bind(self.key.seal(kept, &bound_to(id))?)
            .execute(&mut *transaction)
            .await?;
        Ok(())
    }

    /// Takes away what was kept for long enough. It goes with every new entry too; but an office in which nothing is changed
    /// has none.
    pub async fn forget_kept(&self, now: UnixMillis) -> Result<(), StoreError> {
        forget(&mut *self.writing().await?, now).await
    }

    /// What was kept with an entry.
    pub async fn audit_kept(&self, id: u64) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT sealed FROM audit_kept WHERE entry = ?")
                .bind(integer(id))
                .fetch_optional(&mut *self.connection().await?)
                .await?;
        let open = |sealed: Vec<u8>| self.key.open(&sealed, &bound_to(integer(id)));
        sealed.map(open).transpose().map_err(|error| StoreError::damaged("the audit", error))
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
        if let Some(undoes) = query.undoes {
            select.push(" AND undoes = ").push_bind(integer(undoes));
        }
        if !query.actions.is_empty() {
            let mut actions = select.push(" AND action IN (").separated(", ");
            for action in query.actions {
                actions.push_bind(*action);
            }
            select.push(")");
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

async fn forget(connection: &mut SqliteConnection, now: UnixMillis) -> Result<(), StoreError> {
    let kept_for = u64::try_from(KEPT_FOR.as_millis()).unwrap_or(u64::MAX);
    sqlx::query("DELETE FROM audit_kept WHERE kept_at < ?")
        .bind(integer(now.0.saturating_sub(kept_for)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes the oldest away, so that entries and what is kept with them come to so many octets each at most.
async fn shorten(connection: &mut SqliteConnection, most: i64) -> Result<(), StoreError> {
    for oldest in [
        "DELETE FROM audit_entries WHERE id <= (SELECT MAX(id) FROM (SELECT id, SUM(OCTET_LENGTH(name)
            + COALESCE(OCTET_LENGTH(before), 0) + COALESCE(OCTET_LENGTH(after), 0))
            OVER (ORDER BY id DESC) AS octets FROM audit_entries) WHERE octets > ?)",
        "DELETE FROM audit_kept WHERE entry <= (SELECT MAX(entry) FROM (SELECT entry,
            SUM(OCTET_LENGTH(sealed)) OVER (ORDER BY entry DESC) AS octets FROM audit_kept)
            WHERE octets > ?)",
    ] {
        sqlx::query(oldest).bind(most).execute(&mut *connection).await?;
    }
    Ok(())
}

/// It cannot be moved to another entry.
fn bound_to(id: i64) -> Vec<u8> {
    format!("audit/{id}").into_bytes()
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
        has_kept: row.try_get("has_kept")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TENANT: TenantId = TenantId(0);

    #[test]
    fn what_is_kept_is_sealed_and_forgotten_after_a_month() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(keep_and_forget());
    }

    async fn keep_and_forget() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        let insert = async |at: Duration, kept| {
            let at = UnixMillis(0).after(at);
            let entry = AuditEntry { at, ..AuditEntry::default() };
            db.insert_audit_entry_keeping(TENANT, &entry, kept).await.unwrap()
        };
        let first = insert(Duration::ZERO, Some(b"k7mfx2pq".as_slice())).await;
        let sealed: Vec<u8> =
            sqlx::query_scalar("SELECT sealed FROM audit_kept").fetch_one(&db.pool).await.unwrap();
        assert!(!sealed.windows(8).any(|it| it == b"k7mfx2pq"));
        let plain = insert(KEPT_FOR, None).await;
        assert!(db.audit_entry(TENANT, first).await.unwrap().unwrap().has_kept);
        assert!(!db.audit_entry(TENANT, plain).await.unwrap().unwrap().has_kept);
        assert_eq!(db.audit_kept(first).await.unwrap().unwrap().as_slice(), b"k7mfx2pq");
        insert(KEPT_FOR + Duration::from_millis(1), None).await;
        assert!(!db.audit_entry(TENANT, first).await.unwrap().unwrap().has_kept);
        assert_eq!(db.audit_kept(first).await.unwrap(), None);

        let quiet = insert(KEPT_FOR, Some(b"k7mfx2pq".as_slice())).await;
        let over = UnixMillis(0).after(KEPT_FOR * 2);
        db.forget_kept(over).await.unwrap();
        assert!(db.audit_entry(TENANT, quiet).await.unwrap().unwrap().has_kept);
        db.forget_kept(over.after(Duration::from_millis(1))).await.unwrap();
        assert_eq!(db.audit_kept(quiet).await.unwrap(), None, "without another entry");
    }

    #[test]
    fn the_oldest_go_where_all_are_too_many_octets() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let db = Db::open(folder.path()).await.unwrap();
            let mut ids = vec![];
            for kept in [None, Some([7; 300].as_slice()), None, Some(&[7; 300]), Some(&[7; 300])] {
                let after = Some("x".repeat(400));
                let entry = AuditEntry { after, ..AuditEntry::default() };
                ids.push(db.insert_audit_entry_keeping(TENANT, &entry, kept).await.unwrap());
            }
            shorten(&mut db.connection().await.unwrap(), 1_200).await.unwrap();
            let query = AuditQuery { limit: 10, ..AuditQuery::default() };
            let left = db.audit_entries(TENANT, &query).await.unwrap();
            assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [ids[4], ids[3], ids[2]]);
            shorten(&mut db.connection().await.unwrap(), 500).await.unwrap();
            let left = db.audit_entries(TENANT, &query).await.unwrap();
            assert_eq!(left.iter().map(|it| it.has_kept).collect::<Vec<_>>(), [true]);
        });
    }
}
