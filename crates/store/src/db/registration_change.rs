//! The history of an extension's devices: its newest changes, and who was refused in its name, each with a bound of
//! its own, so that strangers push out nothing.

use super::binding::number;
use super::{Db, integer, word};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::record::Binding;
use pbx::time::UnixMillis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::BTreeSet;

/// Changes kept of an extension; the oldest goes.
const CHANGES_MAX: i64 = 20;
/// Refusals kept besides. The same from the same address is one, with its newest time.
const REFUSALS_MAX: i64 = 5;

/// One thing that happened to a device of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationChange {
    pub extension: String,
    pub at: UnixMillis,
    pub what: What,
    pub why: Why,
    /// What follows is empty where it is not known.
    pub device: String,
    pub contact: String,
    pub transport: String,
    /// Address and port.
    pub source: String,
    pub user_agent: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Registered,
    /// A refresh that brought something new.
    Changed,
    Gone,
    /// Whoever it was did not get in.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A device registers: there is nothing more to say.
    Registered,
    Address,
    Transport,
    UserAgent,
    Expired,
    /// Nobody was there to be refreshed.
    ExpiredWhileOff,
    Removed,
    Replaced,
    Restarted,
    LoggedOff,
    PasswordChanged,
    BadDigest,
    WeakPassword,
    WrongIdentity,
}

impl RegistrationChange {
    pub fn of(binding: &Binding, at: UnixMillis, what: What, why: Why) -> Self {
        Self {
            extension: binding.key.extension.to_string(),
            at,
            what,
            why,
            device: binding.key.device.to_string(),
            contact: binding.contact.to_string(),
            transport: binding.flow.transport.uri_name().to_owned(),
            source: binding.flow.remote.to_string(),
            user_agent: binding.user_agent.to_string(),
        }
    }
}

impl Db {
    /// Notes what happened, in its order; of extensions that there are.
    pub async fn note_registration_changes(
        &self,
        tenant: TenantId,
        changes: &[RegistrationChange],
    ) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        for refused in changes.iter().filter(|it| it.what == What::Refused) {
            forget_like(&mut transaction, tenant, refused).await?;
        }
        insert(&mut transaction, tenant, changes).await?;
        let extensions: BTreeSet<_> = changes.iter().map(|it| &*it.extension).collect();
        forget_oldest(&mut transaction, tenant, &json!(extensions)).await?;
        transaction.commit().await
    }

    /// The newest first.
    pub async fn registration_changes(
        &self,
        tenant: TenantId,
        extension: &str,
    ) -> Result<Vec<RegistrationChange>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM registration_changes WHERE tenant_id = ? AND extension = ?
            ORDER BY id DESC",
        )
        .bind(i64::from(tenant.0))
        .bind(extension)
        .fetch_all(&mut *self.connection().await?)
        .await?;
        rows.iter().map(change).collect()
    }
}

/// All with one statement: in the first minute after a power cut every phone of the office is back.
async fn insert(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    changes: &[RegistrationChange],
) -> Result<(), sqlx::Error> {
    let row = |it: &RegistrationChange| {
        json!({
            "extension": it.extension, "at": integer(it.at.0), "what": it.what, "why": it.why,
            "device": it.device, "contact": it.contact, "transport": it.transport,
            "source": it.source, "user_agent": it.user_agent,
        })
    };
    let rows: Value = changes.iter().map(row).collect();
    // An extension may have been deleted meanwhile.
    sqlx::query(
        "INSERT INTO registration_changes
            (tenant_id, extension, at, what, why, device, contact, transport, source, user_agent)
        SELECT tenant_id, number, it.value ->> 'at', it.value ->> 'what', it.value ->> 'why',
            it.value ->> 'device', it.value ->> 'contact', it.value ->> 'transport',
            it.value ->> 'source', it.value ->> 'user_agent'
        FROM json_each(?) AS it CROSS JOIN extensions
        WHERE tenant_id = ? AND number = it.value ->> 'extension' ORDER BY it.key",
    )
    .bind(rows.to_string())
    .bind(i64::from(tenant.0))
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes out the refusal that this one repeats: of the same address, whatever its port, for the same reason.
async fn forget_like(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    it: &RegistrationChange,
) -> Result<(), sqlx::Error> {
    let address = it.source.rsplit_once(':').map_or(&*it.source, |it| it.0);
    sqlx::query(
        "DELETE FROM registration_changes WHERE tenant_id = ? AND extension = ? AND what = 'refused'
            AND why = ? AND substr(source, 1, length(?) + 1) = ? || ':'",
    )
    .bind(i64::from(tenant.0))
    .bind(&it.extension)
    .bind(word(it.why))
    .bind(address)
    .bind(address)
    .execute(connection)
    .await?;
    Ok(())
}

/// Of a JSON array of extensions.
async fn forget_oldest(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    extensions: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM registration_changes WHERE id IN (SELECT id FROM
            (SELECT id, what, row_number() OVER
                (PARTITION BY extension, what = 'refused' ORDER BY id DESC) AS place
            FROM registration_changes WHERE tenant_id = ?
                AND extension IN (SELECT value FROM json_each(?)))
            WHERE place > iif(what = 'refused', ?, ?))",
    )
    .bind(i64::from(tenant.0))
    .bind(extensions.to_string())
    .bind(REFUSALS_MAX)
    .bind(CHANGES_MAX)
    .execute(connection)
    .await?;
    Ok(())
}

