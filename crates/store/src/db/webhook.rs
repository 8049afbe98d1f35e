//! Webhooks: endpoints that events are sent to, and the log of what was sent.

use super::binding::number;
use super::{Db, from_word, integer, word};
use crate::error::StoreError;
use pbx::id::TenantId;
use pbx::time::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::BTreeMap;

/// Deliveries of one endpoint that wait; one more is not taken.
const WAITING_MAX: i64 = 10_000;
/// Deliveries of one endpoint that are over; the oldest goes.
const LOGGED_MAX: i64 = 1000;

/// An endpoint.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: String,
    pub url: String,
    /// Which events; empty: all.
    pub types: String,
    pub description: String,
    pub enabled: bool,
    /// It said that it is gone for good.
    pub gone: bool,
    pub secret: String,
    /// Signs too, until then.
    pub previous: Option<(String, UnixMillis)>,
    pub created_at: UnixMillis,
}

/// One event for one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: i64,
    pub webhook: String,
    pub event: String,
    pub kind: String,
    pub body: String,
    pub state: DeliveryState,
    pub attempts: u32,
    pub next_at: UnixMillis,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub created_at: UnixMillis,
    pub tried_at: Option<UnixMillis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    Waiting,
    Delivered,
    /// Given up, until somebody asks for it again.
    Parked,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    pub webhook: String,
    pub event: String,
    pub kind: String,
    pub body: String,
}

