//! Webhooks: `/api/v1/webhooks`, endpoints that events are sent to, as Standard Webhooks has it.

mod attempt;
mod run;
mod send;
mod sign;
mod trust;

pub use run::run;

use crate::Office;
use crate::access::Principal;
use crate::audit::{Author, Editor, Kept};
use crate::conventions::{Listed, PageQuery, not_of_this_list};
use crate::events::Kinds;
use crate::failure::no_random_numbers;
use crate::moment::rfc3339;
use crate::resource::Failure;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::text;
use pbx::time::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::db::{Delivery, DeliveryState, NewDelivery, Webhook};
use tokio::sync::watch;

/// Endpoints of an office.
const WEBHOOKS_MAX: usize = 20;
/// How long the old secret signs too after a new one was made.
const ROTATION: Duration = Duration::from_secs(24 * 60 * 60);
const DESCRIPTION_CHARS_MAX: usize = 200;
/// As the audit names them.
pub(crate) const WEBHOOKS: &str = "webhooks";
/// The type of an event that somebody asked for to see it arrive.
const TEST: &str = "webhook.test";
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 500;

/// Wakes the task that serves the endpoints, and counts what it does.
pub(crate) struct Webhooks {
    changed: watch::Sender<()>,
    added: watch::Sender<()>,
    /// By [`RESULTS`].
    results: [AtomicU64; RESULTS.len()],
}

/// What becomes of an attempt, and of an event that is not even written down because too many wait.
const RESULTS: [&str; 4] = ["delivered", "failed", "given_up", "dropped"];

impl Default for Webhooks {
    fn default() -> Self {
        let results = Default::default();
        Self { changed: watch::Sender::new(()), added: watch::Sender::new(()), results }
    }
}

impl Webhooks {
    /// Endpoints were changed.
    fn changed_now(&self) {
        self.changed.send_replace(());
    }

    /// There is something to send.
    fn added(&self) {
        self.added.send_replace(());
    }

    fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// An attempt was made, after which a delivery is in this state.
    pub(crate) fn tried(&self, state: DeliveryState) {
        let result = match state {
            DeliveryState::Delivered => 0,
            DeliveryState::Waiting => 1,
            DeliveryState::Parked => 2,
        };
        self.results[result].fetch_add(1, Ordering::Relaxed);
    }

    fn dropped(&self, count: usize) {
        self.results[3].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// What became of them, for `/metrics`.
    pub(crate) fn results(&self) -> [(&'static str, u64); RESULTS.len()] {
        std::array::from_fn(|it| (RESULTS[it], self.results[it].load(Ordering::Relaxed)))
    }

    fn arrivals(&self) -> watch::Receiver<()> {
        self.added.subscribe()
    }
}

/// An endpoint as the API shows it: never with its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookInfo {
    pub id: String,
    pub url: String,
    /// Which events, as in `call.*`; empty: all.
    pub types: String,
    pub description: String,
    pub enabled: bool,
    /// The endpoint answered 410 and gets nothing more until it is enabled again.
    pub gone: bool,
    /// Until when the secret before this one signs too. RFC 3339.
    pub previous_secret_until: Option<String>,
    pub created_at: String,
}

/// With its secret, which is shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewSecret {
    #[serde(flatten)]
    pub webhook: WebhookInfo,
    pub secret: String,
}

/// What an endpoint is to be; what is absent keeps its value or default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// One delivery in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryInfo {
    pub id: i64,
    /// `webhook-id`: the id of the event.
    pub event: String,
    pub r#type: String,
    /// `waiting`, `delivered` or `parked`.
    pub state: DeliveryState,
    pub attempts: u32,
    /// Of the last answer.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
    pub created_at: String,
    pub tried_at: Option<String>,
    /// While it waits.
    pub next_at: Option<String>,
    pub body: String,
}

impl DeliveryInfo {
    /// Of the last attempt: the status, or in words why there is none.
    pub fn answer_text(&self) -> Text {
        match (&self.error, self.status) {
            (Some(error), _) => attempt::told(error),
            (None, Some(status)) => Text::same(status.to_string()),
            (None, None) => Text::same(""),
        }
    }