fn change(row: &SqliteRow) -> Result<RegistrationChange, StoreError> {
    Ok(RegistrationChange {
        extension: row.try_get("extension")?,
        at: UnixMillis(number(row, "at")?),
        what: named(row, "what")?,
        why: named(row, "why")?,
        device: row.try_get("device")?,
        contact: row.try_get("contact")?,
        transport: row.try_get("transport")?,
        source: row.try_get("source")?,
        user_agent: row.try_get("user_agent")?,
    })
}

fn named<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let word: String = row.try_get(column)?;
    serde_json::from_value(word.into()).map_err(|error| StoreError::damaged(column, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::db::{ExtensionProfile, NewExtension};

    const TENANT: TenantId = TenantId(0);

    fn event(at: u64, what: What, why: Why, source: &str) -> RegistrationChange {
        RegistrationChange {
            extension: "100".to_owned(),
            at: UnixMillis(at),
            what,
            why,
            device: "desk".to_owned(),
            contact: "sip:100@192.168.1.20".to_owned(),
            transport: "udp".to_owned(),
            source: source.to_owned(),
            user_agent: "phone".to_owned(),
        }
    }

    fn run<T>(test: impl AsyncFnOnce(Db) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::TempDir::new().unwrap();
            let db = Db::open(dir.path()).await.unwrap();
            add(&db).await;
            test(db).await
        })
    }

    async fn add(db: &Db) {
        let new = NewExtension { profile: ExtensionProfile::new("100"), password: None };
        db.insert_extensions(TENANT, vec![new]).await.unwrap();
    }

    #[test]
    fn the_newest_stay_and_strangers_push_out_none() {
        run(async |db| {
            let here = "192.168.1.20:5060";
            let changes: Vec<_> =
                (0..25).map(|at| event(at, What::Registered, Why::Registered, here)).collect();
            db.note_registration_changes(TENANT, &changes).await.unwrap();
            for last in 0..9 {
                let source = format!("10.0.0.{last}:5060");
                let refused = event(100 + last, What::Refused, Why::BadDigest, &source);
                db.note_registration_changes(TENANT, &[refused]).await.unwrap();
            }
            let kept = db.registration_changes(TENANT, "100").await.unwrap();
            let at: Vec<_> = kept.iter().map(|it| it.at.0).collect();
            let expected: Vec<_> = (104..109).rev().chain((5..25).rev()).collect();
            assert_eq!(at, expected);
            assert_eq!(kept.last(), changes.get(5));
        });
    }

    #[test]
    fn a_refusal_that_repeats_is_one() {
        run(async |db| {
            #[rustfmt::skip]
            let table = [
                (1, Why::BadDigest,    "10.0.0.1:5060"),
                (2, Why::BadDigest,    "10.0.0.11:5060"),
                (3, Why::WeakPassword, "10.0.0.1:5060"),
                (4, Why::BadDigest,    "10.0.0.1:6000"),
                (5, Why::BadDigest,    "[2001:db8::1]:5060"),
                (6, Why::BadDigest,    "[2001:db8::1]:5061"),
            ];
            for (at, why, source) in table {
                let refused = event(at, What::Refused, why, source);
                db.note_registration_changes(TENANT, &[refused]).await.unwrap();
            }
            let kept = db.registration_changes(TENANT, "100").await.unwrap();
            assert_eq!(kept.iter().map(|it| it.at.0).collect::<Vec<_>>(), [6, 4, 3, 2]);
        });
    }

    #[test]
    fn whoever_gets_the_number_next_finds_nothing() {
        run(async |db| {
            let gone = [event(1, What::Gone, Why::Expired, "192.168.1.20:5060")];
            db.note_registration_changes(TENANT, &gone).await.unwrap();
            db.delete_extensions(TENANT, &["100".to_owned()]).await.unwrap();
            // Told late, after the extension was deleted.
            db.note_registration_changes(TENANT, &gone).await.unwrap();
            add(&db).await;
            assert_eq!(db.registration_changes(TENANT, "100").await.unwrap(), []);
        });
    }
}