impl Db {
    pub async fn webhooks(&self, tenant: TenantId) -> Result<Vec<Webhook>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM webhooks WHERE tenant_id = ? ORDER BY created_at, id")
                .bind(i64::from(tenant.0))
                .fetch_all(&mut *self.connection().await?)
                .await?;
        rows.iter().map(|it| self.webhook_of(it)).collect()
    }

    /// Makes an endpoint, or puts it in the place of the one with its id.
    pub async fn put_webhook(&self, tenant: TenantId, it: &Webhook) -> Result<(), StoreError> {
        let seal = |secret: &str| self.key.seal(secret.as_bytes(), &bound_to(&it.id));
        let previous = it.previous.as_ref();
        sqlx::query(
            "INSERT INTO webhooks (id, tenant_id, url, types, description, enabled, gone, secret,
                previous_secret, previous_until, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET url = excluded.url, types = excluded.types,
                description = excluded.description, enabled = excluded.enabled,
                gone = excluded.gone, secret = excluded.secret,
                previous_secret = excluded.previous_secret,
                previous_until = excluded.previous_until",
        )
        .bind(&it.id)
        .bind(i64::from(tenant.0))
        .bind(&it.url)
        .bind(&it.types)
        .bind(&it.description)
        .bind(it.enabled)
        .bind(it.gone)
        .bind(seal(&it.secret)?)
        .bind(previous.map(|(secret, _)| seal(secret)).transpose()?)
        .bind(previous.map(|(_, until)| integer(until.0)))
        .bind(integer(it.created_at.0))
        .execute(&mut *self.writing().await?)
        .await?;
        Ok(())
    }

    /// False where there is no such endpoint.
    pub async fn delete_webhook(&self, tenant: TenantId, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM webhooks WHERE tenant_id = ? AND id = ?")
            .bind(i64::from(tenant.0))
            .bind(id)
            .execute(&mut *self.writing().await?)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The endpoint is gone: it gets nothing more, and what waits for it is given up.
    pub async fn webhook_gone(&self, id: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("UPDATE webhooks SET enabled = 0, gone = 1 WHERE id = ?")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE webhook_deliveries SET state = ? WHERE webhook_id = ? AND state = ?")
            .bind(word(DeliveryState::Parked))
            .bind(id)
            .bind(word(DeliveryState::Waiting))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// Writes what is to be sent; how many were not taken because too many wait.
    pub async fn add_deliveries(
        &self,
        new: &[NewDelivery],
        now: UnixMillis,
    ) -> Result<usize, StoreError> {
        let mut refused = 0;
        let mut waiting: BTreeMap<&str, i64> = BTreeMap::new();
        let mut transaction = self.begin().await?;
        for it in new {
            if !waiting.contains_key(&*it.webhook) {
                let found = count_waiting(&mut transaction, &it.webhook).await?;
                waiting.insert(&it.webhook, found);
            }
            let count = waiting.entry(&it.webhook).or_default();
            if *count >= WAITING_MAX {
                refused += 1;
                continue;
            }
            *count += 1;
            // Nothing, where the endpoint was removed meanwhile.
            sqlx::query(
                "INSERT INTO webhook_deliveries (webhook_id, event_id, type, body, state, attempts,
                    next_at, created_at)
                 SELECT id, ?, ?, ?, 'waiting', 0, ?, ? FROM webhooks WHERE id = ?",
            )
            .bind(&it.event)
            .bind(&it.kind)
            .bind(&it.body)
            .bind(integer(now.0))
            .bind(integer(now.0))
            .bind(&it.webhook)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(refused)
    }

    /// Deliveries of an endpoint whose time has come, the oldest first.
    pub async fn due_deliveries(
        &self,
        webhook: &str,
        now: UnixMillis,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM webhook_deliveries
             WHERE webhook_id = ? AND state = 'waiting' AND next_at <= ?
             ORDER BY next_at, id LIMIT ?",
        )
        .bind(webhook)
        .bind(integer(now.0))
        .bind(limit)
        .fetch_all(&mut *self.connection().await?)
        .await?;
        rows.iter().map(delivery).collect()
    }

    /// When the next delivery of an endpoint will be due, of those that are not yet.
    pub async fn next_delivery(
        &self,
        webhook: &str,
        now: UnixMillis,
    ) -> Result<Option<UnixMillis>, StoreError> {
        let next: Option<i64> = sqlx::query_scalar(
            "SELECT min(next_at) FROM webhook_deliveries
             WHERE webhook_id = ? AND state = 'waiting' AND next_at > ?",
        )
        .bind(webhook)
        .bind(integer(now.0))
        .fetch_one(&mut *self.connection().await?)
        .await?;
        Ok(next.and_then(|it| u64::try_from(it).ok()).map(UnixMillis))
    }

    /// Writes what became of an attempt, and forgets the oldest of those that are over.
    pub async fn tried(&self, it: &Delivery) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE webhook_deliveries SET state = ?, attempts = ?, next_at = ?, status = ?,
                error = ?, tried_at = ? WHERE id = ?",
        )
        .bind(word(it.state))
        .bind(it.attempts)
        .bind(integer(it.next_at.0))
        .bind(it.status)
        .bind(&it.error)
        .bind(it.tried_at.map(|it| integer(it.0)))
        .bind(it.id)
        .execute(&mut *transaction)
        .await?;
        if it.state != DeliveryState::Waiting {
            sqlx::query(
                "DELETE FROM webhook_deliveries WHERE webhook_id = ? AND state <> 'waiting' AND id <=
                    (SELECT id FROM webhook_deliveries WHERE webhook_id = ? AND state <> 'waiting'
                     ORDER BY id DESC LIMIT 1 OFFSET ?)",
            )
            .bind(&it.webhook)
            .bind(&it.webhook)
            .bind(LOGGED_MAX)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// The log of an endpoint, the newest first, from before this delivery on.
    pub async fn deliveries(
        &self,
        webhook: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM webhook_deliveries WHERE webhook_id = ? AND id < ?
             ORDER BY id DESC LIMIT ?",
        )
        .bind(webhook)
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&mut *self.connection().await?)
        .await?;
        rows.iter().map(delivery).collect()
    }

    /// Sends a delivery once more, from its first attempt; false where there is none.
    pub async fn resend_delivery(
        &self,
        webhook: &str,
        id: i64,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, next_at = ?
             WHERE webhook_id = ? AND id = ?",
        )
        .bind(integer(now.0))
        .bind(webhook)
        .bind(id)
        .execute(&mut *self.writing().await?)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    fn webhook_of(&self, row: &SqliteRow) -> Result<Webhook, StoreError> {
        let id: String = row.try_get("id")?;
        let open = |sealed: &[u8]| {
            let plain = self.key.open(sealed, &bound_to(&id));
            let plain = plain.map_err(|it| StoreError::damaged("the secret of a webhook", it))?;
            let text = String::from_utf8(plain.to_vec());
            text.map_err(|it| StoreError::damaged("the secret of a webhook", it))
        };
        let previous = row.try_get::<Option<&[u8]>, _>("previous_secret")?.map(open).transpose()?;
        let until = row.try_get::<Option<i64>, _>("previous_until")?;
        let until = until.and_then(|it| u64::try_from(it).ok()).map(UnixMillis);
        Ok(Webhook {
            url: row.try_get("url")?,
            types: row.try_get("types")?,
            description: row.try_get("description")?,
            enabled: row.try_get("enabled")?,
            gone: row.try_get("gone")?,
            secret: open(row.try_get("secret")?)?,
            previous: previous.zip(until),
            created_at: UnixMillis(number(row, "created_at")?),
            id,
        })
    }
}

async fn count_waiting(
    transaction: &mut SqliteConnection,
    webhook: &str,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM webhook_deliveries WHERE webhook_id = ? AND state = 'waiting'",
    );
    Ok(count.bind(webhook).fetch_one(transaction).await?)
}

/// A secret cannot be moved to another endpoint's row.
fn bound_to(id: &str) -> Vec<u8> {
    format!("webhook {id}").into_bytes()
}