    pub fn state_text(&self) -> Text {
        match self.state {
            DeliveryState::Waiting => Text::fixed("waiting", "等待中"),
            DeliveryState::Delivered => Text::fixed("delivered", "已送达"),
            DeliveryState::Parked => Text::fixed("given up", "已放弃"),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveriesPage {
    pub deliveries: Vec<DeliveryInfo>,
    /// `cursor` of the next page.
    pub next: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct DeliveriesQuery {
    limit: Option<u32>,
    cursor: Option<i64>,
}

fn shown(it: &Webhook, now: UnixMillis) -> WebhookInfo {
    let until = it.previous.as_ref().map(|(_, until)| *until).filter(|until| now < *until);
    WebhookInfo {
        id: it.id.clone(),
        url: it.url.clone(),
        types: it.types.clone(),
        description: it.description.clone(),
        enabled: it.enabled,
        gone: it.gone,
        previous_secret_until: until.map(rfc3339),
        created_at: rfc3339(it.created_at),
    }
}

/// The endpoint with what is to be changed, where that can be.
fn changed(it: Webhook, change: WebhookChange) -> Result<Webhook, Failure> {
    let enabled = change.enabled.unwrap_or(it.enabled);
    let changed = Webhook {
        url: change.url.unwrap_or(it.url),
        types: change.types.unwrap_or(it.types),
        description: change.description.unwrap_or(it.description),
        enabled,
        gone: it.gone && !enabled,
        ..it
    };
    send::target(&changed.url)?;
    Kinds::parse(&changed.types)?;
    if changed.description.chars().count() > DESCRIPTION_CHARS_MAX {
        let detail = text!(
            "description: at most {DESCRIPTION_CHARS_MAX} characters",
            "description：最多{DESCRIPTION_CHARS_MAX}个字符"
        );
        return Err(Failure::new(422, "invalid", detail).about("description"));
    }
    Ok(changed)
}

async fn find(office: &Office, id: &str) -> Result<Webhook, Failure> {
    let hooks = office.db.webhooks(TenantId::default()).await?;
    hooks.into_iter().find(|it| it.id == id).ok_or_else(|| missing(id))
}

/// What is shown of an endpoint, where there is one.
pub(crate) async fn shown_if_any(
    office: &Office,
    id: &str,
) -> Result<Option<WebhookInfo>, Failure> {
    let hooks = office.db.webhooks(TenantId::default()).await?;
    Ok(hooks.iter().find(|it| it.id == id).map(|it| shown(it, office.running.now())))
}

fn missing(id: &str) -> Failure {
    Failure::new(404, "not_found", text!("there is no webhook {id}", "没有Webhook {id}"))
}

fn secret() -> Result<String, Failure> {
    sign::generate().map_err(|it| Failure::new(500, "random", no_random_numbers(it)))
}

/// A name of our own: the time it was made.
fn name(now: UnixMillis) -> String {
    format!("wh-{:x}", now.0)
}

/// What was edited is in force, and the sender looks at it.
async fn commit(office: &Office, author: Editor<'_>) -> Result<(), Failure> {
    author.commit().await?;
    office.webhooks.changed_now();
    Ok(())
}

/// There are so few that all of them are read.
pub(crate) async fn on_list(
    State(office): State<Office>,
    Query(query): Query<PageQuery>,
) -> Result<Listed<WebhookInfo>, Failure> {
    let now = office.running.now();
    let mut hooks = office.db.webhooks(TenantId::default()).await?;
    if !query.cursor.is_empty() {
        let last = hooks.iter().position(|it| it.id == query.cursor);
        hooks.drain(..=last.ok_or_else(not_of_this_list)?);
    }
    hooks.retain(|it| it.url.contains(query.search()) || it.description.contains(query.search()));
    let found = hooks.iter().map(|it| shown(it, now)).collect();
    Ok(query.listed("/api/v1/webhooks", found, |it: &WebhookInfo| it.id.clone()))
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(id): Path<String>,
) -> Result<Json<WebhookInfo>, Failure> {
    Ok(Json(shown(&find(&office, &id).await?, office.running.now())))
}

pub(crate) async fn on_add(
    State(office): State<Office>,
    principal: Principal,
    Json(change): Json<WebhookChange>,
) -> Result<Json<NewSecret>, Failure> {
    let _edit = office.edits.lock().await;
    let now = office.running.now();
    let hooks = office.db.webhooks(TenantId::default()).await?;
    must_have_room(&hooks)?;
    let fresh = Webhook {
        id: name(now),
        url: String::new(),
        types: String::new(),
        description: String::new(),
        enabled: true,
        gone: false,
        secret: secret()?,
        previous: None,
        created_at: now,
    };
    if hooks.iter().any(|it| it.id == fresh.id) {
        let detail = text!("two webhooks in one moment: try again", "请稍后重试");
        return Err(Failure::new(409, "exists", detail));
    }
    let hook = changed(fresh, change)?;
    let made = shown(&hook, now);
    let author = Author::of(&office, &principal).edit();
    author.db().put_webhook(TenantId::default(), &hook).await?;
    author.changed(WEBHOOKS, &hook.id, None::<&WebhookInfo>, Some(&made)).await?;
    commit(&office, author).await?;
    Ok(Json(NewSecret { webhook: made, secret: hook.secret }))
}

fn must_have_room(hooks: &[Webhook]) -> Result<(), Failure> {
    if hooks.len() < WEBHOOKS_MAX {
        return Ok(());
    }
    let detail = text!("at most {WEBHOOKS_MAX} webhooks", "最多{WEBHOOKS_MAX}个Webhook");
    Err(Failure::new(422, "too_many", detail))
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
    Json(change): Json<WebhookChange>,
) -> Result<Json<WebhookInfo>, Failure> {
    let _edit = office.edits.lock().await;
    set(&office, Author::of(&office, &principal), &id, change).await.map(Json)
}

pub(crate) async fn set(
    office: &Office,
    author: Author<'_>,
    id: &str,
    change: WebhookChange,
) -> Result<WebhookInfo, Failure> {
    let before = find(office, id).await?;
    let was = shown(&before, author.now);
    let hook = changed(before, change)?;
    let is = shown(&hook, author.now);
    let author = author.edit();
    author.db().put_webhook(TenantId::default(), &hook).await?;
    author.changed(WEBHOOKS, id, Some(&was), Some(&is)).await?;
    commit(office, author).await?;
    Ok(is)
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<()>, Failure> {
    let _edit = office.edits.lock().await;
    delete(&office, Author::of(&office, &principal), &id).await.map(Json)
}

pub(crate) async fn delete(office: &Office, author: Author<'_>, id: &str) -> Result<(), Failure> {
    let hook = find(office, id).await?;
    let was = shown(&hook, author.now);
    let author = author.edit();
    if !author.db().delete_webhook(TenantId::default(), id).await? {
        return Err(missing(id));
    }
    author.gone(WEBHOOKS, id, &was, Some(Kept::Webhook(hook))).await?;
    commit(office, author).await
}

/// One that was removed gets events again, signed as before.
pub(crate) async fn put_back(
    office: &Office,
    author: Author<'_>,
    hook: Webhook,
) -> Result<(), Failure> {
    must_have_room(&office.db.webhooks(TenantId::default()).await?)?;
    let is = shown(&hook, author.now);
    let author = author.edit();
    author.db().put_webhook(TenantId::default(), &hook).await?;
    author.changed(WEBHOOKS, &hook.id, None::<&WebhookInfo>, Some(&is)).await?;
    commit(office, author).await
}

/// `POST …/{id}:test` and `POST …/{id}:rotate`.
pub(crate) async fn on_verb(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    if let Some(id) = id.strip_suffix(":test") {
        let id = Path(id.to_owned());
        return on_test(State(office), id).await.map(IntoResponse::into_response);
    }
    let Some(id) = id.strip_suffix(":rotate") else { return Err(no_such_verb()) };
    let id = Path(id.to_owned());
    on_rotate(State(office), principal, id).await.map(IntoResponse::into_response)
}

/// An event that did not happen, for who wants to see whether events arrive.
pub(crate) async fn on_test(
    State(office): State<Office>,
    Path(id): Path<String>,
) -> Result<Json<()>, Failure> {
    let hook = find(&office, &id).await?;
    if !hook.enabled {
        let what = text!("the endpoint is not in use", "该端点未启用");
        return Err(Failure::new(409, "disabled", what));
    }
    let now = office.running.now();
    let event = format!("test-{:x}", now.0);
    let body = serde_json::json!({
        "id": event,
        "type": TEST,
        "time": rfc3339(now),
        "tenant": "default",
        "node": &*office.running.events().node,
        "seq": 0,
        "data": {},
    });
    let (webhook, body) = (hook.id, body.to_string());
    let new = NewDelivery { webhook, event, kind: TEST.to_owned(), body };
    if office.db.add_deliveries(&[new], now).await? > 0 {
        let what = text!("too many events wait for this endpoint", "该端点等待投递的事件过多");
        return Err(Failure::new(409, "too_many", what));
    }
    office.webhooks.added();
    Ok(Json(()))
}

/// A new secret; the old one signs too for a day.
pub(crate) async fn on_rotate(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<NewSecret>, Failure> {
    let _edit = office.edits.lock().await;
    let author = Author::of(&office, &principal);
    put_secret(&office, author, &id, secret()?).await.map(Json)
}

/// The secret before this one signs too for a day.
pub(crate) async fn put_secret(
    office: &Office,
    author: Author<'_>,
    id: &str,
    secret: String,
) -> Result<NewSecret, Failure> {
    let (now, was) = (author.now, find(office, id).await?);
    let previous = Some((was.secret.clone(), now.after(ROTATION)));
    let hook = Webhook { secret, previous, ..was.clone() };
    let author = author.edit();
    author.db().put_webhook(TenantId::default(), &hook).await?;
    author.did("rotate", WEBHOOKS, id, Some(Kept::Webhook(was))).await?;
    commit(office, author).await?;
    Ok(NewSecret { webhook: shown(&hook, now), secret: hook.secret })
}

pub(crate) async fn on_deliveries(
    State(office): State<Office>,
    Path(id): Path<String>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<DeliveriesPage>, Failure> {
    find(&office, &id).await?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let found = office.db.deliveries(&id, query.cursor, limit).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|it| it == limit);
    let next = found.last().map(|it| it.id).filter(|_| is_full);
    let info = |it: Delivery| DeliveryInfo {
        next_at: (it.state == DeliveryState::Waiting).then(|| rfc3339(it.next_at)),
        id: it.id,
        event: it.event,
        r#type: it.kind,
        state: it.state,
        attempts: it.attempts,
        status: it.status,
        error: it.error,
        created_at: rfc3339(it.created_at),
        tried_at: it.tried_at.map(rfc3339),
        body: it.body,
    };
    Ok(Json(DeliveriesPage { deliveries: found.into_iter().map(info).collect(), next }))
}

/// `POST …/deliveries/{delivery}:resend`.
pub(crate) async fn on_delivery_verb(
    State(office): State<Office>,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Json<()>, Failure> {
    let number = delivery.strip_suffix(":resend").and_then(|it| it.parse().ok());
    let number: i64 = number.ok_or_else(no_such_verb)?;
    if !office.db.resend_delivery(&id, number, office.running.now()).await? {
        let detail = text!("there is no delivery {number}", "没有编号为{number}的投递");
        return Err(Failure::new(404, "not_found", detail));
    }
    office.webhooks.added();
    Ok(Json(()))
}

/// The paths of this module.
pub(crate) fn routes() -> Router<Office> {
    Router::new()
        .route("/api/v1/webhooks", get(on_list).post(on_add))
        .route("/api/v1/webhooks/{id}", get(on_show).patch(on_set).delete(on_delete).post(on_verb))
        .route("/api/v1/webhooks/{id}/deliveries", get(on_deliveries))
        .route("/api/v1/webhooks/{id}/deliveries/{delivery}", post(on_delivery_verb))
}

fn no_such_verb() -> Failure {
    Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;
    use serde_json::json;

    #[tokio::test]
    async fn a_secret_is_shown_once() {
        let scene = Scene::new().await;
        let add = json!({ "url": "http://crm/calls", "types": "call.ended" });
        let made = scene.post("/api/v1/webhooks").by_socket().json(&add).send().await.json();
        let (id, secret) = (made["id"].to_string(), made["secret"].to_string());
        assert!(secret.contains(sign::PREFIX), "{made}");
        let path = format!("/api/v1/webhooks/{}", id.trim_matches('"'));
        let shown = scene.get(&path).by_socket().send().await;
        assert!(!shown.body.contains(sign::PREFIX), "{}", shown.body);
        assert_eq!(shown.json()["types"], "call.ended");
        let rotated = scene.post(&format!("{path}:rotate")).by_socket().send().await.json();
        assert_ne!(rotated["secret"], made["secret"]);
        assert!(rotated["previous_secret_until"].is_string(), "{rotated}");
        scene.server.wait(ROTATION);
        let later = scene.get(&path).by_socket().send().await.json();
        assert!(later["previous_secret_until"].is_null(), "{later}");
    }

    #[tokio::test]
    async fn what_cannot_be_sent_to_is_refused() {
        let scene = Scene::new().await;
        let table = [
            json!({ "url": "ftp://crm/" }),
            json!({ "types": "call.ended" }),
            json!({ "url": "http://crm/", "types": "queue.*" }),
            json!({ "url": "http://crm/", "description": "x".repeat(DESCRIPTION_CHARS_MAX + 1) }),
        ];
        for change in table {
            let answer = scene.post("/api/v1/webhooks").by_socket().json(&change).send().await;
            assert_eq!(answer.status, 422, "{change}: {}", answer.body);
        }
        let missing = scene.get("/api/v1/webhooks/wh-1/deliveries").by_socket().send().await;
        assert_eq!(missing.status, 404);
    }
}
