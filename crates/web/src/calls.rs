//! What is done with calls: placing one, sending one of its sides elsewhere, ending it.

use crate::Office;
use crate::access::{Principal, Who};
use crate::audit::{Author, CALLS};
use crate::live::{find, hangup};
use crate::resource::{Call, Failure, Placed};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use pbx::call::media::Half;
use pbx::call::placed::Order;
use pbx::id::{CallId, TenantId};
use pbx::supplementary::is_forwardable;
use pbx::text;
use pbx::time::UnixMillis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /api/v1/calls`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placing {
    /// An extension: it is called first, and its rights count.
    pub from: String,
    /// Called once that has answered, as if it had dialled it.
    pub to: String,
    /// Ask the phone to answer by itself.
    #[serde(default)]
    pub auto_answer: bool,
}

/// `POST /api/v1/calls/{id}:transfer`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transferring {
    /// Who is sent there; the other side is released once the number has answered.
    pub leg: Side,
    pub to: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Caller,
    Callee,
}

pub(crate) async fn on_place(
    State(office): State<Office>,
    principal: Principal,
    Json(wanted): Json<Placing>,
) -> Result<(StatusCode, Json<Placed>), Failure> {
    let directory = office.running.directory();
    let known = directory.tenant(TenantId::default());
    if known.and_then(|it| it.extension(&wanted.from)).is_none() {
        let text = text!("there is no extension {}", "分机{}不存在", wanted.from);
        return Err(Failure::new(422, "invalid", text).at("from"));
    }
    let to = number(&wanted.to)?;
    if to == wanted.from {
        let text = text!("an extension cannot call itself", "分机不能呼叫自己");
        return Err(Failure::new(422, "invalid", text).at("to"));
    }
    let call = new_id(office.running.now())?;
    let order = Order {
        call,
        tenant: TenantId::default(),
        by: wanted.from.as_str().into(),
        first: wanted.from.as_str().into(),
        second: to.into(),
        shown: None,
        shown_to_second: None,
        placed_by: name_of(&principal).into(),
        answers_itself: wanted.auto_answer,
    };
    if !office.running.place(order) {
        return Err(unable());
    }
    Author::of(&office, &principal).done("place", CALLS, &call.to_string()).await;
    let placed = Placed { id: call.to_string(), short_id: call.short().to_string() };
    Ok((StatusCode::ACCEPTED, Json(placed)))
}

/// `POST …/{id}:hangup` and `:transfer`.
pub(crate) async fn on_verb(
    office: State<Office>,
    principal: Principal,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Call>, Failure> {
    if let Some(id) = id.strip_suffix(":hangup") {
        return hangup(office, principal, Path(id.to_owned())).await;
    }
    let none = || Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作"));
    let id = id.strip_suffix(":transfer").ok_or_else(none)?;
    let wanted = serde_json::from_slice(&body).map_err(|_| {
        let text = text!(
            "say leg (caller or callee) and to, a number",
            "请给出leg（caller或callee）和号码to"
        );
        Failure::new(422, "invalid", text)
    })?;
    on_transfer(office, principal, Path(id.to_owned()), Json(wanted)).await
}

pub(crate) async fn on_transfer(
    State(office): State<Office>,
    principal: Principal,
    Path(id): Path<String>,
    Json(wanted): Json<Transferring>,
) -> Result<Json<Call>, Failure> {
    let to = number(&wanted.to)?;
    let call = find(&office, &id).await?;
    let talks = call.ended_at.is_none() && call.answered_at.is_some();
    let kept = match wanted.leg {
        Side::Caller => Half::Caller,
        Side::Callee => Half::Callee,
    };
    if !talks {
        let text = text!("only a call that was answered is transferred", "只能转接已应答的呼叫");
        return Err(Failure::new(409, "not_answered", text));
    }
    if !office.running.transfer(&call, kept, to) {
        return Err(unable());
    }
    Author::of(&office, &principal).done("transfer", CALLS, &call.id).await;
    Ok(Json(call))
}

/// A number that may be dialled.
fn number(text: &str) -> Result<&str, Failure> {
    let text = text.trim();
    let wrong = || {
        let text = text!("{text:?} is no number that can be dialled", "{text:?}不是可以拨打的号码");
        Failure::new(422, "invalid", text).at("to")
    };
    is_forwardable(text).then_some(text).ok_or_else(wrong)
}

fn unable() -> Failure {
    let text = text!("the server takes no calls now", "服务器目前不接受新的呼叫");
    Failure::new(503, "busy", text).after(1)
}

/// A name for a call that is to be placed.
pub fn new_id(now: UnixMillis) -> Result<CallId, Failure> {
    let mut random = [0; 10];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new(500, "random", crate::failure::no_random_numbers(error)))?;
    Ok(CallId::of(now, random))
}

/// Who has a call placed, as its record has it.
fn name_of(principal: &Principal) -> String {
    match &principal.who {
        Who::Nobody => "nobody".to_owned(),
        Who::Cli => "cli".to_owned(),
        Who::User { name, .. } => format!("user:{name}"),
        Who::ApiKey { name, .. } => format!("api:{name}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::scene::Scene;
    use serde_json::{Value, json};

    async fn office() -> Scene {
        let scene = Scene::new().await;
        let new = json!({ "extensions": [{ "number": "100" }, { "number": "101" }] });
        let added = scene.post("/api/v1/extensions").json(&new).by_socket().send().await;
        assert_eq!(added.status, 200, "{}", added.body);
        scene
    }

    #[tokio::test]
    async fn a_call_is_placed_by_its_extension() {
        let scene = office().await;
        let wanted = json!({ "from": "100", "to": "90138", "auto_answer": true });
        let placed = scene.post("/api/v1/calls").json(&wanted).by_socket().send().await;
        assert_eq!(placed.status, 202, "{}", placed.body);
        let orders = scene.server.placed.lock().unwrap().clone();
        let [order] = &orders[..] else { panic!("{orders:?}") };
        assert_eq!(placed.json()["id"], order.call.to_string());
        assert_eq!(placed.json()["short_id"], order.call.short().to_string());
        assert_eq!([&*order.by, &*order.first, &*order.second], ["100", "100", "90138"]);
        assert_eq!((&*order.placed_by, order.answers_itself), ("cli", true));
        let entries = scene.get("/api/v1/audit-entries").by_socket().send().await.json();
        assert_eq!(entries["entries"][0]["action"], "place", "{entries}");
    }

    #[tokio::test]
    async fn what_cannot_be_placed_or_transferred_is_refused_by_name() {
        let scene = office().await;
        #[rustfmt::skip]
        let table: [(&str, Value, u16, &str, &str); 10] = [
            ("/api/v1/calls", json!({ "from": "999", "to": "101" }),          422, "invalid", "from"),
            ("/api/v1/calls", json!({ "from": "100", "to": "" }),             422, "invalid", "to"),
            ("/api/v1/calls", json!({ "from": "100", "to": "1 0\r\nX: y" }),  422, "invalid", "to"),
            ("/api/v1/calls", json!({ "from": "100", "to": "100" }),          422, "invalid", "to"),
            ("/api/v1/calls/c-1:transfer", json!({ "leg": "caller", "to": "<x>" }), 422, "invalid", "to"),
            ("/api/v1/calls/c-1:transfer", json!({ "leg": "caller", "to": "101" }), 404, "not_found", ""),
            ("/api/v1/calls/c-1:hangup", json!({}),                           404, "not_found", ""),
            ("/api/v1/calls/c-1:sing", json!({}),                             404, "not_found", ""),
            ("/api/v1/calls/c-1:transfer", Value::Null,                       422, "invalid", ""),
            ("/api/v1/calls/c-1:transfer", json!({ "leg": "both", "to": "1" }), 422, "invalid", ""),
        ];
        for (path, body, status, code, field) in table {
            let ask = scene.post(path).by_socket();
            let ask = if body.is_null() { ask } else { ask.json(&body) };
            let answer = ask.send().await;
            let is = (answer.status, answer.code());
            assert_eq!(is, (status, code.to_owned()), "{path} {body}: {}", answer.body);
            assert_eq!(answer.json()["field"].as_str().unwrap_or_default(), field, "{path} {body}");
        }
        assert!(scene.server.placed.lock().unwrap().is_empty());
    }
}