fn delivery(row: &SqliteRow) -> Result<Delivery, StoreError> {
    let time = |it: Option<i64>| it.and_then(|it| u64::try_from(it).ok()).map(UnixMillis);
    Ok(Delivery {
        id: row.try_get("id")?,
        webhook: row.try_get("webhook_id")?,
        event: row.try_get("event_id")?,
        kind: row.try_get("type")?,
        body: row.try_get("body")?,
        state: from_word("the state of a delivery", row.try_get("state")?)?,
        attempts: number(row, "attempts")?,
        next_at: UnixMillis(number(row, "next_at")?),
        status: row.try_get("status")?,
        error: row.try_get("error")?,
        created_at: UnixMillis(number(row, "created_at")?),
        tried_at: time(row.try_get("tried_at")?),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hook(id: &str) -> Webhook {
        Webhook {
            id: id.to_owned(),
            url: "http://crm/".to_owned(),
            types: "call.*".to_owned(),
            description: String::new(),
            enabled: true,
            gone: false,
            secret: "whsec_one".to_owned(),
            previous: Some(("whsec_two".to_owned(), UnixMillis(9_000))),
            created_at: UnixMillis(1_000),
        }
    }

    fn new(webhook: &str, event: usize) -> NewDelivery {
        NewDelivery {
            webhook: webhook.to_owned(),
            event: event.to_string(),
            kind: "call.ended".to_owned(),
            body: "{}".to_owned(),
        }
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    async fn db() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path()).await.unwrap();
        db.put_webhook(TenantId::default(), &hook("a")).await.unwrap();
        (folder, db)
    }

    #[test]
    fn endpoints_are_stored_with_their_secrets_sealed() {
        run(async {
            let (_folder, db) = db().await;
            assert!(db.webhooks(TenantId::default()).await.unwrap() == [hook("a")]);
            let sealed: Vec<u8> = sqlx::query_scalar("SELECT secret FROM webhooks")
                .fetch_one(&db.pool)
                .await
                .unwrap();
            assert!(!sealed.windows(6).any(|it| it == b"whsec_"));
            let other = Webhook { previous: None, enabled: false, ..hook("a") };
            db.put_webhook(TenantId::default(), &other).await.unwrap();
            assert!(db.webhooks(TenantId::default()).await.unwrap() == [other]);
            assert!(db.delete_webhook(TenantId::default(), "a").await.unwrap());
            assert!(!db.delete_webhook(TenantId::default(), "a").await.unwrap());
        });
    }

    #[test]
    fn deliveries_wait_for_their_time_and_go_with_their_endpoint() {
        run(async {
            let (_folder, db) = db().await;
            let now = UnixMillis(2_000);
            let all = [new("a", 1), new("a", 2), new("none", 3)];
            assert_eq!(db.add_deliveries(&all, now).await.unwrap(), 0);
            let due = db.due_deliveries("a", now, 10).await.unwrap();
            assert_eq!(due.iter().map(|it| &*it.event).collect::<Vec<_>>(), ["1", "2"]);
            let later = Delivery { next_at: UnixMillis(7_000), attempts: 1, ..due[0].clone() };
            db.tried(&later).await.unwrap();
            let done = Delivery { state: DeliveryState::Delivered, ..due[1].clone() };
            db.tried(&done).await.unwrap();
            assert_eq!(db.due_deliveries("a", now, 10).await.unwrap(), []);
            assert_eq!(db.next_delivery("a", now).await.unwrap(), Some(UnixMillis(7_000)));
            assert_eq!(db.due_deliveries("a", UnixMillis(7_000), 10).await.unwrap(), [later]);
            assert!(db.resend_delivery("a", done.id, now).await.unwrap());
            assert!(!db.resend_delivery("b", done.id, now).await.unwrap());
            assert_eq!(db.due_deliveries("a", now, 10).await.unwrap().len(), 1);
            db.webhook_gone("a").await.unwrap();
            let log = db.deliveries("a", None, 10).await.unwrap();
            assert!(log.iter().all(|it| it.state == DeliveryState::Parked), "{log:?}");
            assert_eq!(db.deliveries("a", Some(log[1].id), 10).await.unwrap(), []);
            db.delete_webhook(TenantId::default(), "a").await.unwrap();
            assert_eq!(db.deliveries("a", None, 10).await.unwrap(), []);
        });
    }

    #[test]
    fn what_waits_and_what_is_over_is_bounded() {
        run(async {
            let (_folder, db) = db().await;
            let now = UnixMillis(2_000);
            let most = usize::try_from(WAITING_MAX).unwrap();
            let all: Vec<NewDelivery> = (0..most + 3).map(|it| new("a", it)).collect();
            assert_eq!(db.add_deliveries(&all, now).await.unwrap(), 3);
            assert_eq!(db.add_deliveries(&all[..1], now).await.unwrap(), 1);
            sqlx::query("UPDATE webhook_deliveries SET state = 'delivered' WHERE id > 1")
                .execute(&db.pool)
                .await
                .unwrap();
            let first = db.due_deliveries("a", now, 1).await.unwrap().remove(0);
            db.tried(&Delivery { state: DeliveryState::Parked, ..first }).await.unwrap();
            let log = db.deliveries("a", None, u32::MAX).await.unwrap();
            assert_eq!(log.len(), usize::try_from(LOGGED_MAX).unwrap());
        });
    }
}
